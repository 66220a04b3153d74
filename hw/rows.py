"""The table section of a header, as it comes in and as lanes use it."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.format import BLOCK_BYTES, NARROW_ROW, WIDE_ROW, round_up
from atalanta.golden.params import MAX_BITS, MAX_ROWS
from atalanta.hw.bitwise import leading_one, position_of
from atalanta.hw.segment import layout_of
from atalanta.hw.table import table_layout

NARROW_BITS = 8
"""Values of up to this many bits have narrow rows (golden.format.row_record)."""


def row_bytes(p: DecoderParams) -> int:
    """Bytes of the longest row that the decoder takes."""
    return (NARROW_ROW if p.value_bits <= NARROW_BITS else WIDE_ROW).nbytes


class Rows(wiring.Component):
    """Keeps the blocks of a header's table section and turns them into rows for the lanes.

    Latency 1 cycle from the last block to `o_table` and 2 to `o_good`; both stay until the next block is
    written.

    Attributes:
    ----------
    i_block, i_index, i_write: one block of the section.
    i_rows, i_bits, i_signed: from the base header, known a cycle before the section's last block.
    o_table: the table; rows beyond i_rows are out of reach.
    o_good: the rows tile the values and the counts.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        self.blocks = round_up(row_bytes(p) * p.rows, BLOCK_BYTES) // BLOCK_BYTES
        super().__init__(
            {
                "i_block": In(8 * BLOCK_BYTES),
                "i_index": In(range(self.blocks)),
                "i_write": In(1),
                "i_rows": In(range(MAX_ROWS + 1)),
                "i_bits": In(range(MAX_BITS + 1)),
                "i_signed": In(1),
                "o_table": Out(table_layout(p)),
                "o_good": Out(1),
            }
        )

    def _fields(self, m: Module, section: Value, name: str) -> list[Value]:
        """One field of every row, whichever kind of row the section holds."""
        fields: list[Value] = []
        for row in range(self._p.rows):
            kinds = [NARROW_ROW] if self._p.value_bits <= NARROW_BITS else [NARROW_ROW, WIDE_ROW]
            found = [
                data.View(layout_of(kind), section[row * kind.width :][: kind.width])[name] for kind in kinds
            ]
            narrow = self.i_bits <= NARROW_BITS
            value = found[0] if len(found) == 1 else Mux(narrow, found[0], found[1])
            field = Signal(found[-1].shape(), name=f"{name}{row}")
            m.d.comb += field.eq(value)
            fields.append(field)
        return fields

    def elaborate(self, _platform: object) -> Module:
        """All rows at once: it costs a subtraction a row and saves a cycle a row at every start."""
        p, m = self._p, Module()
        if not p.atalanta:
            return m  # nothing drives its ports: they stay 0
        section = Signal(8 * BLOCK_BYTES * self.blocks, reset_less=True)
        with m.If(self.i_write):
            m.d.sync += section.word_select(self.i_index, 8 * BLOCK_BYTES).eq(self.i_block)

        total = p.precision.total
        v_min = [*self._fields(m, section, "v_min"), Const(0)]
        cum = [*self._fields(m, section, "cum"), Const(0)]
        tiles_values, tiles_counts = Signal(p.rows), Signal(p.rows)
        start_at_0 = Signal(2)
        m.d.sync += [
            start_at_0.eq(Cat(v_min[0] == 0, cum[0] == 0)),
            self.o_good.eq(Cat(tiles_values, tiles_counts, start_at_0).all()),
        ]
        values = Signal(p.value_bits + 1)
        middle = Signal(p.value_bits)
        are_here, are_final = Signal(p.rows), Signal(p.rows)
        m.d.sync += [
            values.eq(1 << self.i_bits),
            middle.eq(Mux(self.i_signed, (1 << self.i_bits) >> 1, 0)),
            are_here.eq(Cat(row < self.i_rows for row in range(p.rows))),
            are_final.eq(Cat(row + 1 == self.i_rows for row in range(p.rows))),
        ]
        for row in range(p.rows):
            here, final = are_here[row], are_final[row]
            v_end = Mux(final, values, v_min[row + 1])
            cum_end = Mux(final, total, cum[row + 1])
            out = self.o_table[row]
            lead = Signal(p.value_bits, name=f"lead{row}")
            m.d.comb += [
                out.cum.eq(Mux(here, cum[row], total)),
                out.base.eq(v_min[row] - middle),
                lead.eq(leading_one(out.last)),
                out.offset_bits.eq(position_of(lead, range(1, p.value_bits + 1))),
            ]
            m.d.sync += [
                out.last.eq(v_end - v_min[row] - 1),
                tiles_values[row].eq(~here | (v_min[row] < v_end)),
                tiles_counts[row].eq(~here | (cum[row] <= cum_end)),
            ]
        return m

"""The probability table as lanes see it."""

from amaranth.lib import data

from atalanta.golden.decoder import DecoderParams


def row_layout(p: DecoderParams) -> data.StructLayout:
    """A row as lanes use it.

    cum: counts of the rows before it; the total for rows that the stream's table does not have.
    base: its lowest value, already in the output's number format (two's complement, sign-extended).
    offset_bits: bits of an offset.
    last: greatest legal offset.
    """
    return data.StructLayout(
        {
            "cum": p.precision.count + 1,
            "base": p.value_bits,
            "offset_bits": p.value_bits.bit_length(),
            "last": p.value_bits,
        }
    )


def table_layout(p: DecoderParams) -> data.ArrayLayout:
    """All rows of a table."""
    return data.ArrayLayout(row_layout(p), p.rows)

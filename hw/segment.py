"""What the header parser tells the decoders about a segment."""

from amaranth.hdl import Shape, unsigned
from amaranth.lib import data

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.format import Record
from atalanta.golden.params import MAX_BITS, MAX_SEGMENT_VALUES
from atalanta.hw.table import table_layout


def layout_of(record: Record) -> data.StructLayout:
    """The hardware's view of a record of the format."""
    return data.StructLayout({field.name: field.width for field in record})


def count_shape() -> Shape:
    """Holds a number of values of a segment."""
    return unsigned(MAX_SEGMENT_VALUES.bit_length())


def atalanta_layout(p: DecoderParams) -> data.StructLayout:
    """A segment for the lanes.

    steps: values of lane 0. rest: values of the last step, 0 for all lanes. lanes_log2: lanes.
    more: another segment of the tensor follows. table: as lanes use it.
    """
    return data.StructLayout(
        {
            "steps": count_shape(),
            "rest": range(p.lanes),
            "lanes_log2": 3,
            "more": 1,
            "table": table_layout(p),
        }
    )


def groups_layout() -> data.StructLayout:
    """A segment for the unpacker: fields of the header; a raw segment has raw high."""
    return data.StructLayout(
        {
            "count": count_shape(),
            "payload_bytes": 32,
            "bits": range(MAX_BITS + 1),
            "signed": 1,
            "more": 1,
            "raw": 1,
            "mask": 1,
            "zero_width": 1,
        }
    )

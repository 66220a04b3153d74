"""What is in a compressed tensor: header fields, tables, and what its bits are for."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from atalanta.golden.container import Segment, check_end, segments, tensor_shape
from atalanta.golden.format import BASE
from atalanta.golden.table import Table
from atalanta.golden.values import Mapping, dtype_of


def table_rows(table: Table, *, signed: bool, mapping: Mapping) -> Iterator[dict[str, int]]:
    """Rows of a probability table, as values rather than codes: first, last, count, offset bits."""
    zero = 1 << table.bits - 1 if signed and mapping is Mapping.OFFSET_BINARY else 0
    for row in range(table.rows):
        yield {
            "first": table.v_min[row] - zero,
            "last": table.v_end(row) - 1 - zero,
            "count": table.count(row),
            "offset_bits": table.offset_bits[row],
        }


def _segment(segment: Segment, stream: bytes) -> dict[str, Any]:
    head = segment.header
    layout = asdict(segment.layout)
    table = getattr(segment.layout, "table", None)
    if isinstance(table, Table):
        layout["table"] = list(table_rows(table, signed=head.signed, mapping=segment.codec.mapping))
    return {
        "start": head.start,
        "bytes": head.end - head.start,
        "codec": segment.codec.name,
        "header": BASE.unpack(stream[head.start : head.start + BASE.nbytes]),
        "layout": layout,
        "bits": segment.parts(stream),
    }


def inspect_stream(name: str, stream: bytes) -> dict[str, Any]:
    """Everything a stream says, every check made, ready for JSON.

    header: fields as stored. layout: what the codec reads in its parameters and header sections.
    bits: of the segment and, in total, of the stream, by what they are for; they sum to 8 * bytes.

    Raises StreamError for any malformed stream.
    """
    found = list(segments(stream))
    first = found[0].header
    described = [_segment(segment, stream) for segment in found]
    total: Counter[str] = Counter()
    for segment in described:
        total.update(segment["bits"])
    shape = tensor_shape(found)
    check_end(found, len(stream))
    dtype = dtype_of(first.signed, first.wide)
    values = sum(segment.header.count for segment in found)
    return {
        "tensor": name,
        "dtype": dtype.name,
        "shape": list(shape),
        "values": values,
        "bits_per_value": first.bits,
        "bytes_raw": values * dtype.itemsize,
        "bytes": len(stream),
        "bits": dict(total),
        "segments": described,
    }

"""Where the bits of an Atalanta stream go that order-0 entropy does not ask for."""

import math
from collections import Counter

import numpy as np

from atalanta.golden.codecs.atalanta import Atalanta
from atalanta.golden.container import Segment, segments
from atalanta.golden.format import row_record
from atalanta.golden.table import Table
from atalanta.golden.values import Codes

REASONS = ("rows", "table", "header", "coder", "padding")
"""Why a stream is longer than the entropy, in the order of tables."""


def model_bits(codes: Codes, table: Table) -> float:
    """What the table asks for: -log2(count / total) + offset bits, summed over `codes`."""
    by_row = np.add.reduceat(np.bincount(codes, minlength=1 << table.bits), table.v_min)
    total = table.precision.total
    each = (
        math.log2(total / table.count(row)) + table.offset_bits[row] if values else 0.0
        for row, values in enumerate(by_row)
    )
    return sum(float(values) * bits for values, bits in zip(by_row, each, strict=True))


def overhead(stream: bytes, entropy_bytes: float) -> dict[str, float]:
    """Bytes of `stream` by reason; they sum to its length.

    entropy: `entropy_bytes`, the order-0 entropy of the whole tensor. rows: what the model asks for beyond
    it, because a row has one count, a sum of 1024, and one offset length for all its values (negative
    where segments with tables of their own beat one table). table: the probability tables. header: headers
    and lengths of lanes. coder: ends of the arithmetic coder's ways and its rounding. padding: to whole
    bytes of each lane. stored: segments in another codec, whole.
    """
    bits: Counter[str] = Counter()
    for segment in segments(stream):
        bits.update(_of_segment(segment, stream))
    found = {name: count / 8 for name, count in bits.items()}
    model = found.pop("model", 0.0)
    stored = found.pop("stored", 0.0)
    return {"entropy": entropy_bytes, "rows": model + stored - entropy_bytes, **found}


def _of_segment(segment: Segment, stream: bytes) -> dict[str, float]:
    parts = segment.parts(stream)
    if segment.codec is not Atalanta:
        own = parts.pop("header") + parts.pop("tables")
        return {"stored": float(sum(parts.values())), "header": float(own)}
    p = segment.layout.params
    table = 8 * row_record(p.bits).nbytes * p.rows
    codes = segment.codec.decode(segment.layout, segment.payload(stream), segment.header.count)
    model = model_bits(codes, segment.layout.table)
    used = parts["code"] + parts["refill"] + parts["offset"]
    return {
        "model": model,
        "table": float(table),
        "header": float(parts["header"] + parts["tables"] - table),
        "coder": used - model,
        "padding": float(parts["padding"]),
    }

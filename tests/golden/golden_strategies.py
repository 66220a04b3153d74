"""Hypothesis strategies: parameters, tables and codes of every kind that a stream can have."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from atalanta.golden.params import BEAT_BYTES, LANE_DEPTH, LANES, WAYS, AtalantaParams, ShapeShifterParams
from atalanta.golden.table import PUBLISHED, Table
from atalanta.golden.values import Codes

MAX_VALUES = 700


@dataclass(frozen=True)
class Coding:
    """A segment to code: codes that its table can code, table and parameters."""

    codes: Codes
    table: Table
    params: AtalantaParams


@st.composite
def tables(draw: st.DrawFn, bits: int) -> Table:
    """Any table: rows without counts, rows of one value, one row alone, up to 32 rows."""
    most = min(32, 1 << bits)
    cuts = draw(st.sets(st.integers(1, (1 << bits) - 1), max_size=most - 1))
    size = len(cuts)
    cums = draw(st.lists(st.integers(0, PUBLISHED.total), min_size=size, max_size=size))
    return Table(bits, (0, *sorted(cuts)), (0, *sorted(cums)))


def params(bits: int) -> st.SearchStrategy[AtalantaParams]:
    """All parameters but `rows`, which is the table's."""
    return st.builds(
        AtalantaParams,
        bits=st.just(bits),
        lanes=st.sampled_from(LANES),
        ways=st.sampled_from(WAYS),
        beat_bytes=st.sampled_from(BEAT_BYTES),
        lane_depth=st.sampled_from(LANE_DEPTH),
    )


def draw_codes(table: Table, count: int, seed: int, *, by_count: bool) -> Codes:
    """Codes that the table can code, rows drawn by their counts or all alike."""
    rng = np.random.default_rng(seed)
    counts = np.array([table.count(row) for row in range(table.rows)])
    shares = counts / counts.sum() if by_count else (counts > 0) / (counts > 0).sum()
    rows = rng.choice(table.rows, count, p=shares)
    low = np.array(table.v_min)[rows]
    high = np.array([table.v_end(row) for row in range(table.rows)])[rows]
    return rng.integers(low, high).astype(np.uint16)


@st.composite
def codings(draw: st.DrawFn) -> Coding:
    """A segment of 0 to MAX_VALUES codes of 2 to 16 bits."""
    bits = draw(st.integers(2, 16))
    table = draw(tables(bits))
    p = replace(draw(params(bits)), rows=table.rows)
    count = draw(st.integers(0, MAX_VALUES))
    codes = draw_codes(table, count, draw(st.integers(0, 1 << 32)), by_count=draw(st.booleans()))
    narrow = bits <= 8 and draw(st.booleans())
    return Coding(codes.astype(np.uint8) if narrow else codes, table, p)


@st.composite
def groupings(draw: st.DrawFn) -> tuple[Codes, ShapeShifterParams]:
    """A ShapeShifter segment: codes with zeros and runs of small values, and parameters."""
    p = draw(
        st.builds(
            ShapeShifterParams,
            bits=st.integers(2, 16),
            group=st.integers(8, 256),
            mask=st.booleans(),
            zero_width=st.booleans(),
            lead=st.integers(1, 7),
        )
    )
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    count = draw(st.integers(0, MAX_VALUES))
    wide = rng.integers(0, 1 << p.bits, count) >> np.repeat(rng.integers(0, p.bits + 1, count), 9)[:count]
    codes = (wide * (rng.random(count) < draw(st.sampled_from([0.0, 0.3, 1.0])))).astype(np.uint16)
    narrow = p.bits <= 8 and draw(st.booleans())
    return codes.astype(np.uint8) if narrow else codes, p


@st.composite
def mutations(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` with some bits flipped."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 3)) if data else 0):
        changed[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(changed)

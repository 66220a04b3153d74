"""The reference codecs: what they encode they decode, and every bit has a name."""

from collections import Counter

import numpy as np
import pytest
from golden_strategies import Coding, codings, groupings
from hypothesis import given
from hypothesis import strategies as st

from atalanta.golden.coder import Window, full_window, max_shift, narrow, renormalise
from atalanta.golden.params import Precision, RawParams, ShapeShifterParams
from atalanta.golden.reference import atalanta, raw, shapeshifter
from atalanta.golden.values import Codes


@given(codings())
def test_atalanta(coding: Coding) -> None:
    codes, table, p = coding.codes.astype(np.uint16), coding.table, coding.params
    coded = atalanta.encode(codes, table, p)
    bits: Counter[str] = Counter()
    decoded, used = atalanta.decode(
        coded.payload,
        coded.lane_bytes,
        len(codes),
        table,
        p,
        lambda name, width, _: bits.update({name: width}),
    )
    assert np.array_equal(decoded, codes)
    assert used.sum() == coded.used_bits == bits.total()
    assert [int(lane) for lane in -(-used.sum(axis=0) // 8)] == coded.lane_bytes
    assert sum(coded.lane_bytes) == len(coded.payload)
    assert bits["code"] == 16 * min(len(codes), p.lanes * p.ways)
    assert bits["offset"] == sum(table.offset_bits[table.row_of(int(code))] for code in codes)


@given(groupings())
def test_shapeshifter(grouping: tuple[Codes, ShapeShifterParams]) -> None:
    codes, p = grouping
    payload = shapeshifter.encode(codes, p)
    decoded, used = shapeshifter.decode(payload, len(codes), p)
    assert np.array_equal(decoded, codes)
    assert -(-used.sum() // 8) == len(payload)


@given(st.integers(2, 16), st.integers(0, 200), st.integers(0, 1 << 32))
def test_raw(bits: int, count: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 1 << bits, count).astype(np.uint16)
    payload = raw.encode(codes, RawParams(bits=bits))
    assert len(payload) == -(-count * bits // 8)
    assert np.array_equal(raw.decode(payload, count, RawParams(bits=bits)), codes)


SMALL = Precision(code=7, count=4)


def windows() -> list[Window]:
    """Every window that coding with SMALL can reach from the full one, by any row of any table."""
    found = {full_window(SMALL)}
    fresh = list(found)
    while fresh:
        window = fresh.pop()
        for cum in range(SMALL.total):
            for cum_end in range(cum + 1, SMALL.total + 1):
                after = renormalise(narrow(window, cum, cum_end, SMALL), SMALL)[0]
                if after not in found:
                    found.add(after)
                    fresh.append(after)
    return sorted(found, key=lambda w: (w.low, w.high))


REACHED = windows()


@pytest.mark.parametrize("count", range(1, SMALL.total + 1))
def test_what_hardware_relies_on(count: int) -> None:
    """The facts of golden/coder.py, for every window there is and every row of `count` counts."""
    top = 1 << SMALL.code - 1
    for window in REACHED:
        assert window.range > 1 << SMALL.code - 2
        for cum in range(SMALL.total - count + 1):
            narrowed = narrow(window, cum, cum + count, SMALL)
            after, common, underflow = renormalise(narrowed, SMALL)
            assert common + underflow <= max_shift(SMALL)
            assert after.low < top <= after.high
            assert after.range == narrowed.range << common + underflow
            mask = top - 1
            assert after.low & mask == narrowed.low << common + underflow & mask

"""The compiled ShapeShifter and raw codecs and the histogram equal the reference."""

import numpy as np
import pytest
from golden_strategies import groupings, mutations
from hypothesis import given
from hypothesis import strategies as st
from test_native_atalanta import outcome

from atalanta.golden import native, native_others
from atalanta.golden.params import RawParams, ShapeShifterParams
from atalanta.golden.reference import raw as raw_reference
from atalanta.golden.reference import shapeshifter as reference
from atalanta.golden.values import Codes

pytestmark = pytest.mark.usefixtures("library")


def native_encode(codes: Codes, p: ShapeShifterParams) -> bytes:
    """The payload, its length taken from the measured bits."""
    bits = native_others.shapeshifter_measure(codes, p.group)
    values = bits.masked if p.mask else bits.narrow if p.zero_width else bits.wide
    groups = -(-len(codes) // p.group)
    total = groups * p.width_bits + (len(codes) if p.mask else 0) + values
    return native_others.shapeshifter_encode(codes, p, -(-total // 8))


@given(groupings())
def test_shapeshifter_equals_the_reference(grouping: tuple[Codes, ShapeShifterParams]) -> None:
    codes, p = grouping
    payload = reference.encode(codes, p)
    assert native_encode(codes, p) == payload
    found, used = native_others.shapeshifter_decode(payload, len(codes), p)
    expected, expected_used = reference.decode(payload, len(codes), p)
    assert np.array_equal(found, expected)
    assert np.array_equal(used, expected_used)


@given(groupings(), st.data())
def test_mutated_shapeshifter_payloads_decode_alike(
    grouping: tuple[Codes, ShapeShifterParams], data: st.DataObject
) -> None:
    codes, p = grouping
    payload = data.draw(mutations(native_encode(codes, p)))
    payload = payload[: data.draw(st.integers(0, len(payload)))] + data.draw(st.binary(max_size=3))
    count = max(0, len(codes) + data.draw(st.integers(-30, 30)))
    expected = outcome(reference.decode, payload, count, p)
    assert outcome(native_others.shapeshifter_decode, payload, count, p) == expected


@given(st.integers(2, 16), st.integers(0, 300), st.integers(0, 1 << 32), st.booleans())
def test_raw_equals_the_reference(bits: int, count: int, seed: int, narrow: bool) -> None:
    codes = np.random.default_rng(seed).integers(0, 1 << bits, count).astype(np.uint16)
    if narrow and bits <= 8:
        codes = codes.astype(np.uint8)
    p = RawParams(bits=bits)
    payload = raw_reference.encode(codes, p)
    assert native_others.raw_encode(codes, p) == payload
    assert np.array_equal(native_others.raw_decode(payload, count, p), codes)


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 3), (np.uint8, 8), (np.uint16, 8), (np.uint16, 16)])
@pytest.mark.parametrize("count", [0, 1, 7, 100_003])
def test_histogram(dtype: type[np.unsignedinteger], bits: int, count: int) -> None:
    codes = np.random.default_rng(count).integers(0, 1 << bits, count).astype(dtype)
    assert np.array_equal(native.histogram(codes, bits), np.bincount(codes, minlength=1 << bits))


@pytest.mark.parametrize("width", [0, 9])
def test_widths_beyond_the_value(width: int) -> None:
    """A width field of 4 bits can say 9 and more for values of 8 bits."""
    p = ShapeShifterParams(bits=8, group=8, mask=False, zero_width=True, lead=1)
    payload = bytes([width, 0])
    expected = outcome(reference.decode, payload, 8, p)
    assert outcome(native_others.shapeshifter_decode, payload, 8, p) == expected
    assert ("group 0 has width 9" in str(expected)) == (width == 9)

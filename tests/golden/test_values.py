"""Mappings between values and codes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atalanta.golden.values import DTYPES, Mapping, from_codes, to_codes


def all_values(dtype: np.dtype[np.integer], bits: int) -> np.ndarray:
    low = -(1 << bits - 1) if dtype.kind == "i" else 0
    return np.arange(low, low + (1 << bits)).astype(dtype)


def code_by_definition(value: int, bits: int, signed: bool, mapping: Mapping) -> int:
    if not signed:
        return value
    if mapping is Mapping.OFFSET_BINARY:
        return value + (1 << bits - 1)
    if mapping is Mapping.TWOS_COMPLEMENT:
        return value % (1 << bits)
    return 1 if value == -(1 << bits - 1) else abs(value) << 1 | (value < 0)


@pytest.mark.parametrize("mapping", Mapping)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_value_of_every_width(dtype: np.dtype[np.integer], mapping: Mapping) -> None:
    signed, wide = dtype.kind == "i", dtype.itemsize == 2
    for bits in range(2, 8 * dtype.itemsize + 1):
        values = all_values(dtype, bits)
        codes = to_codes(values, bits, signed, mapping)
        assert codes.dtype == (np.uint16 if wide else np.uint8)
        some = slice(None) if bits <= 10 else slice(None, None, 97)
        expected = [code_by_definition(int(v), bits, signed, mapping) for v in values[some]]
        assert codes[some].tolist() == expected
        back = from_codes(codes, bits, signed, wide, mapping)
        assert back.dtype == dtype
        assert np.array_equal(back, values)
        if bits <= 8:  # decoders may return codes in either width
            assert np.array_equal(from_codes(codes.astype(np.uint16), bits, signed, wide, mapping), values)


@given(st.sampled_from([">i2", ">u2", "<i2"]))
def test_byte_order(dtype: str) -> None:
    values = np.array([-300, 5, 1234] if "i" in dtype else [3, 0x1234]).astype(dtype)
    signed = "i" in dtype
    codes = to_codes(values, 16, signed, Mapping.OFFSET_BINARY)
    back = from_codes(codes, 16, signed, wide=True, mapping=Mapping.OFFSET_BINARY)
    assert back.tolist() == values.tolist()

"""Arrays to unsigned codes and back: the mappings that let each codec see small numbers.

- OFFSET_BINARY (Atalanta): value + 2^(n-1) for signed values, so that table rows straddle zero.
- SIGN_MAGNITUDE (ShapeShifter): |value| above the sign bit, so that one width fits both signs. The
  code of a negative zero, which no value needs, stands for -2^(n-1).
- TWOS_COMPLEMENT (raw): the low n bits as they are.

Unsigned values are their own codes in all three. Codes have as many bytes as the values.
"""

from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.errors import InputError, require
from atalanta.golden.params import MAX_BITS, MIN_BITS

Codes = NDArray[np.unsignedinteger[Any]]
"""uint8 or uint16."""
Array = NDArray[np.integer]

Buffer = bytes | memoryview
"""Bytes that nobody copies on their way; a memoryview may be writable."""

DTYPES = {np.dtype(t): t.__name__ for t in (np.int8, np.uint8, np.int16, np.uint16)}


class Mapping(Enum):
    """How values become codes."""

    OFFSET_BINARY = "offset binary"
    SIGN_MAGNITUDE = "sign magnitude"
    TWOS_COMPLEMENT = "two's complement"


def check_array(array: object, bits: int | None = None) -> tuple[Array, int, bool]:
    """The array itself, its bits per value and whether it is signed; InputError if it cannot be coded.

    array: int8, uint8, int16 or uint16, any shape. bits: 2..16, by default those of the dtype.
    """
    if isinstance(array, np.generic):
        array = np.asarray(array)
    if not isinstance(array, np.ndarray):
        raise InputError(f"expected a NumPy array, not {type(array).__name__}")
    if array.dtype.newbyteorder("=") not in DTYPES:
        raise InputError(f"dtype must be one of {', '.join(DTYPES.values())}, not {array.dtype}")
    most = 8 * array.dtype.itemsize
    bits = most if bits is None else bits
    legal = f"from {MIN_BITS} to {most} for {array.dtype}"
    require(isinstance(bits, int) and MIN_BITS <= bits <= most <= MAX_BITS, "bits", legal, bits)
    signed = array.dtype.kind == "i"
    low = -(1 << bits - 1) if signed else 0
    high = low + (1 << bits) - 1
    if array.size and bits < most:
        least, greatest = int(array.min()), int(array.max())
        if least < low or greatest > high:
            raise InputError(f"values run from {least} to {greatest}; {bits} bits hold {low} to {high}")
    return array, bits, signed


def dtype_of(signed: bool, wide: bool) -> np.dtype[np.integer]:
    """The dtype that a header's flags name."""
    return np.dtype(f"{'i' if signed else 'u'}{2 if wide else 1}")


def code_dtype(wide: bool) -> np.dtype[np.unsignedinteger[Any]]:
    """The dtype of codes of values that take two bytes, or one."""
    return np.dtype(np.uint16 if wide else np.uint8)


def bias_of(bits: int, signed: bool) -> int:
    """What a value lacks to its offset binary code."""
    return 1 << bits - 1 if signed else 0


def raw_view(values: Array) -> Codes:
    """The values' memory as unsigned numbers, in the machine's byte order."""
    flat = values.reshape(-1).astype(values.dtype.newbyteorder("="), copy=False)
    return flat.view(code_dtype(flat.itemsize == 2))


def to_codes(values: Array, bits: int, signed: bool, mapping: Mapping) -> Codes:
    """Codes 0..2^bits-1, shape (count,), of values that fit `bits`; may share the values' memory."""
    codes = raw_view(values)
    if not signed:
        return codes
    flat = codes.view(dtype_of(signed, codes.itemsize == 2))
    top, mask = codes.dtype.type(1 << bits - 1), codes.dtype.type((1 << bits) - 1)
    if mapping is Mapping.OFFSET_BINARY:
        codes = codes ^ top
    elif mapping is Mapping.SIGN_MAGNITUDE:
        sign: Codes = (flat >> 8 * flat.itemsize - 1).view(codes.dtype)  # all ones if negative
        one = codes.dtype.type(1)
        codes = ((codes ^ sign) - sign & ~top) << one | sign & one  # -2^(bits-1) becomes 1
    return codes if bits == 8 * flat.itemsize else codes & mask


def from_codes(codes: Codes, bits: int, signed: bool, wide: bool, mapping: Mapping) -> Array:
    """The values, shape (count,), in the dtype of `signed` and `wide`; may share the codes' memory."""
    values = codes.astype(code_dtype(wide), copy=False)
    if not signed:
        return values
    top = values.dtype.type(1 << bits - 1)
    if mapping is Mapping.OFFSET_BINARY:
        values = values - top
    elif mapping is Mapping.SIGN_MAGNITUDE:
        sign = -(values & 1)
        values = np.where(codes == 1, ~top + top.dtype.type(1), (values >> 1 ^ sign) - sign)
    else:
        values = (values ^ top) - top
    return values.view(dtype_of(signed, wide))

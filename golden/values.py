"""Arrays to unsigned codes and back: the mappings that let each codec see small numbers.

- OFFSET_BINARY (Atalanta): value + 2^(n-1) for signed values, so that table rows straddle zero.
- SIGN_MAGNITUDE (ShapeShifter): |value| above the sign bit, so that one width fits both signs. The
  code of a negative zero, which no value needs, stands for -2^(n-1).
- TWOS_COMPLEMENT (raw): the low n bits as they are.

Unsigned values are their own codes in all three.
"""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.errors import InputError, require
from atalanta.golden.params import MAX_BITS, MIN_BITS

Codes = NDArray[np.uint16]
Array = NDArray[np.integer]

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


def to_codes(values: Array, bits: int, signed: bool, mapping: Mapping) -> Codes:
    """Codes 0..2^bits-1, shape (count,), of values that fit `bits`."""
    flat = values.reshape(-1)
    if not signed:
        return flat.astype(np.uint16)
    wide = flat.astype(np.int32)
    if mapping is Mapping.OFFSET_BINARY:
        wide += 1 << bits - 1
    elif mapping is Mapping.SIGN_MAGNITUDE:
        negative = wide < 0
        wide = np.abs(wide) << 1 | negative
        wide[wide == (1 << bits | 1)] = 1
    return (wide & (1 << bits) - 1).astype(np.uint16)


def from_codes(codes: Codes, bits: int, signed: bool, wide: bool, mapping: Mapping) -> Array:
    """The values, shape (count,), in the dtype of `signed` and `wide`."""
    dtype = dtype_of(signed, wide)
    if not signed:
        return codes.astype(dtype)
    values = codes.astype(np.int32)
    if mapping is Mapping.OFFSET_BINARY:
        values -= 1 << bits - 1
    elif mapping is Mapping.SIGN_MAGNITUDE:
        values = np.where(values & 1, -(values >> 1), values >> 1)
        values[codes == 1] = -(1 << bits - 1)
    else:
        values = (values ^ 1 << bits - 1) - (1 << bits - 1)
    return values.astype(dtype)

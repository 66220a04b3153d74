"""Fields of one width behind one another, as arrays."""

import numpy as np
from numpy.typing import NDArray

MAX_WIDTH = 32


def pack_fields(fields: NDArray[np.integer], width: int) -> bytes:
    """The fields' bits, low bits first, the last byte filled up with zeros.

    fields: shape (n,), below 2^width, width up to MAX_WIDTH.
    """
    rows = np.ascontiguousarray(fields, "<u4").view(np.uint8).reshape(-1, 4)
    bits = np.unpackbits(rows, axis=1, count=width, bitorder="little")
    return np.packbits(bits, bitorder="little").tobytes()


def unpack_fields(data: bytes, count: int, width: int) -> NDArray[np.uint32]:
    """The first `count` fields, shape (count,); `data` must hold them."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count * width, bitorder="little")
    rows = np.packbits(bits.reshape(count, width), axis=1, bitorder="little")
    whole = np.zeros((count, 4), np.uint8)
    whole[:, : rows.shape[1]] = rows
    return whole.reshape(-1).view("<u4").astype(np.uint32, copy=False)

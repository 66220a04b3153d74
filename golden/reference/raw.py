"""The raw codec: values of n bits, one after the other; what everything else is measured against."""

import numpy as np

from atalanta.golden.params import RawParams
from atalanta.golden.values import Codes


def payload_bytes(count: int, p: RawParams) -> int:
    """Bytes of `count` raw values."""
    return -(-count * p.bits // 8)


def encode(codes: Codes, p: RawParams) -> bytes:
    """The payload. codes: shape (count,), below 2^bits."""
    bits = codes[:, None] >> np.arange(p.bits, dtype=np.uint16) & 1
    return np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()


def decode(payload: bytes, count: int, p: RawParams) -> Codes:
    """The codes, shape (count,), from exactly `payload_bytes` bytes."""
    bits = np.unpackbits(np.frombuffer(payload, np.uint8), bitorder="little")
    fields = bits[: count * p.bits].reshape(count, p.bits).astype(np.uint16)
    weights = np.arange(p.bits, dtype=np.uint16)
    return np.asarray((fields << weights).sum(axis=1, dtype=np.uint16))

"""How often each code occurs."""

import numpy as np

from atalanta.golden import native
from atalanta.golden.engine import AUTO, use_native
from atalanta.golden.lanes import Int
from atalanta.golden.values import Codes

_PIECE = 1 << 16
"""Codes that NumPy counts at once: it makes 8 bytes of each."""


def histogram(codes: Codes, bits: int, *, engine: str = AUTO) -> Int:
    """How often each code occurs, shape (2^bits,). codes: below 2^bits."""
    if use_native(engine):
        return native.histogram(codes, bits)
    counts = np.zeros(1 << bits, np.int64)
    for at in range(0, len(codes), _PIECE):
        counts += np.bincount(codes[at : at + _PIECE], minlength=1 << bits)
    return counts

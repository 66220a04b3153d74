"""The compiled library: its interface as `ctypes` sees it, and how it is found.

Calls release the interpreter's lock, so threads run side by side. `engine` says when the library is used;
`native` and `native_others` make its functions ones on NumPy arrays.
"""

import ctypes
import os
from ctypes import POINTER, Structure, c_int32, c_int64, c_uint64, c_void_p
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np

from atalanta.golden.params import MAX_ROWS
from atalanta.golden.values import Codes, code_dtype

INTERFACE = 3
"""Version of the library's functions; a library of another version is not used."""

LIBRARY = "ATALANTA_LIBRARY"
"""Environment variable: the file of another build of the library, such as one with sanitizers."""

_OK = 0
SLACK = 8
"""Bytes behind a payload that the library may write."""


class Segment(Structure):
    """A segment's parameters and table; pointers to arrays."""

    _fields_ = [
        ("bits", c_int32),
        ("lanes", c_int32),
        ("ways", c_int32),
        ("beat_bytes", c_int32),
        ("lane_depth", c_int32),
        ("rows", c_int32),
        ("bias", c_int32),
        ("v_min", c_void_p),
        ("cum", c_void_p),
    ]


class Columns(Structure):
    """The columns of a schedule."""

    _fields_ = [(name, c_void_p) for name in ("lane", "nbytes", "ask", "need", "free")]


class Problem(Structure):
    """What to search."""

    _fields_ = [
        ("before", c_void_p),
        ("cuts", c_void_p),
        ("logs", c_void_p),
        ("size", c_int32),
        ("rows", c_int32),
        ("row_bits", c_int32),
        ("total", c_int32),
        ("unseen", c_int32),
        ("max_visits", c_int32),
    ]


class Answer(Structure):
    """What the search finds."""

    _fields_ = [
        ("cost", c_int64),
        ("bound", c_int64),
        ("rows", c_int32),
        ("cut", c_int32 * (MAX_ROWS + 1)),
        ("count", c_int32 * MAX_ROWS),
    ]


class Groups(Structure):
    """ShapeShifter's parameters."""

    _fields_ = [
        ("bits", c_int32),
        ("group", c_int32),
        ("mask", c_int32),
        ("zero_width", c_int32),
        ("lead", c_int32),
        ("width_bits", c_int32),
    ]


class Ebpc(Structure):
    """EBPC's parameters."""

    _fields_ = [("bits", c_int32), ("block", c_int32), ("run_bits", c_int32), ("zero", c_int32)]


_ARGUMENTS: dict[str, list[Any]] = {
    "histogram": [c_void_p, c_int32, c_uint64, c_void_p],
    "search": [POINTER(Problem), POINTER(Answer)],
    "encode_measure": [POINTER(Segment), c_void_p, c_int32, c_uint64, c_void_p, POINTER(c_int32)],
    "encode_fit": [
        POINTER(Segment),
        POINTER(Problem),
        c_void_p,
        c_int32,
        c_uint64,
        c_void_p,
        POINTER(Answer),
        c_void_p,
        POINTER(c_int32),
    ],
    "encode_write": [c_void_p, c_void_p],
    "encode_free": [c_void_p],
    "decode": [
        POINTER(Segment),
        c_void_p,
        c_uint64,
        c_void_p,
        c_uint64,
        c_void_p,
        c_int32,
        c_void_p,
        c_void_p,
    ],
    "shapeshifter_measure": [c_void_p, c_int32, c_uint64, c_int32, c_void_p],
    "shapeshifter_encode": [POINTER(Groups), c_void_p, c_int32, c_uint64, c_void_p],
    "shapeshifter_decode": [
        POINTER(Groups),
        c_void_p,
        c_uint64,
        c_uint64,
        c_void_p,
        c_int32,
        c_void_p,
        c_void_p,
    ],
    "raw_encode": [c_void_p, c_int32, c_uint64, c_int32, c_void_p],
    "limit_vectors": [c_int32],
    "raw_decode": [c_void_p, c_uint64, c_uint64, c_int32, c_void_p, c_int32],
    "huffman_encode": [c_void_p, c_int32, c_uint64, c_void_p, c_void_p],
    "huffman_decode": [c_void_p, c_uint64, c_uint64, c_void_p, c_int32, c_void_p, c_int32, POINTER(c_int64)],
    "ebpc_measure": [POINTER(Ebpc), c_void_p, c_int32, c_uint64, POINTER(c_int64)],
    "ebpc_encode": [POINTER(Ebpc), c_void_p, c_int32, c_uint64, c_void_p],
    "ebpc_decode": [POINTER(Ebpc), c_void_p, c_uint64, c_uint64, c_void_p, c_int32, c_void_p],
}


@cache
def _find() -> tuple[ctypes.CDLL | None, str]:
    """The library, or None and why there is none."""
    stem = Path(__file__).with_name("_native")
    own = [Path(f"{stem}{suffix}") for suffix in EXTENSION_SUFFIXES]
    built = [Path(other)] if (other := os.environ.get(LIBRARY)) else [path for path in own if path.exists()]
    if not built:
        return None, "it was not built when the package was installed"
    try:
        library = ctypes.CDLL(str(built[0]))
        found = library.atalanta_interface()
    except (OSError, AttributeError) as error:
        return None, f"{built[0].name} cannot be loaded: {error}"
    if found != INTERFACE:
        return None, f"{built[0].name} has interface {found}, not {INTERFACE}; install the package again"
    for name, arguments in _ARGUMENTS.items():
        getattr(library, f"atalanta_{name}").argtypes = arguments
    library.atalanta_encode_measure.restype = c_void_p
    library.atalanta_encode_fit.restype = c_void_p
    library.atalanta_encode_free.restype = None
    return library, ""


def missing() -> str:
    """Why the library cannot be used; empty if it can."""
    return _find()[1]


def limit_vectors(lanes: int = 16) -> int:
    """Keep to vectors of at most 16, 8 or 0 lanes from now on; returns the width in use.

    Results do not depend on it; tests take it to run all code that a machine has.
    """
    width: int = loaded().atalanta_limit_vectors(lanes)
    return width


def loaded() -> ctypes.CDLL:
    """The library. Raises RuntimeError if there is none."""
    library, why = _find()
    if library is None:
        raise RuntimeError(f"no native library: {why}")
    return library


def done(status: int) -> None:
    """Raise for a status that no legal call can lead to."""
    if status == -2:
        raise MemoryError
    if status != _OK:
        raise RuntimeError(f"the native library refused its arguments (status {status})")


def contiguous(codes: Codes, bits: int) -> Codes:
    """The codes, or the values they stand for, as the library takes them. Raises ValueError."""
    if codes.dtype not in (np.uint8, np.uint16) or bits > 8 * codes.itemsize:
        raise ValueError(f"codes of {bits} bits cannot come as {codes.dtype}")
    return np.ascontiguousarray(codes)


def checked(codes: Codes, bits: int) -> Codes:
    """The codes as the library takes them. Raises ValueError if one needs more than `bits`."""
    codes = contiguous(codes, bits)
    if bits < 8 * codes.itemsize and codes.size and int(codes.max()) >> bits:
        raise ValueError(f"code {codes.max()} needs over {bits} bits")
    return codes


def room(count: int, bits: int) -> Codes:
    """A new array for codes."""
    return np.empty(count, code_dtype(bits > 8))

"""The compiled codec: the reference's bits and errors, made and read in the time it takes to read memory.

Plain functions on NumPy arrays around a C++ library (golden/native/*.cc) that `ctypes` loads; calls
release the interpreter's lock, so threads run side by side. `engine` says when it is used.

Codes are uint8 or uint16 arrays, contiguous, below 2^bits. The Atalanta functions also take the values
themselves, in two's complement: `bias` is what a value lacks to its code, modulo the size of an element.
"""

import ctypes
import os
import weakref
from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_uint64, c_void_p
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.lanes import Int, Schedule
from atalanta.golden.params import MAX_ROWS, AtalantaParams, EbpcParams, RawParams, ShapeShifterParams
from atalanta.golden.reference.shapeshifter import ValueBits
from atalanta.golden.table import PUBLISHED, Table
from atalanta.golden.values import Buffer, Codes, code_dtype

INTERFACE = 3
"""Version of the library's functions; a library of another version is not used."""

LIBRARY = "ATALANTA_LIBRARY"
"""Environment variable: the file of another build of the library, such as one with sanitizers."""

_OK = 0
_SLACK = 8
"""Bytes behind a payload that the library may write."""


class _Segment(Structure):
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


class _Columns(Structure):
    _fields_ = [(name, c_void_p) for name in ("lane", "nbytes", "ask", "need", "free")]


class _Problem(Structure):
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


class _Answer(Structure):
    _fields_ = [
        ("cost", c_int64),
        ("bound", c_int64),
        ("rows", c_int32),
        ("cut", c_int32 * (MAX_ROWS + 1)),
        ("count", c_int32 * MAX_ROWS),
    ]


class _Groups(Structure):
    _fields_ = [
        ("bits", c_int32),
        ("group", c_int32),
        ("mask", c_int32),
        ("zero_width", c_int32),
        ("lead", c_int32),
        ("width_bits", c_int32),
    ]


class _Ebpc(Structure):
    _fields_ = [("bits", c_int32), ("block", c_int32), ("run_bits", c_int32), ("zero", c_int32)]


_ARGUMENTS: dict[str, list[Any]] = {
    "histogram": [c_void_p, c_int32, c_uint64, c_void_p],
    "search": [POINTER(_Problem), POINTER(_Answer)],
    "encode_measure": [POINTER(_Segment), c_void_p, c_int32, c_uint64, c_void_p, POINTER(c_int32)],
    "encode_fit": [
        POINTER(_Segment),
        POINTER(_Problem),
        c_void_p,
        c_int32,
        c_uint64,
        c_void_p,
        POINTER(_Answer),
        c_void_p,
        POINTER(c_int32),
    ],
    "encode_write": [c_void_p, c_void_p],
    "encode_free": [c_void_p],
    "decode": [
        POINTER(_Segment),
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
    "shapeshifter_encode": [POINTER(_Groups), c_void_p, c_int32, c_uint64, c_void_p],
    "shapeshifter_decode": [
        POINTER(_Groups),
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
    "ebpc_measure": [POINTER(_Ebpc), c_void_p, c_int32, c_uint64, POINTER(c_int64)],
    "ebpc_encode": [POINTER(_Ebpc), c_void_p, c_int32, c_uint64, c_void_p],
    "ebpc_decode": [POINTER(_Ebpc), c_void_p, c_uint64, c_uint64, c_void_p, c_int32, c_void_p],
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
    width: int = _library().atalanta_limit_vectors(lanes)
    return width


def _library() -> ctypes.CDLL:
    library, why = _find()
    if library is None:
        raise RuntimeError(f"no native library: {why}")
    return library


def _done(status: int) -> None:
    """Raise for a status that no legal call can lead to."""
    if status == -2:
        raise MemoryError
    if status != _OK:
        raise RuntimeError(f"the native library refused its arguments (status {status})")


def _contiguous(codes: Codes, bits: int) -> Codes:
    """The codes, or the values they stand for, as the library takes them. Raises ValueError."""
    if codes.dtype not in (np.uint8, np.uint16) or bits > 8 * codes.itemsize:
        raise ValueError(f"codes of {bits} bits cannot come as {codes.dtype}")
    return np.ascontiguousarray(codes)


def _checked(codes: Codes, bits: int) -> Codes:
    """The codes as the library takes them. Raises ValueError if one needs more than `bits`."""
    codes = _contiguous(codes, bits)
    if bits < 8 * codes.itemsize and codes.size and int(codes.max()) >> bits:
        raise ValueError(f"code {codes.max()} needs over {bits} bits")
    return codes


def _room(count: int, bits: int) -> Codes:
    return np.empty(count, code_dtype(bits > 8))


def _segment(table: Table, p: AtalantaParams, bias: int) -> tuple[_Segment, NDArray[np.uint16]]:
    """The library's view of parameters and table, and the array it points to."""
    if table.precision != PUBLISHED or (table.bits, table.rows) != (p.bits, p.rows):
        raise ValueError("the native codec takes tables of the stream's precision, bits and rows only")
    columns = np.array((table.v_min, table.cum), np.uint16)
    at, size = columns.ctypes.data, columns.strides[0]
    made = _Segment(p.bits, p.lanes, p.ways, p.beat_bytes, p.lane_depth, p.rows, bias, at, at + size)
    return made, columns


class _Beats:
    """Room for a schedule's columns, which the library fills."""

    def __init__(self, lane_bytes: list[int], beat_bytes: int) -> None:
        beats = sum(-(-n // beat_bytes) for n in lane_bytes)
        self._columns = [np.empty(beats, np.int64) for _ in _Columns._fields_]
        self.struct = _Columns(*(column.ctypes.data for column in self._columns))

    def schedule(self, slots: int) -> Schedule:
        lane, nbytes, ask, need, free = self._columns
        return Schedule(slots=slots, lane=lane, nbytes=nbytes, ask=ask, need=need, free=free)


def _slots(count: int, p: AtalantaParams) -> int:
    return -(-count // p.lanes) + p.ways if count else 0


def histogram(codes: Codes, bits: int, bias: int = 0) -> Int:
    """How often each code occurs, shape (2^bits,)."""
    codes = _contiguous(codes, bits)
    counts = np.zeros(1 << 8 * codes.itemsize, np.int64)
    _done(_library().atalanta_histogram(codes.ctypes.data, codes.itemsize, codes.size, counts.ctypes.data))
    if bias:
        counts = np.concatenate([counts[-bias:], counts[:-bias]])
    if counts[1 << bits :].any():
        raise ValueError(f"some code needs over {bits} bits")
    return counts[: 1 << bits]


class Rows(NamedTuple):
    """What the table search finds; see `search.Best`."""

    cuts: tuple[int, ...]
    counts: list[int]
    cost: int
    bound: int


MAX_SEEN = 1 << 31
"""Values in all that the compiled search takes: its costs then fit 62 bits."""


def search(
    histogram: Int, cuts: Int, *, rows: int, unseen: bool, row_bits: int, logs: Int, max_visits: int
) -> Rows:
    """The cheapest rows between cut points, as golden.search finds them."""
    sums = np.zeros(len(histogram) + 1, np.int64)
    np.cumsum(histogram, out=sums[1:])
    before = sums[cuts]
    cuts = np.ascontiguousarray(cuts, np.int64)
    size, total = len(cuts) - 1, len(logs) - 1
    pointers = (before.ctypes.data, cuts.ctypes.data, logs.ctypes.data)
    problem = _Problem(*pointers, size, rows, row_bits, total, unseen, max_visits)
    answer = _Answer()
    _done(_library().atalanta_search(byref(problem), byref(answer)))
    return _rows(answer)


def _rows(answer: _Answer) -> Rows:
    chosen = tuple(answer.cut[: answer.rows + 1])
    return Rows(chosen, answer.count[: answer.rows], answer.cost, answer.bound)


class AtalantaEncoder:
    """A segment whose lengths are known and whose bits `write` makes, once.

    lane_bytes: bytes of each lane. used_bits: bits that carry values.

    Raises ValueError if the table gives no counts to a value's row, or has none for the value.
    """

    def __init__(self, codes: Codes, table: Table, p: AtalantaParams, bias: int = 0) -> None:
        codes = _contiguous(codes, p.bits)
        segment, _columns = _segment(table, p, bias)
        lane_bits = np.empty(p.lanes, np.uint32)
        status = c_int32()
        handle = _library().atalanta_encode_measure(
            byref(segment),
            codes.ctypes.data,
            codes.itemsize,
            codes.size,
            lane_bits.ctypes.data,
            byref(status),
        )
        if status.value == ErrorCode.VALUE:
            raise ValueError("the table gives no counts to a value")
        _done(status.value)
        self._take(handle, codes, lane_bits)

    def _take(self, handle: int, codes: Codes, lane_bits: NDArray[np.uint32]) -> None:
        self._handle = handle
        self._codes = codes  # the library reads them until the payload is written
        self._free = weakref.finalize(self, _library().atalanta_encode_free, handle)
        lengths: list[int] = lane_bits.tolist()
        self.used_bits = sum(lengths)
        self.lane_bytes = [(bits + 7) // 8 for bits in lengths]

    @classmethod
    def fit(
        cls, codes: Codes, p: AtalantaParams, bias: int, *, row_bits: int, logs: Int, max_visits: int
    ) -> tuple["AtalantaEncoder", Rows, Int]:
        """An encoder with the best table of at most p.rows rows, that table, and how often each code occurs.

        For codes of one byte; in one call what `histogram`, `search` and the constructor do.
        """
        codes = _contiguous(codes, p.bits)
        segment = _Segment(p.bits, p.lanes, p.ways, p.beat_bytes, p.lane_depth, p.rows, bias)
        problem = _Problem(None, None, logs.ctypes.data, 0, p.rows, row_bits, len(logs) - 1, 0, max_visits)
        answer = _Answer()
        counts = np.empty(1 << p.bits, np.int64)
        lane_bits = np.empty(p.lanes, np.uint32)
        status = c_int32()
        handle = _library().atalanta_encode_fit(
            byref(segment), byref(problem), codes.ctypes.data, codes.itemsize, codes.size,
            counts.ctypes.data, byref(answer), lane_bits.ctypes.data, byref(status),
        )  # fmt: skip
        if status.value == ErrorCode.VALUE:
            raise ValueError(f"some code needs over {p.bits} bits")
        _done(status.value)
        encoder = cls.__new__(cls)
        cls._take(encoder, handle, codes, lane_bits)
        return encoder, _rows(answer), counts

    @property
    def nbytes(self) -> int:
        """Bytes of the payload."""
        return sum(self.lane_bytes)

    def write(self) -> bytes:
        """The payload."""
        payload = np.empty(self.nbytes, np.uint8)
        self.write_into(payload.data)
        return payload.tobytes()

    def write_into(self, room: memoryview) -> None:
        """Put the payload into `room`, writable, of `nbytes` bytes."""
        if not self._free.alive:
            raise RuntimeError("a segment is written once")
        view = np.frombuffer(room, np.uint8)
        if view.size != self.nbytes or not view.flags.writeable:
            raise ValueError(f"a payload of {self.nbytes} bytes does not go into {view.size}")
        _done(_library().atalanta_encode_write(self._handle, view.ctypes.data))
        self._free()


def _decode(
    payload: Buffer,
    lane_bytes: list[int],
    count: int,
    table: Table,
    p: AtalantaParams,
    beats: _Beats | None,
    bias: int = 0,
    out: Codes | None = None,
) -> Codes:
    segment, _columns = _segment(table, p, bias)
    lengths = np.array(lane_bytes, np.uint32)
    data = np.frombuffer(payload, np.uint8)
    codes = _room(count, p.bits) if out is None else out
    if codes.size != count or not codes.flags.c_contiguous or p.bits > 8 * codes.itemsize:
        raise ValueError(f"{count} codes of {p.bits} bits do not go into {codes.dtype}{codes.shape}")
    where = np.zeros(3, np.int64)
    status = _library().atalanta_decode(
        byref(segment), data.ctypes.data, data.size, lengths.ctypes.data, count, codes.ctypes.data,
        codes.itemsize, byref(beats.struct) if beats else None, where.ctypes.data,
    )  # fmt: skip
    if status == ErrorCode.VALUE:
        value, row, slot = where.tolist()
        raise StreamError(ErrorCode.VALUE, f"value {value} in row {row} of slot {slot}")
    if status == ErrorCode.LANE:
        lane, used, _ = where.tolist()
        raise StreamError(ErrorCode.LANE, f"lane {lane} of {lane_bytes[lane]} bytes used {used} bits")
    _done(status)
    return codes


def atalanta_decode(
    payload: Buffer,
    lane_bytes: list[int],
    count: int,
    table: Table,
    p: AtalantaParams,
    *,
    bias: int = 0,
    out: Codes | None = None,
) -> Codes:
    """The codes of a segment, or its values, shape (count,). Raises StreamError(VALUE) or StreamError(LANE).

    out: where they go, contiguous, uint8 or uint16; by default a new array. Its content is undefined after
        an error.
    """
    return _decode(payload, lane_bytes, count, table, p, None, bias, out)


def atalanta_schedule(
    payload: Buffer, lane_bytes: list[int], count: int, table: Table, p: AtalantaParams
) -> Schedule:
    """The order of a segment's beats, from decoding it. Raises StreamError(VALUE) or StreamError(LANE)."""
    beats = _Beats(lane_bytes, p.beat_bytes)
    _decode(payload, lane_bytes, count, table, p, beats)
    return beats.schedule(_slots(count, p))


def _groups(p: ShapeShifterParams) -> _Groups:
    return _Groups(p.bits, p.group, p.mask, p.zero_width, p.lead, p.width_bits)


def shapeshifter_measure(codes: Codes, group: int) -> ValueBits:
    """The value bits in all modes."""
    codes = _checked(codes, 8 * codes.itemsize)
    bits = np.zeros(3, np.int64)
    library = _library()
    _done(
        library.atalanta_shapeshifter_measure(
            codes.ctypes.data, codes.itemsize, codes.size, group, bits.ctypes.data
        )
    )
    return ValueBits(*bits.tolist())


def shapeshifter_encode(codes: Codes, p: ShapeShifterParams, nbytes: int) -> bytes:
    """The payload. nbytes: its length, as `shapeshifter_measure` leads to."""
    codes = _checked(codes, p.bits)
    payload = np.empty(nbytes + _SLACK, np.uint8)
    library = _library()
    _done(
        library.atalanta_shapeshifter_encode(
            byref(_groups(p)), codes.ctypes.data, codes.itemsize, codes.size, payload.ctypes.data
        )
    )
    return payload[:nbytes].tobytes()


def shapeshifter_decode(payload: bytes, count: int, p: ShapeShifterParams) -> tuple[Codes, Int]:
    """The codes, shape (count,), and the bits taken in each slot, shape (slots,).

    Raises StreamError(VALUE) or StreamError(LANE).
    """
    data = np.frombuffer(payload, np.uint8)
    codes = _room(count, p.bits)
    used = np.empty(-(-count // p.group) + p.lead if count else 0, np.int64)
    where = np.zeros(2, np.int64)
    status = _library().atalanta_shapeshifter_decode(
        byref(_groups(p)), data.ctypes.data, data.size, count, codes.ctypes.data, codes.itemsize,
        used.ctypes.data, where.ctypes.data,
    )  # fmt: skip
    if status == ErrorCode.VALUE:
        raise StreamError(ErrorCode.VALUE, f"group {where[0]} has width {where[1]}")
    if status == ErrorCode.LANE:
        what = f"{len(payload)} bytes, of which {where[0]} bits were used"
        raise StreamError(ErrorCode.LANE, what)
    _done(status)
    return codes, used


def raw_encode(codes: Codes, p: RawParams) -> bytes:
    """The payload."""
    codes = _checked(codes, p.bits)
    nbytes = -(-codes.size * p.bits // 8)
    payload = np.empty(nbytes + _SLACK, np.uint8)
    library = _library()
    _done(
        library.atalanta_raw_encode(
            codes.ctypes.data, codes.itemsize, codes.size, p.bits, payload.ctypes.data
        )
    )
    return payload[:nbytes].tobytes()


def raw_decode(payload: bytes, count: int, p: RawParams) -> Codes:
    """The codes, shape (count,)."""
    data = np.frombuffer(payload, np.uint8)
    codes = _room(count, p.bits)
    library = _library()
    _done(
        library.atalanta_raw_decode(
            data.ctypes.data, data.size, count, p.bits, codes.ctypes.data, codes.itemsize
        )
    )
    return codes


def huffman_encode(codes: Codes, table: NDArray[np.uint32], nbytes: int) -> bytes:
    """The Huffman codes of a segment, `nbytes` in all.

    table: for each value of the codes' dtype, the code's bits, its first bit lowest, and from bit 16 on
        its length.
    """
    codes = _checked(codes, 8 * codes.itemsize)
    entries = np.ascontiguousarray(table, np.uint32)
    if len(entries) < 1 << 8 * codes.itemsize:
        raise ValueError(f"a table of {len(entries)} entries for {codes.dtype}")
    payload = np.empty(nbytes + _SLACK, np.uint8)
    _done(
        _library().atalanta_huffman_encode(
            codes.ctypes.data, codes.itemsize, codes.size, entries.ctypes.data, payload.ctypes.data
        )
    )
    return payload[:nbytes].tobytes()


def huffman_decode(payload: bytes, count: int, bits: int, table: NDArray[np.uint32]) -> tuple[Codes, int]:
    """The codes, shape (count,), and the bits they take, which may be more than the payload has.

    table: for each string of bits, its first bit lowest, the symbol it begins with, and from bit 16 on
        the length of that symbol's code.
    """
    data = np.frombuffer(payload, np.uint8)
    entries = np.ascontiguousarray(table, np.uint32)
    codes = _room(count, bits)
    used = c_int64()
    window_bits = len(entries).bit_length() - 1
    _done(
        _library().atalanta_huffman_decode(
            data.ctypes.data, data.size, count, entries.ctypes.data, window_bits, codes.ctypes.data,
            codes.itemsize, byref(used),
        )
    )  # fmt: skip
    return codes, used.value


def _ebpc(p: EbpcParams) -> _Ebpc:
    return _Ebpc(p.bits, p.block, p.run_bits, p.zero)


def ebpc_measure(codes: Codes, p: EbpcParams) -> int:
    """Bits of a segment's blocks."""
    codes = _checked(codes, p.bits)
    bits = c_int64()
    _done(
        _library().atalanta_ebpc_measure(
            byref(_ebpc(p)), codes.ctypes.data, codes.itemsize, codes.size, byref(bits)
        )
    )
    return bits.value


def ebpc_encode(codes: Codes, p: EbpcParams, nbytes: int) -> bytes:
    """The payload. nbytes: its length, as `ebpc_measure` and the runs of zeros lead to."""
    codes = _checked(codes, p.bits)
    payload = np.empty(nbytes + _SLACK, np.uint8)
    _done(
        _library().atalanta_ebpc_encode(
            byref(_ebpc(p)), codes.ctypes.data, codes.itemsize, codes.size, payload.ctypes.data
        )
    )
    return payload[:nbytes].tobytes()


def ebpc_decode(payload: bytes, count: int, p: EbpcParams) -> Codes:
    """The codes, shape (count,). Raises StreamError(VALUE) or StreamError(LANE)."""
    data = np.frombuffer(payload, np.uint8)
    codes = _room(count, p.bits)
    where = np.zeros(3, np.int64)
    status = _library().atalanta_ebpc_decode(
        byref(_ebpc(p)), data.ctypes.data, data.size, count, codes.ctypes.data, codes.itemsize,
        where.ctypes.data,
    )  # fmt: skip
    what, number, value = where.tolist()
    if status == ErrorCode.VALUE:
        raise StreamError(
            ErrorCode.VALUE,
            (
                f"zeros run to value {number} of {count}",
                f"block {number} has {value} planes",
                f"block {number} holds the value {value}",
            )[what],
        )
    if status == ErrorCode.LANE:
        raise StreamError(ErrorCode.LANE, f"{len(payload)} bytes, of which {what} bits were used")
    _done(status)
    return codes

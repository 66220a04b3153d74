"""The compiled Atalanta codec: the reference's bits and errors, made and read about as fast as memory goes.

Plain functions on NumPy arrays around the C++ library.

Codes are uint8 or uint16 arrays, contiguous, below 2^bits. These functions also take the values themselves,
in two's complement: `bias` is what a value lacks to its code, modulo the size of an element.
"""

import weakref
from ctypes import byref, c_int32
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atalanta.golden import compiled
from atalanta.golden.compiled import Answer, Columns, Problem, Segment, contiguous, done, room
from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.lanes import Int, Schedule
from atalanta.golden.params import AtalantaParams
from atalanta.golden.table import PUBLISHED, Table
from atalanta.golden.values import Buffer, Codes


def _segment(table: Table, p: AtalantaParams, bias: int) -> tuple[Segment, NDArray[np.uint16]]:
    """The library's view of parameters and table, and the array it points to."""
    if table.precision != PUBLISHED or (table.bits, table.rows) != (p.bits, p.rows):
        raise ValueError("the native codec takes tables of the stream's precision, bits and rows only")
    columns = np.array((table.v_min, table.cum), np.uint16)
    at, size = columns.ctypes.data, columns.strides[0]
    made = Segment(p.bits, p.lanes, p.ways, p.beat_bytes, p.lane_depth, p.rows, bias, at, at + size)
    return made, columns


class _Beats:
    """Room for a schedule's columns, which the library fills."""

    def __init__(self, lane_bytes: list[int], beat_bytes: int) -> None:
        beats = sum(-(-n // beat_bytes) for n in lane_bytes)
        self._columns = [np.empty(beats, np.int64) for _ in Columns._fields_]
        self.struct = Columns(*(column.ctypes.data for column in self._columns))

    def schedule(self, slots: int) -> Schedule:
        lane, nbytes, ask, need, free = self._columns
        return Schedule(slots=slots, lane=lane, nbytes=nbytes, ask=ask, need=need, free=free)


def _slots(count: int, p: AtalantaParams) -> int:
    return -(-count // p.lanes) + p.ways if count else 0


def histogram(codes: Codes, bits: int, bias: int = 0) -> Int:
    """How often each code occurs, shape (2^bits,)."""
    codes = contiguous(codes, bits)
    counts = np.zeros(1 << 8 * codes.itemsize, np.int64)
    done(
        compiled.loaded().atalanta_histogram(
            codes.ctypes.data, codes.itemsize, codes.size, counts.ctypes.data
        )
    )
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
    problem = Problem(*pointers, size, rows, row_bits, total, unseen, max_visits)
    answer = Answer()
    done(compiled.loaded().atalanta_search(byref(problem), byref(answer)))
    return _rows(answer)


def _rows(answer: Answer) -> Rows:
    chosen = tuple(answer.cut[: answer.rows + 1])
    return Rows(chosen, answer.count[: answer.rows], answer.cost, answer.bound)


class AtalantaEncoder:
    """A segment whose lengths are known and whose bits `write` makes, once.

    lane_bytes: bytes of each lane. used_bits: bits that carry values.

    Raises ValueError if the table gives no counts to a value's row, or has none for the value.
    """

    def __init__(self, codes: Codes, table: Table, p: AtalantaParams, bias: int = 0) -> None:
        codes = contiguous(codes, p.bits)
        segment, _columns = _segment(table, p, bias)
        lane_bits = np.empty(p.lanes, np.uint32)
        status = c_int32()
        handle = compiled.loaded().atalanta_encode_measure(
            byref(segment),
            codes.ctypes.data,
            codes.itemsize,
            codes.size,
            lane_bits.ctypes.data,
            byref(status),
        )
        if status.value == ErrorCode.VALUE:
            raise ValueError("the table gives no counts to a value")
        done(status.value)
        self._take(handle, codes, lane_bits)

    def _take(self, handle: int, codes: Codes, lane_bits: NDArray[np.uint32]) -> None:
        self._handle = handle
        self._codes = codes  # the library reads them until the payload is written
        self._free = weakref.finalize(self, compiled.loaded().atalanta_encode_free, handle)
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
        codes = contiguous(codes, p.bits)
        segment = Segment(p.bits, p.lanes, p.ways, p.beat_bytes, p.lane_depth, p.rows, bias)
        problem = Problem(None, None, logs.ctypes.data, 0, p.rows, row_bits, len(logs) - 1, 0, max_visits)
        answer = Answer()
        counts = np.empty(1 << p.bits, np.int64)
        lane_bits = np.empty(p.lanes, np.uint32)
        status = c_int32()
        handle = compiled.loaded().atalanta_encode_fit(
            byref(segment), byref(problem), codes.ctypes.data, codes.itemsize, codes.size,
            counts.ctypes.data, byref(answer), lane_bits.ctypes.data, byref(status),
        )  # fmt: skip
        if status.value == ErrorCode.VALUE:
            raise ValueError(f"some code needs over {p.bits} bits")
        done(status.value)
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
        done(compiled.loaded().atalanta_encode_write(self._handle, view.ctypes.data))
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
    codes = room(count, p.bits) if out is None else out
    if codes.size != count or not codes.flags.c_contiguous or p.bits > 8 * codes.itemsize:
        raise ValueError(f"{count} codes of {p.bits} bits do not go into {codes.dtype}{codes.shape}")
    where = np.zeros(3, np.int64)
    status = compiled.loaded().atalanta_decode(
        byref(segment), data.ctypes.data, data.size, lengths.ctypes.data, count, codes.ctypes.data,
        codes.itemsize, byref(beats.struct) if beats else None, where.ctypes.data,
    )  # fmt: skip
    if status == ErrorCode.VALUE:
        value, row, slot = where.tolist()
        raise StreamError(ErrorCode.VALUE, f"value {value} in row {row} of slot {slot}")
    if status == ErrorCode.LANE:
        lane, used, _ = where.tolist()
        raise StreamError(ErrorCode.LANE, f"lane {lane} of {lane_bytes[lane]} bytes used {used} bits")
    done(status)
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

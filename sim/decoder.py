"""The decoder's cycles and stalls for given streams, equal to the RTL's counters.

Values are not decoded to count cycles: `plan` extracts from a stream in which slot each beat is asked
for, needed and done with, and `simulate` runs the recurrence over beats (native/decoder.h).
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.container import Segment, segments
from atalanta.golden.decoder import CAUSES, UNPACKER_STAGES, DecoderParams
from atalanta.golden.errors import require
from atalanta.golden.lanes import Schedule
from atalanta.sim.native import Memory, failure, library, structure

BASE_ADDRESS = 0x1000
"""Where the first stream lies in memory unless the caller says otherwise."""

ALWAYS_READY = np.ones(1, np.uint8)
_MESSAGE_BYTES = 256


class _Segment(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in (
            "atalanta", "header_bytes", "payload_bytes", "count", "more", "lanes", "lane_depth",
            "slots", "beats",
        )),
        ("beat", ctypes.c_void_p),
        ("pace", ctypes.c_void_p),
        ("run", ctypes.c_void_p),
        ("runs", ctypes.c_int64),
    ]  # fmt: skip


class _Tensor(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("address", "length", "first_segment", "segments")]


_COLUMNS = [("ask", "<i4"), ("need", "<i4"), ("free", "<i4"), ("lane", "u1"), ("nbytes", "u1")]
BEAT = np.dtype([*_COLUMNS, ("fresh", "u1"), ("reserved", "u1")])
"""`DecoderBeat` in native/decoder.h."""


@dataclass(frozen=True)
class SegmentPlan:
    """What the recurrence needs of a segment.

    atalanta: lanes decode it, otherwise the unpacker. header_bytes: of its header. slots: as the RTL counts
    them. beats: golden.lanes.Schedule as BEAT[n]; for the unpacker all of lane 0. pace: int32[n], the cycle
    in which each beat is pulled if memory never is late, and runs: int32[k, 2], the beats for which that
    holds (`decoder_pace` in native/decoder.h). Without runs every beat is followed, to the same end.
    """

    atalanta: bool
    header_bytes: int
    payload_bytes: int
    count: int
    more: bool
    lanes: int
    lane_depth: int
    slots: int
    beats: NDArray[np.void]
    pace: NDArray[np.int32]
    runs: NDArray[np.int32]

    def native(self) -> _Segment:
        """As the compiled recurrence takes it; this plan must outlive it."""
        return _Segment(
            self.atalanta, self.header_bytes, self.payload_bytes, self.count, self.more, self.lanes,
            self.lane_depth, self.slots, len(self.beats), self.beats.ctypes.data, self.pace.ctypes.data,
            self.runs.ctypes.data, len(self.runs),
        )  # fmt: skip


@dataclass(frozen=True)
class TensorPlan:
    """What the recurrence needs of a tensor: its length in bytes and its segments."""

    nbytes: int
    segments: list[SegmentPlan]


@dataclass(frozen=True)
class DecoderRun:
    """What a run comes to, named as the RTL's counters.

    counters: cycles by cause (golden.decoder.CAUSES), bus words, values. cycles: their sum, from the
    cycle after the first descriptor's to that of the last output word. ends: the cycle of each tensor's
    last output word. bursts: read bursts.
    """

    counters: dict[str, int]
    cycles: int
    bursts: int
    ends: list[int]


def _group_schedule(used: NDArray[np.int64], payload_bytes: int, beat_bytes: int) -> Schedule:
    """Beats of a stream without lanes. used: bits that each of the unpacker's slots takes."""
    ends = np.cumsum(used)
    first = np.arange(-(-payload_bytes // beat_bytes)) * beat_bytes
    return Schedule(
        slots=len(used),
        lane=np.zeros(len(first), np.int64),
        nbytes=np.minimum(payload_bytes - first, beat_bytes),
        ask=np.zeros(len(first), np.int64),
        need=np.searchsorted(ends, 8 * first, side="right"),
        free=np.searchsorted(ends, 8 * (first + beat_bytes)),
    )


def _pack(order: Schedule) -> NDArray[np.void]:
    beats = np.zeros(order.beats, BEAT)
    for name, _ in _COLUMNS:
        beats[name] = getattr(order, name)
    return beats


def _paced(segment: SegmentPlan, beat_bytes: int) -> SegmentPlan:
    """The same with its pace, and its fresh beats marked."""
    lib = library()
    runs = np.zeros((len(segment.beats) // lib.decoder_shortest_run(), 2), np.int32)
    count = lib.decoder_pace_of(
        ctypes.byref(segment.native()), beat_bytes, segment.beats.ctypes.data, segment.pace.ctypes.data,
        runs.ctypes.data,
    )  # fmt: skip
    return replace(segment, runs=runs[:count])


def _plan(segment: Segment, data: bytes, beat_bytes: int) -> SegmentPlan:
    head = segment.header
    order = segment.schedule(data)
    lanes, lane_depth = 1, 1
    if order is not None:
        lanes, lane_depth = segment.layout.params.lanes, segment.layout.params.lane_depth
    else:
        taken = segment.slot_bits(data)
        # One slot before the stream's own, the others behind: see UNPACKER_STAGES.
        behind = np.zeros(UNPACKER_STAGES - 1, np.int64)
        slots = np.concatenate([[0], taken, behind]) if head.count else taken
        order = _group_schedule(slots, head.payload_bytes, beat_bytes)
    found = SegmentPlan(
        atalanta=segment.codec.name == "atalanta",
        header_bytes=head.nbytes,
        payload_bytes=head.payload_bytes,
        count=head.count,
        more=head.more,
        lanes=lanes,
        lane_depth=lane_depth,
        slots=order.slots,
        beats=_pack(order),
        pace=np.zeros(order.beats, np.int32),
        runs=np.zeros((0, 2), np.int32),
    )
    return _paced(found, beat_bytes) if found.atalanta else found


def _check_fits(segment: Segment, p: DecoderParams) -> None:
    """ParameterError if the decoder was not built for the segment; the RTL says UNSUPPORTED then."""
    name = segment.codec.name
    require(bool(getattr(p, name, False)), "codec", "one that the decoder has", name)
    bits = segment.header.bits
    require(bits <= p.value_bits, "value_bits", f"at least the stream's {bits}", p.value_bits)
    if name != "atalanta":
        return
    stream = segment.layout.params
    for field in ("lanes", "rows", "lane_depth"):
        needed, built = getattr(stream, field), getattr(p, field)
        require(needed <= built, field, f"at least the stream's {needed}", built)
    for field in ("ways", "beat_bytes"):
        needed, built = getattr(stream, field), getattr(p, field)
        require(needed == built, field, f"the stream's {needed}", built)


def plan(stream: bytes, p: DecoderParams) -> TensorPlan:
    """The plan of a tensor's stream.

    Raises StreamError if the stream is malformed, ParameterError if the decoder cannot take it.
    """
    plans = []
    for segment in segments(stream):
        _check_fits(segment, p)
        plans.append(_plan(segment, stream, p.beat_bytes))
    return TensorPlan(len(stream), plans)


def simulate(
    plans: Sequence[TensorPlan],
    p: DecoderParams,
    memory: Memory,
    *,
    addresses: Sequence[int] | None = None,
    ready: NDArray[np.uint8] = ALWAYS_READY,
) -> DecoderRun:
    """Decode tensors back to back, their descriptors offered from cycle 0 on.

    memory: its timing; used up by the run, since its cycles go on.
    addresses: byte address of each tensor; by default one after the other from BASE_ADDRESS on.
    ready: TREADY by cycle, repeated; high at least once.

    Raises ParameterError for an address beyond the decoder's, InputError for a tensor beyond the memory's
    capacity, ConservationError if beats, bytes or cycles do not add up.
    """
    require(len(plans) > 0, "plans", "at least one", len(plans))
    require(ready.ndim == 1 and bool(np.any(ready)), "ready", "one row of cycles, high in some", ready)
    where = list(addresses) if addresses is not None else []
    while len(where) < len(plans):
        where.append(where[-1] + plans[len(where) - 1].nbytes if where else BASE_ADDRESS)
    for address, tensor in zip(where, plans, strict=True):
        legal = f"from 0 to 2^{p.address_bits} less the tensor's {tensor.nbytes} bytes"
        require(0 <= address <= (1 << p.address_bits) - tensor.nbytes, "address", legal, address)
    native_segments = (_Segment * sum(len(t.segments) for t in plans))()
    native_tensors = (_Tensor * len(plans))()
    number = 0
    for i, tensor in enumerate(plans):
        native_tensors[i] = _Tensor(where[i], tensor.nbytes, number, len(tensor.segments))
        for s in tensor.segments:
            native_segments[number] = s.native()
            number += 1
    kind = structure("decoder_params")
    params = kind(**{name: getattr(p, name) for name, *_ in kind._fields_})
    stats = structure("decoder_stats")()
    ends = np.zeros(len(plans), np.int64)
    pattern = np.ascontiguousarray(ready, np.uint8)
    message = ctypes.create_string_buffer(_MESSAGE_BYTES)
    failed = library().decoder_run(
        ctypes.byref(params), memory.handle, native_tensors, len(plans), native_segments,
        pattern.ctypes.data, len(pattern), ctypes.byref(stats), ends.ctypes.data, message, _MESSAGE_BYTES,
    )  # fmt: skip
    if failed:
        raise failure(message.value.decode())
    names = (*CAUSES, "words", "values")
    return DecoderRun(
        counters={name: getattr(stats, name) for name in names},
        cycles=stats.cycles,
        bursts=stats.bursts,
        ends=ends.tolist(),
    )

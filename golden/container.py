"""Tensors to bytes and back: segments, headers, checks.

A tensor is one segment or, if it is large, several behind one another, each with its own header,
table and checks; the first carries the shape. A segment that a codec would make larger is stored raw.
Segments are coded side by side on threads; the result does not depend on how many.
"""

import io
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atalanta.golden import codecs, header
from atalanta.golden.codec import CODECS, Body, Codec, Draft, codec_named, codec_numbered, where
from atalanta.golden.engine import AUTO, use_native
from atalanta.golden.errors import ErrorCode, InputError, ParameterError, StreamError, require
from atalanta.golden.format import BASE, SEGMENT_MULTIPLE, crc32
from atalanta.golden.header import Header, parse_shape
from atalanta.golden.lanes import Int, Schedule
from atalanta.golden.parallel import in_order, workers
from atalanta.golden.params import MAX_SEGMENT_VALUES
from atalanta.golden.source import Source
from atalanta.golden.values import Array, Buffer, check_array, dtype_of

SEGMENT_VALUES = 1 << 20
"""Values of a segment by default: small enough to spread one tensor over threads and to keep little
in memory, large enough that headers cost nothing (0.03 %)."""

BEST = "best"
"""The codec name that takes the smallest of all, segment by segment."""

WORK_BYTES = 12
"""Memory that one value of a segment takes at most while it is coded, in bytes: codes, records of
the encoder, lanes and payload."""

READ_BYTES = 4
"""Memory that one value of a segment takes at most while it is decoded, in bytes, beside its place in the
tensor: codes of two bytes, mapped to values."""

__all__ = [
    "BEST", "CODECS", "Encoded", "Segment", "codecs", "decode", "encode", "encode_segments", "segments"
]  # fmt: skip


def _make(codec: str, options: dict[str, Any], fallback: bool) -> list[Codec]:
    """The codecs to try, raw last. With `best`, each takes those of the options that it knows."""
    raw = codecs.raw.Raw(engine=options.get("engine", AUTO))
    if codec != BEST:
        kind = codec_named(codec)
        try:
            return [kind(**options), raw] if fallback else [kind(**options)]
        except TypeError as error:
            raise ParameterError(f"codec {codec}: {error}") from None
    unknown = set(options) - {name for kind in CODECS.values() for name in kind.options()}
    require(not unknown, "option", "known to a codec", ", ".join(sorted(unknown)))
    made = [
        kind(**{name: value for name, value in options.items() if name in kind.options()})
        for kind in CODECS.values()
        if kind.hardware
    ]
    return [*made, raw]


@dataclass(frozen=True)
class Encoded:
    """One segment of a tensor, coded: its header's bytes, its codec and all that the codec tells."""

    header: bytes
    codec: Codec
    body: Body

    @property
    def nbytes(self) -> int:
        """Bytes of the whole segment."""
        return len(self.header) + len(self.body.payload)


@dataclass(frozen=True)
class _Draft:
    """A segment that is measured: its length is known, its bits are not."""

    fields: dict[str, int]
    shape: bytes
    codec: Codec
    draft: Draft

    @property
    def header_bytes(self) -> int:
        return BASE.nbytes + self.draft.section_bytes + len(self.shape)

    @property
    def nbytes(self) -> int:
        return self.header_bytes + self.draft.payload_bytes

    def encode(self) -> Encoded:
        """The segment."""
        body = self.draft.body()
        return Encoded(self._header(body, body.payload), self.codec, body)

    def made(self) -> memoryview:
        """The segment's bytes."""
        room = np.empty(self.nbytes, np.uint8).data
        self.write(room)
        return room

    def write(self, room: memoryview) -> None:
        """Fill `room`, of `nbytes` bytes, with the segment."""
        payload = room[self.header_bytes :]
        if self.draft.into is None:
            body = self.draft.body()
            payload[:] = body.payload
        else:
            body = self.draft.into(payload)
        room[: self.header_bytes] = self._header(body, payload)

    def _header(self, body: Body, payload: Buffer) -> bytes:
        fields = {
            "params": int.from_bytes(self.codec.record.pack(body.params), "little"),
            "payload_bytes": len(payload),
            "lane_bytes": body.lane_bytes,
            "payload_crc": crc32(payload),
        }
        return header.pack(self.fields | fields, body.sections + self.shape)


class Coding:
    """A tensor on its way into segments, parameters checked; see `encode_segments`."""

    def __init__(
        self,
        array: NDArray[Any],
        codec: str = "atalanta",
        *,
        bits: int | None = None,
        segment_values: int = SEGMENT_VALUES,
        fallback: bool = True,
        **options: Any,
    ) -> None:
        array, self.bits, self.signed = check_array(array, bits)
        legal = f"a multiple of {SEGMENT_MULTIPLE} up to {MAX_SEGMENT_VALUES}"
        whole = segment_values % SEGMENT_MULTIPLE == 0 and 0 < segment_values <= MAX_SEGMENT_VALUES
        require(whole, "segment_values", legal, segment_values)
        self.coders = _make(codec, options, fallback)
        self.shape = array.shape
        self.flat = np.ascontiguousarray(array).reshape(-1)
        self.segment_values = segment_values
        self.segments = max(-(-self.flat.size // segment_values), 1)

    def workers(self, threads: int | None) -> int:
        """Threads to use."""
        values = min(self.segment_values, self.flat.size)
        return workers(threads, self.segments, WORK_BYTES * values, self.flat.nbytes)

    def draft(self, i: int, *, schedule: bool = False) -> _Draft:
        """Segment i with the codec whose body is smallest, the first of them; only that one will code."""
        values = self.flat[i * self.segment_values : (i + 1) * self.segment_values]
        drafts = [c.draft_values(values, self.bits, self.signed, schedule=schedule) for c in self.coders]
        best = min(range(len(drafts)), key=lambda k: drafts[k].nbytes)
        shaped = i == 0 and self.shape != self.flat.shape
        fields = {
            "codec": self.coders[best].id,
            "bits": self.bits,
            "signed": self.signed,
            "wide": values.itemsize == 2,
            "more": i + 1 < self.segments,
            "shaped": shaped,
            "count": values.size,
        }
        shape = header.pack_shape(self.shape) if shaped else b""
        return _Draft(fields, shape, self.coders[best], drafts[best])

    @property
    def most_bytes(self) -> int:
        """Bytes that the segments have at most, since none is larger than stored raw."""
        headers = self.segments * BASE.nbytes + len(header.pack_shape(self.shape))
        return headers + self.flat.nbytes


def encode_segments(
    array: NDArray[Any],
    codec: str = "atalanta",
    *,
    bits: int | None = None,
    segment_values: int = SEGMENT_VALUES,
    threads: int | None = None,
    schedule: bool = False,
    fallback: bool = True,
    **options: Any,
) -> Iterator[Encoded]:
    """The segments of `encode` one by one, as soon as they and those before them are done.

    schedule: whether bodies have schedules.
    fallback: store raw what the codec would make larger. For the rest see `encode`.
    """
    coding = Coding(array, codec, bits=bits, segment_values=segment_values, fallback=fallback, **options)

    def run(i: int) -> Encoded:
        return coding.draft(i, schedule=schedule).encode()

    return in_order(run, range(coding.segments), coding.workers(threads))


def encode(
    array: NDArray[Any],
    codec: str = "atalanta",
    *,
    bits: int | None = None,
    segment_values: int = SEGMENT_VALUES,
    threads: int | None = None,
    **options: Any,
) -> bytes:
    """Compress a tensor losslessly.

    array: int8, uint8, int16 or uint16, any shape.
    codec: a name in CODECS, or "best".
    bits: bits per value, if the values need fewer than their dtype has.
    segment_values: most values of a segment, a multiple of 64 up to 2^24.
    threads: most threads at work, by default one per processor.
    options: those of the codec's class, such as lanes=16 or engine="reference".

    Raises InputError for an array that cannot be coded, ParameterError for illegal parameters.
    """
    coding = Coding(array, codec, bits=bits, segment_values=segment_values, **options)
    # Segments are written where they belong: the first bytes of memory that is large enough in any
    # case, and takes no pages before it is written. BytesIO turns it into bytes without a copy.
    out = io.BytesIO(bytes(coding.most_bytes))
    with out.getbuffer() as room:
        size = _write_all(coding, room, threads)
    out.truncate(size)
    return out.getvalue()


def _write_all(coding: Coding, room: memoryview, threads: int | None) -> int:
    """Write all segments, one behind the other; returns their length."""
    at_work = coding.workers(threads)
    if at_work == 1:  # futures take as long as a small tensor
        end = 0
        for i in range(coding.segments):
            draft = coding.draft(i)
            draft.write(room[end : end + draft.nbytes])
            end += draft.nbytes
        return end
    starts: list[Future[int]] = [Future() for _ in range(coding.segments + 1)]
    starts[0].set_result(0)

    def run(i: int) -> None:
        try:
            draft = coding.draft(i)
            start = starts[i].result()
            starts[i + 1].set_result(start + draft.nbytes)
        except BaseException as error:
            starts[i + 1].set_exception(error)  # for those who wait
            raise
        draft.write(room[start : start + draft.nbytes])

    for _ in in_order(run, range(coding.segments), at_work, ahead=coding.segments):
        pass
    return starts[-1].result()


@dataclass(frozen=True)
class Segment:
    """One segment of a stream: its header, its codec and what the codec read in the header."""

    header: Header
    codec: type[Codec]
    layout: Any

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """The dtype of the values."""
        return dtype_of(self.header.signed, self.header.wide)

    def payload(self, data: Source) -> bytes:
        """The payload, its CRC checked. Raises StreamError(PAYLOAD_CRC)."""
        payload = bytes(self._part(data))
        self._check(payload)
        return payload

    def check_payload(self, data: Source) -> None:
        """Raise StreamError(PAYLOAD_CRC) if the payload is not as it was written."""
        self._check(self._part(data))

    def _part(self, data: Source) -> Buffer:
        return data[self.header.payload_start : self.header.end]

    def _check(self, payload: Buffer) -> None:
        crc = crc32(payload)
        if crc != self.header.payload_crc:
            raise StreamError(ErrorCode.PAYLOAD_CRC, f"found {crc:#010x}, {where(self.header)}")

    def values(self, data: Source, *, engine: str = AUTO) -> Array:
        """The values, shape (count,). Raises StreamError."""
        payload = self._part(data)
        self._check(payload)
        out: Array = np.empty(self.header.count, self.dtype)
        self._decode(payload, out, engine)
        return out

    def decode_into(self, data: Source, out: Array, *, engine: str = AUTO) -> None:
        """Put the values into `out`, shape (count,), of the segment's dtype; the CRC is not checked.

        Raises StreamError; then the content of `out` is undefined.
        """
        self._decode(self._part(data), out, engine)

    def _decode(self, payload: Buffer, out: Array, engine: str) -> None:
        use_native(engine)  # raises for one that is not known, which not every codec asks for
        self.codec.decode_values(self.layout, payload, self.header, out, engine=engine)

    def schedule(self, data: Source, *, engine: str = AUTO) -> Schedule | None:
        """The order of the payload's beats, if the codec has lanes. Raises StreamError."""
        payload = self.payload(data)
        return self.codec.schedule(self.layout, payload, self.header.count, engine=engine)

    def slot_bits(self, data: Source, *, engine: str = AUTO) -> Int:
        """Bits that each slot takes, of a codec without lanes. Raises StreamError."""
        bits = self.codec.slot_bits(self.layout, self.payload(data), self.header.count, engine=engine)
        if bits is None:
            raise ParameterError(f"codec {self.codec.name} has no slots")
        return bits

    def parts(self, data: Source) -> dict[str, int]:
        """Bits of the segment by what they are for. Raises StreamError.

        Takes as much memory as coding the segment does: WORK_BYTES for each value.
        """
        payload = self.payload(data)
        codes = self.codec.decode(self.layout, payload, self.header.count)
        own = 8 * self.codec.section_bytes(self.layout)
        header_bits = {"header": 8 * self.header.nbytes - own, "tables": own}
        return header_bits | dict(self.codec.parts(self.layout, codes, payload))


def segments(data: Source, start: int = 0) -> Iterator[Segment]:
    """The segments of the tensor at byte `start`, headers checked, payloads not read.

    Raises StreamError; a stream's length is checked against every header's claim before anything
    is allocated for it.
    """
    while True:
        head = header.parse(data, start)
        codec = codec_numbered(head)
        layout = codec.layout(head)
        if len(data) < head.end:
            what = f"{len(data) - head.payload_start} of {head.payload_bytes} payload bytes"
            raise StreamError(ErrorCode.TRUNCATED, f"{what}, {where(head)}")
        yield Segment(head, codec, layout)
        if not head.more:
            return
        start = head.end


def tensor_shape(found: list[Segment]) -> tuple[int, ...]:
    """The shape of the tensor that the segments make. Raises StreamError(SHAPE)."""
    first = found[0]
    count = sum(s.header.count for s in found)
    for later in found[1:]:
        same = (later.header.signed, later.header.wide) == (first.header.signed, first.header.wide)
        if later.header.shape or not same:
            raise StreamError(ErrorCode.SHAPE, f"a later segment differs, {where(later.header)}")
    if not first.header.shape:
        return (count,)
    section = first.header.sections[first.codec.section_bytes(first.layout) :]
    return parse_shape(section, count, where(first.header))


def check_end(found: list[Segment], size: int) -> None:
    """StreamError(LENGTH) unless the last segment ends a stream of `size` bytes."""
    end = found[-1].header.end
    if end != size:
        raise StreamError(ErrorCode.LENGTH, f"{size - end} bytes after the end at byte {end}")


def _checked(view: memoryview, threads: int | None) -> tuple[list[Segment], StreamError | None]:
    """The segments whose headers and payloads are whole, and what is wrong behind them, if anything."""
    found: list[Segment] = []
    wrong: StreamError | None = None
    try:
        found.extend(segments(view))
        tensor_shape(found)
        check_end(found, len(view))
    except StreamError as error:
        wrong = error
    whole = 0
    try:
        for _ in in_order(
            lambda segment: segment.check_payload(view), found, workers(threads, len(found), 1, 0)
        ):
            whole += 1
    except StreamError as error:
        wrong = error
    return found[:whole], wrong


def decode(
    data: bytes | bytearray | memoryview,
    *,
    threads: int | None = None,
    engine: str = AUTO,
    most_bytes: int | None = None,
) -> Array:
    """The tensor, shape and dtype restored. Raises StreamError for any malformed stream.

    Errors come segment by segment: a segment's header, its payload's CRC, its values, then the next
    segment, as hardware meets them. What concerns the whole (the shape, bytes after the last segment)
    comes last. Nothing is allocated for values before all headers and CRCs are known to be good.

    threads: most threads at work, by default one per processor.
    engine: see golden/engine.py.
    most_bytes: refuse tensors larger than this, with InputError. A value may take no bits at all, so
        that a small stream from a stranger can be a very large tensor.
    """
    view = memoryview(data).cast("B")
    found, error = _checked(view, threads)
    if error is not None:
        for segment in found:  # whose values may be wrong, which would come first
            segment.values(view, engine=engine)
        raise error
    counts = [s.header.count for s in found]
    ends = np.cumsum(counts).tolist()
    size = ends[-1] * found[0].dtype.itemsize
    if most_bytes is not None and size > most_bytes:
        raise InputError(f"a tensor of {size:,} bytes, of which at most {most_bytes:,} are wanted")
    try:
        out: Array = np.empty(ends[-1], found[0].dtype)
    except MemoryError:
        raise InputError(f"a tensor of {ends[-1]:,} values does not fit into memory") from None

    def run(i: int) -> None:
        found[i].decode_into(view, out[ends[i] - counts[i] : ends[i]], engine=engine)

    at_work = _readers(found, threads, len(view))
    for _ in in_order(run, range(len(found)), at_work, ahead=len(found)):
        pass
    return out.reshape(tensor_shape(found))


def _readers(found: list[Segment], threads: int | None, stream_bytes: int) -> int:
    """Threads that decode."""
    return workers(threads, len(found), READ_BYTES * max(s.header.count for s in found), stream_bytes)


def decode_segments(data: Source, *, threads: int | None = None, engine: str = AUTO) -> Iterator[Array]:
    """The values of a stream segment by segment, each of shape (count,), for what does not fit into memory.

    All headers are checked at once, payloads as their values come. Raises StreamError.
    """
    found = list(segments(data))
    tensor_shape(found)
    check_end(found, len(data))

    def run(segment: Segment) -> Array:
        return segment.values(data, engine=engine)

    return in_order(run, found, _readers(found, threads, 0))

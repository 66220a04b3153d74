"""Tensors to bytes and back: segments, headers, checks.

A tensor is one segment or, if it is large, several behind one another, each with its own header,
table and checks; the first carries the shape. A segment that a codec would make larger is stored raw.
Segments are coded side by side on threads; the result does not depend on how many.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atalanta.golden import codecs, header
from atalanta.golden.codec import CODECS, Body, Codec, codec_named, codec_numbered, where
from atalanta.golden.engine import AUTO
from atalanta.golden.errors import ErrorCode, InputError, ParameterError, StreamError, require
from atalanta.golden.format import SEGMENT_MULTIPLE, crc32
from atalanta.golden.header import Header, parse_shape
from atalanta.golden.lanes import Int, Schedule
from atalanta.golden.parallel import in_order, workers
from atalanta.golden.params import MAX_SEGMENT_VALUES
from atalanta.golden.values import Array, Codes, Mapping, check_array, dtype_of, from_codes, to_codes

SEGMENT_VALUES = 1 << 20
"""Values of a segment by default: small enough to spread one tensor over threads and to keep little
in memory, large enough that headers cost nothing (0.03 %)."""

BEST = "best"
"""The codec name that takes the smallest of all, segment by segment."""

WORK_BYTES = 12
"""Memory that one value of a segment takes at most while it is coded, in bytes: codes, records of
the encoder, lanes and payload."""

__all__ = [
    "BEST", "CODECS", "Encoded", "Segment", "codecs", "decode", "encode", "encode_segments", "segments"
]  # fmt: skip


def _make(codec: str, options: dict[str, Any]) -> list[Codec]:
    """The codecs to try, raw last. With `best`, each takes those of the options that it knows."""
    raw = codecs.raw.Raw(engine=options.get("engine", AUTO))
    if codec != BEST:
        kind = codec_named(codec)
        try:
            return [kind(**options), raw]
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


def _smallest(
    values: Array, bits: int, signed: bool, coders: list[Codec], schedule: bool
) -> tuple[Codec, Body]:
    """The codec with the smallest body, the first of them; only that one codes."""
    codes: dict[Mapping, Codes] = {}
    for coder in coders:
        if coder.mapping not in codes:
            codes[coder.mapping] = to_codes(values, bits, signed, coder.mapping)
    drafts = [coder.draft(codes[coder.mapping], bits, schedule=schedule) for coder in coders]
    best = min(range(len(coders)), key=lambda i: drafts[i].nbytes)
    return coders[best], drafts[best].body()


def encode_segments(
    array: NDArray[Any],
    codec: str = "atalanta",
    *,
    bits: int | None = None,
    segment_values: int = SEGMENT_VALUES,
    threads: int | None = None,
    schedule: bool = False,
    **options: Any,
) -> Iterator[Encoded]:
    """The segments of `encode` one by one, as soon as they and those before them are done.

    schedule: whether bodies have schedules. For the rest see `encode`.
    """
    array, bits, signed = check_array(array, bits)
    legal = f"a multiple of {SEGMENT_MULTIPLE} up to {MAX_SEGMENT_VALUES}"
    whole = segment_values % SEGMENT_MULTIPLE == 0 and 0 < segment_values <= MAX_SEGMENT_VALUES
    require(whole, "segment_values", legal, segment_values)
    coders = _make(codec, options)
    flat = np.ascontiguousarray(array).reshape(-1)
    starts = range(0, max(flat.size, 1), segment_values)

    def run(start: int) -> Encoded:
        values = flat[start : start + segment_values]
        chosen, body = _smallest(values, bits, signed, coders, schedule)
        shape = start == 0 and array.shape != flat.shape
        sections = body.sections + (header.pack_shape(array.shape) if shape else b"")
        fields = {
            "codec": chosen.id,
            "bits": bits,
            "signed": signed,
            "wide": array.dtype.itemsize == 2,
            "more": start != starts[-1],
            "shaped": shape,
            "params": int.from_bytes(chosen.record.pack(body.params), "little"),
            "count": values.size,
            "payload_bytes": len(body.payload),
            "lane_bytes": body.lane_bytes,
            "payload_crc": crc32(body.payload),
        }
        return Encoded(header.pack(fields, sections), chosen, body)

    values = min(segment_values, flat.size)
    return in_order(run, starts, workers(threads, len(starts), WORK_BYTES * values, flat.nbytes))


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
    out = io.BytesIO()  # grows in place: the stream is in memory once
    for segment in encode_segments(
        array, codec, bits=bits, segment_values=segment_values, threads=threads, **options
    ):
        out.write(segment.header)
        out.write(segment.body.payload)
    return out.getvalue()


@dataclass(frozen=True)
class Segment:
    """One segment of a stream: its header, its codec and what the codec read in the header."""

    header: Header
    codec: type[Codec]
    layout: Any

    def payload(self, data: bytes | memoryview) -> bytes:
        """The payload, its CRC checked. Raises StreamError(PAYLOAD_CRC)."""
        payload = bytes(data[self.header.payload_start : self.header.end])
        crc = crc32(payload)
        if crc != self.header.payload_crc:
            raise StreamError(ErrorCode.PAYLOAD_CRC, f"found {crc:#010x}, {where(self.header)}")
        return payload

    def values(self, data: bytes | memoryview, *, engine: str = AUTO) -> Array:
        """The values, shape (count,). Raises StreamError."""
        h = self.header
        codes = self.codec.decode(self.layout, self.payload(data), h.count, engine=engine)
        return from_codes(codes, h.bits, h.signed, h.wide, self.codec.mapping)

    def schedule(self, data: bytes | memoryview, *, engine: str = AUTO) -> Schedule | None:
        """The order of the payload's beats, if the codec has lanes. Raises StreamError."""
        payload = self.payload(data)
        return self.codec.schedule(self.layout, payload, self.header.count, engine=engine)

    def slot_bits(self, data: bytes | memoryview, *, engine: str = AUTO) -> Int:
        """Bits that each slot takes, of a codec without lanes. Raises StreamError."""
        bits = self.codec.slot_bits(self.layout, self.payload(data), self.header.count, engine=engine)
        if bits is None:
            raise ParameterError(f"codec {self.codec.name} has no slots")
        return bits

    def parts(self, data: bytes | memoryview) -> dict[str, int]:
        """Bits of the segment by what they are for. Raises StreamError."""
        payload = self.payload(data)
        codes = self.codec.decode(self.layout, payload, self.header.count)
        own = 8 * self.codec.section_bytes(self.layout)
        header_bits = {"header": 8 * self.header.nbytes - own, "tables": own}
        return header_bits | dict(self.codec.parts(self.layout, codes, payload))


def segments(data: bytes | memoryview, start: int = 0) -> Iterator[Segment]:
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


def _checked(view: memoryview) -> tuple[list[Segment], StreamError | None]:
    """The segments whose headers and payloads are whole, and what is wrong behind them, if anything."""
    found: list[Segment] = []
    try:
        for segment in segments(view):
            segment.payload(view)
            found.append(segment)
        tensor_shape(found)
        check_end(found, len(view))
    except StreamError as error:
        return found, error
    return found, None


def decode(data: bytes | bytearray | memoryview, *, threads: int | None = None, engine: str = AUTO) -> Array:
    """The tensor, shape and dtype restored. Raises StreamError for any malformed stream.

    Errors come segment by segment: a segment's header, its payload's CRC, its values, then the next
    segment, as hardware meets them. What concerns the whole (the shape, bytes after the last segment)
    comes last. Nothing is allocated for values before all headers and CRCs are known to be good.

    threads: most threads at work, by default one per processor.
    engine: see golden/engine.py.
    """
    view = memoryview(data).cast("B")
    found, error = _checked(view)
    if error is not None:
        for segment in found:  # whose values may be wrong, which would come first
            segment.values(view, engine=engine)
        raise error
    counts = [s.header.count for s in found]
    ends = np.cumsum(counts).tolist()
    try:
        out = np.empty(ends[-1], dtype_of(found[0].header.signed, found[0].header.wide))
    except MemoryError:
        raise InputError(f"a tensor of {ends[-1]:,} values does not fit into memory") from None

    def run(i: int) -> None:
        out[ends[i] - counts[i] : ends[i]] = found[i].values(view, engine=engine)

    at_work = workers(threads, len(found), WORK_BYTES * max(counts), len(view))
    for _ in in_order(run, range(len(found)), at_work):
        pass
    return out.reshape(tensor_shape(found))

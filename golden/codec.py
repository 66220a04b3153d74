"""What a codec is, and the list of all codecs.

To try a codec of your own, see golden/codecs/README.md: one class in one file, registered with
`register`; encode, decode, inspect, compare and the report then know it by its name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.engine import AUTO
from atalanta.golden.errors import ErrorCode, ParameterError, StreamError
from atalanta.golden.format import Record
from atalanta.golden.header import Header
from atalanta.golden.lanes import Int, Schedule
from atalanta.golden.values import Array, Buffer, Codes, Mapping, from_codes, to_codes

_PIECE = 1 << 16
"""Values that are mapped at once."""


@dataclass(frozen=True)
class Body:
    """What a codec makes of a segment.

    params: values for the codec's record in the base header.
    sections: bytes for the header after the base.
    payload: the coded values.
    lane_bytes: for the base header; 0 unless the codec has lanes.
    parts: bits of the payload by what they are for; they sum to 8 * len(payload).
    schedule: the order of beats, for codecs with lanes.
    """

    params: Dict[str, int]
    payload: bytes
    sections: bytes = b""
    lane_bytes: int = 0
    parts: Dict[str, int] = field(default_factory=dict)
    schedule: Schedule | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that differ between codecs: sections and payload."""
        return len(self.sections) + len(self.payload)


@dataclass(frozen=True)
class Draft:
    """A segment that is measured and may yet be coded.

    nbytes: what `Body.nbytes` will be.
    body: makes the body; call it once at most.
    section_bytes: those of `nbytes` that belong to the body's sections.
    into: puts the payload into the buffer that it is given, writable, of `payload_bytes` bytes; returns
        the body, payload and parts left empty. None if the codec cannot.
    """

    nbytes: int
    body: Callable[[], Body]
    section_bytes: int = 0
    into: Callable[[memoryview], Body] | None = None

    @property
    def payload_bytes(self) -> int:
        """Bytes of the payload."""
        return self.nbytes - self.section_bytes


class Codec(ABC):
    """One way to code a segment. Construct it with its options; decoding needs none.

    `engine`, an option of codecs that have compiled code beside the reference, says which runs; see
    golden/engine.py.
    """

    name: ClassVar[str]
    id: ClassVar[int]
    mapping: ClassVar[Mapping]
    record: ClassVar[Record]
    hardware: ClassVar[bool] = False
    """Whether the decoder in `hw` knows this codec."""

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """Names of the options that the class takes."""
        return tuple(name for name in signature(cls).parameters if name != "self")

    @abstractmethod
    def encode(self, codes: Codes, bits: int) -> Body:
        """Code a segment. codes: shape (count,), below 2^bits."""

    def draft(self, codes: Codes, bits: int, *, schedule: bool = False) -> Draft:
        """Measure a segment, so that it need not be coded if another codec's draft is smaller.

        schedule: whether the body is to have one. A codec that can tell its size without coding
        overrides this.
        """
        body = self.encode(codes, bits)
        return Draft(body.nbytes, lambda: body, len(body.sections))

    def draft_values(self, values: Array, bits: int, signed: bool, *, schedule: bool = False) -> Draft:
        """Like `draft`, from the values. A codec that needs no array of codes overrides this."""
        return self.draft(to_codes(values, bits, signed, self.mapping), bits, schedule=schedule)

    @classmethod
    def profiled(cls, histogram: NDArray[np.int64], bits: int) -> Dict[str, Any] | None:
        """Options that fit the codec to data like a sample's, whatever values it holds.

        histogram: how often each code occurs in the sample, shape (2^bits,).
        None for a codec that learns nothing from samples.
        """
        return None

    @classmethod
    @abstractmethod
    def layout(cls, header: Header) -> Any:
        """Everything the header says, parsed and checked. Raises StreamError."""

    @classmethod
    @abstractmethod
    def section_bytes(cls, layout: Any) -> int:
        """Bytes of the codec's own header sections."""

    @classmethod
    @abstractmethod
    def decode(cls, layout: Any, payload: bytes, count: int, *, engine: str = AUTO) -> Codes:
        """The codes, shape (count,). Raises StreamError."""

    @classmethod
    def decode_values(
        cls, layout: Any, payload: Buffer, header: Header, out: Array, *, engine: str = AUTO
    ) -> None:
        """Decode into `out`, shape (count,). Raises StreamError; then the content of `out` is undefined.

        A codec that can put values in place overrides this.
        """
        codes = cls.decode(layout, bytes(payload), header.count, engine=engine)
        for at in range(0, header.count, _PIECE):  # so that what comes between stays small
            piece = slice(at, at + _PIECE)
            out[piece] = from_codes(codes[piece], header.bits, header.signed, header.wide, cls.mapping)

    @classmethod
    def schedule(cls, layout: Any, payload: bytes, count: int, *, engine: str = AUTO) -> Schedule | None:
        """The order of the payload's beats, if the codec has lanes. Raises StreamError."""
        return None

    @classmethod
    def slot_bits(cls, layout: Any, payload: bytes, count: int, *, engine: str = AUTO) -> Int | None:
        """Bits that each slot takes, for codecs without lanes that the hardware knows."""
        return None

    @classmethod
    def parts(cls, layout: Any, codes: Codes, payload: bytes) -> Dict[str, int]:
        """Bits of the payload, which holds `codes`, by what they are for; they sum to 8 * len(payload)."""
        return {"payload": 8 * len(payload)}

    @classmethod
    def parse_params(cls, header: Header) -> dict[str, int]:
        """The codec's record from the base header; reserved bits must be 0."""
        params = cls.record.unpack(header.params.to_bytes(4, "little"))
        if params.get("reserved", 0):
            raise StreamError(ErrorCode.HEADER, f"reserved parameter bits set, {where(header)}")
        return params


def where(header: Header) -> str:
    """Names a segment in an error."""
    return f"segment at byte {header.start}"


def header_check(ok: bool, code: ErrorCode, what: str, header: Header) -> None:
    """Raise StreamError unless `ok`."""
    if not ok:
        raise StreamError(code, f"{what}, {where(header)}")


def sections_check(own: int, header: Header) -> None:
    """Raise StreamError unless the sections are `own` bytes, plus a shape if the header says so."""
    found = len(header.sections)
    ok = found >= own if header.shape else found == own
    header_check(ok, ErrorCode.HEADER, f"{found} bytes of sections where {own} are due", header)


CODECS: dict[str, type[Codec]] = {}


def register(codec: type[Codec]) -> type[Codec]:
    """Class decorator: make a codec known by its name and number."""
    for other in CODECS.values():
        if codec.name == other.name or codec.id == other.id:
            raise ParameterError(f"codec {codec.name} ({codec.id}) clashes with {other.name} ({other.id})")
    CODECS[codec.name] = codec
    return codec


def codec_named(name: str) -> type[Codec]:
    """The codec of that name; ParameterError lists the legal ones."""
    if name not in CODECS:
        raise ParameterError(f"codec must be one of {', '.join(CODECS)}, not {name!r}")
    return CODECS[name]


def codec_numbered(header: Header) -> type[Codec]:
    """The codec a header names; StreamError(CODEC) if there is none."""
    for codec in CODECS.values():
        if codec.id == header.codec:
            return codec
    raise StreamError(ErrorCode.CODEC, f"codec {header.codec}, {where(header)}")

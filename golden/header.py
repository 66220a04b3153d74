"""Segment headers: packing, parsing and every check that needs the header alone.

Checks are made in the order in which FORMAT.md lists them; hardware makes the same ones in the same
order, so that both report the same error.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.format import (
    BASE,
    BLOCK_BYTES,
    MAGIC,
    SEGMENT_MULTIPLE,
    VERSION,
    crc32,
    padded,
)
from atalanta.golden.params import MAX_BITS, MAX_SEGMENT_VALUES, MIN_BITS
from atalanta.golden.source import Source

MAX_DIMENSIONS = 64
_CRC_AT = BASE.offsets["header_crc"] // 8


@dataclass(frozen=True)
class Header:
    """A parsed header. `sections` are the bytes after the base header; `start` is its byte offset."""

    start: int
    codec: int
    bits: int
    signed: bool
    wide: bool
    more: bool
    shape: bool
    params: int
    count: int
    payload_bytes: int
    lane_bytes: int
    payload_crc: int
    sections: bytes

    @property
    def nbytes(self) -> int:
        """Bytes of the whole header."""
        return BASE.nbytes + len(self.sections)

    @property
    def payload_start(self) -> int:
        """Byte offset of the payload."""
        return self.start + self.nbytes

    @property
    def end(self) -> int:
        """Byte offset of what follows the segment."""
        return self.payload_start + self.payload_bytes


def pack(fields: Mapping[str, int], sections: bytes) -> bytes:
    """The header's bytes. fields: those of BASE but magic, version, header_bytes and header_crc."""
    size = BASE.nbytes + len(sections)
    base = dict(fields, magic=MAGIC, version=VERSION, header_bytes=size, header_crc=0)
    data = BASE.pack(base) + sections
    return data[:_CRC_AT] + _crc(data).to_bytes(4, "little") + data[_CRC_AT + 4 :]


def _crc(header: bytes) -> int:
    """The CRC of a header whose own field is 0."""
    return crc32(padded(header, BLOCK_BYTES))


def parse(data: Source, start: int = 0) -> Header:
    """The header at byte `start`. Raises StreamError, the first that applies in FORMAT.md's order."""

    def check(ok: bool, code: ErrorCode, what: str) -> None:
        if not ok:
            raise StreamError(code, f"{what}, segment at byte {start}")

    left = len(data) - start
    check(left >= BASE.nbytes, ErrorCode.TRUNCATED, f"{left} of {BASE.nbytes} header bytes")
    base = BASE.unpack(bytes(data[start : start + BASE.nbytes]))
    check(base["magic"] == MAGIC, ErrorCode.MAGIC, f"found {bytes(data[start : start + 3])!r}")
    check(base["version"] == VERSION, ErrorCode.VERSION, f"version {base['version']}")
    size = base["header_bytes"]
    check(size >= BASE.nbytes, ErrorCode.HEADER, f"header_bytes {size}")
    check(left >= size, ErrorCode.TRUNCATED, f"{left} of {size} header bytes")
    whole = bytes(data[start : start + size])
    crc = _crc(whole[:_CRC_AT] + bytes(4) + whole[_CRC_AT + 4 :])
    check(crc == base["header_crc"], ErrorCode.HEADER_CRC, f"found {crc:#010x}")
    check(MIN_BITS <= base["bits"] <= MAX_BITS, ErrorCode.HEADER, f"bits {base['bits']}")
    check(base["bits"] <= 8 or base["wide"] == 1, ErrorCode.HEADER, "over 8 bits but not wide")
    check(base["reserved"] == 0, ErrorCode.HEADER, "reserved bits set")
    check(base["count"] <= MAX_SEGMENT_VALUES, ErrorCode.HEADER, f"count {base['count']}")
    whole_words = base["count"] % SEGMENT_MULTIPLE == 0
    check(whole_words or not base["more"], ErrorCode.HEADER, f"count {base['count']} with more to come")
    return Header(
        start=start,
        codec=base["codec"],
        bits=base["bits"],
        signed=bool(base["signed"]),
        wide=bool(base["wide"]),
        more=bool(base["more"]),
        shape=bool(base["shaped"]),
        params=base["params"],
        count=base["count"],
        payload_bytes=base["payload_bytes"],
        lane_bytes=base["lane_bytes"],
        payload_crc=base["payload_crc"],
        sections=whole[BASE.nbytes :],
    )


def pack_shape(shape: tuple[int, ...]) -> bytes:
    """The shape section: number of dimensions, then each, as LEB128."""
    out = bytearray()
    for number in (len(shape), *shape):
        rest = number
        while rest >= 0x80:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def parse_shape(section: bytes, count: int, where: str) -> tuple[int, ...]:
    """The shape, checked to hold `count` values. Raises StreamError(SHAPE)."""
    numbers: list[int] = []
    at = 0
    while not numbers or len(numbers) <= min(numbers[0], MAX_DIMENSIONS):
        number = shift = 0
        while True:
            if at >= len(section) or shift > 63:
                raise StreamError(ErrorCode.SHAPE, f"shape section ends early, {where}")
            number |= (section[at] & 0x7F) << shift
            shift += 7
            at += 1
            if section[at - 1] < 0x80:
                break
        numbers.append(number)
    shape = tuple(numbers[1:])
    if numbers[0] > MAX_DIMENSIONS or math.prod(shape) != count or any(section[at:]):
        raise StreamError(ErrorCode.SHAPE, f"shape {shape} for {count} values, {where}")
    return shape

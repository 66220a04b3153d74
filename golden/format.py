"""The bitstream, written down once as data.

Everything that packs, parses, draws or decodes a stream derives from the records below: the software
codec packs with them, the hardware builds its layouts from them, and FORMAT.md is generated from them.

A record is a list of named bit fields, least significant bit first; its bytes are little-endian.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, cached_property
from struct import Struct

VERSION = 1
MAGIC = int.from_bytes(b"ATL", "little")
BLOCK_BYTES = 16
"""Hardware takes a header in blocks of this size, the last one filled up with zeros."""

SEGMENT_MULTIPLE = 64
"""Every segment of a tensor but its last holds a multiple of this many values, so that output words
never straddle segments."""

WORD_BITS = 32
"""A lane's bits move in words of this size from its beats into its window."""

LOOKAHEAD_WORDS = 1
"""Words a lane holds beyond the word in which its next bit lies; see FORMAT.md, "Beats"."""

CRC_POLY = 0x04C11DB7
"""CRC-32 (IEEE 802.3, reflected, initial value and final XOR all ones), as zlib computes it."""


class CodecId(IntEnum):
    """Codec numbers. The hardware knows the first three; 16 and above are software only."""

    RAW = 0
    ATALANTA = 1
    SHAPESHIFTER = 2


@dataclass(frozen=True)
class Field:
    """One bit field: its name, width in bits and meaning (one sentence, for the document)."""

    name: str
    width: int
    meaning: str


@dataclass(frozen=True)
class Record:
    """Bit fields in order, the first in the least significant bits."""

    name: str
    fields: tuple[Field, ...]

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    @cached_property
    def width(self) -> int:
        """Bits of the whole record."""
        return sum(f.width for f in self.fields)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the whole record; the width of every record is a whole number of bytes."""
        return self.width // 8

    @cached_property
    def _places(self) -> tuple[tuple[str, int, int], ...]:
        """Name, width and lowest bit of each field."""
        return tuple((f.name, f.width, self.offsets[f.name]) for f in self.fields)

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Lowest bit of each field."""
        offsets, at = {}, 0
        for field in self.fields:
            offsets[field.name] = at
            at += field.width
        return offsets

    def pack(self, values: Mapping[str, int]) -> bytes:
        """Bytes of the record; a missing value is 0, an unknown or oversized one a ValueError."""
        if not values.keys() <= self.offsets.keys():
            raise ValueError(f"{self.name} has no field {sorted(values.keys() - self.offsets.keys())}")
        word = 0
        for name, width, offset in self._places:
            value = values.get(name, 0)
            if value >> width:  # of negative ones, too
                raise ValueError(f"{self.name}.{name}: {value} needs over {width} bits")
            word |= value << offset
        return word.to_bytes(self.nbytes, "little")

    def unpack(self, data: bytes) -> dict[str, int]:
        """Field values from exactly `nbytes` bytes."""
        if len(data) != self.nbytes:
            raise ValueError(f"{self.name} takes {self.nbytes} bytes, not {len(data)}")
        word = int.from_bytes(data, "little")
        return {name: word >> offset & ((1 << width) - 1) for name, width, offset in self._places}

    def pack_all(self, *columns: Sequence[int]) -> bytes:
        """Bytes of records behind one another. columns: the values of each field, in order."""
        values = [value for record in zip(*columns, strict=True) for value in record]
        return self._many(len(columns[0])).pack(*values)

    def unpack_all(self, data: bytes) -> list[tuple[int, ...]]:
        """The values of each field, in order, from records behind one another."""
        values = self._many(len(data) // self.nbytes).unpack(data)
        return [values[i :: len(self.fields)] for i in range(len(self.fields))]

    def _many(self, count: int) -> Struct:
        """For records whose fields are as wide as a computer's integers."""
        return _struct("".join(_LETTERS[f.width] for f in self.fields), count)


_LETTERS = {8: "B", 16: "H", 32: "I", 64: "Q"}


@cache
def _struct(letters: str, count: int) -> Struct:
    return Struct("<" + count * letters)


RESERVED = "Reserved; 0."

BASE = Record(
    "base header",
    (
        Field("magic", 24, 'The letters "ATL".'),
        Field("version", 8, f"Version of this format: {VERSION}."),
        Field("codec", 8, "0 raw, 1 Atalanta, 2 ShapeShifter; 16 and above: software only."),
        Field("header_bytes", 12, "Bytes of the whole header."),
        Field("bits", 5, "Width n of a value, 2..16."),
        Field("signed", 1, "The values are signed; see Values."),
        Field("wide", 1, "The array's elements take two bytes (n may still be 8 or less)."),
        Field("more", 1, "Another segment of the same tensor follows."),
        Field("shaped", 1, "A shape section ends the header; without it the array has one dimension."),
        Field("reserved", 3, RESERVED),
        Field("params", 32, "Parameters of the codec: one of the records below."),
        Field("count", 32, "Values in this segment, at most 2^24."),
        Field("payload_bytes", 32, "Bytes after the header."),
        Field("lane_bytes", 32, "Atalanta: bytes of the shortest lane. Others: 0."),
        Field("payload_crc", 32, "CRC-32 of the payload."),
        Field("header_crc", 32, "CRC-32 of the header's blocks, taken with this field 0."),
    ),
)

ATALANTA_PARAMS = Record(
    "Atalanta parameters",
    (
        Field("lanes_log2", 3, "log2 of the lanes L: 0..6."),
        Field("ways", 4, "Ways W: 2..8."),
        Field("beat_log2", 3, "log2 of the bytes of a beat: 4, 5 or 6."),
        Field("lane_depth", 4, "Beats F that a lane can hold: 2..8."),
        Field("rows", 6, "Rows of the table: 1..32."),
        Field("contexts", 4, "Count tables less one; 0 in this version."),
        Field("reserved", 8, RESERVED),
    ),
)

SHAPESHIFTER_PARAMS = Record(
    "ShapeShifter parameters",
    (
        Field("group", 8, "Values of a group less one: 7..255."),
        Field("mask", 1, "Groups carry a zero mask and only their non-zero values."),
        Field("zero_width", 1, "The width field holds 0..n; without it, width less one: 0..n-1."),
        Field("lead", 3, "Groups by which a group's header precedes its values: 1..7."),
        Field("reserved", 19, RESERVED),
    ),
)

RAW_PARAMS = Record("raw parameters", (Field("reserved", 32, RESERVED),))

PARAMS: dict[CodecId, Record] = {
    CodecId.RAW: RAW_PARAMS,
    CodecId.ATALANTA: ATALANTA_PARAMS,
    CodecId.SHAPESHIFTER: SHAPESHIFTER_PARAMS,
}

NARROW_ROW = Record(
    "table row, n <= 8",
    (
        Field("cum", 16, "Sum of the counts of the rows before this one, 0..1024."),
        Field("v_min", 8, "Lowest value of the row."),
    ),
)
WIDE_ROW = Record(
    "table row, n > 8",
    (
        Field("cum", 16, "Sum of the counts of the rows before this one, 0..1024."),
        Field("v_min", 16, "Lowest value of the row."),
    ),
)
LANE_LENGTH = Record(
    "lane length",
    (Field("extra_bytes", 16, "Bytes of this lane beyond those of the shortest lane."),),
)

ARCHIVE_MAGIC = int.from_bytes(b"ATLN", "little")
ARCHIVE_HEAD = Record(
    "archive head",
    (
        Field("magic", 32, 'The letters "ATLN".'),
        Field("version", 32, f"Version of this format: {VERSION}."),
        Field("directory_offset", 64, "Byte at which the directory starts; it ends the file."),
        Field(
            "directory_bytes", 32, "Bytes of the directory: JSON text, compressed as zlib does (RFC 1950)."
        ),
        Field("text_bytes", 32, "Bytes of that text, at most 2^26."),
        Field("directory_crc", 32, "CRC-32 of the directory."),
        Field("head_crc", 32, "CRC-32 of the head's bytes before this field."),
    ),
)


def row_record(bits: int) -> Record:
    """The table row used for values of `bits` bits."""
    return NARROW_ROW if bits <= 8 else WIDE_ROW


def round_up(n: int, unit: int) -> int:
    """The lowest multiple of `unit` that is at least `n`."""
    return -(-n // unit) * unit


def padded(data: bytes, unit: int) -> bytes:
    """`data` with zero bytes appended up to a multiple of `unit`."""
    return data + bytes(round_up(len(data), unit) - len(data))


def crc32(data: bytes | memoryview, crc: int = 0) -> int:
    """CRC-32 as in zlib; `crc` continues an earlier one."""
    return zlib.crc32(data, crc)

"""Makes the conformance corpus: streams with expected values, and bad streams with expected errors.

    python tests/vectors/make.py [FOLDER]

good/NAME.atl decodes to good/NAME.npy; bad/NAME.atl is refused with the error that vectors.json names.
The bytes depend on nothing but this script and the format: a test makes them again and compares.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from atalanta.golden import container, header
from atalanta.golden.bits import BitWriter
from atalanta.golden.container import Segment
from atalanta.golden.errors import ErrorCode
from atalanta.golden.format import ATALANTA_PARAMS, BASE, LANE_LENGTH, SHAPESHIFTER_PARAMS, crc32, row_record
from atalanta.golden.params import BEAT_BYTES, LANE_DEPTH, LANES, WAYS
from atalanta.golden.table import Table
from atalanta.golden.values import Array

FOLDER = Path(__file__).parent
Good = Iterator[tuple[str, Array, bytes]]
Bad = Iterator[tuple[str, ErrorCode, bytes]]


def encode(array: Array, codec: str = "atalanta", **options: Any) -> bytes:
    """A stream in exactly that codec."""
    found = container.encode_segments(array, codec, fallback=False, threads=1, **options)
    return b"".join(segment.header + segment.body.payload for segment in found)


def bell(seed: int, count: int, spread: float, dtype: str = "int8") -> Array:
    """Values like weights: many near zero."""
    limits = np.iinfo(dtype)
    values = np.random.default_rng(seed).normal(0, spread, count).round()
    return (
        np.asarray(np.abs(values) if limits.min == 0 else values).clip(limits.min, limits.max).astype(dtype)
    )


def sparse(seed: int, count: int, dtype: str = "uint8") -> Array:
    """Values like activations: runs of zeros, some large."""
    rng = np.random.default_rng(seed)
    live = np.repeat(rng.random(count // 8 + 1) < 0.4, 8)[:count]
    return np.asarray(live * rng.integers(0, 1 << rng.integers(0, 8, count))).astype(dtype)


# Good streams.


def good_shapes() -> Good:
    """Every dtype, every kind of shape."""
    for dtype in ("int8", "uint8", "int16", "uint16"):
        yield f"dtype_{dtype}", bell(1, 300, 20, dtype), b""
    for name, shape in (
        ("scalar", ()),
        ("empty", (0,)),
        ("empty_2d", (3, 0)),
        ("ones_64d", (1,) * 64),
        ("conv", (4, 3, 5, 5)),
    ):
        yield f"shape_{name}", bell(2, int(np.prod(shape)), 12).reshape(shape), b""


def good_atalanta() -> Good:
    """Every legal parameter, tables of every kind, counts around the number of lanes."""
    for lanes in LANES:
        array = bell(lanes, 500, 9)
        yield f"lanes_{lanes}", array, encode(array, lanes=lanes, fit=False)
    for ways in WAYS:
        array = bell(ways, 333, 9)
        yield f"ways_{ways}", array, encode(array, lanes=4, ways=ways, fit=False)
    for beat_bytes in BEAT_BYTES:
        for lane_depth in (LANE_DEPTH[0], LANE_DEPTH[-1]):
            array = bell(beat_bytes, 900, 30)
            data = encode(array, lanes=2, beat_bytes=beat_bytes, lane_depth=lane_depth, fit=False)
            yield f"beat_{beat_bytes}_depth_{lane_depth}", array, data
    for count in (1, 3, 15, 16, 17, 63, 64, 65):
        array = bell(count, count, 30)
        yield f"count_{count}", array, encode(array, lanes=16, fit=False)
    for bits in (2, 3, 5, 9, 12, 15):
        dtype = "int16" if bits > 8 else "int8"
        half = 1 << bits - 1
        array = bell(bits, 400, half / 3, dtype).clip(-half, half - 1).astype(dtype)
        yield f"bits_{bits}", array, encode(array, bits=bits, lanes=2, fit=False)
    array = np.full(600, -7, np.int8)
    yield "one_value", array, encode(array, lanes=4, fit=False)
    array = bell(3, 500, 40)
    yield "one_row", array, encode(array, table=Table(8, (0,), (0,)), lanes=2, fit=False)
    rows = tuple(range(0, 256, 8))
    yield (
        "rows_32",
        array,
        encode(array, table=Table(8, rows, tuple(32 * i for i in range(32))), lanes=2, fit=False),
    )
    # Rows without counts, rows of odd widths, and counts of 1: the longest shifts, the narrowest windows.
    table = Table(8, (0, 5, 100, 101, 118, 250), (0, 1, 1, 2, 1023, 1024))
    codes = np.random.default_rng(4).choice([0, 1, 4, 100, 101, 110, 117, 118, 249], 700).astype(np.uint8)
    yield "counts_of_one", codes, encode(codes, table=table, lanes=2, ways=3, fit=False)
    # The middle of the window again and again: underflows without end.
    table = Table(8, (0, 85, 170), (0, 341, 683))
    middle = np.full(500, 128, np.uint8)
    yield "underflow", middle, encode(middle, table=table, lanes=1, fit=False)
    # Lanes of very different lengths.
    uneven = np.zeros(2000, np.uint8)
    uneven[::4] = np.random.default_rng(5).integers(0, 256, 500)
    table = Table(8, (0, 1), (0, 1000))
    yield "uneven_lanes", uneven, encode(uneven, table=table, lanes=4, fit=False)


def good_others() -> Good:
    """ShapeShifter in all modes, raw, mixed segments, and the codecs that only software knows."""
    for group in (8, 16, 100, 256):
        for mask in (False, True):
            for zero_width in (False, True):
                array = sparse(group, 450)
                data = encode(array, "shapeshifter", group=group, mask=mask, zero_width=zero_width)
                yield (
                    f"groups_{group}_{'mask' if mask else 'dense'}_{'zero' if zero_width else 'one'}",
                    array,
                    data,
                )
    array = bell(6, 200, 300, "int16")
    for lead in (1, 7):
        yield f"groups_lead_{lead}", array, encode(array, "shapeshifter", lead=lead)
    lowest = np.array([-128, -1, 0, 127] * 9, np.int8)
    yield "groups_lowest", lowest, encode(lowest, "shapeshifter")
    for bits in (2, 7, 8, 11):
        dtype = "int16" if bits > 8 else "int8"
        half = 1 << bits - 1
        array = np.random.default_rng(bits).integers(-half, half, 131).astype(dtype)
        yield f"raw_{bits}", array, encode(array, "raw", bits=bits)
    mixed = np.concatenate(
        [bell(7, 640, 5), np.zeros(640, np.int8), bell(8, 640, 999), bell(9, 50, 3)]
    ).reshape(2, 985)
    yield "segments", mixed, container.encode(mixed, "best", segment_values=640, threads=1)
    for codec in ("huffman", "rle", "rlez", "zvc", "ebpc"):
        array = sparse(10, 400, "int8")
        yield f"software_{codec}", array, encode(array, codec)


def good() -> Good:
    """Name, values and stream of every good vector."""
    for name, array, data in good_shapes():
        yield name, array, data or encode(array)
    yield from good_atalanta()
    yield from good_others()


# Bad streams: each has one thing wrong, and checksums that say it is right.

WEIGHTS = bell(20, 400, 12)


class Stream:
    """A stream of one segment, taken apart."""

    def __init__(self, array: Array = WEIGHTS, codec: str = "atalanta", **options: Any) -> None:
        if codec == "atalanta":
            options = {"lanes": 4, "fit": False} | options
        self.data = encode(array, codec, **options)
        (segment,) = container.segments(self.data)
        self.segment: Segment = segment
        self.fields = BASE.unpack(self.data[: BASE.nbytes])
        self.sections = segment.header.sections
        self.payload = segment.payload(self.data)

    def with_(self, *, sections: bytes | None = None, payload: bytes | None = None, **fields: int) -> bytes:
        """The stream with changes, lengths and checksums made right unless they are what is changed."""
        payload = self.payload if payload is None else payload
        made = self.fields | {"payload_bytes": len(payload), "payload_crc": crc32(payload)} | fields
        return header.pack(made, self.sections if sections is None else sections) + payload

    def with_params(self, **params: int) -> bytes:
        record = ATALANTA_PARAMS if self.fields["codec"] == 1 else SHAPESHIFTER_PARAMS
        words = record.unpack(self.fields["params"].to_bytes(4, "little")) | params
        return self.with_(params=int.from_bytes(record.pack(words), "little"))

    def with_row(self, row: int, **fields: int) -> bytes:
        """One row of the table changed."""
        record = row_record(self.fields["bits"])
        at = row * record.nbytes
        words = record.unpack(self.sections[at : at + record.nbytes]) | fields
        return self.with_(
            sections=self.sections[:at] + record.pack(words) + self.sections[at + record.nbytes :]
        )

    def with_raw_header(self, at: int, value: int) -> bytes:
        """One byte of the header changed, and no checksum made right."""
        return self.data[:at] + bytes([value]) + self.data[at + 1 :]


def bad_headers() -> Bad:
    s = Stream()
    d = s.data
    start = s.segment.header.payload_start
    yield "empty", ErrorCode.TRUNCATED, b""
    yield "short_base", ErrorCode.TRUNCATED, d[: BASE.nbytes - 1]
    yield "short_sections", ErrorCode.TRUNCATED, d[: start - 1]
    yield "short_payload", ErrorCode.TRUNCATED, d[:-1]
    yield "no_payload", ErrorCode.TRUNCATED, d[:start]
    yield "magic", ErrorCode.MAGIC, s.with_raw_header(0, ord("a"))
    yield "zeros", ErrorCode.MAGIC, bytes(200)
    yield "version", ErrorCode.VERSION, s.with_raw_header(3, 2)
    yield "header_bytes_short", ErrorCode.HEADER, s.with_raw_header(5, 31)
    yield "header_bytes_long", ErrorCode.TRUNCATED, s.with_raw_header(6, d[6] | 0x0F)
    yield "header_crc", ErrorCode.HEADER_CRC, s.with_raw_header(28, d[28] ^ 1)
    yield "header_bit", ErrorCode.HEADER_CRC, s.with_raw_header(12, d[12] ^ 1)
    for bits in (0, 1, 17, 31):
        yield f"bits_{bits}", ErrorCode.HEADER, s.with_(bits=bits, wide=1)
    yield "bits_not_wide", ErrorCode.HEADER, s.with_(bits=9)
    yield "reserved", ErrorCode.HEADER, s.with_(reserved=1)
    yield "count_large", ErrorCode.HEADER, s.with_(count=(1 << 24) + 1)
    yield "count_largest", ErrorCode.HEADER, s.with_(count=(1 << 32) - 1)
    yield "count_of_more", ErrorCode.HEADER, s.with_(more=1)
    for codec in (3, 15, 99, 255):
        yield f"codec_{codec}", ErrorCode.CODEC, s.with_(codec=codec)
    yield "payload_crc", ErrorCode.PAYLOAD_CRC, d[:-3] + bytes([d[-3] ^ 0x10]) + d[-2:]
    yield "payload_crc_field", ErrorCode.PAYLOAD_CRC, s.with_(payload_crc=s.fields["payload_crc"] ^ 1)
    yield (
        "payload_bytes_large",
        ErrorCode.TRUNCATED,
        Stream(codec="shapeshifter").with_(payload_bytes=(1 << 32) - 1),
    )


def bad_atalanta() -> Bad:
    s = Stream()
    illegal: dict[str, tuple[int, ...]] = {
        "lanes_log2": (7,), "ways": (0, 1, 9, 15), "beat_log2": (0, 3, 7), "lane_depth": (0, 1, 9, 15),
        "rows": (0, 33, 63), "contexts": (1,), "reserved": (1, 128),
    }  # fmt: skip
    for name, values in illegal.items():
        for value in values:
            yield f"{name}_{value}", ErrorCode.HEADER, s.with_params(**{name: value})
    yield "sections_short", ErrorCode.HEADER, s.with_(sections=s.sections[:-1])
    yield "sections_long", ErrorCode.HEADER, s.with_(sections=s.sections + b"\0")
    yield "sections_none", ErrorCode.HEADER, s.with_(sections=b"")
    rows = s.segment.layout.params.rows
    yield "first_value", ErrorCode.TABLE, s.with_row(0, v_min=1)
    yield "first_count", ErrorCode.TABLE, s.with_row(0, cum=1)
    yield "values_fall", ErrorCode.TABLE, s.with_row(2, v_min=0)
    yield "values_stay", ErrorCode.TABLE, s.with_row(1, v_min=0)
    yield "counts_fall", ErrorCode.TABLE, s.with_row(rows - 1, cum=0)
    yield "counts_over", ErrorCode.TABLE, s.with_row(rows - 1, cum=1025)
    yield "lane_bytes", ErrorCode.LENGTH, s.with_(lane_bytes=s.fields["lane_bytes"] + 1)
    yield "lane_bytes_large", ErrorCode.LENGTH, s.with_(lane_bytes=(1 << 32) - 1)
    at = len(s.sections) - LANE_LENGTH.nbytes
    yield (
        "lane_extra",
        ErrorCode.LENGTH,
        s.with_(sections=s.sections[:at] + LANE_LENGTH.pack({"extra_bytes": 65535})),
    )
    yield "payload_long", ErrorCode.LENGTH, s.with_(payload=s.payload + b"\0")
    one = Stream(lanes=1)
    size = one.fields["lane_bytes"]
    yield "lane_long", ErrorCode.LANE, one.with_(payload=one.payload + b"\0", lane_bytes=size + 1)
    yield "lane_short", ErrorCode.LANE, one.with_(payload=one.payload[:-1], lane_bytes=size - 1)
    yield "lane_empty", ErrorCode.LANE, one.with_(payload=b"", lane_bytes=0)
    yield "count_less", ErrorCode.LANE, one.with_(count=200)
    yield "count_more", ErrorCode.LANE, one.with_(count=800)
    yield "count_none", ErrorCode.LANE, one.with_(count=0)
    # Row 1 holds 5 codes behind 3 offset bits: offsets 5, 6 and 7 are not its.
    offsets = Stream(np.array([9, 5, 6], np.uint8), table=Table(8, (0, 5, 10), (0, 0, 1024)), lanes=1)
    for offset in (5, 7):
        bits = BitWriter()
        for way in range(3):
            bits.put(f"code of way {way}", 0, 16)
        for value in (4, offset, 1):
            bits.put("offset", value, 3)
        yield f"offset_{offset}", ErrorCode.VALUE, offsets.with_(payload=bits.data, lane_bytes=len(bits.data))


def bad_others() -> Bad:
    s = Stream(codec="shapeshifter", group=8, mask=False, zero_width=True, lead=1)
    for group in (0, 6):
        yield f"group_{group}", ErrorCode.HEADER, s.with_params(group=group)
    yield "lead_0", ErrorCode.HEADER, s.with_params(lead=0)
    yield "groups_reserved", ErrorCode.HEADER, s.with_params(reserved=1 << 18)
    yield "groups_sections", ErrorCode.HEADER, s.with_(sections=b"\0")
    yield "groups_lane_bytes", ErrorCode.LENGTH, s.with_(lane_bytes=1)
    yield "groups_long", ErrorCode.LANE, s.with_(payload=s.payload + b"\0")
    yield "groups_short", ErrorCode.LANE, s.with_(payload=s.payload[:-1])
    yield "groups_count", ErrorCode.LANE, s.with_(count=100)
    for width in (9, 15):
        first = bytes([s.payload[0] & 0xF0 | width])
        yield f"width_{width}", ErrorCode.VALUE, s.with_(payload=first + s.payload[1:])
    raw = Stream(codec="raw")
    yield "raw_reserved", ErrorCode.HEADER, raw.with_(params=1)
    yield "raw_sections", ErrorCode.HEADER, raw.with_(sections=b"\0")
    yield "raw_lane_bytes", ErrorCode.LENGTH, raw.with_(lane_bytes=1)
    yield "raw_short", ErrorCode.LENGTH, raw.with_(payload=raw.payload[:-1])
    yield "raw_count", ErrorCode.LENGTH, raw.with_(count=1 << 24)


def bad_tensors() -> Bad:
    """What concerns the whole: shapes, later segments, bytes behind the end."""
    flat = Stream(codec="raw")
    huge = header.pack_shape((1 << 60,))
    shapes = {
        "shape_product": header.pack_shape((20, 21)),
        "shape_huge": huge,
        "shape_huge_empty": header.pack_shape((1 << 60, 1 << 60)),
        "shape_65d": header.pack_shape((1,) * 64 + (400,)),
        "shape_cut": header.pack_shape((20, 20))[:-1],
        "shape_none": b"",
        "shape_endless": b"\x02" + b"\xff" * 12,
        "shape_behind": header.pack_shape((400,)) + b"\0\1",
    }
    for name, shape in shapes.items():
        yield name, ErrorCode.SHAPE, flat.with_(sections=shape, shaped=1)
    yield "trailing", ErrorCode.LENGTH, flat.data + b"\0"
    first = Stream(bell(21, 64, 9), "raw").with_(more=1)
    yield "second_missing", ErrorCode.TRUNCATED, first
    yield "second_magic", ErrorCode.MAGIC, first + bytes(64)
    yield "second_signed", ErrorCode.SHAPE, first + flat.with_(signed=0)
    wide = Stream(bell(21, 64, 9, "int16"), "raw")
    yield "second_wide", ErrorCode.SHAPE, first + wide.data
    yield "second_shape", ErrorCode.SHAPE, first + flat.with_(sections=header.pack_shape((400,)), shaped=1)
    # The first thing that is wrong counts: values of a segment come before the header of the next.
    offsets = Stream(np.zeros(64, np.int8), table=Table(8, (0, 125, 130), (0, 0, 1024)), lanes=1)
    wrong = offsets.with_(payload=bytes(8) + b"\xff" * (len(offsets.payload) - 8), more=1)
    yield "value_before_second", ErrorCode.VALUE, wrong + bytes(64)


def bad() -> Bad:
    """Name, error and stream of every bad vector."""
    for group in (bad_headers, bad_atalanta, bad_others, bad_tensors):
        yield from group()


def make(folder: Path) -> None:
    """Write all vectors and vectors.json."""
    for part in ("good", "bad"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    about: dict[str, dict[str, Any]] = {"good": {}, "bad": {}}

    def write(kind: str, name: str, data: bytes, what: dict[str, Any]) -> None:
        if name in about[kind]:
            raise ValueError(f"two vectors named {name}")
        about[kind][name] = what
        (folder / kind / f"{name}.atl").write_bytes(data)

    for name, array, data in good():
        write("good", name, data, {"codecs": [segment.codec.name for segment in container.segments(data)]})
        np.save(folder / "good" / f"{name}.npy", array)
    for name, code, data in bad():
        write("bad", name, data, {"error": code.name})
    (folder / "vectors.json").write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)

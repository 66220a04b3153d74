"""Streams of every kind, and what can become of them.

Everything comes from a `random.Random`, so that a seed and a number name a stream.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from atalanta.golden import container
from atalanta.golden.format import BASE, PARAMS, CodecId, crc32, padded
from atalanta.golden.params import BEAT_BYTES, GROUP, LANE_DEPTH, LANES, LEAD, WAYS
from atalanta.golden.values import Array

_HEADER_CRC = BASE.offsets["header_crc"] // 8
EDGES = (
    0,
    1,
    2,
    7,
    8,
    15,
    16,
    63,
    64,
    65,
    255,
    256,
    0xFFF,
    0xFFFF,
    1 << 24,
    (1 << 24) + 1,
    1 << 31,
    (1 << 32) - 1,
)
"""Numbers at which fields turn from legal to illegal."""


def seed_array(random: Random) -> tuple[Array, int]:
    """An array of up to some hundred values, and the bits that they need."""
    bits = random.choice((2, 3, 4, 6, 7, 8, 8, 8, 8, 9, 11, 13, 16))
    signed = random.random() < 0.5
    count = random.choice((0, 1, 2, 15, 16, 17, 63, 64, 65, 100, 200, 400))
    rng = np.random.default_rng(random.getrandbits(32))
    half = 1 << bits - 1
    values = rng.laplace(0, random.choice((0.1, 1, half / 8, half)), count).round().clip(-half, half - 1)
    values = values if signed else abs(values)
    kind = f"{'int' if signed else 'uint'}{8 if bits <= 8 and random.random() < 0.8 else 16}"
    array: Array = values.astype(kind)
    if count % 4 == 0 and random.random() < 0.3:
        array = array.reshape(random.choice(((4, -1), (2, 2, -1), (-1, 1, 4))) if count else (3, 0))
    return array, bits


def seed_stream(random: Random) -> tuple[Array, bytes]:
    """An array and a stream of it, in any codec, with any parameters."""
    array, bits = seed_array(random)
    codec = random.choice(("atalanta",) * 4 + ("shapeshifter",) * 2 + ("raw", "best"))
    options: dict[str, Any] = {}
    if codec == "atalanta":
        options = {
            "lanes": random.choice(LANES[:5]),
            "ways": random.choice(WAYS),
            "beat_bytes": random.choice(BEAT_BYTES),
            "lane_depth": random.choice(LANE_DEPTH),
            "rows": random.choice((1, 2, 3, 8, 16, 32)),
            "fit": False,
        }
    elif codec == "shapeshifter":
        choices = (None, False, True)
        options = {"group": random.choice((*GROUP[:3], 16, 100)), "lead": random.choice(LEAD)}
        options |= {"mask": random.choice(choices), "zero_width": random.choice(choices)}
    found = container.encode_segments(
        array,
        codec,
        bits=bits,
        segment_values=random.choice((64, 128, 1024)),
        threads=1,
        fallback=False,
        **options,
    )
    return array, b"".join(segment.header + segment.body.payload for segment in found)


def _bit(random: Random, data: bytearray) -> None:
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _byte(random: Random, data: bytearray) -> None:
    data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))


def _cut(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data)) :]


def _grow(random: Random, data: bytearray) -> None:
    data += random.randbytes(random.choice((1, 2, 16, 100)))


def _remove(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    del data[at : at + random.choice((1, 2, 3, 8, 32))]


def _insert(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.choice((1, 2, 3, 8)))


def _swap(random: Random, data: bytearray) -> None:
    size = random.choice((1, 4, 16))
    a, b = (random.randrange(len(data)) for _ in range(2))
    piece = bytes(data[a : a + size])
    data[b : b + len(piece)] = piece


def _field(random: Random, data: bytearray) -> None:
    """A field of the base header, or of the codec's parameters."""
    if len(data) < BASE.nbytes:
        return
    fields = BASE.unpack(bytes(data[: BASE.nbytes]))
    chosen = random.choice(BASE.fields)
    value = random.choice((*EDGES, fields[chosen.name] + 1, fields[chosen.name] - 1, random.getrandbits(32)))
    if chosen.name == "params" and fields["codec"] in PARAMS:
        record = PARAMS[CodecId(fields["codec"])]
        inner = record.unpack(fields["params"].to_bytes(4, "little"))
        part = random.choice(record.fields)
        inner[part.name] = value % (1 << part.width)
        value = int.from_bytes(record.pack(inner), "little")
    fields[chosen.name] = value % (1 << chosen.width)
    data[: BASE.nbytes] = BASE.pack(fields)


MUTATIONS: tuple[Callable[[Random, bytearray], None], ...] = (
    _bit, _bit, _bit, _byte, _cut, _grow, _remove, _insert, _swap, _field, _field, _field,
)  # fmt: skip


def repaired(data: bytes) -> bytes:
    """The stream with lengths left as they are and every checksum made right, as far as headers lead."""
    out = bytearray(data)
    start = 0
    while len(out) - start >= BASE.nbytes:
        fields = BASE.unpack(bytes(out[start : start + BASE.nbytes]))
        size = fields["header_bytes"]
        payload = start + size
        end = payload + fields["payload_bytes"]
        if size < BASE.nbytes or payload > len(out):
            break
        fields |= {"payload_crc": crc32(bytes(out[payload:end])), "header_crc": 0}
        out[start : start + BASE.nbytes] = BASE.pack(fields)
        crc = crc32(padded(bytes(out[start:payload]), 16))
        out[start + _HEADER_CRC : start + _HEADER_CRC + 4] = crc.to_bytes(4, "little")
        if end > len(out) or not fields["more"]:
            break
        start = end
    return bytes(out)


def mutated(random: Random, data: bytes) -> bytes:
    """`data` changed in one to four ways; most of the time with checksums that say all is well."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if out:
            random.choice(MUTATIONS)(random, out)
    return repaired(bytes(out)) if random.random() < 0.75 else bytes(out)

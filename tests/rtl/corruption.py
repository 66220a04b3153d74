"""Streams that are damaged in every way."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from rtl_cases import coding_for, pick
from sealing import field, seal

import atalanta
from atalanta.golden import header
from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import StreamError
from atalanta.golden.format import BASE

MOST_VALUES = 1 << 15
"""Of a segment: larger ones take long and teach nothing new; they have a test of their own."""


def flip_bits(random: Generator, data: bytearray, most: int) -> None:
    """One to three bits of the first `most` bytes."""
    for _ in range(random.integers(1, 4)):
        data[random.integers(min(most, len(data)))] ^= 1 << int(random.integers(8))


def change_field(random: Generator, data: bytearray) -> None:
    """A field of the base header gets another value, small or next to its own more often than others."""
    fields = BASE.unpack(bytes(data[: BASE.nbytes]))
    chosen = pick(random, [f for f in BASE if f.name not in ("magic", "header_crc")])
    value = pick(
        random, [0, 1, 16, fields[chosen.name] + 1, fields[chosen.name] - 1, int(random.integers(1 << 31))]
    )
    fields[chosen.name] = value % (1 << chosen.width)
    data[: BASE.nbytes] = BASE.pack(fields)


def cut(random: Generator, data: bytearray) -> None:
    """The end is missing."""
    del data[random.integers(len(data)) :]


def lengthen(random: Generator, data: bytearray) -> None:
    """Something follows."""
    data += random.bytes(int(random.integers(1, 100)))


def swap_beats(random: Generator, data: bytearray) -> None:
    """Beats of the payload, or halves and quarters of them, change places."""
    first, beat = field(data, 0, "header_bytes"), 16
    count = (len(data) - first) // beat
    if count > 1:
        payload = np.frombuffer(bytes(data[first : first + count * beat]), np.uint8).reshape(count, beat)
        data[first : first + count * beat] = payload[random.permutation(count)].tobytes()


def noise(random: Generator, data: bytearray) -> None:
    """Random bytes from some place on; the magic may stay."""
    at = pick(random, [0, 3, BASE.nbytes, int(random.integers(len(data)))])
    data[at:] = random.bytes(len(data[at:]))


DAMAGES: dict[str, Callable[[Generator, bytearray], None]] = {
    "bits": lambda random, data: flip_bits(random, data, len(data)),
    "header bits": lambda random, data: flip_bits(random, data, field(data, 0, "header_bytes")),
    "field": change_field,
    "cut": cut,
    "longer": lengthen,
    "beats": swap_beats,
    "noise": noise,
}


def whole_stream(random: Generator, p: DecoderParams) -> bytes:
    """A good stream of one to three segments under any codec of the hardware, built in or not."""
    codec = pick(random, ["atalanta", "atalanta", "shapeshifter", "raw"])
    values = np.clip(
        np.rint(random.normal(0, pick(random, [2, 12, 40]), random.integers(1, 2500))), -128, 127
    )
    options = coding_for(p) | {"fit": bool(random.random() < 0.3)} if codec == "atalanta" else {}
    tensor = values.astype(np.int8).reshape(pick(random, [(-1,), (1, -1)]))
    return atalanta.encode(tensor, codec, segment_values=pick(random, [512, 1024, 1 << 20]), **options)


def damaged_stream(random: Generator, p: DecoderParams) -> tuple[str, bytes]:
    """What was done to a good stream, and the result; CRCs are often right, so that deeper checks count."""
    kind = pick(random, list(DAMAGES))
    data = bytearray(whole_stream(random, p))
    DAMAGES[kind](random, data)
    sealed = pick(random, ["no", "headers", "all", "all"])
    if sealed != "no":
        seal(data, payloads=sealed == "all")
    return f"{kind}, CRCs made right: {sealed}", bytes(data)


def too_large(data: bytes) -> bool:
    """Whether some header asks for more than MOST_VALUES."""
    start = 0
    while True:
        try:
            head = header.parse(data, start)
        except StreamError:
            return False
        if head.count > MOST_VALUES:
            return True
        start = head.end

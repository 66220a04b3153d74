"""Unpacker against the reference codecs: ShapeShifter in all modes, and raw."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import pytest
from hw_bench import HEAVY, LIGHT, NONE, Bench, Pauses, Transfer, cycles, either_side

from atalanta.golden.decoder import GROUP_VALUES, LEAD, UNPACKER_STAGES, DecoderParams
from atalanta.golden.params import RawParams, ShapeShifterParams
from atalanta.golden.reference import raw, shapeshifter
from atalanta.golden.values import Mapping, to_codes
from atalanta.hw.unpacker import BitWindow, Unpacker

LATENCY = LEAD + UNPACKER_STAGES + 1
"""Cycles from the first slot to the first vector."""


@dataclass
class Segment:
    """A segment as the header parser announces it, its payload and the values due."""

    values: list[int]
    payload: bytes
    fields: dict[str, int]
    due: list[int] = field(default_factory=list)


def segment(
    random: Random,
    count: int,
    *,
    bits: int,
    signed: bool,
    coding: RawParams | ShapeShifterParams,
    more: bool = False,
) -> Segment:
    """Values of all widths from none to all bits, many zeros, and the lowest value there is."""
    low = -(1 << bits - 1) if signed else 0
    values = []
    while len(values) < count:
        shift = random.randint(0, bits)
        for _ in range(min(random.randint(1, 24), count - len(values))):
            value = random.randrange(1 << bits) + low
            value = value >> shift if value >= 0 else -(-value >> shift)
            values.append(random.choice([value, value, 0, low if shift == 0 else value]))
    dtype = np.int16 if signed else np.uint16
    array = np.array(values, dtype)
    is_raw = isinstance(coding, RawParams)
    codes = to_codes(array, bits, signed, Mapping.TWOS_COMPLEMENT if is_raw else Mapping.SIGN_MAGNITUDE)
    payload = raw.encode(codes, coding) if is_raw else shapeshifter.encode(codes, coding)
    fields = {
        "count": count,
        "payload_bytes": len(payload),
        "bits": bits,
        "signed": signed,
        "more": more,
        "raw": is_raw,
        "mask": not is_raw and coding.mask,
        "zero_width": not is_raw and coding.zero_width,
    }
    return Segment(values, payload, fields)


def any_segment(random: Random, count: int, p: DecoderParams, *, more: bool = False) -> Segment:
    """A segment of any coding."""
    bits = random.randint(2, p.value_bits)
    modes = {"mask": random.random() < 0.5, "zero_width": random.random() < 0.5}
    coding = RawParams(bits=bits) if random.random() < 0.3 else ShapeShifterParams(bits=bits, **modes)
    return segment(random, count, bits=bits, signed=random.random() < 0.5, coding=coding, more=more)


@dataclass
class UnpackerBench:
    """Plays header parser, aligner and output."""

    p: DecoderParams
    segments: list[Segment]
    give: Pauses = NONE
    take: Pauses = NONE
    out: list[Transfer] = field(init=False)
    illegal: int = 0
    not_whole: int = 0

    def __post_init__(self) -> None:
        self.dut = Unpacker(self.p)
        self.bench = Bench(self.dut)
        self.bench.produce(self.dut.i, [s.fields for s in self.segments])
        vectors = sum(self.vectors(s) for s in self.segments)
        self.slots = self.bench.sample(self.dut.o_slot)
        self.bench.watch(self.dut.o)
        self.bench.add(self._feed, background=True)
        self.bench.add(self._watch, background=True)
        self.out = self.bench.consume(self.dut.o, vectors, self.take)

    @staticmethod
    def vectors(segment: Segment) -> int:
        """Vectors that a segment puts out; one without values still ends its tensor."""
        count = segment.fields["count"]
        return -(-count // GROUP_VALUES) if count else 1 - segment.fields["more"]

    async def _feed(self, ctx: Any) -> None:
        """Answer a pull with its beat one cycle later, with pauses."""
        dut, random, gap = self.dut, Random(11), 0
        payload = b"".join(s.payload for s in self.segments)
        while True:
            pulled = bool(ctx.get(dut.o_pull)) and not gap
            size = ctx.get(dut.o_size_m1) + 1
            ctx.set(dut.i_pulled, pulled)
            await ctx.tick()
            gap = max(gap - 1, 0) if not pulled else self.give.gap(random)
            ctx.set(dut.i_beat_valid, pulled)
            if pulled:
                chunk, payload = payload[:size], payload[size:]
                assert len(chunk) == size, "pulled more than the payload"
                ctx.set(dut.i_beat, int.from_bytes(chunk, "little"))

    async def _watch(self, ctx: Any) -> None:
        async for _, _, illegal, not_whole in ctx.tick().sample(self.dut.o_illegal, self.dut.o_not_whole):
            self.illegal += illegal
            self.not_whole += not_whole

    def run(self, *, compare: bool = True) -> None:
        """Run and, unless told otherwise, compare every value."""
        self.bench.run()
        if not compare:
            return
        taken = iter(self.out)
        mask = (1 << self.p.value_bits) - 1
        for s in self.segments:
            left = [value & mask for value in s.values]
            for number in range(self.vectors(s)):
                vector = next(taken).payload
                here, left = left[:GROUP_VALUES], left[GROUP_VALUES:]
                assert vector["keep"] == (1 << len(here)) - 1
                assert vector["values"][: len(here)] == here
                assert vector["end"] == (number + 1 == self.vectors(s) and not s.fields["more"])
                assert not vector["bad"]
                if here:
                    assert 1 << vector["width_log2"] == GROUP_VALUES
        assert (self.illegal, self.not_whole) == (0, 0)


KINDS = {
    "8": DecoderParams(lanes=16),
    "4": DecoderParams(value_bits=4),
    "16": DecoderParams(value_bits=16),
    "8-by-64-bytes": DecoderParams(beat_bytes=64),
}


@either_side
@pytest.mark.parametrize("p", KINDS.values(), ids=KINDS.keys())
def test_segments_back_to_back(p: DecoderParams, give: Pauses, take: Pauses) -> None:
    random = Random(p.value_bits)
    counts = [0, 1, 15, 16, 17, 0, 100, 64, 33]
    segments = [any_segment(random, n, p, more=n % 16 == 0 and random.random() < 0.5) for n in counts]
    UnpackerBench(p, segments, give, take).run()


@pytest.mark.parametrize("mask", [False, True], ids=["dense", "mask"])
@pytest.mark.parametrize("zero_width", [False, True], ids=["width-1", "width"])
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_every_width_of_every_mode(mask: bool, zero_width: bool, signed: bool) -> None:
    p = DecoderParams(value_bits=8)
    random = Random(mask + 2 * zero_width + 4 * signed)
    segments = []
    for bits in range(2, 9):
        coding = ShapeShifterParams(bits=bits, mask=mask, zero_width=zero_width)
        made = segment(random, 16 * (bits + 1), bits=bits, signed=signed, coding=coding)
        for width in range(bits + 1):  # group g has width g
            start = 16 * width
            top = (1 << width) - 1
            codes = [top] + [random.randint(0, top) for _ in range(15)]
            made.values[start : start + 16] = values_of(codes, bits, signed=signed)
        codes = to_codes(
            np.array(made.values, np.int16 if signed else np.uint16), bits, signed, Mapping.SIGN_MAGNITUDE
        )
        made.payload = shapeshifter.encode(codes, coding)
        made.fields["payload_bytes"] = len(made.payload)
        segments.append(made)
    UnpackerBench(p, segments).run()


def values_of(codes: list[int], bits: int, *, signed: bool) -> list[int]:
    """The values of sign-magnitude codes; 1 is the lowest value."""
    if not signed:
        return codes
    lowest = -(1 << bits - 1)
    return [lowest if code == 1 else -(code >> 1) if code & 1 else code >> 1 for code in codes]


@pytest.mark.parametrize("count", [1, 16, 17, 250])
def test_latency_and_slots(count: int) -> None:
    """First vector LATENCY cycles after the first slot and no earlier; a vector and a slot a cycle."""
    p = DecoderParams()
    made = segment(Random(3), count, bits=8, signed=True, coding=RawParams(bits=8))
    bench = UnpackerBench(p, [made])
    bench.run()
    slots = [cycle for cycle, (slot,) in enumerate(bench.slots) if slot]
    groups = -(-count // GROUP_VALUES)
    assert len(slots) == groups + LEAD + UNPACKER_STAGES
    assert cycles(bench.out) == [slots[0] + LATENCY + i for i in range(groups)]


def test_a_width_beyond_the_values_is_illegal() -> None:
    """With bits = 5 and a width field of 0..7, widths 6 and 7 are errors; each counts once."""
    p = DecoderParams()
    coding = ShapeShifterParams(bits=5, mask=False, zero_width=True)
    made = segment(Random(5), 64, bits=5, signed=False, coding=coding)
    payload = int.from_bytes(made.payload, "little") | 0b111  # the first group's header comes first
    made.payload = payload.to_bytes(len(made.payload), "little")
    bench = UnpackerBench(p, [made])
    bench.run(compare=False)
    assert bench.illegal >= 1


@pytest.mark.parametrize("wrong", [-3, -1, 1, 2, 40])
def test_a_payload_of_the_wrong_length_is_not_whole(wrong: int) -> None:
    """Missing bits read as zeros: no hang, all values come, and the length is found wrong."""
    p = DecoderParams()
    coding = ShapeShifterParams(bits=8, mask=False)
    made = segment(Random(6), 200, bits=8, signed=False, coding=coding)
    made.payload = made.payload[:wrong] if wrong < 0 else made.payload + bytes(wrong)
    made.fields["payload_bytes"] = len(made.payload)
    bench = UnpackerBench(p, [made])
    bench.run(compare=False)
    assert (bench.illegal, bench.not_whole) == (0, 1)


@pytest.mark.parametrize("p", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize(
    ("give", "take"), [(NONE, NONE), (LIGHT, LIGHT), (HEAVY, NONE)], ids=lambda p: p.name
)
def test_bit_window(p: DecoderParams, give: Pauses, take: Pauses) -> None:
    """Any number of bits a step, 0 and the most among them, over whole beats."""
    random = Random(9)
    beat = 8 * p.beat_bytes
    dut = BitWindow(p)
    bench = Bench(dut)
    text = random.getrandbits(12 * beat)
    bench.produce(dut.i, [text >> beat * i & ((1 << beat) - 1) for i in range(12)], give)
    ended = bench.sample(dut.i.valid, dut.i.ready)

    async def steps(ctx: Any) -> None:
        at = 0
        while at < 12 * beat:
            bits = random.choice([0, dut.most, random.randint(0, dut.most)])
            for _ in range(take.gap(random)):
                await ctx.tick()
            ctx.set(dut.i_take, bits)
            while not ctx.get(dut.o_ready):
                await ctx.tick()
                ctx.set(dut.i_ended, sum(v and r for v, r in ended) == 12)
            assert ctx.get(dut.o_bits) & ((1 << bits) - 1) == text >> at & ((1 << bits) - 1)
            ctx.set(dut.i_step, 1)
            await ctx.tick()
            ctx.set(dut.i_step, 0)
            at += bits
        ctx.set(dut.i_clear, 1)
        await ctx.tick()
        assert ctx.get(dut.o_bits) == 0

    bench.add(steps)
    bench.run()

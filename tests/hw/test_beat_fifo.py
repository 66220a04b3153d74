"""BeatFifo: words come out in order, places are given back, a segment's end stops the next one's words."""

from random import Random
from typing import Any

import pytest
from hw_bench import NONE, Bench, Pauses, either_side

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.format import WORD_BITS
from atalanta.hw.lane import BeatFifo

LATENCY = 1
WORD_BYTES = WORD_BITS // 8


def beats_of(lane: bytes, p: DecoderParams) -> list[dict[str, int]]:
    """A lane's bytes as its beats; behind the end there is junk."""
    beats = []
    for at in range(0, len(lane), p.beat_bytes):
        chunk = lane[at : at + p.beat_bytes]
        data = chunk + b"\xa5" * (p.beat_bytes - len(chunk))
        last = at + p.beat_bytes >= len(lane)
        beats.append({"data": int.from_bytes(data, "little"), "size_m1": len(chunk) - 1, "last": last})
    return beats


class FifoBench:
    """Writes the beats of segments as early as there are places, and reads their words."""

    def __init__(self, p: DecoderParams, segments: list[bytes], give: Pauses, take: Pauses) -> None:
        self.p, self.segments = p, segments
        self.dut = BeatFifo(p)
        self.bench = Bench(self.dut)
        self.words: list[int] = []
        self.word_cycles: list[int] = []
        self._give, self._take = give, take
        self._places = p.lane_fifo
        self.bench.add(self._write)
        self.bench.add(self._read)
        self.bench.add(self._free, background=True)
        self.bench.run()

    async def _free(self, ctx: Any) -> None:
        async for _, _, pop in ctx.tick().sample(self.dut.o_pop):
            self._places += pop

    async def _write(self, ctx: Any) -> None:
        random = Random(1)
        for segment in self.segments:
            for beat in beats_of(segment, self.p):
                gap = self._give.gap(random)
                while not self._places or gap:
                    gap = max(gap - 1, 0)
                    await ctx.tick()
                ctx.set(self.dut.i_beat, beat)
                ctx.set(self.dut.i_write, 1)
                self._places -= 1
                await ctx.tick()
                ctx.set(self.dut.i_write, 0)

    async def _read(self, ctx: Any) -> None:
        dut, random = self.dut, Random(2)
        for segment in self.segments:
            assert ctx.get(dut.o_ended), "before a start nothing comes out"
            for _ in range(self._take.gap(random) + 3):
                assert not ctx.get(dut.o_word_valid)
                await ctx.tick()
            ctx.set(dut.i_start, 1)
            ctx.set(dut.i_empty, not segment)
            await ctx.tick()
            ctx.set(dut.i_start, 0)
            words = -(-len(segment) // WORD_BYTES)
            for number in range(words):
                assert not ctx.get(dut.o_ended)
                for _ in range(self._take.gap(random)):
                    await ctx.tick()
                ctx.set(dut.i_word_ready, 1)
                (word, pop, pop_last) = (
                    await ctx.tick().sample(dut.o_word, dut.o_pop, dut.o_pop_last).until(dut.o_word_valid)
                )
                ctx.set(dut.i_word_ready, 0)
                self.words.append(word)
                self.word_cycles.append(self.bench.cycle - 1)
                last = number + 1 == words
                assert pop == (last or (number + 1) * WORD_BYTES % self.p.beat_bytes == 0)
                assert pop_last == last
            assert ctx.get(dut.o_ended)
            assert ctx.get(dut.o_spare_bits) == 8 * (-len(segment) % WORD_BYTES)


def words_of(segments: list[bytes]) -> list[int]:
    """The words that must come out; bytes of the last one that are not the lane's are junk."""
    padded = (s + b"\xa5" * (-len(s) % WORD_BYTES) for s in segments)
    return [
        int.from_bytes(s[at : at + WORD_BYTES], "little")
        for s in padded
        for at in range(0, len(s), WORD_BYTES)
    ]


@either_side
@pytest.mark.parametrize(
    "p",
    [
        DecoderParams(),
        DecoderParams(lane_fifo=3),
        DecoderParams(beat_bytes=32, lane_fifo=5),
        DecoderParams(beat_bytes=64, lane_depth=8, lane_fifo=16),
    ],
    ids=lambda p: f"{p.lane_fifo}x{p.beat_bytes}",
)
def test_words_of_segments(p: DecoderParams, give: Pauses, take: Pauses) -> None:
    random = Random(p.lane_fifo)
    sizes = [0, 1, 4, 5, p.beat_bytes - 1, p.beat_bytes, p.beat_bytes + 1, 0, 3 * p.beat_bytes + 2, 7]
    segments = [random.randbytes(size) for size in sizes]
    run = FifoBench(p, segments, give, take)
    assert run.words == words_of(segments)


@pytest.mark.parametrize("beat_bytes", [16, 32, 64])
def test_a_word_per_cycle(beat_bytes: int) -> None:
    p = DecoderParams(beat_bytes=beat_bytes)
    run = FifoBench(p, [Random(0).randbytes(10 * beat_bytes)], NONE, NONE)
    first = run.word_cycles[0]
    assert run.word_cycles == list(range(first, first + 10 * beat_bytes // WORD_BYTES))


def test_a_word_after_the_latency_and_no_earlier() -> None:
    p = DecoderParams()
    dut = BeatFifo(p)
    bench = Bench(dut)

    async def one_beat(ctx: Any) -> None:
        ctx.set(dut.i_start, 1)
        await ctx.tick()
        ctx.set(dut.i_start, 0)
        ctx.set(dut.i_beat, {"data": 0xABCD, "size_m1": 15, "last": 0})
        ctx.set(dut.i_write, 1)
        for _ in range(LATENCY):
            assert not ctx.get(dut.o_word_valid)
            await ctx.tick()
            ctx.set(dut.i_write, 0)
        assert ctx.get(dut.o_word_valid)
        assert ctx.get(dut.o_word) == 0xABCD

    bench.add(one_beat)
    bench.run()

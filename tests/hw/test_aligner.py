"""Aligner: pieces of any size from any byte on are what the words hold, one a cycle."""

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hw_bench import HEAVY, LIGHT, NONE, Bench, Pauses

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.params import BEAT_BYTES
from atalanta.hw.aligner import Aligner

LATENCY = 2
"""Cycles from a pull to its piece."""


@dataclass(frozen=True)
class Descriptor:
    """Bytes from `offset` on in its words, the sizes in which they are pulled, and which word has an error.

    What the pulls leave is dropped.
    """

    offset: int
    data: bytes
    pulls: list[int]
    error_word: int = -1

    def words(self, p: DecoderParams, random: Random) -> list[dict[str, int]]:
        """Its bus words, junk around the bytes."""
        size = p.beat_bytes
        text = random.randbytes(self.offset) + self.data
        text += random.randbytes(-len(text) % size)
        count = len(text) // size
        return [
            {
                "data": int.from_bytes(text[i * size : (i + 1) * size], "little"),
                "last": i + 1 == count,
                "error": i == self.error_word,
            }
            for i in range(count)
        ]


def sizes(random: Random, total: int, most: int, style: str) -> list[int]:
    """Pulls that sum up to `total`."""
    pulls = []
    while total:
        size = {"whole": most, "bytes": 1, "mixed": random.randint(1, most)}[style]
        pulls.append(min(size, total))
        total -= pulls[-1]
    return pulls


def descriptors(random: Random, p: DecoderParams, style: str) -> list[Descriptor]:
    """All offsets; lengths from one byte on; some end before all is pulled."""
    size, found = p.beat_bytes, []
    for offset in range(0, size, 1 if style == "mixed" else 5):
        data = random.randbytes(random.choice([1, size - 1, size, size + 1, 5 * size + 3]))
        left = random.choice([0, 0, random.randrange(len(data))])
        found.append(Descriptor(offset, data, sizes(random, len(data) - left, size, style)))
    return found


@dataclass
class AlignerBench:
    """Runs descriptors through an aligner; words may be offered before their descriptor is opened."""

    p: DecoderParams
    descriptors: list[Descriptor]
    give: Pauses
    pull: Pauses
    pulled: list[int] = field(default_factory=list)
    pieces: list[int] = field(default_factory=list)
    due: deque[tuple[int, int, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        random = Random(0)
        self.dut = Aligner(self.p)
        self.bench = Bench(self.dut)
        self.words = [d.words(self.p, random) for d in self.descriptors]
        words = [word for words in self.words for word in words]
        self.taken = self.bench.produce(self.dut.i, words, self.give)
        self.bench.add(self._pieces, background=True)
        self.bench.add(self._pulls)
        self.bench.run()
        assert len(self.taken) == len(words)

    async def _pulls(self, ctx: Any) -> None:
        dut, random = self.dut, Random(1)
        for d, words in zip(self.descriptors, self.words, strict=True):
            assert not ctx.get(dut.o_busy)
            ctx.set(dut.i_open, 1)
            ctx.set(dut.i_offset, d.offset)
            await ctx.tick()
            ctx.set(dut.i_open, 0)
            at = 0
            for size in d.pulls:
                await self._pull(ctx, d, at, size, self.pull.gap(random))
                at += size
            while self.due:
                await ctx.tick()
            place = (d.offset + at) // self.p.beat_bytes
            if ctx.get(dut.o_held) and place < len(words):  # else it is the next descriptor's
                assert ctx.get(dut.o_word) == words[place]["data"]
            ctx.set(dut.i_drop, 1)
            while ctx.get(dut.o_busy):
                await ctx.tick()
            await ctx.tick().repeat(random.randint(1, 3))  # the next descriptor's words are not dropped
            ctx.set(dut.i_drop, 0)
            assert ctx.get(dut.o_error) == (d.error_word >= 0)

    async def _pull(self, ctx: Any, d: Descriptor, at: int, size: int, gap: int) -> None:
        dut = self.dut
        for _ in range(gap):
            await ctx.tick()
        tag = len(self.pulled) % 2
        ctx.set(dut.i_pull, 1)
        ctx.set(dut.i_size_m1, size - 1)
        ctx.set(dut.i_tag.header, tag)
        assert ctx.get(dut.o_at) == (d.offset + at) % self.p.beat_bytes
        await ctx.tick().until(dut.o_accepts)
        self.pulled.append(self.bench.cycle - 1)
        self.due.append((int.from_bytes(d.data[at : at + size], "little"), size - 1, tag))
        ctx.set(dut.i_pull, 0)

    async def _pieces(self, ctx: Any) -> None:
        """Pieces come in the order of pulls, and who does not pull does not wait."""
        dut = self.dut
        seen = (dut.o_valid, dut.o_starved, dut.o_piece, dut.o_piece_size_m1, dut.o_tag.header)
        async for _, _, valid, starved, *piece in ctx.tick().sample(*seen):
            assert not starved or self.due
            if valid:
                self.pieces.append(self.bench.cycle - 1)
                assert tuple(piece) == self.due.popleft()


every_beat = pytest.mark.parametrize(
    "p", [DecoderParams(beat_bytes=size) for size in BEAT_BYTES], ids=lambda p: f"{p.beat_bytes}-bytes"
)


@every_beat
@pytest.mark.parametrize("style", ["whole", "bytes", "mixed"])
@pytest.mark.parametrize(
    ("give", "pull"), [(NONE, NONE), (LIGHT, LIGHT), (HEAVY, NONE), (NONE, HEAVY)], ids=lambda p: p.name
)
def test_pieces(p: DecoderParams, style: str, give: Pauses, pull: Pauses) -> None:
    AlignerBench(p, descriptors(Random(p.beat_bytes), p, style), give, pull)


@every_beat
@pytest.mark.parametrize("offset", [0, 1, -1])
def test_a_piece_per_cycle(p: DecoderParams, offset: int) -> None:
    """Whole beats across word boundaries: a word and a piece in every cycle."""
    size = p.beat_bytes
    offset %= size
    run = AlignerBench(p, [Descriptor(offset, bytes(20 * size - offset), [size] * 19)], NONE, NONE)
    first = run.pieces[0]
    assert run.pieces == list(range(first, first + 19))


@every_beat
def test_errors_of_words_taken(p: DecoderParams) -> None:
    """The word with the error may be one that is dropped; the next descriptor is clean again."""
    size = p.beat_bytes
    data = bytes(6 * size)
    cases = [Descriptor(3, data, [size] * 2, error_word=word) for word in range(6)]
    AlignerBench(p, [d for case in cases for d in (case, Descriptor(0, data, [size]))], NONE, NONE)


def test_a_piece_after_the_latency_and_no_earlier() -> None:
    p = DecoderParams()
    dut = Aligner(p)
    bench = Bench(dut)
    bench.produce(dut.i, [{"data": 0x1234, "last": 1, "error": 0}])
    seen = bench.sample(dut.i_pull & dut.o_accepts, dut.o_valid)

    async def one_piece(ctx: Any) -> None:
        ctx.set(dut.i_open, 1)
        await ctx.tick()
        ctx.set(dut.i_open, 0)
        await ctx.tick().repeat(4)  # until the word is at hand
        ctx.set(dut.i_pull, 1)
        ctx.set(dut.i_size_m1, 1)
        await ctx.tick().until(dut.o_accepts)
        ctx.set(dut.i_pull, 0)
        await ctx.tick().repeat(4)

    bench.add(one_piece)
    bench.run()
    (pulled,) = [cycle for cycle, (pull, _) in enumerate(seen) if pull]
    assert [cycle for cycle, (_, valid) in enumerate(seen) if valid] == [pulled + LATENCY]

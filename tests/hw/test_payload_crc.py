"""PayloadCrc against zlib: every place of start and end, words at hand and words to come."""

import zlib
from random import Random
from typing import Any

import pytest
from hw_bench import HEAVY, NONE, Bench, Pauses

from atalanta.hw.payload_crc import PayloadCrc

LATENCY = 3
"""Cycles from the last word to `o_done`, unless the announced CRC is still being led through zeros."""


HELD_FOR = 3
"""Cycles after the start in which the word at hand stays: nobody pulls that early."""


class Feeder:
    """The aligner's part: words come in one after the other and one is held at a time."""

    def __init__(self, dut: PayloadCrc, word_bytes: int, random: Random) -> None:
        self.dut, self.word_bytes, self.random = dut, word_bytes, random

    async def payload(
        self, ctx: Any, at: int, payload: bytes, *, held: bool, announced: int, pauses: Pauses
    ) -> int:
        """Check one payload in surroundings of junk; the cycles from the last word (or start) to `o_done`.

        Between words `o_done` must stay low.
        """
        dut, size = self.dut, self.word_bytes
        stream = self.random.randbytes(at) + payload
        stream += self.random.randbytes(-len(stream) % size or (0 if payload else size))
        words = [int.from_bytes(stream[i : i + size], "little") for i in range(0, len(stream), size)]
        ctx.set(dut.i_start, 1)
        ctx.set(dut.i_at, at)
        ctx.set(dut.i_size, len(payload))
        ctx.set(dut.i_expected, announced)
        ctx.set(dut.i_held, held)
        ctx.set(dut.i_word, words.pop(0) if held else self.random.getrandbits(8 * size))
        await ctx.tick()
        ctx.set(dut.i_start, 0)
        for _ in range(HELD_FOR):
            await self._tick(ctx, done=False)
        ctx.set(dut.i_held, 1)
        if not payload:
            words.clear()  # the word at hand belongs to the next header
        for word in words:
            for _ in range(pauses.gap(self.random)):
                ctx.set(dut.i_word, self.random.getrandbits(8 * size))
                await self._tick(ctx, done=False)
            ctx.set(dut.i_fresh, 1)
            ctx.set(dut.i_word, word)
            await self._tick(ctx, done=False)
            ctx.set(dut.i_fresh, 0)
        waited = 0
        while not ctx.get(dut.o_done):
            waited += 1
            assert waited < 2 * size + LATENCY, "o_done does not come"
            # What follows the payload is not looked at.
            ctx.set(dut.i_word, self.random.getrandbits(8 * size))
            ctx.set(dut.i_fresh, self.random.random() < 0.5)
            await ctx.tick()
            ctx.set(dut.i_fresh, 0)
        return waited + 1

    async def _tick(self, ctx: Any, *, done: bool) -> None:
        assert ctx.get(self.dut.o_done) == done
        await ctx.tick()


@pytest.mark.parametrize("held", [True, False], ids=["held", "to-come"])
@pytest.mark.parametrize("pauses", [NONE, HEAVY], ids=lambda p: p.name)
def test_every_start_and_length(held: bool, pauses: Pauses) -> None:
    size, random = 16, Random(7)
    dut = PayloadCrc(size)
    feeder = Feeder(dut, size, random)

    async def payloads(ctx: Any) -> None:
        await ctx.tick().repeat(2)
        for at in range(size):
            for length in (*range(2 * size + 2), 100):
                payload = random.randbytes(length)
                good = zlib.crc32(payload)
                wrong = good ^ 1 << random.randrange(32)
                announced = random.choice([good, good, wrong])
                await feeder.payload(ctx, at, payload, held=held, announced=announced, pauses=pauses)
                assert ctx.get(dut.o_good) == (announced == good), (at, length)

    bench = Bench(dut, limit=60_000)
    bench.add(payloads)
    bench.run()


@pytest.mark.parametrize("size", [16, 32, 64])
def test_done_after_the_last_word(size: int) -> None:
    """A payload that ends with its word is done LATENCY cycles after it, and no earlier."""
    random = Random(size)
    dut = PayloadCrc(size)
    feeder = Feeder(dut, size, random)

    async def payloads(ctx: Any) -> None:
        await ctx.tick().repeat(2)
        for at in (0, 1, size // 2, size - 1):
            payload = random.randbytes(4 * size - at)
            waited = await feeder.payload(
                ctx, at, payload, held=False, announced=zlib.crc32(payload), pauses=NONE
            )
            assert waited == LATENCY
            assert ctx.get(dut.o_good)

    bench = Bench(dut)
    bench.add(payloads)
    bench.run()


@pytest.mark.parametrize("size", [16, 32, 64])
def test_done_at_the_latest_after_two_words_of_cycles(size: int) -> None:
    random = Random(size)
    dut = PayloadCrc(size)
    feeder = Feeder(dut, size, random)

    async def payloads(ctx: Any) -> None:
        await ctx.tick().repeat(2)
        for length in range(1, size + 1):
            payload = random.randbytes(length)
            start = bench.cycle
            await feeder.payload(ctx, 0, payload, held=True, announced=zlib.crc32(payload), pauses=NONE)
            assert ctx.get(dut.o_good)
            assert bench.cycle - start <= 2 * size

    bench = Bench(dut)
    bench.add(payloads)
    bench.run()

"""Window against a plain string of bits."""

from random import Random
from typing import Any

import pytest
from hw_bench import HEAVY, LIGHT, NONE, Bench, Pauses, either_side

from atalanta.golden.format import WORD_BITS
from atalanta.hw.window import Window

LATENCY = 2
"""Cycles from the first word to `o_ready`."""


def drive(
    dut: Window, words: list[int], takes: list[int], give: Pauses, take: Pauses, seed: int = 0
) -> list[int]:
    """Run a lane of `words` through steps that take so many bits each; the cycles of the steps.

    Every step's bits are compared, as are `o_left` at the end of the words and `o_overrun`.
    """
    bench = Bench(dut)
    text = sum(word << WORD_BITS * i for i, word in enumerate(words))
    steps: list[int] = []

    async def lane(ctx: Any) -> None:
        random = Random(seed)
        for word in words:
            for _ in range(give.gap(random)):
                ctx.set(dut.i_word, random.getrandbits(WORD_BITS))
                await ctx.tick()
            ctx.set(dut.i_word, word)
            ctx.set(dut.i_word_valid, 1)
            await ctx.tick().until(dut.o_word_ready)
            ctx.set(dut.i_word_valid, 0)
        ctx.set(dut.i_ended, 1)

    async def decoder(ctx: Any) -> None:
        random, at, before = Random(seed + 1), 0, 0  # before: bits taken two cycles ago
        for bits in takes:
            for _ in range(take.gap(random)):
                ctx.set(dut.i_take, random.randint(0, WORD_BITS))
                await ctx.tick()
                before = at
            ctx.set(dut.i_take, bits)
            while not ctx.get(dut.o_ready):
                await ctx.tick()
                before = at
            assert ctx.get(dut.o_bits) == text >> at & ((1 << WORD_BITS) - 1)
            assert ctx.get(dut.o_overrun) == (before > WORD_BITS * len(words))
            ctx.set(dut.i_step, 1)
            await ctx.tick()
            steps.append(bench.cycle - 1)
            ctx.set(dut.i_step, 0)
            before, at = at, at + bits
        await ctx.tick()
        assert ctx.get(dut.o_overrun) == (at > WORD_BITS * len(words))
        if 0 <= WORD_BITS * len(words) - at < WORD_BITS:
            for _ in range(LATENCY):
                await ctx.tick()  # the last word may still be on its way
            assert ctx.get(dut.o_left) == WORD_BITS * len(words) - at

    bench.add(lane)
    bench.add(decoder)
    bench.run()
    return steps


def random_takes(random: Random, bits: int) -> list[int]:
    """Steps that take `bits` bits in all, among them 0 and 32."""
    takes = []
    while bits:
        takes.append(min(bits, random.choice([0, 1, 7, 16, 31, 32, random.randint(0, 32)])))
        bits -= takes[-1]
    return takes


@either_side
@pytest.mark.parametrize("short", [0, 1, 7, 31], ids=lambda n: f"{n}-bits-left")
def test_bits_come_in_order(give: Pauses, take: Pauses, short: int) -> None:
    random = Random(short)
    words = [random.getrandbits(WORD_BITS) for _ in range(60)]
    drive(Window(), words, random_takes(random, WORD_BITS * len(words) - short), give, take)


@pytest.mark.parametrize("words", [0, 1, 2, 3])
@pytest.mark.parametrize("over", [1, 20, 32])
def test_overrun_reads_zeros_and_is_remembered(words: int, over: int) -> None:
    random = Random(words)
    lane = [random.getrandbits(WORD_BITS) for _ in range(words)]
    takes = [*random_takes(random, WORD_BITS * words), over, 0, 5, 32]
    drive(Window(), lane, takes, LIGHT, HEAVY)


@pytest.mark.parametrize("bits", [1, 16, 31, 32])
def test_a_step_per_cycle(bits: int) -> None:
    """Words that keep up are as good as all bits at once, even at 32 bits a step."""
    random = Random(bits)
    words = [random.getrandbits(WORD_BITS) for _ in range(40)]
    takes = [bits] * (WORD_BITS * (len(words) - 1) // bits)
    steps = drive(Window(), words, takes, NONE, NONE)
    assert steps == list(range(steps[0], steps[0] + len(takes)))


def test_ready_after_the_latency_and_no_earlier() -> None:
    dut = Window()
    bench = Bench(dut)

    async def words(ctx: Any) -> None:
        await ctx.tick().repeat(5)
        ctx.set(dut.i_word, 0x12345678)
        ctx.set(dut.i_word_valid, 1)
        for _ in range(LATENCY):
            assert not ctx.get(dut.o_ready)
            await ctx.tick()
        assert ctx.get(dut.o_ready)
        assert ctx.get(dut.o_bits) == 0x12345678

    bench.add(words)
    bench.run()


def test_not_ready_without_a_word_in_reserve() -> None:
    """One word alone might be the lane's last or not: only with the next, or the end, a step may run."""
    dut = Window()
    bench = Bench(dut)

    async def one_word(ctx: Any) -> None:
        ctx.set(dut.i_word, 0xFFFFFFFF)
        ctx.set(dut.i_word_valid, 1)
        await ctx.tick()
        ctx.set(dut.i_word_valid, 0)
        await ctx.tick().repeat(LATENCY + 3)
        assert not ctx.get(dut.o_ready)
        ctx.set(dut.i_ended, 1)
        assert ctx.get(dut.o_ready)

    bench.add(one_word)
    bench.run()


def test_clear_forgets_everything() -> None:
    dut = Window()
    bench = Bench(dut)

    async def two_segments(ctx: Any) -> None:
        ctx.set(dut.i_word, 0xFFFFFFFF)
        ctx.set(dut.i_word_valid, 1)
        await ctx.tick().repeat(LATENCY + 2)
        ctx.set(dut.i_word_valid, 0)
        ctx.set(dut.i_take, 32)
        ctx.set(dut.i_step, 1)
        await ctx.tick().repeat(5)
        ctx.set(dut.i_step, 0)
        await ctx.tick()
        assert ctx.get(dut.o_overrun)
        ctx.set(dut.i_clear, 1)
        await ctx.tick()
        ctx.set(dut.i_clear, 0)
        assert not ctx.get(dut.o_overrun)
        assert not ctx.get(dut.o_ready)
        assert ctx.get(dut.o_left) == 0
        assert ctx.get(dut.o_bits) == 0

    bench.add(two_segments)
    bench.run()

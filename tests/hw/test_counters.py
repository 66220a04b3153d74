"""Counters: every busy cycle has one cause, the first that applies; words and values besides."""

from random import Random
from typing import Any

from hw_bench import Bench

from atalanta.golden.decoder import CAUSES
from atalanta.hw.counters import Counters

LATENCY = 3
"""Cycles from an event to its count."""


def test_against_plain_counting() -> None:
    dut, random = Counters(16), Random(1)
    bench = Bench(dut)
    due = dict.fromkeys((*CAUSES, "words", "values"), 0)

    async def events(ctx: Any) -> None:
        for _ in range(600):
            busy, word, values = random.random() < 0.8, random.random() < 0.5, random.choice([0, 1, 16])
            causes = {cause: random.random() < 0.3 for cause in CAUSES}
            ctx.set(dut.i_busy, busy)
            ctx.set(dut.i_causes, causes)
            ctx.set(dut.i_word, word)
            ctx.set(dut.i_values, values)
            await ctx.tick()
            if busy:
                due[next((cause for cause in CAUSES if causes[cause]), CAUSES[-1])] += 1
            due["words"] += word
            due["values"] += values
        for name in ("busy", "word", "values"):
            ctx.set(getattr(dut, f"i_{name}"), 0)
        await ctx.tick().repeat(LATENCY)
        assert {name: ctx.get(getattr(dut, f"o_{name}")) for name in due} == due
        assert all(due.values())

    bench.add(events)
    bench.run()


def test_counted_after_the_latency_and_cleared_with_what_is_on_its_way() -> None:
    dut = Counters(16)
    bench = Bench(dut)

    async def one_event(ctx: Any) -> None:
        for clear_after in range(LATENCY + 1):
            ctx.set(dut.i_busy, 1)
            ctx.set(dut.i_word, 1)
            await ctx.tick()
            ctx.set(dut.i_busy, 0)
            ctx.set(dut.i_word, 0)
            for cycle in range(clear_after):
                assert ctx.get(dut.o_words) == ctx.get(dut.o_drain) == (cycle + 1 >= LATENCY)
                await ctx.tick()
            ctx.set(dut.i_clear, 1)
            await ctx.tick()
            ctx.set(dut.i_clear, 0)
            for _ in range(LATENCY + 1):
                assert ctx.get(dut.o_words) == ctx.get(dut.o_drain) == 0
                await ctx.tick()

    bench.add(one_event)
    bench.run()

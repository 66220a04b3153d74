"""Lengths: every lane's beats and tail, and whether the lanes sum up to the payload."""

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hw_bench import Bench, plain

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.format import LANE_LENGTH
from atalanta.hw.lengths import LANES_PER_BLOCK, Lengths

BASE_LATENCY = 1
"""Cycles from the base to `o_load`."""

LOAD_LATENCY = 2
"""Cycles from a block to `o_load`."""

GOOD_LATENCY = 3
"""Cycles from the last block to `o_good`."""


@dataclass
class Loaded:
    """What lanes took over: beats and the bytes of their last one less one."""

    beats: list[int]
    tail_m1: list[int]


class LengthsBench:
    """Plays the header parser and the lanes."""

    def __init__(self, p: DecoderParams) -> None:
        self.p = p
        self.dut = Lengths(p)
        self.bench = Bench(self.dut)

    async def header(self, ctx: Any, lanes_log2: int, lane_bytes: list[int], payload: int) -> Loaded:
        """Write base and blocks of one header; what the lanes have at its end.

        Loads come LOAD_LATENCY cycles after their block, BASE_LATENCY after the base, and at no other time.
        """
        dut, p = self.dut, self.p
        least = min(lane_bytes)
        loaded = Loaded([-1] * p.lanes, [-1] * p.lanes)
        extras = [n - least for n in lane_bytes] if lanes_log2 else []
        blocks = [extras[i : i + LANES_PER_BLOCK] for i in range(0, len(extras), LANES_PER_BLOCK)]
        ctx.set(dut.i_lanes_log2, lanes_log2)
        ctx.set(dut.i_lane_bytes, least)
        ctx.set(dut.i_payload_bytes, payload)
        ctx.set(dut.i_base, 1)
        assert not ctx.get(dut.o_load)
        await ctx.tick().repeat(BASE_LATENCY)
        ctx.set(dut.i_base, 0)
        self._take(ctx, loaded)
        await ctx.tick()
        for index, block in enumerate(blocks):
            assert not ctx.get(dut.o_load)
            words = block + [0xBEEF] * (LANES_PER_BLOCK - len(block))  # other sections or padding
            ctx.set(dut.i_block, sum(n << LANE_LENGTH.width * i for i, n in enumerate(words)))
            ctx.set(dut.i_index, index)
            ctx.set(dut.i_write, 1)
            await ctx.tick()
            ctx.set(dut.i_write, 0)
            assert not ctx.get(dut.o_load)
            await ctx.tick().repeat(LOAD_LATENCY - 1)
            self._take(ctx, loaded)
            if index + 1 < len(blocks):
                await ctx.tick()
        await ctx.tick().repeat(GOOD_LATENCY - LOAD_LATENCY)
        assert not ctx.get(dut.o_load)
        loaded.tail_m1 = plain(ctx.get(dut.o_tail_m1))
        return loaded

    def _take(self, ctx: Any, loaded: Loaded) -> None:
        load, beats = ctx.get(self.dut.o_load), plain(ctx.get(self.dut.o_beats))
        one = ctx.get(self.dut.o_one)
        for lane in range(self.p.lanes):
            if load >> lane & 1:
                loaded.beats[lane] = 0 if one and lane else beats[lane % len(beats)]


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16, 64])
@pytest.mark.parametrize("beat_bytes", [16, 64])
def test_beats_and_tails(lanes: int, beat_bytes: int) -> None:
    random = Random(lanes + beat_bytes)
    p = DecoderParams(lanes=lanes, beat_bytes=beat_bytes)
    lengths = LengthsBench(p)

    async def headers(ctx: Any) -> None:
        for _ in range(25):
            log2 = random.randint(0, lanes.bit_length() - 1)
            least = random.choice([0, 1, beat_bytes, random.randrange(5000), random.randrange(1 << 24)])
            extra = random.choice([0, 1, beat_bytes, 0xFFFF])
            lane_bytes = [least + random.randint(0, extra) for _ in range(1 << log2)]
            wrong = random.choice([0, 0, 1, -1, 256])
            payload = max(sum(lane_bytes) + wrong, 0)
            if log2 == 0:
                lane_bytes = [payload]  # one lane has the whole payload, and no section to say so
            loaded = await lengths.header(ctx, log2, lane_bytes, payload)
            due = lane_bytes + [0] * (lanes - len(lane_bytes))
            assert loaded.beats == [-(-n // beat_bytes) for n in due]
            tails = [(n - 1) % beat_bytes for n in due]
            assert [t for t, n in zip(loaded.tail_m1, due, strict=True) if n] == [
                t for t, n in zip(tails, due, strict=True) if n
            ]
            assert ctx.get(lengths.dut.o_good) == (sum(lane_bytes) == payload)

    lengths.bench.add(headers)
    lengths.bench.run()


def test_a_lane_length_that_is_wrong_for_one_lane() -> None:
    """One lane whose base says other than its payload: LENGTH, as in golden."""
    lengths = LengthsBench(DecoderParams(lanes=4))

    async def headers(ctx: Any) -> None:
        for lane_bytes, payload in ((10, 10), (10, 11), (0, 1), (1 << 31, 0)):
            await lengths.header(ctx, 0, [lane_bytes], payload)
            assert ctx.get(lengths.dut.o_good) == (lane_bytes == payload)

    lengths.bench.add(headers)
    lengths.bench.run()


@pytest.mark.parametrize("lanes", [8, 64])
def test_a_block_per_cycle(lanes: int) -> None:
    p = DecoderParams(lanes=lanes)
    dut = Lengths(p)
    bench = Bench(dut)
    seen = bench.sample(dut.o_load, dut.o_good)

    async def header(ctx: Any) -> None:
        ctx.set(dut.i_lanes_log2, lanes.bit_length() - 1)
        ctx.set(dut.i_lane_bytes, 100)
        ctx.set(dut.i_payload_bytes, 100 * lanes + lanes)
        ctx.set(dut.i_base, 1)
        await ctx.tick()
        ctx.set(dut.i_base, 0)
        ctx.set(dut.i_block, sum(1 << LANE_LENGTH.width * i for i in range(LANES_PER_BLOCK)))
        ctx.set(dut.i_write, 1)
        for index in range(lanes // LANES_PER_BLOCK):
            ctx.set(dut.i_index, index)
            await ctx.tick()
        ctx.set(dut.i_write, 0)
        await ctx.tick().repeat(4)

    bench.add(header)
    bench.run()
    everyone, blocks = (1 << lanes) - 1, lanes // LANES_PER_BLOCK
    eight = (1 << LANES_PER_BLOCK) - 1
    loads = [0, everyone, 0, *(eight << LANES_PER_BLOCK * i for i in range(blocks)), 0, 0]
    assert [load for load, _ in seen] == loads
    last_block = blocks  # the cycle in which it was written
    good = [good for _, good in seen]
    assert good[last_block + GOOD_LATENCY - 1] == 0
    assert good[last_block + GOOD_LATENCY] == 1

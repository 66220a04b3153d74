"""Router: every lane that asked is served once, in the order of slots and lanes."""

from random import Random
from typing import Any

import pytest
from hw_bench import HEAVY, LIGHT, NONE, Bench, Pauses, Transfer, cycles, either_side, payloads

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.router import Router

Mask = tuple[int, int]
"""Lanes that ask in one slot; those among them for which it is the last beat."""


def random_masks(random: Random, lanes: int, count: int) -> list[Mask]:
    """Some of one lane, some of all, some in between."""
    everyone = (1 << lanes) - 1
    masks = [
        random.choice([1 << random.randrange(lanes), everyone, random.randint(1, everyone)])
        for _ in range(count)
    ]
    return [(mask, mask & random.getrandbits(lanes)) for mask in masks]


def served(masks: list[Mask], tails: list[int], p: DecoderParams) -> list[dict[str, int]]:
    """What must come out."""
    return [
        {
            "lane": 1 << lane,
            "size_m1": tails[lane] if last >> lane & 1 else p.beat_bytes - 1,
            "last": last >> lane & 1,
        }
        for mask, last in masks
        for lane in range(p.lanes)
        if mask >> lane & 1
    ]


def route(
    dut: Router, p: DecoderParams, masks: list[Mask], tails: list[int], give: Pauses, take: Pauses
) -> tuple[list[int], list[Transfer]]:
    """The cycles in which masks are written, and what came out when.

    As in a decoder no lane has more asks on their way than it has places.
    """
    bench = Bench(dut)
    out = bench.consume(dut.o, sum(mask.bit_count() for mask, _ in masks), take)
    written: list[int] = []
    waiting = [0] * p.lanes

    async def asks(ctx: Any) -> None:
        random, seen = Random(1), 0
        for lane, tail in enumerate(tails):
            ctx.set(dut.i_tail_m1[lane], tail)
        for mask, last in masks:
            lanes = [lane for lane in range(p.lanes) if mask >> lane & 1]
            gap = give.gap(random)
            while gap or any(waiting[lane] == p.lane_depth for lane in lanes):
                gap = max(gap - 1, 0)
                await ctx.tick()
                for transfer in out[seen:]:
                    waiting[transfer.payload["lane"].bit_length() - 1] -= 1
                seen = len(out)
            for lane in lanes:
                waiting[lane] += 1
            ctx.set(dut.i_asks, {"lanes": mask, "last": last})
            ctx.set(dut.i_write, 1)
            await ctx.tick()
            written.append(bench.cycle - 1)
            ctx.set(dut.i_write, 0)

    bench.watch(dut.o)
    bench.add(asks)
    bench.run()
    return written, out


@either_side
@pytest.mark.parametrize("lanes", [1, 2, 4, 16, 64])
def test_order_and_no_loss(lanes: int, give: Pauses, take: Pauses) -> None:
    random = Random(lanes)
    p = DecoderParams(lanes=lanes, lane_depth=3, lane_fifo=3)
    masks = random_masks(random, lanes, 200 // lanes + 6)
    tails = [random.randrange(p.beat_bytes) for _ in range(lanes)]
    _, out = route(Router(p), p, masks, tails, give, take)
    assert payloads(out) == served(masks, tails, p)


@pytest.mark.parametrize("lanes", [1, 4, 16])
def test_a_lane_per_cycle_without_gaps_between_masks(lanes: int) -> None:
    p = DecoderParams(lanes=lanes, lane_depth=8, lane_fifo=8)
    everyone = (1 << lanes) - 1
    masks = [(everyone, 0), (1, 0), (1 << lanes - 1, 0), (everyone, 0), (1, 0), (everyone, everyone)]
    _, out = route(Router(p), p, masks, [3] * lanes, NONE, NONE)
    first = cycles(out)[0]
    assert cycles(out) == list(range(first, first + len(out)))


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize("lane", [0, -1])
def test_served_after_the_latency_and_no_earlier(lanes: int, lane: int) -> None:
    p = DecoderParams(lanes=lanes)
    dut = Router(p)
    written, out = route(dut, p, [(1 << lane % lanes, 0)], [0] * lanes, NONE, NONE)
    assert cycles(out) == [written[0] + dut.latency]


@pytest.mark.parametrize("take", [LIGHT, HEAVY], ids=lambda p: p.name)
def test_the_queue_holds_all_lanes_places_one_by_one(take: Pauses) -> None:
    """The most masks there can be: every lane asks for each of its places in a slot of its own."""
    p = DecoderParams(lanes=8, lane_depth=4, lane_fifo=4)
    masks = [(1 << lane, 0) for _ in range(3 * p.lane_depth) for lane in range(p.lanes)]
    _, out = route(Router(p), p, masks, [0] * p.lanes, NONE, take)
    assert payloads(out) == served(masks, [0] * p.lanes, p)

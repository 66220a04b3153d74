"""Lanes against golden: which lane gets which beat, the vectors, and what is said of bad segments."""

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pytest
from forced import atalanta_segment
from hw_bench import HEAVY, LIGHT, NONE, Bench, Pauses, either_side, plain
from tables import hardware_rows

from atalanta.golden.codecs.atalanta import Atalanta
from atalanta.golden.container import Segment
from atalanta.golden.decoder import DecoderParams
from atalanta.golden.header import parse
from atalanta.golden.lanes import Schedule
from atalanta.golden.values import Array
from atalanta.hw.lanes import Lanes

LATENCY = 3
"""Cycles from the slot of the first value, which is slot W, to its vector; see `Lanes`."""


@dataclass(frozen=True)
class Work:
    """A segment with its values, payload and golden's order of beats. steps: as the header says."""

    segment: Segment
    values: Array
    payload: bytes
    order: Schedule
    steps: int

    @property
    def lanes(self) -> int:
        return int(self.segment.layout.params.lanes)

    @property
    def vectors(self) -> list[Array]:
        """What comes out, step by step."""
        return [self.values[i : i + self.lanes] for i in range(0, len(self.values), self.lanes)]


def work(random: Random, p: DecoderParams, count: int, lanes: int, *, more: bool = False) -> Work:
    """A segment of random values."""
    numbers = np.random.default_rng(random.getrandbits(32)).normal(0, 5, count)
    values = np.rint(numbers).astype(np.int8)
    stream = atalanta_segment(
        values, more=more, lanes=lanes, ways=p.ways, beat_bytes=p.beat_bytes, lane_depth=p.lane_depth
    )
    head = parse(stream)
    segment = Segment(head, Atalanta, Atalanta.layout(head))
    order = segment.schedule(stream)
    assert order is not None
    return Work(segment, values, segment.payload(stream), order, -(-count // lanes))


class LanesBench:
    """Plays header parser and aligner: loads lengths, offers segments, gives the beats that are served.

    slots: cycles in which slots ran. not_whole, illegal: cycles in which that was said.
    out: vectors with the cycle in which each was taken.
    """

    def __init__(
        self, p: DecoderParams, todo: list[Work], give: Pauses, take: Pauses, *, vectors: int
    ) -> None:
        self._p, self._todo, self._give = p, todo, give
        self._dut = Lanes(p)
        self._served = 0
        bench = Bench(self._dut)
        bench.watch(self._dut.o)
        self.out = bench.consume(self._dut.o, vectors, take)
        said = bench.sample(self._dut.o_slot, self._dut.o_not_whole, self._dut.o_illegal)
        bench.add(self._parser)
        bench.add(self._aligner, background=True)
        bench.run()
        self.slots = [cycle for cycle, (slot, _, _) in enumerate(said) if slot]
        self.not_whole = [cycle for cycle, (_, bad, _) in enumerate(said) if bad]
        self.illegal = [cycle for cycle, (_, _, bad) in enumerate(said) if bad]

    async def _parser(self, ctx: Any) -> None:
        dut, p, due = self._dut, self._p, 0
        ctx.set(dut.i_said, 1)
        for one in self._todo:
            nbytes = one.segment.layout.lane_bytes + [0] * (p.lanes - one.lanes)
            beats = [-(-n // p.beat_bytes) for n in nbytes]
            ctx.set(dut.i_tail_m1, [(n - 1) % p.beat_bytes for n in nbytes])
            for first in range(0, p.lanes, len(dut.i_beats)):
                here = range(first, first + len(dut.i_beats))
                ctx.set(dut.i_beats, [beats[lane] for lane in here])
                ctx.set(dut.i_load, sum(1 << lane for lane in here))
                await ctx.tick()
            ctx.set(dut.i_load, 0)
            await ctx.tick()
            head = one.segment.header
            table = hardware_rows(one.segment.layout.table, p, signed=head.signed)
            ctx.set(dut.i.payload, {
                "steps": one.steps, "rest": head.count % one.lanes, "more": head.more, "table": table,
                "lanes_log2": one.lanes.bit_length() - 1,
            })  # fmt: skip
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i_prime, 1)
            taken = False
            for _ in range(p.lane_depth):
                taken = await self._offered(ctx, taken)
            ctx.set(dut.i_prime, 0)
            due += one.order.beats
            while not taken or self._served < due:
                taken = await self._offered(ctx, taken)

    async def _offered(self, ctx: Any, taken: bool) -> bool:
        """A cycle; whether the segment at hand has been taken by its end."""
        _, _, ready = await ctx.tick().sample(self._dut.i.ready)
        if ready:
            ctx.set(self._dut.i.valid, 0)
        return taken or bool(ready)

    async def _aligner(self, ctx: Any) -> None:
        """Beats in the order of serving: lane and size as golden says, the data a cycle later."""
        dut, random = self._dut, Random(5)
        for one in self._todo:
            at = 0
            for lane, nbytes in zip(one.order.lane.tolist(), one.order.nbytes.tolist(), strict=True):
                for _ in range(self._give.gap(random)):
                    await ctx.tick()
                    ctx.set(dut.i_beat_valid, 0)
                ctx.set(dut.o_serve.ready, 1)
                while True:
                    _, _, valid, serve = await ctx.tick().sample(dut.o_serve.valid, dut.o_serve.payload)
                    ctx.set(dut.i_beat_valid, valid)
                    if valid:
                        break
                ctx.set(dut.o_serve.ready, 0)
                assert (plain(serve)["lane"], plain(serve)["size_m1"]) == (1 << lane, nbytes - 1)
                ctx.set(dut.i_served, serve)
                ctx.set(dut.i_beat, int.from_bytes(one.payload[at : at + nbytes], "little"))
                at += nbytes
                self._served += 1
        await ctx.tick()
        ctx.set(dut.i_beat_valid, 0)


def check(bench: LanesBench, todo: list[Work]) -> None:
    """Vectors are golden's."""
    due = [(one, vector) for one in todo for vector in one.vectors]
    for transfer, (one, vector) in zip(bench.out, due, strict=True):
        found = transfer.payload
        assert found["keep"] == (1 << len(vector)) - 1
        assert 1 << found["width_log2"] == one.lanes
        values = np.array(found["values"][: len(vector)], np.uint8).astype(np.int8)
        np.testing.assert_array_equal(values, vector)
    ends = np.cumsum([len(one.vectors) for one in todo]) - 1
    marked = [i for i, transfer in enumerate(bench.out) if transfer.payload["end"]]
    assert marked == [int(end) for end, one in zip(ends, todo, strict=True) if not one.segment.header.more]
    assert not bench.not_whole
    assert not bench.illegal
    assert len(bench.slots) == sum(one.order.slots for one in todo)


@either_side
@pytest.mark.parametrize(("lanes", "ways"), [(1, 2), (4, 4), (8, 3)])
def test_segments_back_to_back(lanes: int, ways: int, give: Pauses, take: Pauses) -> None:
    """Of one tensor and of several, with as many lanes as there are and with fewer."""
    random = Random(lanes)
    p = DecoderParams(lanes=lanes, ways=ways, lane_fifo=3)
    todo = [
        work(random, p, 14 * lanes + 50, lanes),
        work(random, p, 128, max(1, lanes // 2), more=True),
        work(random, p, 52, max(1, lanes // 2)),
        work(random, p, 60, lanes),
    ]
    check(LanesBench(p, todo, give, take, vectors=sum(len(one.vectors) for one in todo)), todo)


def test_a_step_per_cycle_and_the_latency() -> None:
    p, random = DecoderParams(lanes=2), Random(1)
    bench = LanesBench(p, [work(random, p, 160, 2)], NONE, NONE, vectors=80)
    first = bench.slots[0]
    assert bench.slots == list(range(first, first + 80 + p.ways))
    assert [t.cycle for t in bench.out] == [slot + LATENCY for slot in bench.slots[p.ways :]]


def changed(one: Work, steps: int) -> Work:
    """A segment whose header says another number of values."""
    return Work(one.segment, one.values[: steps * one.lanes], one.payload, one.order, steps)


@pytest.mark.parametrize("steps", [0, 1, 30, 39, 41])
def test_lanes_that_do_not_end_with_their_bits(steps: int) -> None:
    """Too few values leave bits over, too many use more than there are; no values at all count too."""
    p, random = DecoderParams(lanes=2, lane_fifo=8, lane_depth=8), Random(4)
    bad = changed(work(random, p, 80, 2), steps)
    assert len(LanesBench(p, [bad], NONE, LIGHT, vectors=max(steps, 1)).not_whole) == 1
    bench = LanesBench(p, [bad], NONE, NONE, vectors=max(steps, 1))
    assert len(bench.not_whole) == 1
    if steps:  # not before all values are known to be legal
        assert bench.not_whole == [bench.slots[-1] + LATENCY]
        assert len(bench.slots) == steps + p.ways


def test_an_empty_segment_ends_its_tensor() -> None:
    p, random = DecoderParams(lanes=2), Random(2)
    empty, full = work(random, p, 0, 2), work(random, p, 40, 2)
    bench = LanesBench(p, [empty, full], HEAVY, HEAVY, vectors=21)
    assert not bench.not_whole
    assert (bench.out[0].payload["keep"], bench.out[0].payload["end"]) == (0, 1)
    assert all(transfer.payload["keep"] == 0b11 for transfer in bench.out[1:])

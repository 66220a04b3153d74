"""Lane against the reference codec: values, and when it asks for which beat."""

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pytest
from hw_bench import HEAVY, LIGHT, NONE, Bench, Pauses
from tables import hardware_rows, random_table
from test_beat_fifo import beats_of

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.lanes import AT_START, schedule
from atalanta.golden.params import AtalantaParams
from atalanta.golden.reference.atalanta import encode_lane
from atalanta.golden.table import Table
from atalanta.hw.coder import VALUE_STAGES
from atalanta.hw.lane import Lane


@dataclass(frozen=True)
class Segment:
    """What a lane has to decode, and golden's account of its beats: the slot of each one's ask."""

    table: Table
    codes: list[int]
    data: bytes
    asks: list[int]


def segment(random: Random, p: DecoderParams, count: int) -> Segment:
    """A lane's part of a segment, values drawn from all rows that have counts."""
    table = random_table(random, p.value_bits, p.rows)
    rows = [row for row in range(table.rows) if table.count(row)]
    drawn = random.choices(rows, k=count)
    codes = [random.randrange(table.v_min[row], table.v_end(row)) for row in drawn]
    stream = AtalantaParams(bits=p.value_bits, lanes=1, ways=p.ways, beat_bytes=p.beat_bytes)
    bits, used = encode_lane(codes, table, stream)
    order = schedule(np.array(used, np.int64)[:, None], p.beat_bytes, p.lane_depth)
    return Segment(table, codes, bits.data, order.ask.tolist())


class LaneBench:
    """Plays header parser, router and neighbours: the lane runs through segments back to back."""

    def __init__(
        self, p: DecoderParams, segments: list[Segment], give: Pauses, step: Pauses, *, cut: int = 0
    ) -> None:
        """cut: bytes by which the last segment's lane is too short (negative: too long)."""
        self.p, self.segments = p, segments
        self.dut = Lane(p)
        self.bench = Bench(self.dut)
        self.steps: list[int] = []
        self.whole: list[bool] = []
        self._give, self._step = give, step
        self._asked: list[tuple[int, bool]] = []
        self._slot = AT_START
        self._places = p.lane_fifo
        streams = [s.data for s in segments]
        if cut > 0:
            streams[-1] = streams[-1][:-cut]
        streams[-1] += bytes(max(-cut, 0))
        self._streams = streams
        self._beats = [beat for stream in streams for beat in beats_of(stream, p)]
        self._wanted = 0
        self.bench.add(self._serve, background=True)  # first, so that it sees the slot of the same cycle
        self.bench.add(self._run)
        self.bench.run()

    async def _serve(self, ctx: Any) -> None:
        """Hand over the next beat whenever one has been asked for and a place is free."""
        dut, random, gap, slot = self.dut, Random(5), 0, AT_START
        beats = iter(self._beats)
        async for _, _, ask, last, pop in ctx.tick().sample(dut.o_ask, dut.o_ask_last, dut.o_pop):
            if ask:
                self._asked.append((slot, bool(last)))  # of the slot before: an ask is a register
                self._wanted += 1
                gap = self._give.gap(random)
            slot = self._slot
            self._places += pop
            gap = max(gap - 1, 0)
            serves = self._wanted > 0 and self._places > 0 and not gap
            ctx.set(dut.i_write, serves)
            if serves:
                ctx.set(dut.i_beat, next(beats))
                self._wanted -= 1
                self._places -= 1

    async def _run(self, ctx: Any) -> None:
        dut, p, random = self.dut, self.p, Random(6)
        for seg, stream in zip(self.segments, self._streams, strict=True):
            beats = -(-len(stream) // p.beat_bytes)
            self._asked.clear()
            self._slot = AT_START
            ctx.set(dut.i_load, 1)
            ctx.set(dut.i_beats_left, beats)
            await ctx.tick()
            ctx.set(dut.i_load, 0)
            await ctx.tick()
            for _ in range(p.lane_depth):
                ctx.set(dut.i_prime, 1)
                await ctx.tick()
            ctx.set(dut.i_prime, 0)
            ctx.set(dut.i_start, 1)
            await ctx.tick()
            ctx.set(dut.i_start, 0)
            ctx.set(dut.i_table, hardware_rows(seg.table, p))
            await self._slots(ctx, seg, random)
            self.whole.append(bool(ctx.get(dut.o_whole)))
            for _ in range(4):
                await ctx.tick()
            if stream == seg.data:
                self._check_asks(seg, beats)

    async def _slots(self, ctx: Any, seg: Segment, random: Random) -> None:
        dut, ways, count = self.dut, self.p.ways, len(seg.codes)
        for t in range(ways + count if count else 0):
            ctx.set(dut.i_initial, t < ways)
            ctx.set(dut.i_value, t >= ways)
            ctx.set(dut.i_feed, t < count)
            for _ in range(self._step.gap(random)):
                await ctx.tick()
            while not ctx.get(dut.o_ready):
                await ctx.tick()
            self._slot = t
            ctx.set(dut.i_step, 1)
            ctx.set(dut.i_move, 1)
            await ctx.tick()
            self.steps.append(self.bench.cycle - 1)
            ctx.set(dut.i_step, 0)
            ctx.set(dut.i_move, 0)
            k = t - ways - (VALUE_STAGES - 1)
            if k >= 0:
                self._check_value(ctx, seg, k)
        for k in range(max(count - (VALUE_STAGES - 1), 0), count):
            ctx.set(dut.i_move, 1)
            await ctx.tick()
            ctx.set(dut.i_move, 0)
            self._check_value(ctx, seg, k)

    def _check_value(self, ctx: Any, seg: Segment, k: int) -> None:
        assert ctx.get(self.dut.o_value) == seg.codes[k], f"value {k} of {len(seg.codes)}"
        assert not ctx.get(self.dut.o_illegal)

    def _check_asks(self, seg: Segment, beats: int) -> None:
        """As many asks as beats, the last one marked, each in the slot that golden says or after it.

        A beat's place is free when its last word moves into the window. If words never wait, that is
        in the slot that golden names.
        """
        assert len(self._asked) == beats
        assert [last for _, last in self._asked] == [False] * (beats - 1) + [True] * (beats > 0)
        asked = [slot for slot, _ in self._asked]
        assert all(slot >= due for slot, due in zip(asked, seg.asks, strict=True))
        if self._give is NONE:
            assert asked == seg.asks


@pytest.mark.parametrize(
    ("give", "step"), [(NONE, NONE), (NONE, HEAVY), (LIGHT, LIGHT), (HEAVY, NONE)], ids=lambda p: p.name
)
@pytest.mark.parametrize(
    "p",
    [
        DecoderParams(),
        DecoderParams(ways=2, beat_bytes=32, lane_fifo=3),
        DecoderParams(ways=7, value_bits=16, lane_depth=3, lane_fifo=7),
    ],
    ids=lambda p: f"{p.ways}-ways",
)
def test_segments_back_to_back(p: DecoderParams, give: Pauses, step: Pauses) -> None:
    random = Random(p.ways)
    segments = [segment(random, p, count) for count in (0, 1, p.ways, 200, 0, 90)]
    run = LaneBench(p, segments, give, step)
    assert run.whole == [True] * len(segments)


def test_a_value_per_cycle() -> None:
    """A beat of 16 bytes lasts at least 4 cycles; if the next is there by then, no slot waits."""
    random = Random(4)
    p = DecoderParams(beat_bytes=32)
    run = LaneBench(p, [segment(random, p, 300)], NONE, NONE)
    assert run.steps == list(range(run.steps[0], run.steps[0] + 300 + p.ways))


@pytest.mark.parametrize("cut", [0, 1, 3, -1, -2, -5], ids=lambda n: f"{n}-bytes-short")
def test_a_lane_of_the_wrong_length_is_not_whole(cut: int) -> None:
    """Cut lanes decode zeros at their end, which may change values: only codes of zeros are used."""
    p = DecoderParams()
    table = Table(8, (0, 1), (0, 1023))
    codes = [0] * 400
    stream = AtalantaParams(bits=8, lanes=1, ways=p.ways, beat_bytes=p.beat_bytes)
    bits, used = encode_lane(codes, table, stream)
    assert set(bits.data) == {0}, "a string of zeros reads the same however it is cut"
    order = schedule(np.array(used, np.int64)[:, None], p.beat_bytes, p.lane_depth)
    seg = Segment(table, codes, bits.data, order.ask.tolist())
    run = LaneBench(p, [seg], NONE, NONE, cut=cut)
    assert run.whole == [cut == 0]

"""Beats on their way from router to lane, with lanes that may do whatever real ones do, and more."""

from typing import Any

import pytest
from amaranth.hdl import Const, Fragment, Module, Signal, Value
from amaranth.lib.wiring import Out
from formal_bench import Passage, Prove, RefutedError, Spec
from mutants import mutant

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.lane import Lane
from atalanta.hw.lanes import Lanes

P = DecoderParams(lanes=2, lane_depth=2, lane_fifo=3, rows=8, value_bits=4, shapeshifter=False, raw=False)


BEAT_CYCLES = 2
"""From a lane's being served to its beat."""


class AnyLane(Lane):
    """The ports of a lane without the lane: whoever builds it drives its outputs."""

    def elaborate(self, _platform: object) -> Module:
        return Module()


def delivers_beats(s: Spec, component: type[Lanes] = Lanes) -> None:
    """Lanes ask as often as they have places, and pop what they hold; everything else is left open."""
    dut = component(P)
    inner = [AnyLane(P) for _ in range(P.lanes)]
    given = iter(inner)
    module: Any = component.elaborate.__globals__
    before = module["Lane"]
    module["Lane"] = lambda _: next(given)
    try:
        s.m.submodules.dut = Fragment.get(dut, None)
    finally:
        module["Lane"] = before
    s.free_inputs(dut, dut.i_beat_valid, dut.i_served)
    serve = dut.o_serve
    served = serve.valid & serve.ready
    s.m.d.comb += [
        dut.i_beat_valid.eq(s.past(served, BEAT_CYCLES)),
        Value.cast(dut.i_served).eq(s.past(serve.payload, BEAT_CYCLES)),
    ]

    for number, lane in enumerate(inner):
        for _, member, value in lane.signature.flatten(lane):
            if member.flow == Out:
                s.m.d.comb += Value.cast(value).eq(s.free(len(Value.cast(value))))
        goes = served & serve.p.lane[number]
        open_asks = Signal(range(P.lane_depth + 2), name=f"open{number}")
        s.m.d.sync += open_asks.eq(open_asks + lane.o_ask - goes)
        s.assume(~lane.o_ask | (open_asks < P.lane_depth))
        level = Signal(range(P.lane_fifo + 2), name=f"level{number}")
        s.m.d.sync += level.eq(level + lane.i_write - lane.o_pop)
        s.assume(~lane.o_pop | (level != 0))

        s.claim(
            f"lane {number} gets what it is served, when it is", lane.i_write == s.past(goes, BEAT_CYCLES)
        )
        same = (lane.i_beat.size_m1 == s.past(serve.p.size_m1, BEAT_CYCLES)) & (
            lane.i_beat.last == s.past(serve.p.last, BEAT_CYCLES)
        )
        s.claim(f"lane {number}'s beat is as the router said", same, when=lane.i_write)
        s.claim(f"lane {number}'s beat is the memory's", lane.i_beat.data == dut.i_beat, when=lane.i_write)
        s.claim(f"lane {number} has asked for it", open_asks != 0, when=goes)
        s.claim(f"lane {number} has a place for it", level < P.lane_fifo, when=lane.i_write)
        s.cover(f"lane {number} is full and asks", (level == P.lane_fifo) & (open_asks == P.lane_depth))

    asks = [Passage(lane.o_ask, lane.o_ask, Const(number, 1)) for number, lane in enumerate(inner)]
    leaving = [Passage(serve.valid, served, serve.p.lane[1])]
    s.in_order("no ask is passed over", asks, leaving, 2 * P.lanes * P.lane_depth)


@pytest.mark.parametrize("steps", [9, pytest.param(13, marks=pytest.mark.slow)])
def test_beats_reach_the_lanes_that_asked(check: Prove, steps: int) -> None:
    check(delivers_beats, "bmc", steps)
    check(delivers_beats, "cover", 16)


@pytest.mark.parametrize(
    ("old", "new", "refuted"),
    [
        (
            "self.i_beat_valid & self.i_served.lane[number]",
            "self.i_beat_valid & self.i_served.lane[0]",
            "served",
        ),
        ("lane.i_beat.last.eq(self.i_served.last)", "lane.i_beat.last.eq(0)", "said"),
        ("free != 0 for free in places", "1 for free in places", "place"),
        ("router.o.ready.eq(self.o_serve.ready & (", "router.o.ready.eq(1 | (", "passed over"),
    ],
)
def test_broken_deliveries_are_found(check: Prove, old: str, new: str, refuted: str) -> None:
    with pytest.raises(RefutedError, match=refuted):
        check(lambda s: delivers_beats(s, mutant(Lanes, old, new)), "bmc", 12)

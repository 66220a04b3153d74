"""Router, the lanes' FIFO and the library's: what goes in comes out, once, in order, at the right place."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Mux, Signal, Value
from amaranth.lib import fifo
from axi_memory import waited
from formal_bench import Passage, Prove, RefutedError, Spec
from mutants import mutant

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.format import WORD_BITS
from atalanta.hw.lane import BeatFifo
from atalanta.hw.router import Router

P = DecoderParams(lanes=4, lane_depth=2, lane_fifo=3, shapeshifter=False, raw=False)
WORD_BYTES = WORD_BITS // 8


def routes_exactly(s: Spec, component: type[Router] = Router) -> None:
    """Every ask is served once, in the order of slots and, within a slot, of lanes."""
    s.m.submodules.dut = dut = component(P)
    s.free_inputs(dut, dut.i_tail_m1)
    tails = s.constant(dut.i_tail_m1.shape())
    s.m.d.comb += dut.i_tail_m1.eq(tails)
    asks, o = dut.i_asks, dut.o
    went = o.valid & o.ready
    s.assume(dut.i_write == (asks.lanes != 0))
    for lane in range(P.lanes):
        open_asks = Signal(range(P.lane_depth + 2), name=f"open{lane}")
        asked, served = dut.i_write & asks.lanes[lane], went & o.p.lane[lane]
        s.m.d.sync += open_asks.eq(open_asks + asked - served)
        s.assume(~asked | (open_asks < P.lane_depth))
    entering = []
    for lane in range(P.lanes):
        ask = dut.i_write & asks.lanes[lane]
        size_m1 = Mux(asks.last[lane], tails[lane], P.beat_bytes - 1)
        entering.append(Passage(ask, ask, Cat(1 << lane | Signal(P.lanes), asks.last[lane], size_m1[:4])))
    leaving = [Passage(o.valid, went, Cat(o.p.lane, o.p.last, o.p.size_m1))]
    inside = s.in_order("asks are served in order, each by its lane", entering, leaving, 16)
    s.claim("nothing is served that was not asked for", inside != 0, when=o.valid)
    s.claim("one lane is served at a time", (o.p.lane & (o.p.lane - 1)) == 0, when=o.valid)
    blocked = s.past(o.valid & ~o.ready)
    s.claim("who is served stays until ready", o.valid & (o.p.lane == s.past(o.p.lane)), when=blocked)
    s.claim("an ask is served within 3 cycles", waited(s, (inside != 0) & ~o.valid) <= 2)
    s.cover("all lanes have asked as often as they may", inside == P.lanes * P.lane_depth)
    s.cover("lanes 3 and 0 in turn, without a pause", o.p.lane[0] & s.past(went & o.p.lane[3]) & o.valid)


def holds_beats(s: Spec, component: type[BeatFifo] = BeatFifo) -> None:
    """Beats go in while there is a place; segments start when the one before has ended."""
    s.m.submodules.dut = dut = component(P)
    s.free_inputs(dut)
    beat = dut.i_beat
    level, ended = Signal(range(P.lane_fifo + 2)), Signal(init=1)
    s.m.d.sync += level.eq(level + dut.i_write - dut.o_pop)
    s.assume(~dut.i_write | (level < P.lane_fifo))
    s.assume(~dut.i_start | dut.o_ended)
    with s.m.If(dut.o_pop_last):
        s.m.d.sync += ended.eq(1)
    with s.m.If(dut.i_start):
        s.m.d.sync += ended.eq(dut.i_empty)

    moves = dut.o_word_valid & dut.i_word_ready
    final = beat.size_m1[WORD_BYTES.bit_length() - 1 :]
    entering = []
    for word in range(P.beat_bytes // WORD_BYTES):
        there = dut.i_write & (final >= word)
        ends = final == word
        item = Cat(beat.data.word_select(word, WORD_BITS), ends, ends & beat.last)
        entering.append(Passage(there, there, item))
    leaving = [Passage(moves, moves, Cat(dut.o_word, dut.o_pop, dut.o_pop_last))]
    most = (P.lane_fifo + 1) * P.beat_bytes // WORD_BYTES
    inside = s.in_order("words keep their order, beats and segments their ends", entering, leaving, most)
    s.claim("words are offered until the segment has ended", dut.o_word_valid == ((inside != 0) & ~ended))
    s.claim("a segment ends with its last word", dut.o_ended == ended)
    s.claim("a place is free when its last word is out", (level == 0) == (inside == 0))
    s.cover("all places are full", level == P.lane_fifo)
    s.cover("the next segment's beat waits for its start", dut.o_ended & (level != 0))
    s.cover("a second segment ends", s.past(dut.o_pop_last) & s.before(s.past(dut.o_pop_last)))


def library_fifo(s: Spec) -> None:
    """Amaranth's, which reader, router and core are built on."""
    s.m.submodules.dut = dut = fifo.SyncFIFO(width=4, depth=3)
    for port in (dut.w_data, dut.w_en, dut.r_en):
        s.m.d.comb += port.eq(s.free(len(port)))
    came = Passage(dut.w_en, dut.w_en & dut.w_rdy, Value.cast(dut.w_data))
    went = Passage(dut.r_rdy, dut.r_rdy & dut.r_en, Value.cast(dut.r_data))
    inside = s.in_order("items keep their order", [came], [went], 4)
    s.claim("readable unless empty", dut.r_rdy == (inside != 0))
    s.claim("writable unless full", dut.w_rdy == (inside != 3))
    s.cover("full", inside == 3)


@pytest.mark.parametrize(
    ("claims", "steps"),
    [
        (routes_exactly, 8),
        (holds_beats, 7),
        (library_fifo, 12),
        pytest.param(routes_exactly, 11, marks=pytest.mark.slow),
        pytest.param(holds_beats, 10, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_lost(check: Prove, claims: Any, steps: int) -> None:
    check(claims, "bmc", steps)
    check(claims, "cover", max(steps, 12))


@pytest.mark.parametrize(
    ("claims", "component", "old", "new", "refuted"),
    [
        (routes_exactly, Router, "asks.lanes & -asks.lanes", "asks.lanes", "order|one lane"),
        (routes_exactly, Router, "(moves & (rest == 0))", "(rest == 0)", "order|asked"),
        (
            routes_exactly,
            Router,
            "depth = max(p.lanes * p.lane_depth, 2)",
            "depth = 2",
            "order|asked|3 cycles",
        ),
        (routes_exactly, Router, "Mux(last, tail, p.beat_bytes - 1)", "p.beat_bytes - 1", "order"),
        (holds_beats, BeatFifo, "at == p.lane_fifo - 1", "at == p.lane_fifo - 2", "order"),
        (holds_beats, BeatFifo, "(word == final_word)", "(word >= 1)", "order|place|offered"),
        (holds_beats, BeatFifo, "(level != 0) & ~finished", "level != 0", "offered"),
        (holds_beats, BeatFifo, "frees & beat.last", "frees", "order|ends|offered"),
    ],
)
def test_broken_queues_are_found(
    check: Prove, claims: Any, component: Any, old: str, new: str, refuted: str
) -> None:
    with pytest.raises(RefutedError, match=refuted):
        check(lambda s: claims(s, mutant(component, old, new)), "bmc", 10)

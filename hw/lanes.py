"""All lanes in lockstep, with the router that feeds them."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.params import MAX_SEGMENT_VALUES
from atalanta.hw.bitwise import every
from atalanta.hw.coder import VALUE_STAGES
from atalanta.hw.lane import Lane
from atalanta.hw.output import vector_layout
from atalanta.hw.router import Router, serve_layout
from atalanta.hw.segment import atalanta_layout, count_shape


class Lanes(wiring.Component):
    """Decodes Atalanta segments, one vector of values per step.

    A segment of S steps takes S + W slots. A slot runs as soon as every lane has its bits and the
    output takes a vector. Latency W + 3 cycles from the first slot to the first vector; 1 vector per
    cycle; back-pressure on `o`. A segment starts after the last vector of the one before has left, if its
    header is known; its beats come in meanwhile.

    Attributes:
    ----------
    i: segments. i_load, i_beats, i_one, i_tail_m1, i_prime: from the header parser.
    o_serve: which lane gets the next beat, and its size.
    i_beat, i_beat_valid, i_served: that beat, some cycles after, and what was said of it.
    o: vectors; `o.valid` does not wait for `o.ready`. i_said: a tensor's last one may pass in the next
        cycle and from then on; until then it stays, whatever `o.ready` says.
    o_slot: a slot runs in this cycle. o_blocked: it would, but for `o`.
    o_active: a segment is being decoded. o_emits: values are on their way to `o`.
    o_illegal, o_not_whole: a value was illegal; a lane did not end with its bits. For one cycle.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i": In(stream.Signature(atalanta_layout(p))),
                "i_load": In(p.lanes),
                "i_beats": In(data.ArrayLayout(32, min(p.lanes, 8))),
                "i_one": In(1),
                "i_tail_m1": In(data.ArrayLayout(range(p.beat_bytes), p.lanes)),
                "i_prime": In(1),
                "o_serve": Out(stream.Signature(serve_layout(p))),
                "i_beat": In(8 * p.beat_bytes),
                "i_beat_valid": In(1),
                "i_served": In(serve_layout(p)),
                "o": Out(stream.Signature(vector_layout(p))),
                "i_said": In(1),
                "o_slot": Out(1),
                "o_blocked": Out(1),
                "o_active": Out(1),
                "o_emits": Out(1),
                "o_illegal": Out(1),
                "o_not_whole": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """One enable for everything: lockstep is what lets the stream be sequential."""
        p, m = self._p, Module()
        if not p.atalanta:
            return m  # nothing drives its ports: they stay 0
        m.submodules.router = router = Router(p)
        lanes = [Lane(p) for _ in range(p.lanes)]
        for number, lane in enumerate(lanes):
            m.submodules[f"lane{number}"] = lane

        # Beats: asked for by lanes, served by the router, delivered when memory has them.
        room = Signal(p.lanes)
        places = [Signal(range(p.lane_fifo + 1), name=f"places{i}", init=p.lane_fifo) for i in range(p.lanes)]
        takes = Signal()
        m.d.comb += [
            router.i_asks.lanes.eq(Cat(lane.o_ask for lane in lanes)),
            router.i_asks.last.eq(Cat(lane.o_ask_last for lane in lanes)),
            router.i_write.eq(router.i_asks.lanes != 0),
            router.i_tail_m1.eq(self.i_tail_m1),
            room.eq(Cat(free != 0 for free in places)),
            self.o_serve.payload.eq(router.o.payload),
            self.o_serve.valid.eq(router.o.valid & ((router.o.p.lane & room) != 0)),
            router.o.ready.eq(self.o_serve.ready & ((router.o.p.lane & room) != 0)),
            takes.eq(self.o_serve.valid & self.o_serve.ready),
        ]
        for number, lane in enumerate(lanes):
            taken = takes & router.o.p.lane[number]
            beats = self.i_beats[number % len(self.i_beats)]
            m.d.sync += places[number].eq(places[number] - taken + lane.o_pop)
            m.d.comb += [
                lane.i_load.eq(self.i_load[number]),
                lane.i_beats_left.eq(Mux(self.i_one, 0, beats) if number else beats),
                lane.i_prime.eq(self.i_prime),
                lane.i_beat.data.eq(self.i_beat),
                lane.i_beat.size_m1.eq(self.i_served.size_m1),
                lane.i_beat.last.eq(self.i_served.last),
                lane.i_write.eq(self.i_beat_valid & self.i_served.lane[number]),
            ]

        # Slots: counters say what is left, registers beside them what that means for this slot.
        segment = Signal(atalanta_layout(p), reset_less=True)
        initial = Signal(range(p.ways + 1))
        feeds = Signal(count_shape())
        slots = Signal(range(MAX_SEGMENT_VALUES + p.ways + 1))  # left, this one included
        fills, feeds_more, final = Signal(), Signal(), Signal()
        feed, value = Signal(p.lanes), Signal(p.lanes)
        used, full = Signal(p.lanes), Signal(p.lanes)  # lanes in use; those with a value in the last step
        start, slot = Signal(), Signal()
        ready = every(lane.o_ready for lane in lanes)
        waits = Signal()  # a tensor's last vector is at `o` and may not pass
        accepts = ~self.o.valid | (self.o.ready & ~waits)
        m.d.comb += [
            self.i.ready.eq(~self.o_active & ~self.o_emits & ~self.o.valid),
            start.eq(self.i.valid & self.i.ready),
            slot.eq(self.o_active & ready & accepts),
            self.o_slot.eq(slot),
            self.o_blocked.eq(self.o_active & ready & ~accepts),
        ]
        coming = self.i.p
        with m.If(start):
            is_used = [i < (1 << coming.lanes_log2) for i in range(p.lanes)]
            is_full = [is_used[i] & ((i < coming.rest) | (coming.rest == 0)) for i in range(p.lanes)]
            m.d.sync += [
                segment.eq(coming),
                initial.eq(p.ways),
                fills.eq(1),
                feeds.eq(coming.steps),
                feeds_more.eq(coming.steps > 1),
                slots.eq(coming.steps + p.ways),
                final.eq(0),
                used.eq(Cat(is_used)),
                full.eq(Cat(is_full)),
                feed.eq(Mux(coming.steps > 1, Cat(is_used), Cat(is_full))),
                value.eq(0),
                self.o_active.eq(coming.steps != 0),
            ]
        with m.If(slot):
            m.d.sync += [
                feeds.eq(Mux(feeds_more, feeds - 1, 0)),
                feeds_more.eq(feeds_more & (feeds != 2)),
                feed.eq(Mux(feeds_more, Mux(feeds == 2, full, used), 0)),
            ]
            m.d.sync += [
                initial.eq(initial - 1),
                fills.eq(fills & (initial != 1)),
                slots.eq(slots - 1),
                final.eq(slots == 2),
                value.eq(Mux(fills & (initial != 1), 0, Mux(slots == 2, full, used))),
            ]
            with m.If(final):
                m.d.sync += self.o_active.eq(0)
        for number, lane in enumerate(lanes):
            m.d.comb += [
                lane.i_start.eq(start),
                lane.i_table.eq(segment.table),
                lane.i_step.eq(slot),
                lane.i_move.eq(accepts),
                lane.i_initial.eq(fills),
                lane.i_feed.eq(feed[number]),
                lane.i_value.eq(value[number]),
            ]

        # Vectors go beside their values; a segment without any still ends its tensor.
        kind = data.StructLayout(
            {"valid": 1, "keep": p.lanes, "width_log2": len(segment.lanes_log2), "end": 1}
        )
        vectors = [Signal(kind, name=f"vector{i}") for i in range(VALUE_STAGES + 1)]
        first, leaves = vectors[0], vectors[-1]
        m.d.comb += [
            first.valid.eq(slot & ~fills),
            first.keep.eq(value),
            first.width_log2.eq(segment.lanes_log2),
            first.end.eq(final & ~segment.more),
        ]
        with m.If(start & (coming.steps == 0)):
            m.d.comb += [first.valid.eq(~coming.more), first.keep.eq(0), first.end.eq(1)]
        illegal = Cat(lane.o_illegal for lane in lanes).any()
        m.d.comb += self.o_emits.eq(Cat(vector.valid for vector in vectors[1:]).any())
        m.d.sync += self.o_illegal.eq(accepts & leaves.valid & illegal)
        with m.If(self.i_said):
            m.d.sync += waits.eq(0)
        with m.If(accepts):
            m.d.sync += [
                waits.eq(leaves.valid & leaves.end & ~self.i_said),
                *(after.eq(before) for before, after in pairwise(vectors)),
                self.o.valid.eq(leaves.valid),
                self.o.p.values.eq(Cat(lane.o_value for lane in lanes)),
                self.o.p.keep.eq(leaves.keep),
                self.o.p.width_log2.eq(leaves.width_log2),
                self.o.p.end.eq(leaves.end),
            ]

        # A segment without values ends as it starts, its lanes are to be empty. Lanes are reported when the
        # last values are past all that may find them illegal, since that comes first.
        ended, settled, not_whole = Signal(), Signal(), Signal()
        wrong = (settled & ~every(lane.o_whole for lane in lanes)) | not_whole
        m.d.sync += [
            ended.eq((slot & final) | (start & (self.i.p.steps == 0))),
            settled.eq(ended),
            not_whole.eq(wrong & self.o_emits),
        ]
        m.d.comb += self.o_not_whole.eq(wrong & ~self.o_emits)
        return m

"""All lanes in lockstep, with the router that feeds them."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.bitwise import every
from atalanta.hw.lane import Lane
from atalanta.hw.output import vector_layout
from atalanta.hw.router import Router, serve_layout
from atalanta.hw.segment import atalanta_layout, count_shape


class Lanes(wiring.Component):
    """Decodes Atalanta segments, one vector of values per step.

    A segment of S steps takes S + W slots. A slot runs as soon as every lane has its bits and the
    output takes a vector. Latency W + 1 cycles from the first slot to the first vector; 1 vector per
    cycle; back-pressure on `o`. A segment starts in the cycle after the last slot of the one before,
    if its header is known; its beats come in meanwhile.

    Attributes:
    ----------
    i: segments. i_load, i_beats, i_one, i_tail_m1, i_prime: from the header parser.
    o_serve: which lane gets the next beat, and its size.
    i_beat, i_beat_valid: that beat, one cycle after it was served.
    o: vectors; `o.valid` does not wait for `o.ready`.
    o_slot: a slot runs in this cycle. o_blocked: it would, but for `o`.
    o_active: a segment is being decoded.
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
                "o": Out(stream.Signature(vector_layout(p))),
                "o_slot": Out(1),
                "o_blocked": Out(1),
                "o_active": Out(1),
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

        # Beats: asked for by lanes, served by the router, delivered two cycles later.
        served = Signal(serve_layout(p))
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
        m.d.sync += served.eq(router.o.payload)
        for number, lane in enumerate(lanes):
            taken = takes & router.o.p.lane[number]
            beats = self.i_beats[number % len(self.i_beats)]
            m.d.sync += places[number].eq(places[number] - taken + lane.o_pop)
            m.d.comb += [
                lane.i_load.eq(self.i_load[number]),
                lane.i_beats_left.eq(Mux(self.i_one, 0, beats) if number else beats),
                lane.i_prime.eq(self.i_prime),
                lane.i_beat.data.eq(self.i_beat),
                lane.i_beat.size_m1.eq(served.size_m1),
                lane.i_beat.last.eq(served.last),
                lane.i_write.eq(self.i_beat_valid & served.lane[number]),
            ]

        # Slots: t counts down what is left, for lanes with a value in the last step and for others.
        segment = Signal(atalanta_layout(p))
        initial = Signal(range(p.ways + 1))
        feeds = Signal(count_shape())
        values = Signal(count_shape())
        start, slot = Signal(), Signal()
        ready = every(lane.o_ready for lane in lanes)
        accepts = ~self.o.valid | self.o.ready
        full = Signal(p.lanes)
        m.d.comb += [
            self.i.ready.eq(~self.o_active & accepts),
            start.eq(self.i.valid & self.i.ready),
            slot.eq(self.o_active & ready & accepts),
            self.o_slot.eq(slot),
            self.o_blocked.eq(self.o_active & ready & ~accepts),
        ]
        with m.If(start):
            m.d.sync += [
                segment.eq(self.i.payload),
                initial.eq(p.ways),
                feeds.eq(self.i.p.steps),
                values.eq(self.i.p.steps),
                self.o_active.eq(self.i.p.steps != 0),
            ]
        used = Signal(p.lanes)
        m.d.comb += [
            used.eq(Cat(i < (1 << segment.lanes_log2) for i in range(p.lanes))),
            full.eq(Cat((i < segment.rest) | (segment.rest == 0) for i in range(p.lanes)) & used),
        ]
        final = values == 1
        with m.If(slot):
            m.d.sync += [
                initial.eq(Mux(initial == 0, 0, initial - 1)),
                feeds.eq(Mux(feeds == 0, 0, feeds - 1)),
            ]
            with m.If(initial == 0):
                m.d.sync += values.eq(values - 1)
                with m.If(final):
                    m.d.sync += self.o_active.eq(0)
        for number, lane in enumerate(lanes):
            m.d.comb += [
                lane.i_start.eq(start),
                lane.i_table.eq(segment.table),
                lane.i_step.eq(slot),
                lane.i_initial.eq(initial != 0),
                lane.i_feed.eq(Mux(feeds > 1, used[number], (feeds == 1) & full[number])),
                lane.i_value.eq((initial == 0) & Mux(final, full[number], used[number])),
            ]

        # Vectors; a segment without values still ends its tensor.
        with m.If(accepts):
            m.d.sync += self.o.valid.eq(0)
        m.d.sync += self.o_illegal.eq(0)
        with m.If(slot & (initial == 0)):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.p.values.eq(Cat(lane.o_value for lane in lanes)),
                self.o.p.keep.eq(Mux(final, full, used)),
                self.o.p.width_log2.eq(segment.lanes_log2),
                self.o.p.end.eq(final & ~segment.more),
                self.o_illegal.eq(Cat(lane.o_illegal for lane in lanes).any()),
            ]
        with m.If(start & (self.i.p.steps == 0)):
            m.d.sync += [
                self.o.valid.eq(~self.i.p.more),
                self.o.p.keep.eq(0),
                self.o.p.end.eq(1),
            ]

        ended = Signal()  # a segment without values ends as it starts; its lanes are to be empty
        m.d.sync += ended.eq((slot & final & (initial == 0)) | (start & (self.i.p.steps == 0)))
        m.d.comb += self.o_not_whole.eq(ended & ~every(lane.o_whole for lane in lanes))
        return m

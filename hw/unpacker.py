"""ShapeShifter and raw segments: one group of 16 values per cycle."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import GROUP_VALUES, LEAD, UNPACKER_STAGES, DecoderParams
from atalanta.golden.params import MAX_BITS
from atalanta.hw.bitwise import leading_one, popcount, position_of, shift_right
from atalanta.hw.output import vector_layout
from atalanta.hw.segment import count_shape, groups_layout

QUEUE_BEATS = 4
"""Beats between the aligner and the window: a pull takes two cycles to get there."""


def most_header_bits(p: DecoderParams) -> int:
    """Bits of the longest group header."""
    return p.value_bits.bit_length() + GROUP_VALUES


class BitWindow(wiring.Component):
    """Holds enough beats that any slot's bits can be taken at once.

    Latency 1 cycle from a beat to its bits; 1 beat in per cycle. `i_step` takes `i_take` bits; the
    next slot's bits are at the bottom of `o_bits` in the next cycle.

    Attributes:
    ----------
    i: beats. i_ended: no beat follows; missing bits read as zeros.
    i_clear: forget everything.
    i_take: bits the next step takes. o_ready: they are there.
    i_step: take them.
    o_bits: the next bits.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        self.most = most_header_bits(p) + GROUP_VALUES * p.value_bits
        beat = 8 * p.beat_bytes
        # One more than a slot can need: the last one may still be full when the next beat comes.
        self.beats = -(-(beat - 1 + self.most) // beat) + 1
        super().__init__(
            {
                "i": In(stream.Signature(beat)),
                "i_ended": In(1),
                "i_clear": In(1),
                "i_take": In(range(self.most + 1)),
                "o_ready": Out(1),
                "i_step": In(1),
                "o_bits": Out(self.most),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Beats move down by whole beats; the position within the lowest is a number, not a shift."""
        m = Module()
        beat = 8 * self._p.beat_bytes
        log2_beat = beat.bit_length() - 1
        beats = [Signal(beat, name=f"beat{i}") for i in range(self.beats)]
        held = Signal(range(self.beats + 1))
        at = Signal(range(beat))
        end = Signal(range(beat + self.most + 1))
        dropped = Signal(range(self.beats + 1))
        kept = Signal.like(held)
        load = Signal()
        m.d.comb += [
            end.eq(at + self.i_take),
            self.o_ready.eq(((held << log2_beat) >= end) | (self.i_ended & ~self.i.valid)),
            self.o_bits.eq(shift_right(m, Cat(*beats), at, self.most)),
            dropped.eq(Mux(self.i_step, end >> log2_beat, 0)),
            kept.eq(Mux(dropped > held, 0, held - dropped)),
            self.i.ready.eq(held != self.beats),
            load.eq(self.i.valid & self.i.ready),
        ]
        m.d.sync += held.eq(kept + load)
        with m.If(self.i_step):
            m.d.sync += at.eq(end)
        for i in range(self.beats):
            moved = Array([*beats[i:], *[Const(0, beat)] * (i + 1)])[dropped]
            m.d.sync += beats[i].eq(Mux(load & (kept == i), self.i.payload, moved))
        with m.If(self.i_clear):
            m.d.sync += [held.eq(0), at.eq(0), *(b.eq(0) for b in beats)]
        return m


class Unpacker(wiring.Component):
    """Decodes ShapeShifter segments with groups of 16, and raw segments, one group per step.

    A segment of G groups takes G + LEAD + UNPACKER_STAGES slots; a slot runs as soon as its bits are
    there and the output takes a vector. Latency LEAD + UNPACKER_STAGES + 1 cycles from the first slot to
    the first vector; 1 vector per cycle; back-pressure on `o`.

    Attributes:
    ----------
    i: segments.
    o_pull, o_size_m1, i_pulled, i_beat, i_beat_valid: pulls of the payload's beats.
    o: vectors.
    o_slot, o_blocked, o_active: as for `Lanes`.
    o_illegal: a group is wider than the values may be. o_not_whole: the payload did not end with the
        groups. For one cycle.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i": In(stream.Signature(groups_layout())),
                "o_pull": Out(1),
                "o_size_m1": Out(range(p.beat_bytes)),
                "i_pulled": In(1),
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
        """Everything moves with the slots; headers lead by just the steps that lengths take."""
        p, m = self._p, Module()
        if not (p.shapeshifter or p.raw):
            return m  # nothing drives its ports: they stay 0
        m.submodules.queue = queue = fifo.SyncFIFO(width=8 * p.beat_bytes, depth=QUEUE_BEATS)
        m.submodules.window = window = BitWindow(p)
        segment = Signal(groups_layout())
        step = Signal()
        start = Signal()
        accepts = ~self.o.valid | self.o.ready

        # Beats: as many pulled as the queue has places for.
        left = Signal(32)
        places = Signal(range(QUEUE_BEATS + 1), init=QUEUE_BEATS)
        popped = Signal()
        whole = left >= p.beat_bytes
        m.d.comb += [
            self.o_pull.eq((left != 0) & (places != 0)),
            self.o_size_m1.eq(Mux(whole, p.beat_bytes - 1, left - 1)),
            queue.w_data.eq(self.i_beat),
            queue.w_en.eq(self.i_beat_valid),
            window.i.payload.eq(queue.r_data),
            window.i.valid.eq(queue.r_rdy),
            queue.r_en.eq(window.i.ready),
            popped.eq(queue.r_rdy & window.i.ready),
            window.i_ended.eq((left == 0) & (places == QUEUE_BEATS)),
            window.i_clear.eq(start),
            window.i_step.eq(step),
        ]
        m.d.sync += places.eq(places - self.i_pulled + popped)
        with m.If(self.i_pulled):
            m.d.sync += left.eq(left - self.o_size_m1 - 1)

        # Slots: what the next one takes is known when this one runs.
        log2_group = GROUP_VALUES.bit_length() - 1
        groups = (self.i.p.count + GROUP_VALUES - 1) >> log2_group
        rest = segment.count[:log2_group]
        ahead = Signal(count_shape())
        slots_left = Signal(count_shape())
        taken = Signal(36)
        next_values = Signal(range(GROUP_VALUES + 1))
        next_bits = Signal(range(most_header_bits(p) + 1))
        none_left = (ahead == 0) | segment.raw
        width_bits = Signal(range(p.value_bits.bit_length() + 1))
        field_most = Mux(segment.zero_width, segment.bits, segment.bits - 1)
        ends = ahead == 1
        final = slots_left == 1
        m.d.comb += [
            self.i.ready.eq(~self.o_active & ~self.o.valid),
            start.eq(self.i.valid & self.i.ready),
            step.eq(self.o_active & window.o_ready & accepts),
            self.o_slot.eq(step),
            self.o_blocked.eq(self.o_active & window.o_ready & ~accepts),
            width_bits.eq(bit_length(field_most[: p.value_bits.bit_length()])),
            next_values.eq(Mux(ends & (rest != 0), rest, GROUP_VALUES)),
            next_bits.eq(Mux(none_left, 0, width_bits + Mux(segment.mask, next_values, 0))),
        ]
        here = Signal(
            data.StructLayout({"valid": 1, "values": next_values.shape(), "bits": next_bits.shape()})
        )
        value_bits = Signal(range(GROUP_VALUES * p.value_bits + 1))
        take = Signal(range(window.most + 1))
        m.d.comb += window.i_take.eq(take)
        with m.If(start):
            m.d.sync += [
                segment.eq(self.i.payload),
                left.eq(self.i.p.payload_bytes),
                ahead.eq(groups),
                slots_left.eq(groups + (LEAD + UNPACKER_STAGES)),
                self.o_active.eq(self.i.p.count != 0),
                taken.eq(0),
                here.eq(0),
                take.eq(0),
            ]
        with m.If(step):
            m.d.sync += [
                slots_left.eq(slots_left - 1),
                taken.eq(taken + take),
                ahead.eq(Mux(ahead == 0, 0, ahead - 1)),
                here.valid.eq(ahead != 0),
                here.values.eq(next_values),
                here.bits.eq(next_bits),
                take.eq(next_bits + value_bits),
            ]
            with m.If(final):
                m.d.sync += self.o_active.eq(0)

        # A group's header: taken, parsed, multiplied out.
        bits = Signal(window.most)
        header = Signal.like(here)
        info = Signal(
            data.StructLayout(
                {
                    "valid": 1,
                    "values": range(GROUP_VALUES + 1),
                    "width": range(p.value_bits + 1),
                    "mask": GROUP_VALUES,
                }
            )
        )
        stored = Signal(range(GROUP_VALUES + 1))
        field = Signal(p.value_bits.bit_length())
        width = Signal(MAX_BITS.bit_length())
        mask = Signal(GROUP_VALUES)
        present = Signal(GROUP_VALUES)
        m.d.comb += [
            field.eq(bits & ((1 << width_bits) - 1)),
            width.eq(Mux(segment.raw, segment.bits, field + ~segment.zero_width)),
            present.eq((1 << header.values) - 1),
            mask.eq(Mux(segment.mask & ~segment.raw, bits >> width_bits, -1) & present),
        ]
        m.d.sync += self.o_illegal.eq(0)
        with m.If(step):
            m.d.sync += [
                bits.eq(window.o_bits),
                header.eq(here),
                info.valid.eq(header.valid),
                info.values.eq(header.values),
                info.width.eq(width),
                info.mask.eq(mask),
                stored.eq(popcount(mask)),
                value_bits.eq(Mux(info.valid, info.width * stored, 0)),
                self.o_illegal.eq(header.valid & (width > segment.bits)),
            ]

        # Its values come LEAD slots later: cut out, spread over the group, converted.
        later = delayed(m, step, info, LEAD + 1)
        values = Signal(GROUP_VALUES * p.value_bits)
        cut = [Signal(p.value_bits, name=f"cut{i}") for i in range(GROUP_VALUES)]
        with m.If(step):
            m.d.sync += values.eq(bits >> header.bits)
            for i in range(GROUP_VALUES):
                at_width = Array([Const(0, 1), *(values[i * w :][:w] for w in range(1, p.value_bits + 1))])
                m.d.sync += cut[i].eq(at_width[later[LEAD - 1].width])
        group = later[LEAD]
        codes = [Signal(p.value_bits, name=f"code{i}") for i in range(GROUP_VALUES)]
        sign = Signal(p.value_bits)
        m.d.comb += sign.eq(Mux(segment.signed, (1 << segment.bits) >> 1, 0))
        for i, code in enumerate(codes):
            rank = popcount(group.mask[:i]) if i else Const(0, 1)
            m.d.comb += code.eq(Mux(group.mask[i], Array(cut[: i + 1])[rank], 0))

        def value(code: Signal) -> Value:
            magnitude = code >> 1
            signed = Mux(code == 1, -sign, Mux(code[0], -magnitude, magnitude))
            return Mux(segment.raw, (code ^ sign) - sign, Mux(segment.signed, signed, code))

        with m.If(accepts):
            m.d.sync += self.o.valid.eq(0)
        with m.If(step & group.valid):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.p.keep.eq((1 << group.values) - 1),
                self.o.p.width_log2.eq(log2_group),
                self.o.p.end.eq(final & ~segment.more),
                *(self.o.p.values[i].eq(value(code)) for i, code in enumerate(codes)),
            ]
        with m.If(start & (self.i.p.count == 0)):
            m.d.sync += [
                self.o.valid.eq(~self.i.p.more),
                self.o.p.keep.eq(0),
                self.o.p.end.eq(1),
            ]

        ended = Signal()  # a segment without values ends as it starts; its payload is to be empty
        m.d.sync += ended.eq((step & final) | (start & (self.i.p.count == 0)))
        whole_payload = ((taken + 7) >> 3) == segment.payload_bytes
        m.d.comb += self.o_not_whole.eq(ended & ~whole_payload)
        return m


def bit_length(value: Value) -> Value:
    """Position of the highest bit that is high, counted from 1; 0 if none is."""
    return position_of(leading_one(value), range(1, len(value) + 1))


def delayed(m: Module, step: Signal, signal: Signal, steps: int) -> list[Signal]:
    """`signal` as it was 1, 2, ... `steps` steps ago."""
    chain = [Signal.like(signal, name_suffix=f"_{i + 1}") for i in range(steps)]
    with m.If(step):
        m.d.sync += [after.eq(before) for before, after in zip([signal, *chain], chain, strict=False)]
    return chain

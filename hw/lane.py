"""One lane: a few beats, a window of bits, a decoder."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.format import WORD_BITS
from atalanta.hw.coder import Coder
from atalanta.hw.table import table_layout
from atalanta.hw.window import Window


def beat_layout(p: DecoderParams) -> data.StructLayout:
    """A beat on its way to a lane. size_m1: bytes in it less one. last: the lane's last beat."""
    return data.StructLayout({"data": 8 * p.beat_bytes, "size_m1": range(p.beat_bytes), "last": 1})


class BeatFifo(wiring.Component):
    """The beats a lane holds, taken out word by word.

    Latency 1 cycle; a beat in and a word out per cycle. After the last word of the lane's last beat
    `o_ended` is high and no word comes out until `i_start`: what follows is the next segment's.

    Attributes:
    ----------
    i_beat, i_write: a beat arrives; the writer sees to it that there is a place.
    i_start: a segment starts. i_empty: the lane has no bytes in it.
    o_word, o_word_valid, i_word_ready: words.
    o_pop: the last word of a beat goes out; its place is free from the next cycle on.
    o_pop_last: ... and that beat was the lane's last.
    o_ended: the lane's last word has gone out.
    o_spare_bits: bits of the last word that are not the lane's; valid with `o_ended`.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i_beat": In(beat_layout(p)),
                "i_write": In(1),
                "i_start": In(1),
                "i_empty": In(1),
                "o_word": Out(WORD_BITS),
                "o_word_valid": Out(1),
                "i_word_ready": In(1),
                "o_pop": Out(1),
                "o_pop_last": Out(1),
                "o_ended": Out(1),
                "o_spare_bits": Out(range(WORD_BITS)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """A memory read asynchronously, so that FPGAs use LUT RAM: a register per bit costs more.

        A word that is not taken is kept beside it, so that nothing in here but one register waits for
        `i_word_ready`, which comes late in the cycle.
        """
        p, m = self._p, Module()
        m.submodules.beats = beats = memory.Memory(shape=beat_layout(p), depth=p.lane_fifo, init=[])
        write, read = beats.write_port(), beats.read_port(domain="comb")
        level = Signal(range(p.lane_fifo + 1))
        word = Signal(range(p.beat_bytes * 8 // WORD_BITS))

        def next_place(at: Signal) -> Mux:
            return Mux(at == p.lane_fifo - 1, 0, at + 1)

        m.d.comb += [write.data.eq(self.i_beat), write.en.eq(self.i_write)]
        with m.If(self.i_write):
            m.d.sync += write.addr.eq(next_place(write.addr))

        # What the next word is, and what its leaving means.
        out = data.StructLayout({"word": WORD_BITS, "ends_beat": 1, "ends_lane": 1})
        here, kept, offered = Signal(out), Signal(out, reset_less=True), Signal(out)
        here_valid, kept_valid = Signal(), Signal()
        finished = Signal(init=1)  # the lane's last word has come out of the memory
        beat = read.data
        final_word = beat.size_m1[(WORD_BITS // 8 - 1).bit_length() :]
        moves = Signal()
        frees = Signal()
        m.d.comb += [
            here.word.eq(beat.data.word_select(word, WORD_BITS)),
            here.ends_beat.eq(word == final_word),
            here.ends_lane.eq(here.ends_beat & beat.last),
            here_valid.eq((level != 0) & ~finished),
            moves.eq(here_valid & ~kept_valid),
            frees.eq(moves & here.ends_beat),
            offered.eq(Mux(kept_valid, kept, here)),
            self.o_word.eq(offered.word),
            self.o_word_valid.eq(here_valid | kept_valid),
            self.o_pop.eq(self.o_word_valid & offered.ends_beat & self.i_word_ready),
            self.o_pop_last.eq(self.o_word_valid & offered.ends_lane & self.i_word_ready),
            self.o_ended.eq(finished & ~kept_valid),  # a word kept then is the lane's last
        ]
        m.d.sync += kept_valid.eq(self.o_word_valid & ~self.i_word_ready)
        with m.If(~kept_valid):
            m.d.sync += kept.eq(here)
        with m.If(moves):
            m.d.sync += word.eq(word + 1)
        with m.If(frees):
            m.d.sync += [word.eq(0), read.addr.eq(next_place(read.addr))]
        m.d.sync += level.eq(level + self.i_write - frees)

        bytes_m1 = beat.size_m1[: (WORD_BITS // 8 - 1).bit_length()]
        with m.If(frees & beat.last):
            m.d.sync += [finished.eq(1), self.o_spare_bits.eq(~bytes_m1 << 3)]
        with m.If(self.i_start):
            m.d.sync += [finished.eq(self.i_empty), self.o_spare_bits.eq(0)]
        return m


class Lane(wiring.Component):
    """Decodes every L-th value of a segment from the beats that it asks for.

    Latency as `Coder`, after the window is filled; 1 value per step. It moves with `i_step` only, in
    lockstep with the other lanes, which is why `o_ask` of a step depends on the data alone.

    Attributes:
    ----------
    i_beats_left: beats of the lane in the next segment, taken over with `i_load`. From then until
        `i_start`, only `i_prime` asks for beats; the lane may still be busy with the segment before.
    i_prime: ask for one beat, if there is one; at the earliest 2 cycles after `i_load`.
    o_ask, o_ask_last: the lane has asked for a beat in the cycle before; it is the lane's last.
    i_beat, i_write: the beats, in the order of asking.
    o_room: a place is free for a beat beyond those asked for.
    i_start: the segment starts: its bits come next.
    i_table: its table. i_initial, i_feed, i_value: as for `Coder`.
    o_ready: a step may run. i_step: it does. i_move: values move on.
    o_value, o_illegal: as for `Coder`.
    o_whole: all bits of the lane and no more have been used; valid 2 cycles after the last step.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i_load": In(1),
                "i_beats_left": In(32),
                "i_prime": In(1),
                "o_ask": Out(1),
                "o_ask_last": Out(1),
                "i_beat": In(beat_layout(p)),
                "i_write": In(1),
                "o_pop": Out(1),
                "i_start": In(1),
                "i_table": In(table_layout(p)),
                "i_initial": In(1),
                "i_feed": In(1),
                "i_value": In(1),
                "o_ready": Out(1),
                "i_step": In(1),
                "i_move": In(1),
                "o_value": Out(p.value_bits),
                "o_illegal": Out(1),
                "o_whole": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Fifo, window and coder in a row; asking is all that this level adds."""
        p, m = self._p, Module()
        m.submodules.fifo = fifo = BeatFifo(p)
        m.submodules.window = window = Window()
        m.submodules.coder = coder = Coder(p)

        beats_left = Signal(32)
        loaded, empty = Signal(), Signal()
        started = Signal()
        asks = Signal()
        # An ask leaves through a register: what it is made of comes late in the cycle. So does what it
        # means for the next one, which therefore chooses between two comparisons made beforehand.
        more_than = Signal(2)
        may_ask = Mux(self.o_ask, more_than[1], more_than[0])
        m.d.comb += asks.eq((self.i_prime & may_ask) | (started & may_ask & fifo.o_pop))
        m.d.sync += [
            self.o_ask.eq(asks),
            self.o_ask_last.eq(Mux(self.o_ask, beats_left == 2, beats_left == 1)),
            self.o_pop.eq(fifo.o_pop),
            *(more_than[n].eq(beats_left > n + self.o_ask) for n in range(2)),
        ]
        with m.If(self.o_ask):
            m.d.sync += beats_left.eq(beats_left - 1)
        with m.If(self.i_start):
            m.d.sync += started.eq(1)
        m.d.sync += loaded.eq(self.i_load)
        with m.If(self.i_load):
            m.d.sync += [beats_left.eq(self.i_beats_left), started.eq(0)]
        with m.If(loaded):
            m.d.sync += empty.eq(beats_left == 0)

        m.d.comb += [
            fifo.i_beat.eq(self.i_beat),
            fifo.i_write.eq(self.i_write),
            fifo.i_start.eq(self.i_start),
            fifo.i_empty.eq(empty),
            fifo.i_word_ready.eq(window.o_word_ready),
            window.i_word.eq(fifo.o_word),
            window.i_word_valid.eq(fifo.o_word_valid),
            window.i_ended.eq(fifo.o_ended),
            window.i_clear.eq(self.i_start),
            window.i_step.eq(self.i_step),
            window.i_take.eq(coder.o_take),
            self.o_ready.eq(window.o_ready),
            coder.i_step.eq(self.i_step),
            coder.i_move.eq(self.i_move),
            coder.i_initial.eq(self.i_initial),
            coder.i_feed.eq(self.i_feed),
            coder.i_value.eq(self.i_value),
            coder.i_bits.eq(window.o_bits),
            coder.i_table.eq(self.i_table),
            self.o_value.eq(coder.o_value),
            self.o_illegal.eq(coder.o_illegal),
        ]
        left = window.o_left - fifo.o_spare_bits
        spare = Signal(left.shape())
        ended = Signal()
        m.d.sync += [spare.eq(left), ended.eq(fifo.o_ended)]
        m.d.comb += self.o_whole.eq(ended & ~window.o_overrun & (spare >= 0) & (spare < 8))
        return m

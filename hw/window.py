"""A lane's bits: from 32-bit words to the next bits of the decoder."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.format import WORD_BITS
from atalanta.hw.bitwise import shift_right


class Window(wiring.Component):
    """Holds the word in which the lane's next bit lies, and the one after it.

    A step takes up to 32 bits. The window is ready when both words are there, which is what `o_ready`
    says, from registers alone. At the lane's end missing words count as ready and read as zeros.

    Latency 2 cycles from the first word to `o_ready`; 32 bits per cycle; back-pressure on words.

    Attributes:
    ----------
    i_word, i_word_valid, o_word_ready: the lane's words.
    i_ended: no word follows.
    i_clear: forget everything; a segment starts.
    i_step, i_take: take bits in this cycle.
    o_ready: a step may run.
    o_bits: the next 32 bits.
    o_left: bits held; at the lane's end only those of its last byte may be left.
    o_overrun: a step took more bits than the lane had; known 2 cycles after it, stays until cleared.
    """

    i_word: In(WORD_BITS)
    i_word_valid: In(1)
    o_word_ready: Out(1)
    i_ended: In(1)
    i_clear: In(1)
    i_step: In(1)
    i_take: In(range(WORD_BITS + 1))
    o_ready: Out(1)
    o_bits: Out(WORD_BITS)
    o_left: Out(range(2 * WORD_BITS + 1))
    o_overrun: Out(1)

    def elaborate(self, _platform: object) -> Module:
        """Words move by whole words and a position points into the first: one shifter is enough."""
        m = Module()
        words = [Signal(WORD_BITS, name=f"word{i}") for i in range(2)]
        valid = [Signal(name=f"valid{i}") for i in range(2)]
        at = Signal(range(WORD_BITS))
        end = Signal(range(2 * WORD_BITS))
        crosses = Signal()
        moves = Signal()
        log2_word = WORD_BITS.bit_length() - 1

        m.d.comb += [
            self.o_bits.eq(shift_right(m, Cat(*words), at, WORD_BITS)),
            self.o_ready.eq(Mux(valid[1], valid[0], self.i_ended)),
            end.eq(at + self.i_take),
            crosses.eq(self.i_step & end[log2_word]),
            moves.eq(crosses | ~valid[0]),
            self.o_word_ready.eq(moves | ~valid[1]),
            self.o_left.eq(Cat((valid[0] & ~valid[1]), valid[1]) * WORD_BITS - at),
        ]
        with m.If(self.i_step):
            m.d.sync += at.eq(end)
        with m.If(moves):
            m.d.sync += [words[0].eq(words[1]), valid[0].eq(valid[1])]
        with m.If(self.o_word_ready):
            m.d.sync += [
                words[1].eq(Mux(self.i_word_valid, self.i_word, 0)),
                valid[1].eq(self.i_word_valid),
            ]
        # Whether that was too much is found a cycle later.
        stepped, crossed, took = Signal(), Signal(), Signal()
        had = Signal(2)
        short = Mux(had[0], ~had[1] & crossed & (at != 0), took)
        m.d.sync += [
            stepped.eq(self.i_step),
            crossed.eq(end[log2_word]),
            took.eq(self.i_take != 0),
            had.eq(Cat(valid)),
            self.o_overrun.eq(self.o_overrun | (stepped & short)),
        ]
        with m.If(self.i_clear):
            m.d.sync += [
                at.eq(0),
                valid[0].eq(0),
                valid[1].eq(0),
                stepped.eq(0),
                self.o_overrun.eq(0),
                *(word.eq(0) for word in words),
            ]
        return m

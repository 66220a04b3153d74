"""A lane's bits: from 32-bit words to the next bits of the decoder."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.format import WORD_BITS

BITS_WIDTH = 2 * WORD_BITS


class Window(wiring.Component):
    """Holds the lane's next 32 to 63 bits, and one word more.

    A step takes up to 32 bits; in the same cycle the word held beside the window moves in if fewer
    than 32 bits are left, and the next word takes its place. So the window is ready for any step as
    soon as that word is there, which is what `o_ready` says, from registers alone. At the lane's end
    missing words count as ready and read as zeros.

    Latency 2 cycles from the first word to `o_ready`; 32 bits per cycle; back-pressure on words.

    Attributes
    ----------
    i_word, i_word_valid, o_word_ready: the lane's words.
    i_ended: no word follows.
    i_clear: forget everything; a segment starts.
    i_step, i_take: take bits in this cycle.
    o_ready: a step may run.
    o_bits: the next 32 bits.
    o_left: bits held; at the lane's end only those of its last byte may be left.
    o_overrun: a step took more bits than the lane had; stays until cleared.
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
    o_left: Out(range(BITS_WIDTH))
    o_overrun: Out(1)

    def elaborate(self, _platform: object) -> Module:
        """One shift right and one shift left side by side keep the step-to-step path short."""
        m = Module()
        bits = Signal(BITS_WIDTH)
        held = Signal(range(BITS_WIDTH))
        word = Signal(WORD_BITS)
        word_valid = Signal()

        m.d.comb += [
            self.o_bits.eq(bits[:WORD_BITS]),
            self.o_left.eq(held),
            self.o_ready.eq(Mux(word_valid, held >= WORD_BITS, self.i_ended)),
        ]

        over = Signal()
        left = Signal.like(held)
        rest = Signal.like(bits)
        append = Signal()
        m.d.comb += [left.eq(held), rest.eq(bits)]
        with m.If(self.i_step):
            m.d.comb += [
                over.eq(self.i_take > held),
                left.eq(Mux(over, 0, held - self.i_take)),
                rest.eq(bits >> self.i_take),
            ]
        m.d.comb += append.eq(word_valid & (left < WORD_BITS))
        with m.If(append):
            m.d.sync += [
                bits.eq(rest | (word << left[: (WORD_BITS - 1).bit_length()])),
                held.eq(left + WORD_BITS),
            ]
        with m.Else():
            m.d.sync += [bits.eq(rest), held.eq(left)]
        m.d.sync += self.o_overrun.eq(self.o_overrun | over)

        m.d.comb += self.o_word_ready.eq(~word_valid | append)
        with m.If(self.o_word_ready):
            m.d.sync += [word.eq(self.i_word), word_valid.eq(self.i_word_valid)]
        with m.If(self.i_clear):
            m.d.sync += [bits.eq(0), held.eq(0), word_valid.eq(0), self.o_overrun.eq(0)]
        return m

"""The CRC of a payload, taken from words as they come in, wherever in them it starts and ends."""

from itertools import pairwise

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.format import crc32
from atalanta.hw.crc import CRC_BITS, ONES, advance


def _after_zeros(nbytes: int) -> int:
    """The register, started with ones, after `nbytes` zero bytes."""
    return crc32(bytes(nbytes)) ^ ONES


class PayloadCrc(wiring.Component):
    """Compares a payload with the CRC-32 that its header announces.

    A payload starts and ends anywhere in a word. Bytes before it are taken as zeros from a register
    of zeros, which they leave alone; what the initial ones would have become by the end of the first
    word is a constant per byte position. Bytes behind it are taken as zeros too, and the announced
    CRC is led through as many zero bytes, one a cycle, while the payload comes in.

    Latency 3 cycles from the last word to `o_done`; from `i_start` at least 4 cycles, and at least 2 and
    one for every byte that the payload leaves of its last word; 1 word per cycle.

    Attributes:
    ----------
    i_start: a payload starts. i_at: at this byte of the word that is at hand (`i_held`) 2 cycles later,
        or else of the next new one. i_size: bytes of it. i_expected: its CRC.
    i_word, i_held, i_fresh: the word at hand, whether there is one, and for one cycle: it is new.
    o_done: all of the payload has come in and is compared. o_good: it is as announced.
    """

    def __init__(self, word_bytes: int) -> None:
        self._bytes = word_bytes
        super().__init__(
            {
                "i_start": In(1),
                "i_at": In(range(word_bytes)),
                "i_size": In(32),
                "i_expected": In(CRC_BITS),
                "i_word": In(8 * word_bytes),
                "i_held": In(1),
                "i_fresh": In(1),
                "o_done": Out(1),
                "o_good": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Where it ends, in which word that is, then mask, take in, compare: a register after each."""
        m, nbytes = Module(), self._bytes
        word_bits = nbytes.bit_length() - 1
        start = [self.i_start, *(Signal(name=f"start{i}") for i in (1, 2))]
        m.d.sync += [after.eq(before) for before, after in pairwise(start)]
        end = Signal(33)
        words = Signal(33 - word_bits)
        last_byte = Signal(range(nbytes))
        first = Signal()
        at = Signal(range(nbytes))
        empty = Signal()
        with m.If(start[0]):
            m.d.sync += [end.eq(self.i_size + self.i_at), at.eq(self.i_at), empty.eq(self.i_size == 0)]

        # An empty payload has no words, whatever word is at hand.
        use = Signal()
        m.d.comb += use.eq((words != 0) & Mux(start[2], self.i_held, self.i_fresh))
        with m.If(start[1]):
            m.d.sync += [
                words.eq(Mux(empty, 0, (end + (nbytes - 1)) >> word_bits)),
                last_byte.eq(end - 1),
                first.eq(1),
            ]
        with m.Elif(use):
            m.d.sync += [words.eq(words - 1), first.eq(0)]

        masked = Signal(8 * nbytes, reset_less=True)
        masked_valid = Signal()
        ones = Array(Const(_after_zeros(nbytes - i), CRC_BITS) for i in range(nbytes))
        masked_ones = Signal(CRC_BITS)  # what the initial ones have become, with the first word
        m.d.sync += [masked_valid.eq(use), masked_ones.eq(Mux(first, ones[at], 0))]
        for byte in range(nbytes):
            keep = (~first | (byte >= at)) & ((words != 1) | (byte <= last_byte))
            m.d.sync += masked.word_select(byte, 8).eq(Mux(keep, self.i_word.word_select(byte, 8), 0))

        state = Signal(CRC_BITS)
        with m.If(start[1]):
            m.d.sync += state.eq(0)
        with m.Elif(masked_valid):
            m.d.sync += state.eq(advance(state, masked) ^ masked_ones)

        expected = Signal(CRC_BITS)
        zeros = Signal(range(nbytes))
        with m.If(self.i_start):
            m.d.sync += [expected.eq(~self.i_expected), zeros.eq(-(self.i_size + self.i_at))]
        with m.Elif(zeros != 0):
            m.d.sync += [expected.eq(advance(expected, Const(0, 8))), zeros.eq(zeros - 1)]

        # The CRC of nothing is 0.
        settled = Signal()
        m.d.sync += [
            settled.eq((words == 0) & (zeros == 0) & ~masked_valid & ~Cat(start).any()),
            self.o_good.eq(Mux(empty, self.i_expected == 0, state == expected)),
        ]
        m.d.comb += self.o_done.eq(settled & ~self.i_start)
        return m

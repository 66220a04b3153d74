"""The CRC of a payload, taken from words as they come in, wherever in them it starts and ends."""

from functools import reduce
from itertools import pairwise
from operator import xor

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.format import crc32
from atalanta.hw.crc import CRC_BITS, ONES, advance, effects


def _after_zeros(nbytes: int) -> int:
    """The register, started with ones, after `nbytes` zero bytes."""
    return crc32(bytes(nbytes)) ^ ONES


class PayloadCrc(wiring.Component):
    """Compares a payload with the CRC-32 that its header announces.

    A payload starts and ends anywhere in a word. Bytes before it are taken as zeros from a register
    of zeros, which they leave alone; what the initial ones would have become by the end of the first
    word is a constant per byte position. Bytes behind it are taken as zeros too, and the announced
    CRC is led through as many zero bytes, one a cycle, while the payload comes in.

    Latency 3 cycles from the last word to `o_done`; from `i_start` at least 5 cycles, and at least 2 and
    one for every byte that the payload leaves of its last word; 1 word per cycle.

    Attributes:
    ----------
    i_start: a payload starts. i_at: at this byte of the word that is at hand (`i_held`) 3 cycles later,
        or else of the next new one. i_size: bytes of it. i_expected: its CRC.
    i_word, i_held, i_fresh: the word at hand, whether there is one, and for one cycle: it is new.
    o_done: all of the payload has come in and is compared; from the cycle after `i_start` on.
    o_good: it is as announced.
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
        """Where it ends, in which word, what a word adds, the sum, the verdict: a register after each."""
        m, nbytes = Module(), self._bytes
        word_bits = nbytes.bit_length() - 1
        start = [self.i_start, *(Signal(name=f"start{i}") for i in (1, 2, 3))]
        m.d.sync += [after.eq(before) for before, after in pairwise(start)]
        end = Signal(33)
        at = Signal(range(nbytes))
        empty = Signal()
        with m.If(start[0]):
            m.d.sync += [end.eq(self.i_size + self.i_at), at.eq(self.i_at), empty.eq(self.i_size == 0)]

        # In the first and the last word only these bytes are the payload's.
        words = Signal(33 - word_bits)
        from_at, to_end = Signal(nbytes), Signal(nbytes)
        single = Signal()  # there is but one word
        with m.If(start[1]):
            last = (end - 1)[:word_bits]
            m.d.sync += [
                words.eq((end + (nbytes - 1)) >> word_bits),
                from_at.eq(Cat(byte >= at for byte in range(nbytes))),
                to_end.eq(Cat(byte <= last for byte in range(nbytes))),
                single.eq((end[word_bits + 1 :] == 0) & (~end[word_bits] | (end[:word_bits] == 0))),
            ]

        # The next word: whether there is one, its bytes, and what the initial ones become with it. An empty
        # payload has none, whatever word is at hand.
        use = Signal()
        some, one, two = Signal(), Signal(), Signal()
        keep = Signal(nbytes)
        at_once = Signal(CRC_BITS)
        after_ones = Array(Const(_after_zeros(nbytes - i), CRC_BITS) for i in range(nbytes))
        m.d.comb += use.eq(some & Mux(start[3], self.i_held, self.i_fresh))
        with m.If(start[2]):
            m.d.sync += [
                some.eq(~empty),
                one.eq(single),
                two.eq(words == 2),
                keep.eq(from_at & Mux(single, to_end, -1)),
                at_once.eq(after_ones[at]),
            ]
        with m.Elif(use):
            m.d.sync += [
                words.eq(words - 1),
                some.eq(~one),
                one.eq(two),
                two.eq(words == 3),
                keep.eq(Mux(two, to_end, -1)),
                at_once.eq(0),
            ]

        # What a word adds to the state does not depend on it.
        masked = Cat(Mux(kept, self.i_word.word_select(byte, 8), 0) for byte, kept in enumerate(keep))
        added = effects(m, masked)
        added_ones = Signal(CRC_BITS, reset_less=True)
        added_valid = Signal()
        m.d.sync += [added_ones.eq(at_once), added_valid.eq(use)]

        state = Signal(CRC_BITS)
        with m.If(start[2]):
            m.d.sync += state.eq(0)
        with m.Elif(added_valid):
            after = advance(state, nbytes)
            m.d.sync += state.eq(reduce(xor, [*added, added_ones], after))

        expected = Signal(CRC_BITS)
        zeros = Signal(range(nbytes))
        with m.If(self.i_start):
            m.d.sync += [expected.eq(~self.i_expected), zeros.eq(-(self.i_size + self.i_at))]
        with m.Elif(zeros != 0):
            m.d.sync += [expected.eq(advance(expected, 1)), zeros.eq(zeros - 1)]

        # The CRC of nothing is 0.
        m.d.sync += [
            self.o_done.eq(~some & (zeros == 0) & ~added_valid & ~Cat(start).any()),
            self.o_good.eq(Mux(empty, self.i_expected == 0, state == expected)),
        ]
        return m

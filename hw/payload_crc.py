"""The CRC of a payload, taken from words as they come in, wherever in them it starts and ends."""

from amaranth.hdl import Array, Const, Module, Mux, Signal
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

    Latency 3 cycles from the last word to `o_done`, or 2 * word bytes from `i_start` if that is later;
    1 word per cycle.

    Attributes:
    ----------
    i_start: a payload starts. i_at: at this byte of the word at hand, or of the next one that comes in
        if there is none at hand (`i_held` low). i_size: bytes of it. i_expected: its CRC.
    i_word, i_held: the word at hand. i_take, i_next: a word comes in.
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
                "i_next": In(8 * word_bytes),
                "i_take": In(1),
                "o_done": Out(1),
                "o_good": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Mask, then take in, then compare: a register after each."""
        m, nbytes = Module(), self._bytes
        left = Signal(33)
        first = Signal()
        at = Signal(range(nbytes))
        use = Signal()
        word = Signal(8 * nbytes)
        from_byte = Signal(range(nbytes))
        to_byte = Signal(range(nbytes + 1))
        ends_at = Signal(33)

        # left: bytes to come, counted from the start of the first word.
        m.d.comb += [
            use.eq(Mux(self.i_start, self.i_held | self.i_take, self.i_take & (left != 0))),
            word.eq(Mux(self.i_start & self.i_held, self.i_word, self.i_next)),
            ends_at.eq(Mux(self.i_start, self.i_size + self.i_at, left)),
            from_byte.eq(Mux(self.i_start, self.i_at, Mux(first, at, 0))),
            to_byte.eq(Mux(ends_at < nbytes, ends_at, nbytes)),
        ]
        with m.If(self.i_start):
            m.d.sync += [left.eq(ends_at), at.eq(self.i_at), first.eq(1)]
        with m.If(use):
            m.d.sync += [left.eq(ends_at - to_byte), first.eq(0)]

        masked = Signal(8 * nbytes)
        masked_valid = Signal()
        masked_first = Signal()
        masked_at = Signal.like(at)
        m.d.sync += [masked_valid.eq(use), masked_first.eq(self.i_start | first), masked_at.eq(from_byte)]
        for byte in range(nbytes):
            keep = (byte >= from_byte) & (byte < to_byte)
            m.d.sync += masked.word_select(byte, 8).eq(Mux(keep, word.word_select(byte, 8), 0))

        state = Signal(CRC_BITS)
        ones = Array(Const(_after_zeros(nbytes - i), CRC_BITS) for i in range(nbytes))
        with m.If(masked_valid):
            before = Mux(masked_first, 0, state)
            m.d.sync += state.eq(advance(before, masked) ^ Mux(masked_first, ones[masked_at], 0))

        # An empty payload has the CRC of nothing, whatever word is at hand.
        expected = Signal(CRC_BITS)
        zeros = Signal(range(nbytes))
        empty = Signal()
        with m.If(self.i_start):
            m.d.sync += [
                expected.eq(~self.i_expected),
                zeros.eq(-(self.i_size + self.i_at)),
                empty.eq(self.i_size == 0),
            ]
        with m.Elif(zeros != 0):
            m.d.sync += [expected.eq(advance(expected, Const(0, 8))), zeros.eq(zeros - 1)]

        settled = Signal()
        m.d.sync += [
            settled.eq((left == 0) & (zeros == 0) & ~use & ~masked_valid & ~self.i_start),
            self.o_good.eq(Mux(empty, self.i_expected == 0, state == expected)),
        ]
        m.d.comb += self.o_done.eq(settled & ~self.i_start)
        return m

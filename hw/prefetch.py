"""The words that have come from memory and wait to be decoded."""

from amaranth.hdl import Module, Mux, Shape, ShapeCastable, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out


class Prefetch(wiring.Component):
    """A FIFO in block RAM. Whoever writes sees to it that there is a place.

    Latency 3 cycles; 1 word in and 1 word out per cycle; back-pressure on `o`. A word's place is free
    when it leaves at `o`; then `depth` words can never be too many.

    Attributes:
    ----------
    i_word, i_write: a word comes in. o: words. o_some: words wait behind the one at `o`.
    """

    def __init__(self, shape: Shape | ShapeCastable, depth: int) -> None:
        self._shape, self._depth = shape, depth
        super().__init__(
            {"i_word": In(shape), "i_write": In(1), "o": Out(stream.Signature(shape)), "o_some": Out(1)}
        )

    def elaborate(self, _platform: object) -> Module:
        """Behind the RAM's own output register is another one: a RAM takes most of a cycle to answer.

        A place is read a cycle after it was written or later, so what a read gives while the same place
        is written is of no account; `no_rw_check` says so to Yosys, which would else add a bypass.
        """
        m = Module()
        m.submodules.words = words = memory.Memory(
            shape=self._shape, depth=self._depth, init=[], attrs={"no_rw_check": 1}
        )
        write, read = words.write_port(), words.read_port()
        following = Signal.like(read.addr, init=1 % self._depth)  # the place to read after the next one
        unread, answered = Signal(), Signal()  # words in the RAM, and at its output
        payload = Signal(self._shape, reset_less=True)
        moves = Signal()
        level = Signal(range(self._depth + 1))  # for who watches from outside

        def next_place(at: Signal) -> Mux:
            return Mux(at == self._depth - 1, 0, at + 1)

        m.d.comb += [
            write.data.eq(self.i_word),
            write.en.eq(self.i_write),
            moves.eq(~self.o.valid | self.o.ready),
            read.en.eq(unread & (~answered | moves)),
            self.o.payload.eq(payload),
            self.o_some.eq(unread | answered),
        ]
        m.d.sync += [
            unread.eq(self.i_write | Mux(read.en, following != write.addr, unread)),
            answered.eq(read.en | (answered & ~moves)),
            level.eq(level + self.i_write - (self.o.valid & self.o.ready)),
        ]
        with m.If(self.i_write):
            m.d.sync += write.addr.eq(next_place(write.addr))
        with m.If(read.en):
            m.d.sync += [read.addr.eq(following), following.eq(next_place(following))]
        with m.If(moves):
            m.d.sync += [self.o.valid.eq(answered), payload.eq(read.data)]
        return m

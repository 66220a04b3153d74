"""The words that have come from memory and wait to be decoded."""

from amaranth.hdl import Module, Mux, Shape, ShapeCastable, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out


class Prefetch(wiring.Component):
    """A FIFO in block RAM. Whoever writes sees to it that there is a place.

    Latency 2 cycles; 1 word in and 1 word out per cycle; back-pressure on `o`. It holds `depth` words
    besides the one at `o`.

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
        """The RAM's own output register is the output: a multiplexer behind it would come too late.

        A place is read a cycle after it was written or later, so what a read gives while the same place
        is written is of no account; `no_rw_check` says so to Yosys, which would else add a bypass.
        """
        m = Module()
        m.submodules.words = words = memory.Memory(
            shape=self._shape, depth=self._depth, init=[], attrs={"no_rw_check": 1}
        )
        write, read = words.write_port(), words.read_port()
        waiting = Signal(range(self._depth + 1))  # words behind the one at `o`
        level = Signal(range(self._depth + 2))  # all words, for who watches from outside

        def next_place(at: Signal) -> Mux:
            return Mux(at == self._depth - 1, 0, at + 1)

        m.d.comb += [
            write.data.eq(self.i_word),
            write.en.eq(self.i_write),
            read.en.eq(self.o_some & (~self.o.valid | self.o.ready)),
            self.o.payload.eq(read.data),
            level.eq(waiting + self.o.valid),
        ]
        m.d.sync += [
            waiting.eq(waiting + self.i_write - read.en),
            self.o_some.eq(self.i_write | Mux(read.en, waiting != 1, self.o_some)),
        ]
        with m.If(self.i_write):
            m.d.sync += write.addr.eq(next_place(write.addr))
        with m.If(read.en):
            m.d.sync += read.addr.eq(next_place(read.addr))
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += self.o.valid.eq(self.o_some)
        return m

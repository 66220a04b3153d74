"""From words of the bus to words of one beat, if the two are of different widths."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import DecoderParams


def ratio(p: DecoderParams) -> int:
    """How many times the wider word holds the narrower one."""
    return max(p.axi_bytes, p.beat_bytes) // min(p.axi_bytes, p.beat_bytes)


def bus_word_layout(p: DecoderParams) -> data.StructLayout:
    """A word of the bus. first, last: of its descriptor. error: the memory said SLVERR or DECERR.

    place: with `first`, the narrower word within the wider one at which the descriptor starts.
    """
    return data.StructLayout(
        {"data": p.axi_bits, "first": 1, "last": 1, "error": 1, "place": range(ratio(p))}
    )


def word_layout(p: DecoderParams) -> data.StructLayout:
    """A word of one beat: data, last of its descriptor, response in error."""
    return data.StructLayout({"data": 8 * p.beat_bytes, "last": 1, "error": 1})


class Gearbox(wiring.Component):
    """Joins or splits words.

    Latency 0 cycles for equal widths, else 1; 1 bus word per cycle when joining, 1 beat per cycle when
    splitting; back-pressure on `o`. Beats are aligned in memory like the words of a bus of their width,
    so in a descriptor's first beat the bytes before its first bus word are undefined.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i": In(stream.Signature(bus_word_layout(p))),
                "o": Out(stream.Signature(word_layout(p))),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from `i` to `o`."""
        return 0 if ratio(self._p) == 1 else 1

    def elaborate(self, _platform: object) -> Module:
        """Which of three: nothing, a beat being filled, or a bus word being emptied."""
        m = Module()
        if ratio(self._p) == 1:
            m.d.comb += [
                self.o.p.data.eq(self.i.p.data),
                self.o.p.last.eq(self.i.p.last),
                self.o.p.error.eq(self.i.p.error),
                self.o.valid.eq(self.i.valid),
                self.i.ready.eq(self.o.ready),
            ]
        elif self._p.axi_bytes < self._p.beat_bytes:
            self._join(m)
        else:
            self._split(m)
        return m

    def _join(self, m: Module) -> None:
        p = self._p
        place = Signal(range(ratio(p)))
        here = Mux(self.i.p.first, self.i.p.place, place)
        full = (here == ratio(p) - 1) | self.i.p.last
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & full)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.o.p.error.eq(0)  # of the next beat nothing is known yet
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                self.o.p.data.word_select(here, p.axi_bits).eq(self.i.p.data),
                self.o.p.last.eq(self.i.p.last),
                self.o.p.error.eq(self.i.p.error | (self.o.p.error & ~self.o.valid)),
                place.eq(Mux(full, 0, here + 1)),
            ]

    def _split(self, m: Module) -> None:
        p = self._p
        word = Signal(bus_word_layout(p))
        place = Signal(range(ratio(p)))
        final = place == ratio(p) - 1
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | (self.o.ready & final)),
            self.o.p.data.eq(word.data.word_select(place, 8 * p.beat_bytes)),
            self.o.p.last.eq(word.last & final),
            self.o.p.error.eq(word.error),
        ]
        with m.If(self.i.ready):
            m.d.sync += [
                self.o.valid.eq(self.i.valid),
                word.eq(self.i.payload),
                place.eq(Mux(self.i.p.first, self.i.p.place, 0)),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += place.eq(place + 1)

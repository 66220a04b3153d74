"""From vectors of values to AXI4-Stream words."""

from amaranth.hdl import Array, Module, Mux, Shape, ShapeCastable, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import DecoderParams


def vector_layout(p: DecoderParams) -> data.StructLayout:
    """Values on their way out, in order.

    values: the first in the lowest bits. keep: which are there. width_log2: the vector is this wide;
    the rest of it is not looked at. end: the tensor ends with it. bad: because of an error.
    """
    return data.StructLayout(
        {
            "values": data.ArrayLayout(p.value_bits, p.out_values),
            "keep": p.out_values,
            "width_log2": range(p.out_values.bit_length()),
            "end": 1,
            "bad": 1,
        }
    )


def word_layout(p: DecoderParams) -> data.StructLayout:
    """An output word: values, which of them are there, whether the tensor ends, and badly so."""
    return data.StructLayout(
        {"values": p.value_bits * p.out_values, "keep": p.out_values, "end": 1, "bad": 1}
    )


class Packer(wiring.Component):
    """Gathers vectors of fewer values into full words.

    Latency 1 cycle; 1 vector per cycle; back-pressure on `o`. Only the tensor's last word may be
    partly filled.

    i_will_block: `o.ready` is low in the next cycle. o_blocked: `i.ready` is low, from a register.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i": In(stream.Signature(vector_layout(p))),
                "o": Out(stream.Signature(word_layout(p))),
                "i_will_block": In(1),
                "o_blocked": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Every width divides the word, so a vector is copied all over it and written where due."""
        p, m = self._p, Module()
        widths = [1 << log2 for log2 in range(p.out_values.bit_length())]
        place = Signal(range(p.out_values))
        after = Signal(range(p.out_values + 1))
        accepted = Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            accepted.eq(self.i.valid & self.i.ready),
            after.eq(place + (1 << self.i.p.width_log2)),
        ]
        filled = Signal()
        m.d.comb += filled.eq((after == p.out_values) | self.i.p.end)
        still = self.o.valid & ~self.o.ready
        m.d.sync += self.o_blocked.eq(self.i_will_block & Mux(accepted, filled, still))
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(accepted):
            m.d.sync += [
                place.eq(Mux(self.i.p.end, 0, after)),
                self.o.valid.eq(filled),
                self.o.p.end.eq(self.i.p.end),
                self.o.p.bad.eq(self.i.p.bad),
            ]
        for value in range(p.out_values):
            sources = Array(value % width for width in widths)
            source = sources[self.i.p.width_log2]
            due = (value >= place) & (value < after)
            with m.If(accepted & due):
                m.d.sync += [
                    self.o.p.values.word_select(value, p.value_bits).eq(self.i.p.values[source]),
                    self.o.p.keep[value].eq(self.i.p.keep.bit_select(source, 1)),
                ]
            with m.Elif(accepted & (place == 0)):
                m.d.sync += self.o.p.keep[value].eq(0)
        return m


class Skid(wiring.Component):
    """Two registers between stages: neither side's handshake is combinational on the other's.

    Latency 1 cycle; 1 transfer per cycle; back-pressure on `o`. AXI4-Stream's rules hold at `o`: it
    does not wait for ready, and its payload stays until taken (IHI 0051, 2.2). `o_will_block`: `i.ready` is
    low in the next cycle.
    """

    def __init__(self, shape: Shape | ShapeCastable) -> None:
        self._shape = shape
        super().__init__(
            {"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)), "o_will_block": Out(1)}
        )

    def elaborate(self, _platform: object) -> Module:
        """The spare register holds what came in while the output was blocked."""
        m = Module()
        payload, spare = Signal(self._shape, reset_less=True), Signal(self._shape, reset_less=True)
        spare_valid = Signal()
        m.d.comb += [
            self.o.payload.eq(payload),
            self.i.ready.eq(~spare_valid),
            self.o_will_block.eq(self.o.valid & ~self.o.ready & (spare_valid | self.i.valid)),
        ]
        with m.If(~self.o.valid | self.o.ready):
            with m.If(spare_valid):
                m.d.sync += [payload.eq(spare), self.o.valid.eq(1), spare_valid.eq(0)]
            with m.Else():
                m.d.sync += [payload.eq(self.i.payload), self.o.valid.eq(self.i.valid)]
        with m.Elif(self.i.valid):
            m.d.sync += spare_valid.eq(1)
        with m.If(~spare_valid):
            m.d.sync += spare.eq(self.i.payload)
        return m

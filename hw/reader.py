"""The AXI4 read manager: from an address and a length to words."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.axi import PAGE_BYTES, Axi4Read, Burst, Resp
from atalanta.hw.gearbox import Gearbox, bus_word_layout, ratio, word_layout
from atalanta.hw.prefetch import Prefetch

LENGTH_BITS = 32


def descriptor_layout(p: DecoderParams) -> data.StructLayout:
    """What to read: a byte address, any alignment, and a number of bytes, at least 1."""
    return data.StructLayout({"address": p.address_bits, "length": LENGTH_BITS})


class Reader(wiring.Component):
    """Reads descriptors one after the other, in INCR bursts, as far ahead as there is room.

    Every burst has its place in the prefetch FIFO before it is asked for, so RREADY is always high.
    Bursts are as long as `burst_beats`, the 4 KiB rule and the descriptor allow. The next
    descriptor's bursts follow the last one's without a pause.

    Latency 5 cycles from descriptor to ARVALID, 3 (with a gearbox 4) from R to `o`; 1 bus word per cycle
    and 1 burst every 2; any back-pressure on AR and `o`.

    Attributes:
    ----------
    i: descriptors. m_axi: the memory. o: words of one beat, the first one holding the first byte.
    i_stop: ask for nothing more and forget the descriptor. Bursts already asked for still come.
    o_idle: nothing is asked for, under way or waiting at `o`; a cycle late.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i": In(stream.Signature(descriptor_layout(p))),
                "m_axi": Out(Axi4Read(p.address_bits, p.axi_bits)),
                "o": Out(stream.Signature(word_layout(p))),
                "i_stop": In(1),
                "o_idle": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Length, burst, room, AR: a register after each, so that no path is long."""
        p, m = self._p, Module()
        m.submodules.prefetch = prefetch = Prefetch(bus_word_layout(p), p.prefetch)
        m.submodules.gearbox = gearbox = Gearbox(p)
        kind = data.StructLayout({"first": 1, "last": 1, "place": range(ratio(p))})
        m.submodules.bursts = bursts = fifo.SyncFIFO(width=kind.size, depth=p.outstanding)
        shift = p.axi_bytes.bit_length() - 1
        page_words = PAGE_BYTES // p.axi_bytes
        axi = self.m_axi

        # What is left of the descriptor, in words, and the next burst of it.
        at = Signal(p.address_bits - shift)
        left = Signal(LENGTH_BITS - shift + 1)
        none = Signal(init=1)  # nothing is left
        first = Signal()
        place = Signal(range(ratio(p)))
        length = Signal(range(p.burst_beats + 1))
        length_known = Signal()
        burst = Signal.like(length)
        burst_at = Signal.like(at)
        burst_kind = Signal(kind)
        burst_valid = Signal()
        fits = Signal()
        load, issue = Signal(), Signal()
        # The smallest of three, found by comparisons side by side.
        in_page = at[: (page_words - 1).bit_length()]
        low_bits = p.burst_beats.bit_length()
        low, high = left[:low_bits], left[low_bits:] != 0
        page_first = (in_page > page_words - p.burst_beats) & (high | (in_page + low > page_words))
        limit = Mux(high | (low > p.burst_beats), p.burst_beats, low)
        m.d.comb += [
            self.i.ready.eq(none & ~self.i_stop),
            load.eq(length_known & (~burst_valid | issue)),
        ]
        m.d.sync += [
            length.eq(Mux(page_first, page_words - in_page, limit)),
            length_known.eq(~none & ~load),
        ]
        with m.If(self.i.valid & self.i.ready):
            start = self.i.p.address
            end = start[:shift] + self.i.p.length + (p.axi_bytes - 1)
            m.d.sync += [
                at.eq(start[shift:]),
                left.eq(end[shift:]),
                none.eq(0),
                first.eq(1),
                place.eq(start[min(p.axi_bytes, p.beat_bytes).bit_length() - 1 :]),
            ]
        with m.If(load):
            m.d.sync += [
                burst.eq(length),
                burst_at.eq(at),
                burst_kind.first.eq(first),
                burst_kind.last.eq(length == left),
                burst_kind.place.eq(place),
                burst_valid.eq(1),
                at.eq(at + length),
                left.eq(left - length),
                none.eq(length == left),
                first.eq(0),
            ]
        with m.Elif(issue):
            m.d.sync += burst_valid.eq(0)

        # Ask when there is room for all of it, and for what is known of it; room once found does not go away.
        free = Signal(range(p.prefetch + 1), init=p.prefetch)
        popped = Signal()
        m.d.comb += issue.eq(fits & (~axi.arvalid | axi.arready) & ~self.i_stop)
        m.d.sync += [
            free.eq(free + popped - Mux(issue, burst, 0)),
            fits.eq(burst_valid & (free >= burst) & bursts.w_rdy & ~issue),
        ]
        with m.If(self.i_stop):
            m.d.sync += [none.eq(1), length_known.eq(0), burst_valid.eq(0), fits.eq(0)]
        with m.If(issue):
            m.d.sync += [
                axi.arvalid.eq(1),
                axi.araddr.eq(burst_at << shift),
                axi.arlen.eq(burst - 1),
            ]
        with m.Elif(axi.arready):
            m.d.sync += axi.arvalid.eq(0)
        m.d.comb += [
            bursts.w_data.eq(burst_kind),
            bursts.w_en.eq(issue),
            axi.arsize.eq(shift),
            axi.arburst.eq(Burst.INCR),
            axi.arcache.eq(Const(0b0010)),  # normal, non-cacheable, non-bufferable
            axi.arprot.eq(Const(0b010)),  # unprivileged, non-secure, data
        ]

        # Words come in; a burst's place is free again with its last.
        incoming = data.View(kind, bursts.r_data)
        word = prefetch.i_word
        in_burst = Signal()
        with m.If(axi.rvalid):
            m.d.sync += in_burst.eq(~axi.rlast)
        m.d.comb += [
            axi.rready.eq(1),
            prefetch.i_write.eq(axi.rvalid),
            word.data.eq(axi.rdata),
            word.first.eq(incoming.first & ~in_burst),
            word.last.eq(incoming.last & axi.rlast),
            word.error.eq((axi.rresp == Resp.SLVERR) | (axi.rresp == Resp.DECERR)),
            word.place.eq(incoming.place),
            bursts.r_en.eq(axi.rvalid & axi.rlast),
            gearbox.i.payload.eq(prefetch.o.payload),
            gearbox.i.valid.eq(prefetch.o.valid),
            prefetch.o.ready.eq(gearbox.i.ready),
            popped.eq(prefetch.o.valid & prefetch.o.ready),
        ]
        m.d.sync += self.o_idle.eq(
            none
            & ~(self.i.valid & self.i.ready)
            & ~burst_valid
            & ~axi.arvalid
            & ~bursts.r_rdy
            & ~prefetch.o_some
            & ~prefetch.o.valid
            & ~gearbox.o.valid
        )
        connect(m, gearbox.o, flipped(self.o))
        return m

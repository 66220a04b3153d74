"""The AXI4 read manager: from an address and a length to bus words."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.axi import PAGE_BYTES, Axi4Read, Burst, Resp

LENGTH_BITS = 32


def descriptor_layout(p: DecoderParams) -> data.StructLayout:
    """What to read: a byte address, any alignment, and a number of bytes, at least 1."""
    return data.StructLayout({"address": p.address_bits, "length": LENGTH_BITS})


def word_layout(p: DecoderParams) -> data.StructLayout:
    """A bus word. last: the last of its descriptor. error: the memory answered SLVERR or DECERR."""
    return data.StructLayout({"data": p.axi_bits, "last": 1, "error": 1})


class Reader(wiring.Component):
    """Reads descriptors one after the other, in INCR bursts, as far ahead as there is room.

    Every burst has its place in the prefetch FIFO before it is asked for, so RREADY is always high.
    Bursts are as long as `burst_beats`, the 4 KiB rule and the descriptor allow. The next
    descriptor's bursts follow the last one's without a pause.

    Latency 2 cycles from descriptor to ARVALID, 1 from R to `o`; 1 bus word per cycle, 1 burst per 2
    cycles; any back-pressure on AR and `o`.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i": In(stream.Signature(descriptor_layout(p))),
                "m_axi": Out(Axi4Read(p.address_bits, p.axi_bits)),
                "o": Out(stream.Signature(word_layout(p))),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Two registers in turn, the burst to ask for and AR, so that neither path is long."""
        p, m = self._p, Module()
        m.submodules.prefetch = prefetch = fifo.SyncFIFO(width=word_layout(p).size, depth=p.prefetch)
        m.submodules.ends = ends = fifo.SyncFIFO(width=1, depth=p.outstanding)
        shift = p.axi_bytes.bit_length() - 1
        page_words = PAGE_BYTES // p.axi_bytes
        axi = self.m_axi

        # What is left of the descriptor, in words, and the next burst of it.
        at = Signal(p.address_bits - shift)
        left = Signal(LENGTH_BITS - shift + 1)
        with m.If(self.i.valid & self.i.ready):
            start = self.i.p.address
            end = start[:shift] + self.i.p.length + (p.axi_bytes - 1)
            m.d.sync += [at.eq(start[shift:]), left.eq(end[shift:])]

        burst = Signal(range(p.burst_beats + 1))
        burst_at = Signal.like(at)
        burst_ends = Signal()
        burst_valid = Signal()
        issue = Signal()
        to_page = page_words - at[: (page_words - 1).bit_length()]
        limit = Mux(left < p.burst_beats, left, p.burst_beats)
        length = Mux(to_page < limit, to_page, limit)[: len(burst)]
        m.d.comb += self.i.ready.eq((left == 0))
        with m.If((left != 0) & (~burst_valid | issue)):
            m.d.sync += [
                burst.eq(length),
                burst_at.eq(at),
                burst_ends.eq(length == left),
                burst_valid.eq(1),
                at.eq(at + length),
                left.eq(left - length),
            ]
        with m.Elif(issue):
            m.d.sync += burst_valid.eq(0)

        # Ask when there is room for all of it.
        free = Signal(range(p.prefetch + 1), init=p.prefetch)
        popped = Signal()
        m.d.comb += issue.eq(
            burst_valid & (free >= burst) & ends.w_rdy & (~axi.arvalid | axi.arready)
        )
        m.d.sync += free.eq(free + popped - Mux(issue, burst, 0))
        with m.If(issue):
            m.d.sync += [
                axi.arvalid.eq(1),
                axi.araddr.eq(burst_at << shift),
                axi.arlen.eq(burst - 1),
            ]
        with m.Elif(axi.arready):
            m.d.sync += axi.arvalid.eq(0)
        m.d.comb += [
            ends.w_data.eq(burst_ends),
            ends.w_en.eq(issue),
            axi.arsize.eq(shift),
            axi.arburst.eq(Burst.INCR),
            axi.arcache.eq(Const(0b0010)),  # normal, non-cacheable, non-bufferable
            axi.arprot.eq(Const(0b010)),  # unprivileged, non-secure, data
        ]

        # Words come in; the burst's place in `ends` is free again with its last.
        word = data.View(word_layout(p), prefetch.w_data)
        m.d.comb += [
            axi.rready.eq(1),
            prefetch.w_en.eq(axi.rvalid),
            word.data.eq(axi.rdata),
            word.last.eq(axi.rlast & ends.r_data),
            word.error.eq((axi.rresp == Resp.SLVERR) | (axi.rresp == Resp.DECERR)),
            ends.r_en.eq(axi.rvalid & axi.rlast),
            self.o.payload.eq(prefetch.r_data),
            self.o.valid.eq(prefetch.r_rdy),
            prefetch.r_en.eq(self.o.ready),
            popped.eq(self.o.valid & self.o.ready),
        ]
        return m

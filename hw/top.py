"""The decoder: a compressed tensor in memory comes in over AXI4, its values leave on AXI4-Stream."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.format import BLOCK_BYTES
from atalanta.hw.aligner import Aligner
from atalanta.hw.axi import Axi4Read, AxiStream
from atalanta.hw.header import CODE_BITS, Header, start_layout
from atalanta.hw.lanes import Lanes
from atalanta.hw.output import Packer, Skid, word_layout
from atalanta.hw.reader import Reader, descriptor_layout
from atalanta.hw.unpacker import Unpacker

DESCRIPTORS = 4
"""Tensors that can be read ahead of the one being parsed."""


class Decoder(wiring.Component):
    """Reads compressed tensors and streams their values out, in order.

    Latency: memory latency + header blocks + lanes + W + about 20 cycles to the first values; then
    one value per lane and cycle while the memory keeps up.

    Parameters
    ----------
    p: DecoderParams

    Attributes
    ----------
    i: where a tensor's stream lies: byte address (any alignment) and length. Streams follow each
        other without a pause.
    m_axi: the memory. m_axis: the values; TLAST ends a tensor.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i": In(stream.Signature(descriptor_layout(p))),
                "m_axi": Out(Axi4Read(p.address_bits, p.axi_bits)),
                "m_axis": Out(AxiStream(p.value_bits * p.out_values, p.value_bits * p.out_values // 8)),
                "o_error": Out(1),
                "o_code": Out(CODE_BITS),
                "o_idle": Out(1),
                "o_slots": Out(32),
                "o_blocked": Out(32),
                "o_late": Out(32),
                "o_routing": Out(32),
                "o_setup": Out(32),
                "o_drain": Out(32),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Memory, words, pieces, segments, vectors, words: each arrow is one component."""
        p, m = self._p, Module()
        m.submodules.reader = reader = Reader(p)
        m.submodules.starts = starts = fifo.SyncFIFO(width=start_layout(p).size, depth=DESCRIPTORS)
        m.submodules.aligner = aligner = Aligner(p)
        m.submodules.header = header = Header(p)
        m.submodules.lanes = lanes = Lanes(p)
        m.submodules.unpacker = unpacker = Unpacker(p)
        m.submodules.packer = packer = Packer(p)
        m.submodules.skid = skid = Skid(word_layout(p))

        # A descriptor goes to the reader and, as a start, to the parser.
        start = data.View(start_layout(p), starts.w_data)
        m.d.comb += [
            self.i.ready.eq(reader.i.ready & starts.w_rdy),
            reader.i.valid.eq(self.i.valid & starts.w_rdy),
            reader.i.payload.eq(self.i.payload),
            starts.w_en.eq(self.i.valid & reader.i.ready),
            start.offset.eq(self.i.p.address),
            start.length.eq(self.i.p.length),
            header.i.payload.eq(starts.r_data),
            header.i.valid.eq(starts.r_rdy),
            starts.r_en.eq(header.i.ready),
        ]
        connect(m, flipped(self.m_axi), reader.m_axi)
        connect(m, reader.o, aligner.i)

        # Pieces: headers to the parser, payloads to whoever decodes.
        serve = lanes.o_serve
        size_m1 = Mux(
            ~header.o_payload, BLOCK_BYTES - 1, Mux(serve.valid, serve.p.size_m1, unpacker.o_size_m1)
        )
        pulls = header.o_payload & (serve.valid | unpacker.o_pull)
        to_lanes, to_unpacker = Signal(), Signal()
        m.d.comb += [
            aligner.i_open.eq(header.o_open),
            aligner.i_offset.eq(header.o_offset),
            aligner.i_drop.eq(header.o_drop),
            aligner.i_pull.eq(header.o_pull | pulls),
            aligner.i_size_m1.eq(size_m1),
            serve.ready.eq(header.o_payload & aligner.o_pulled),
            unpacker.i_pulled.eq(header.o_payload & aligner.o_pulled & ~serve.valid),
            header.i_busy.eq(aligner.o_busy),
            header.i_pulled.eq(aligner.o_pulled),
            header.i_piece.eq(aligner.o_piece),
            header.i_valid.eq(aligner.o_valid),
            header.i_taken.eq(Mux(header.o_payload & aligner.o_pulled, size_m1 + 1, 0)),
            lanes.i_beat.eq(aligner.o_piece),
            lanes.i_beat_valid.eq(to_lanes),
            lanes.i_load.eq(header.o_load),
            lanes.i_beats.eq(header.o_beats),
            lanes.i_tail_m1.eq(header.o_tail_m1),
            lanes.i_prime.eq(header.o_prime),
            unpacker.i_beat.eq(aligner.o_piece),
            unpacker.i_beat_valid.eq(to_unpacker),
        ]
        m.d.sync += [to_lanes.eq(serve.valid & serve.ready), to_unpacker.eq(unpacker.i_pulled)]

        # Segments to one decoder at a time, so that vectors stay in order.
        lanes_done = ~lanes.o_active & ~lanes.o.valid
        unpacker_done = ~unpacker.o_active & ~unpacker.o.valid
        m.d.comb += [
            lanes.i.payload.eq(header.o_atalanta.payload),
            lanes.i.valid.eq(header.o_atalanta.valid & unpacker_done),
            header.o_atalanta.ready.eq(lanes.i.ready & unpacker_done),
            unpacker.i.payload.eq(header.o_groups.payload),
            unpacker.i.valid.eq(header.o_groups.valid & lanes_done),
            header.o_groups.ready.eq(unpacker.i.ready & lanes_done),
            packer.i.payload.eq(Mux(lanes.o.valid, lanes.o.payload, unpacker.o.payload)),
            packer.i.valid.eq(lanes.o.valid | unpacker.o.valid),
            lanes.o.ready.eq(packer.i.ready),
            unpacker.o.ready.eq(packer.i.ready),
        ]
        connect(m, packer.o, skid.i)
        per_byte = Cat(skid.o.p.keep[i * 8 // p.value_bits] for i in range(len(self.m_axis.tkeep)))
        m.d.comb += [
            self.m_axis.tdata.eq(skid.o.p.values),
            self.m_axis.tkeep.eq(per_byte),
            self.m_axis.tlast.eq(skid.o.p.end),
            self.m_axis.tvalid.eq(skid.o.valid),
            skid.o.ready.eq(self.m_axis.tready),
        ]

        # Every cycle of a tensor has one cause.
        busy = Signal()
        ended = Signal()
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [busy.eq(1), ended.eq(0)]
        done = skid.o.valid & skid.o.ready & skid.o.p.end
        with m.If(done):
            m.d.sync += busy.eq(0)
        m.d.comb += self.o_idle.eq(~busy)
        with m.If(busy):
            with m.If(lanes.o_slot | unpacker.o_slot):
                m.d.sync += self.o_slots.eq(self.o_slots + 1)
            with m.Elif(lanes.o_blocked | unpacker.o_blocked):
                m.d.sync += self.o_blocked.eq(self.o_blocked + 1)
            with m.Elif(aligner.o_starved):
                m.d.sync += self.o_late.eq(self.o_late + 1)
            with m.Elif(lanes.o_active | unpacker.o_active):
                m.d.sync += self.o_routing.eq(self.o_routing + 1)
            with m.Else():
                m.d.sync += self.o_setup.eq(self.o_setup + 1)
        with m.If(header.o_error):
            m.d.sync += [self.o_error.eq(1), self.o_code.eq(header.o_code)]
        return m

"""The decoder's core: descriptors in, AXI4 reads, values out on AXI4-Stream."""

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import ErrorCode
from atalanta.hw.aligner import Aligner
from atalanta.hw.axi import Axi4Read, AxiStream
from atalanta.hw.counters import Counters
from atalanta.hw.header import CODE_BITS, Header, start_layout
from atalanta.hw.lanes import Lanes
from atalanta.hw.output import Packer, Skid, vector_layout, word_layout
from atalanta.hw.payload_crc import PayloadCrc
from atalanta.hw.reader import Reader, descriptor_layout
from atalanta.hw.unpacker import Unpacker

DESCRIPTORS = 4
"""Descriptors that may wait for the one at work."""


class Core(wiring.Component):
    """Reads compressed tensors and streams their values out, in order.

    Latency: memory latency + header blocks + lanes + W + about 20 cycles to the first values; from
    then on one value per lane and cycle (16 per cycle for ShapeShifter and raw) while the memory keeps
    up. Descriptors follow each other without a pause: the next header is parsed while the last values
    of the tensor before are decoded. Any back-pressure on `m_axis`.

    Each descriptor gives one packet on `m_axis`. TUSER with TLAST says that the tensor was not good;
    the values before are as they were decoded. After an error nothing more is read, what was asked
    for is taken and thrown away, waiting descriptors are forgotten, and `o_code` stays until
    `i_clear`.

    Attributes:
    ----------
    i: where a tensor's stream lies: byte address (any alignment) and length.
    m_axi: the memory. m_axis: the values.
    i_abort: stop what is going on, as an error.
    i_clear: forget the error; taken when `o_halted` is high.
    o_busy: a descriptor is at work or waiting.
    o_halted: stopped after an error, the bus is idle.
    o_code: the error.
    o_done: a tensor has ended well, for one cycle.
    o_counters: see `Counters`; i_clear_counters sets them to 0.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        self._counters = Counters(p.out_values)
        counters = {
            name: member for name, member in self._counters.signature.members.items() if member.flow == Out
        }
        out_bits = p.value_bits * p.out_values
        super().__init__(
            {
                "i": In(stream.Signature(descriptor_layout(p))),
                "m_axi": Out(Axi4Read(p.address_bits, p.axi_bits)),
                "m_axis": Out(AxiStream(out_bits, out_bits // 8)),
                "i_abort": In(1),
                "i_clear": In(1),
                "i_clear_counters": In(1),
                "o_busy": Out(1),
                "o_halted": Out(1),
                "o_code": Out(CODE_BITS),
                "o_done": Out(1),
                **counters,
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Memory, words, pieces, segments, vectors, words: each arrow is one component.

        All of them between the reader and the output are reset by an error, and only by that: a cycle
        after it, from registers, since that goes to hundreds of others.
        """
        p, m = self._p, Module()
        flush = Signal()
        flush_decoders = Signal()
        starts = fifo.SyncFIFO(width=start_layout(p).size, depth=DESCRIPTORS)
        aligner, header = Aligner(p), Header(p)
        payload_crc = PayloadCrc(p.beat_bytes)
        lanes, unpacker = Lanes(p), Unpacker(p)
        m.submodules.reader = reader = Reader(p)
        m.submodules.starts = ResetInserter(flush)(starts)
        m.submodules.aligner = ResetInserter(flush)(aligner)
        m.submodules.header = ResetInserter(flush)(header)
        m.submodules.payload_crc = ResetInserter(flush)(payload_crc)
        m.submodules.lanes = ResetInserter(flush_decoders)(lanes)
        m.submodules.unpacker = ResetInserter(flush_decoders)(unpacker)
        m.submodules.packer = packer = Packer(p)
        m.submodules.skid = skid = Skid(word_layout(p))
        m.submodules.counters = counters = self._counters
        stopping = Signal()

        # A descriptor goes to the reader and, as a start, to the parser.
        start = data.View(start_layout(p), starts.w_data)
        accepts = starts.w_rdy & ~stopping & ~self.o_halted
        m.d.comb += [
            self.i.ready.eq(reader.i.ready & accepts),
            reader.i.valid.eq(self.i.valid & accepts),
            reader.i.payload.eq(self.i.payload),
            reader.i_stop.eq(stopping),
            starts.w_en.eq(self.i.valid & self.i.ready),
            start.offset.eq(self.i.p.address),
            start.length.eq(self.i.p.length),
            header.i.payload.eq(starts.r_data),
            header.i.valid.eq(starts.r_rdy),
            starts.r_en.eq(header.i.ready),
        ]
        connect(m, flipped(self.m_axi), reader.m_axi)
        connect(m, reader.o, aligner.i)  # while the aligner is reset it takes whatever comes

        # Pieces: headers to the parser, payloads to whoever decodes.
        serve = lanes.o_serve
        decoder_pulls = header.o_payload & (serve.valid | unpacker.o_pull)
        pull = header.o_pull | decoder_pulls
        decoder_size_m1 = Mux(serve.valid, serve.p.size_m1, unpacker.o_size_m1)
        size_m1 = Mux(header.o_payload, decoder_size_m1, header.o_size_m1)
        m.d.comb += [
            aligner.i_open.eq(header.o_open),
            aligner.i_offset.eq(header.o_offset),
            aligner.i_drop.eq(header.o_drop),
            aligner.i_pull.eq(pull),
            aligner.i_size_m1.eq(size_m1),
            aligner.i_tag.header.eq(~header.o_payload),
            aligner.i_tag.unpacker.eq(header.o_payload & ~serve.valid),
            aligner.i_tag.lane.eq(Mux(header.o_payload & serve.valid, serve.p.lane, 0)),
            aligner.i_tag.last.eq(serve.p.last),
            serve.ready.eq(header.o_payload & aligner.o_accepts),
            unpacker.i_pulled.eq(header.o_payload & unpacker.o_pull & aligner.o_accepts & ~serve.valid),
            header.i_busy.eq(aligner.o_busy),
            header.i_bus_error.eq(aligner.o_error),
            header.i_piece.eq(aligner.o_piece),
            header.i_valid.eq(aligner.o_valid & aligner.o_tag.header),
            header.i_pulled.eq(pull & aligner.o_accepts),
            header.i_pulled_m1.eq(size_m1),
            payload_crc.i_start.eq(header.o_payload_start),
            payload_crc.i_at.eq(aligner.o_at),
            payload_crc.i_size.eq(header.o_payload_size),
            payload_crc.i_expected.eq(header.o_payload_crc),
            payload_crc.i_word.eq(aligner.o_word),
            payload_crc.i_held.eq(aligner.o_held),
            payload_crc.i_fresh.eq(aligner.o_fresh),
            header.i_crc_done.eq(payload_crc.o_done),
            header.i_crc_good.eq(payload_crc.o_good),
            lanes.i_beat.eq(aligner.o_piece),
            lanes.i_beat_valid.eq(aligner.o_valid),
            lanes.i_served.lane.eq(aligner.o_tag.lane),
            lanes.i_served.last.eq(aligner.o_tag.last),
            lanes.i_served.size_m1.eq(aligner.o_piece_size_m1),
            lanes.i_load.eq(header.o_load),
            lanes.i_beats.eq(header.o_beats),
            lanes.i_one.eq(header.o_one),
            lanes.i_tail_m1.eq(header.o_tail_m1),
            lanes.i_prime.eq(header.o_prime),
            unpacker.i_beat.eq(aligner.o_piece),
            unpacker.i_beat_valid.eq(aligner.o_valid & aligner.o_tag.unpacker),
        ]

        # Segments to one decoder at a time, so that vectors stay in order.
        lanes_done = ~lanes.o_active & ~lanes.o_emits & ~lanes.o.valid
        unpacker_done = ~unpacker.o_active & ~unpacker.o.valid
        illegal = lanes.o_illegal | unpacker.o_illegal
        held = Signal()  # all but a tensor's last vector is out, and that one waits for its checks
        m.d.comb += [
            lanes.i.payload.eq(header.o_atalanta.payload),
            lanes.i.valid.eq(header.o_atalanta.valid & unpacker_done),
            header.o_atalanta.ready.eq(lanes.i.ready & unpacker_done),
            unpacker.i.payload.eq(header.o_groups.payload),
            unpacker.i.valid.eq(header.o_groups.valid & lanes_done),
            header.o_groups.ready.eq(unpacker.i.ready & lanes_done),
        ]
        m.d.sync += [
            header.i_settled.eq((lanes_done & unpacker_done) | held),
            header.i_bad.eq(illegal | lanes.o_not_whole | unpacker.o_not_whole),
            header.i_bad_code.eq(Mux(illegal, ErrorCode.VALUE, ErrorCode.LANE)),
        ]

        # Vectors. A tensor's last waits until all of its checks have been good.
        vector = Signal(vector_layout(p))
        vector_valid = Signal()
        passes = Signal()
        waited, all_said = Signal(), Signal()  # a tensor's last vector: errors have come in meanwhile
        said_good = Signal()  # ... and it was good
        good = Signal(range(4))
        terminator = Signal()
        failing = stopping | header.o_error
        m.d.sync += [
            waited.eq(vector_valid & vector.end),
            all_said.eq(vector_valid & vector.end & waited),
            said_good.eq(lanes.i_said),
        ]
        m.d.comb += lanes.i_said.eq(vector_valid & vector.end & waited & ((good != 0) | header.o_good))
        m.d.comb += [
            vector.eq(Mux(lanes.o.valid, lanes.o.payload, unpacker.o.payload)),
            vector_valid.eq(lanes.o.valid | unpacker.o.valid),
            passes.eq(~vector.end | said_good),
            held.eq(vector_valid & vector.end & (good == 0) & all_said),
            packer.i.payload.eq(vector),
            packer.i.valid.eq((vector_valid & passes & ~failing) | terminator),
            # Decoders know late in a cycle whether they move on, so they learn early what may pass.
            packer.i_will_block.eq(skid.o_will_block),
            lanes.o.ready.eq(~packer.o_blocked),
            unpacker.o.ready.eq(packer.i.ready & (~unpacker.o.p.end | said_good)),
        ]
        ends = vector_valid & vector.end & passes & packer.i.ready & ~failing
        m.d.sync += good.eq(good + header.o_good - ends)
        with m.If(terminator):
            m.d.comb += [packer.i.p.keep.eq(0), packer.i.p.end.eq(1), packer.i.p.bad.eq(1)]
        connect(m, packer.o, skid.i)
        keep = Cat(skid.o.p.keep[i * 8 // p.value_bits] for i in range(len(self.m_axis.tkeep)))
        leaves = skid.o.valid & skid.o.ready
        m.d.comb += [
            self.m_axis.tdata.eq(skid.o.p.values),
            self.m_axis.tkeep.eq(keep),
            self.m_axis.tlast.eq(skid.o.p.end),
            self.m_axis.tuser.eq(skid.o.p.bad),
            self.m_axis.tvalid.eq(skid.o.valid),
            skid.o.ready.eq(self.m_axis.tready),
            self.o_done.eq(leaves & skid.o.p.end & ~skid.o.p.bad),
        ]

        # Errors: stop reading, end the packet, wait for the bus, wait for software.
        # Besides those that wait: one each in the parser, the decoders and the packer, two in the skid.
        tensors = Signal(range(DESCRIPTORS + 5 + 1))
        accepted = self.i.valid & self.i.ready
        m.d.sync += tensors.eq(tensors + accepted - self.o_done)
        m.d.comb += [
            self.o_busy.eq((tensors != 0) | stopping),
        ]
        m.d.sync += [flush.eq(stopping), flush_decoders.eq(stopping | header.o_skim)]
        with m.FSM(name="errors"):
            with m.State("RUN"):
                aborts = self.i_abort & (tensors != 0)
                with m.If(header.o_error | aborts):
                    m.d.sync += [
                        self.o_code.eq(Mux(header.o_error, header.o_code, ErrorCode.ABORTED)),
                        stopping.eq(1),
                    ]
                    m.next = "END_PACKET"
            with m.State("END_PACKET"):
                m.d.comb += terminator.eq(1)
                with m.If(packer.i.ready):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.sync += [tensors.eq(0), good.eq(0)]
                with m.If(reader.o_idle & ~packer.o.valid & ~skid.o.valid):
                    m.d.sync += stopping.eq(0)
                    m.next = "HALTED"
            with m.State("HALTED"):
                m.d.comb += self.o_halted.eq(1)
                with m.If(self.i_clear):
                    m.d.sync += self.o_code.eq(ErrorCode.NONE)
                    m.next = "RUN"

        m.d.comb += [
            counters.i_clear.eq(self.i_clear_counters),
            counters.i_busy.eq(self.o_busy),
            counters.i_causes.slot.eq(lanes.o_slot | unpacker.o_slot),
            counters.i_causes.output.eq(lanes.o_blocked | unpacker.o_blocked),
            counters.i_causes.memory.eq(aligner.o_starved),
            counters.i_causes.router.eq(lanes.o_active | unpacker.o_active),
            counters.i_causes.setup.eq(~header.o_idle),
            counters.i_word.eq(self.m_axi.rvalid & self.m_axi.rready),
            counters.i_values.eq(
                Mux(leaves, sum((skid.o.p.keep[i] for i in range(p.out_values)), start=Const(0)), 0)
            ),
        ]
        for name, member in self._counters.signature.members.items():
            if member.flow == Out:
                m.d.comb += getattr(self, name).eq(getattr(counters, name))
        return m

"""The lane lengths of a header: every lane's beats and the bytes of its last one."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.format import BLOCK_BYTES, LANE_LENGTH

LANES_PER_BLOCK = BLOCK_BYTES // LANE_LENGTH.nbytes
BYTES_BITS = 32


class Lengths(wiring.Component):
    """Loads lanes with their lengths, up to 8 lanes a cycle, and sums them up.

    Latency 1 cycle from `i_base` and 2 from `i_write` to `o_load`; 1 block per cycle. `i_base` loads lane 0
    with the whole payload and all others with nothing, which is right for one lane; blocks of the
    lane section then say better.

    Attributes:
    ----------
    i_base: a header's base is known: i_lanes_log2, i_lane_bytes, i_payload_bytes hold from now on.
    i_block, i_index, i_write: one block of the lane section.
    o_load: lanes that take over their beats in this cycle. o_beats: lane l takes o_beats[l mod 8],
        but with o_one high all lanes but lane 0 have none.
    o_tail_m1: bytes of every lane's last beat less one, as last loaded.
    o_good: the lanes' bytes sum up to the payload's; valid 3 cycles after the last block.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        self.group = min(p.lanes, LANES_PER_BLOCK)
        self.blocks = p.lanes // self.group
        super().__init__(
            {
                "i_base": In(1),
                "i_lanes_log2": In(3),
                "i_lane_bytes": In(BYTES_BITS),
                "i_payload_bytes": In(BYTES_BITS),
                "i_block": In(8 * BLOCK_BYTES),
                "i_index": In(range(max(self.blocks, 2))),
                "i_write": In(1),
                "o_load": Out(p.lanes),
                "o_beats": Out(data.ArrayLayout(BYTES_BITS, self.group)),
                "o_one": Out(1),
                "o_tail_m1": Out(data.ArrayLayout(range(p.beat_bytes), p.lanes)),
                "o_good": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Extras, then bytes, then beats, a register between: two additions are too long."""
        p, m = self._p, Module()
        if not p.atalanta:
            return m  # nothing drives its ports: they stay 0
        shift = p.beat_bytes.bit_length() - 1
        lanes = Signal(p.lanes.bit_length())
        m.d.comb += lanes.eq(1 << self.i_lanes_log2)

        # What stands behind the lanes' lengths is not theirs.
        extras = [Signal(LANE_LENGTH.width, name=f"extra{i}", reset_less=True) for i in range(self.group)]
        here = Signal(self.group)
        index = Signal.like(self.i_index)
        write = Signal()
        m.d.sync += [index.eq(self.i_index), write.eq(self.i_write)]
        for i, extra in enumerate(extras):
            is_lane = i < lanes  # more lanes than a block's fill all of their blocks
            m.d.sync += [
                here[i].eq(is_lane),
                extra.eq(Mux(self.i_write & is_lane, self.i_block.word_select(i, LANE_LENGTH.width), 0)),
            ]

        nbytes = [Signal(BYTES_BITS, name=f"bytes{i}", reset_less=True) for i in range(self.group)]
        load = Signal(p.lanes)
        total = Signal(BYTES_BITS + 7)
        extra_sum = Signal(LANE_LENGTH.width + 3)
        m.d.sync += [
            load.eq(0),
            self.o_one.eq(self.i_base),
            extra_sum.eq(sum(extras[1:], start=extras[0])),
            total.eq(total + extra_sum),
        ]
        with m.If(write):
            for i, extra in enumerate(extras):
                m.d.sync += nbytes[i].eq(Mux(here[i], self.i_lane_bytes + extra, 0))
            for block in range(self.blocks):
                with m.If(index == block):
                    m.d.sync += load.word_select(block, self.group).eq(-1)
        with m.If(self.i_base):
            one = self.i_lanes_log2 == 0
            m.d.sync += [
                load.eq(-1),
                nbytes[0].eq(Mux(one, self.i_payload_bytes, 0)),
                total.eq(self.i_lane_bytes << self.i_lanes_log2),
            ]
        m.d.comb += [self.o_good.eq(total == self.i_payload_bytes), self.o_load.eq(load)]

        for i in range(self.group):
            m.d.comb += self.o_beats[i].eq((nbytes[i] + (p.beat_bytes - 1)) >> shift)
        for lane in range(p.lanes):
            with m.If(load[lane]):
                m.d.sync += self.o_tail_m1[lane].eq(nbytes[lane % self.group] - 1)
        return m

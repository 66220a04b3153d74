"""Hands the stream's beats to lanes in the order in which the lanes ask."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.bitwise import one_hot_mux


def asks_layout(p: DecoderParams) -> data.StructLayout:
    """Which lanes ask in one slot, and for which of them it is the last beat."""
    return data.StructLayout({"lanes": p.lanes, "last": p.lanes})


def serve_layout(p: DecoderParams) -> data.StructLayout:
    """The lane to serve next (one bit high), the bytes of its beat less one, whether it is its last."""
    return data.StructLayout({"lane": p.lanes, "size_m1": range(p.beat_bytes), "last": 1})


class Router(wiring.Component):
    """Turns the masks of asking lanes into one lane after the other.

    Latency 3 cycles from `i_asks` to `o`; 1 lane per cycle, no gap between masks; back-pressure on
    `o`. Masks are never refused: a lane asks for as many beats as it has places, so the queue cannot
    be longer than all lanes' places together.

    Attributes:
    ----------
    i_asks, i_write: a slot's asks; written only if some lane asks.
    i_tail_m1: bytes of each lane's last beat less one.
    o: what to serve, in order.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i_asks": In(asks_layout(p)),
                "i_write": In(1),
                "i_tail_m1": In(data.ArrayLayout(range(p.beat_bytes), p.lanes)),
                "o": Out(stream.Signature(serve_layout(p))),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from an ask to `o`."""
        return 3

    def elaborate(self, _platform: object) -> Module:
        """A queue, the mask being served, and the lane chosen from it, each behind a register."""
        p, m = self._p, Module()
        depth = max(p.lanes * p.lane_depth, 2)
        m.submodules.queue = queue = fifo.SyncFIFO(width=2 * p.lanes, depth=depth)
        asks = Signal(asks_layout(p))
        chosen = Signal(p.lanes)
        rest = Signal(p.lanes)
        moves = Signal()

        m.d.comb += [
            queue.w_data.eq(self.i_asks),
            queue.w_en.eq(self.i_write),
            chosen.eq(asks.lanes & -asks.lanes),
            rest.eq(asks.lanes & ~chosen),
            moves.eq(~self.o.valid | self.o.ready),
        ]
        with m.If((asks.lanes == 0) | (moves & (rest == 0))):
            m.d.comb += queue.r_en.eq(1)
            m.d.sync += asks.eq(Mux(queue.r_rdy, queue.r_data, 0))
        with m.Elif(moves):
            m.d.sync += asks.lanes.eq(rest)

        last = (asks.last & chosen).any()
        tail = one_hot_mux(chosen, [self.i_tail_m1[lane] for lane in range(p.lanes)])
        with m.If(moves):
            m.d.sync += [
                self.o.valid.eq(asks.lanes != 0),
                self.o.p.lane.eq(chosen),
                self.o.p.last.eq(last),
                self.o.p.size_m1.eq(Mux(last, tail, p.beat_bytes - 1)),
            ]
        return m

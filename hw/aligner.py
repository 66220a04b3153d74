"""From bus words to the pieces of a stream: any number of bytes from any byte address on."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.bitwise import shift_right
from atalanta.hw.gearbox import word_layout


class Aligner(wiring.Component):
    """Cuts the words of a descriptor into pieces of 1 .. beat_bytes bytes.

    Latency 1 cycle from pull to piece; 1 piece per cycle; a pull waits until its bytes are there, and
    forever if the descriptor ends before them, so whoever pulls keeps to the descriptor's length.

    Attributes:
    ----------
    i: bus words.
    i_open, i_offset: the next descriptor may come in; it starts at this byte of its first word.
        Only while `o_busy` is low.
    i_pull, i_size_m1: take a piece of so many bytes and one.
    o_pulled: it is taken in this cycle. o_starved: it waits.
    o_piece, o_valid: the piece, one cycle after, with zeros behind it.
    i_drop: throw away what is left of the descriptor.
    o_busy: words of the descriptor are here or to come.
    o_error: a word of the descriptor had an error response.
    o_word, o_held, o_at: the word at hand, whether there is one, and the position of the next byte.
    o_take: a word comes in from `i`.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        super().__init__(
            {
                "i": In(stream.Signature(word_layout(p))),
                "i_open": In(1),
                "i_offset": In(range(p.beat_bytes)),
                "i_pull": In(1),
                "i_size_m1": In(range(p.beat_bytes)),
                "o_pulled": Out(1),
                "o_starved": Out(1),
                "o_piece": Out(8 * p.beat_bytes),
                "o_valid": Out(1),
                "i_drop": In(1),
                "o_busy": Out(1),
                "o_error": Out(1),
                "o_word": Out(8 * p.beat_bytes),
                "o_held": Out(1),
                "o_at": Out(range(p.beat_bytes)),
                "o_take": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Two words, the one with the next byte and the one at the input, and a rotation by bytes."""
        p, m = self._p, Module()
        word = Signal(8 * p.beat_bytes)
        word_valid = Signal()
        more = Signal()
        at = Signal(range(p.beat_bytes))

        end = Signal(range(2 * p.beat_bytes + 1))
        used_up, enough, take = Signal(), Signal(), Signal()
        m.d.comb += [
            end.eq(at + self.i_size_m1 + 1),
            enough.eq(word_valid & ((end <= p.beat_bytes) | (more & self.i.valid))),
            self.o_pulled.eq(self.i_pull & enough),
            self.o_starved.eq(self.i_pull & ~enough),
            used_up.eq((self.o_pulled & (end >= p.beat_bytes)) | self.i_drop),
            self.i.ready.eq(more & (~word_valid | used_up)),
            take.eq(self.i.valid & self.i.ready),
            self.o_busy.eq(more | word_valid),
            self.o_word.eq(word),
            self.o_held.eq(word_valid),
            self.o_at.eq(at),
            self.o_take.eq(take),
        ]
        with m.If(take):
            m.d.sync += [
                word.eq(self.i.p.data),
                word_valid.eq(1),
                more.eq(~self.i.p.last),
                self.o_error.eq(self.o_error | self.i.p.error),
            ]
        with m.Elif(used_up):
            m.d.sync += word_valid.eq(0)

        keep = Cat(Mux(i <= self.i_size_m1, Const(255, 8), 0) for i in range(p.beat_bytes))
        bytes_ = shift_right(m, Cat(word, self.i.p.data), at, 8 * p.beat_bytes, unit=8)
        m.d.sync += self.o_valid.eq(self.o_pulled)
        with m.If(self.o_pulled):
            m.d.sync += [self.o_piece.eq(bytes_ & keep), at.eq(end)]

        with m.If(self.i_open):
            m.d.sync += [more.eq(1), at.eq(self.i_offset), self.o_error.eq(0)]
        return m

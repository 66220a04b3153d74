"""From bus words to the pieces of a stream: any number of bytes from any byte address on."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.bitwise import shift_right
from atalanta.hw.gearbox import word_layout
from atalanta.hw.output import Skid


def tag_layout(p: DecoderParams) -> data.StructLayout:
    """Whom a piece is for: the header parser, the unpacker, or a lane (one bit high), its last beat."""
    return data.StructLayout({"header": 1, "unpacker": 1, "lane": p.lanes, "last": 1})


class Aligner(wiring.Component):
    """Cuts the words of a descriptor into pieces of 1 .. beat_bytes bytes.

    Latency 2 cycles from pull to piece; 1 piece per cycle. Up to 2 pulls wait until their bytes are
    there, and forever if the descriptor ends before them, so whoever pulls keeps to the descriptor's
    length.

    Attributes:
    ----------
    i: bus words.
    i_open, i_offset: the next descriptor begins at this byte of the next word, which may be here
        already. Only while `o_busy` is low.
    i_pull, i_size_m1, i_tag: a piece of so many bytes and one is wanted, for `i_tag`.
    o_accepts: a pull is noted in this cycle if there is one.
    o_starved: the oldest one noted waits for its bytes.
    o_piece, o_piece_size_m1, o_tag, o_valid: the piece, with zeros behind it.
    i_drop: throw away what pulls have left of the descriptor.
    o_busy: words of the descriptor are here or to come.
    o_error: a word of the descriptor that has come to hand had an error response.
    o_at: position of the next byte that no pull has asked for.
    o_word, o_held, o_fresh: the word at hand, whether there is one, and for one cycle: it is new.
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
                "i_tag": In(tag_layout(p)),
                "o_accepts": Out(1),
                "o_starved": Out(1),
                "o_piece": Out(8 * p.beat_bytes),
                "o_piece_size_m1": Out(range(p.beat_bytes)),
                "o_tag": Out(tag_layout(p)),
                "o_valid": Out(1),
                "i_drop": In(1),
                "o_busy": Out(1),
                "o_error": Out(1),
                "o_at": Out(range(p.beat_bytes)),
                "o_word": Out(8 * p.beat_bytes),
                "o_held": Out(1),
                "o_fresh": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Where a piece lies follows from the sizes alone, so it is known before its bytes are there."""
        p, m = self._p, Module()
        pull_layout = data.StructLayout(
            {
                "at": range(p.beat_bytes),
                "size_m1": range(p.beat_bytes),
                "crosses": 1,  # into the next word
                "uses_up": 1,  # the word
                "tag": tag_layout(p),
            }
        )
        m.submodules.pulls = pulls = Skid(pull_layout)
        at = Signal(range(p.beat_bytes))
        end = Signal(range(2 * p.beat_bytes + 1))
        m.d.comb += [
            end.eq(at + self.i_size_m1 + 1),
            pulls.i.valid.eq(self.i_pull),
            pulls.i.p.at.eq(at),
            pulls.i.p.size_m1.eq(self.i_size_m1),
            pulls.i.p.crosses.eq(end > p.beat_bytes),
            pulls.i.p.uses_up.eq(end >= p.beat_bytes),
            pulls.i.p.tag.eq(self.i_tag),
            self.o_accepts.eq(pulls.i.ready),
            self.o_at.eq(at),
        ]
        with m.If(self.i_pull & self.o_accepts):
            m.d.sync += at.eq(end)

        # The word with the next byte and the one after it, which may be the next descriptor's. A skid holds
        # that one: else the memory would have to know in the cycle itself whether it moves on.
        m.submodules.ahead = ahead = Skid(word_layout(p))
        connect(m, flipped(self.i), ahead.i)
        word = Signal(word_layout(p), reset_less=True)
        word_valid = Signal()
        opened = Signal()  # the descriptor's last word has not gone
        cut, used_up, advance = Signal(), Signal(), Signal()
        pull = pulls.o.p
        m.d.comb += [
            pulls.o.ready.eq(word_valid & (~pull.crosses | ahead.o.valid)),
            cut.eq(pulls.o.valid & pulls.o.ready),
            self.o_starved.eq(pulls.o.valid & ~pulls.o.ready),
            used_up.eq(word_valid & Mux(pulls.o.valid, cut & pull.uses_up, self.i_drop & opened)),
            ahead.o.ready.eq(~word_valid | used_up),
            advance.eq(ahead.o.valid & ahead.o.ready),
            self.o_busy.eq(opened),
            self.o_word.eq(word.data),
            self.o_held.eq(word_valid),
        ]
        m.d.sync += self.o_fresh.eq(advance)
        with m.If(used_up):
            m.d.sync += word_valid.eq(0)
        with m.If(advance):
            m.d.sync += word_valid.eq(1)
        with m.If(ahead.o.ready):
            m.d.sync += word.eq(ahead.o.payload)
        with m.If(used_up & word.last):
            m.d.sync += opened.eq(0)
        with m.If(opened & word_valid & word.error):
            m.d.sync += self.o_error.eq(1)

        keep = Cat(Mux(i <= pull.size_m1, Const(255, 8), 0) for i in range(p.beat_bytes))
        bytes_ = shift_right(m, Cat(word.data, ahead.o.p.data), pull.at, 8 * p.beat_bytes, unit=8)
        piece = Signal(8 * p.beat_bytes, reset_less=True)
        m.d.sync += [
            self.o_valid.eq(cut),
            piece.eq(bytes_ & keep),
            self.o_piece_size_m1.eq(pull.size_m1),
            self.o_tag.eq(pull.tag),
        ]
        m.d.comb += self.o_piece.eq(piece)

        with m.If(self.i_open):
            m.d.sync += [opened.eq(1), at.eq(self.i_offset), self.o_error.eq(0)]
        return m

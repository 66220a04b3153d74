"""The AXI4 read manager: it asks for exactly the descriptor's words, legally, and hands on exactly these."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Mux, ResetInserter, Signal
from amaranth.lib import fifo
from axi_memory import Bus, fair, memory, waited
from formal_bench import Prove, RefutedError, Spec
from mutants import mutant

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.axi import PAGE_BYTES, Resp
from atalanta.hw.reader import Reader

P = DecoderParams(
    lanes=1, axi_bits=64, burst_beats=2, outstanding=2, prefetch=4, address_bits=16, shapeshifter=False
)
INSIDE = 15
"""More descriptors than there are inside at once."""


def reader(s: Spec, p: DecoderParams, component: type[Reader]) -> tuple[Any, Bus]:
    """A reader as the core uses it: once stopped, it is drained until it is idle."""
    s.m.submodules.dut = dut = component(p)
    s.free_inputs(dut)
    d = dut.i.p
    s.assume((d.length != 0) & (d.address + d.length <= 1 << p.address_bits))
    s.assume(~s.past(dut.i_stop & ~dut.o_idle) | dut.i_stop)
    s.assume(~dut.i_stop | dut.o.ready)
    return dut, memory(s, p, dut.m_axi)


def follows_axi(s: Spec, p: DecoderParams = P, component: type[Reader] = Reader) -> None:
    """The rules of the bus alone, for any descriptors."""
    reader(s, p, component)


def near_a_page(s: Spec, dut: Any) -> None:
    """Assume descriptors of a few words around a 4 KiB boundary, which is where cases differ."""
    d, near = dut.i.p, 64
    s.assume((d.address >= PAGE_BYTES - near) & (d.address < PAGE_BYTES + near) & (d.length <= near))


def asks_exactly(s: Spec, p: DecoderParams = P, component: type[Reader] = Reader) -> None:
    """Bursts follow each other through the descriptor's words, from its first to its last."""
    dut, bus = reader(s, p, component)
    near_a_page(s, dut)
    m, d, axi = s.m, dut.i.p, dut.m_axi
    log2 = p.axi_bytes.bit_length() - 1
    first_word, last_word = d.address >> log2, (d.address + d.length - 1) >> log2
    bits = p.address_bits - log2 + 1
    m.submodules.due = due = ResetInserter(dut.i_stop)(fifo.SyncFIFO(width=2 * bits, depth=4))
    start, count, done = due.r_data[:bits], due.r_data[bits:], Signal(bits)
    m.d.comb += [
        due.w_en.eq(dut.i.valid & dut.i.ready),
        due.w_data.eq(first_word | ((last_word - first_word + 1) << bits)),
        due.r_en.eq(bus.asked & (done + bus.words == count)),
    ]
    with m.If(dut.i_stop):
        m.d.sync += done.eq(0)
    with m.Elif(bus.asked):
        m.d.sync += done.eq(Mux(due.r_en, 0, done + bus.words))
    asks = axi.arvalid & ~dut.i_stop & ~s.past(dut.i_stop)
    s.claim("nothing is asked for that is not due", due.r_rdy, when=asks)
    s.claim("bursts follow each other", axi.araddr >> log2 == start + done, when=asks)
    s.claim("no burst goes beyond its descriptor", done + bus.words <= count, when=asks)
    stopped = s.past(dut.i_stop & ~(axi.arvalid & ~axi.arready))
    s.claim("a stopped reader asks for nothing more", ~axi.arvalid, when=stopped)
    s.claim("an idle reader has no burst under way", ~axi.arvalid & (bus.pending == 0), when=dut.o_idle)
    s.cover("a descriptor is cut at 4 KiB", axi.arvalid & (axi.araddr == 4096) & (done == 1))
    s.cover("all bursts are outstanding", bus.pending == p.outstanding)
    s.cover("stopped while a request waits", s.past(dut.i_stop) & axi.arvalid)
    s.cover("asks again after a stop", axi.arvalid & s.before(dut.i_stop) & ~dut.i_stop)


def hands_on_exactly(s: Spec, p: DecoderParams = P, component: type[Reader] = Reader) -> None:
    """Any one descriptor is followed, and any one beat of memory with its words and responses."""
    dut, bus = reader(s, p, component)
    near_a_page(s, dut)
    m, d, axi = s.m, dut.i.p, dut.m_axi
    words = max(p.beat_bytes // p.axi_bytes, 1)
    beat_log2 = p.beat_bytes.bit_length() - 1
    beat = s.constant(p.address_bits - beat_log2)
    contents = [s.constant(p.axi_bits) for _ in range(words)]
    broken = [s.constant() for _ in range(words)]
    bad = (axi.rresp == Resp.SLVERR) | (axi.rresp == Resp.DECERR)
    for i in range(words):
        here = axi.rvalid & (bus.address == (beat << beat_log2) + i * p.axi_bytes)
        s.assume(~here | ((axi.rdata == contents[i]) & (bad == broken[i])))

    accepted, went = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
    inside, ahead = Signal(range(INSIDE + 1)), Signal(range(INSIDE + 1))
    following, at = Signal(), Signal(p.address_bits - beat_log2)
    first, last = Signal(p.address_bits), Signal(p.address_bits)
    pick, ends = s.free(), went & dut.o.p.last
    m.d.sync += inside.eq(inside + accepted - ends)
    with m.If(accepted & pick & ~following):
        m.d.sync += [
            following.eq(1),
            ahead.eq(inside - ends),
            first.eq(d.address),
            last.eq(d.address + d.length - 1),
            at.eq(d.address >> beat_log2),
        ]
    with m.If(following & ends):
        m.d.sync += [ahead.eq(ahead - 1), following.eq(ahead != 0)]
    with m.If(following & went & (ahead == 0)):
        m.d.sync += at.eq(at + 1)
    with m.If(dut.i_stop):
        m.d.sync += [following.eq(0), inside.eq(0)]

    ours = following & dut.o.valid & (ahead == 0) & ~dut.i_stop
    s.claim("no beat without a descriptor", inside != 0, when=dut.o.valid & ~dut.i_stop)
    s.claim("the last beat is marked, no other", dut.o.p.last == (at == last >> beat_log2), when=ours)
    word_log2 = p.axi_bytes.bit_length() - 1
    numbers = [(beat << beat_log2 - word_log2) + i for i in range(words)]
    asked = [(n >= first >> word_log2) & (n <= last >> word_log2) for n in numbers]
    for i in range(words):
        data = dut.o.p.data.word_select(i, p.axi_bits)
        s.claim(f"word {i} of a beat is memory's", data == contents[i], when=ours & (at == beat) & asked[i])
    error = Cat(asked[i] & broken[i] for i in range(words)).any()
    s.claim("an error stays with its beat", dut.o.p.error == error, when=ours & (at == beat))
    s.claim("nothing is inside an idle reader", (inside == 0) & ~dut.o.valid, when=dut.o_idle & ~dut.i_stop)
    s.cover("a descriptor of three beats ends", ours & dut.o.p.last & (at == (first >> beat_log2) + 2))
    s.cover("the second of two descriptors", ours & s.before(ends))
    s.cover("a descriptor after a stop", ours & s.before(dut.i_stop))


WAIT = 1
"""Cycles that a fair bus lets a request or an answer wait."""
STOP_CYCLES = 14
BEAT_CYCLES = 14


def gets_on(s: Spec, p: DecoderParams = P, component: type[Reader] = Reader) -> None:
    """With a fair bus a stop ends, and what was asked for comes."""
    dut, bus = reader(s, p, component)
    fair(s, dut.m_axi, bus, WAIT)
    s.assume(dut.o.ready)
    stopping = waited(s, dut.i_stop & ~dut.o_idle)
    s.claim("a stopped reader is idle soon", stopping <= STOP_CYCLES)
    waiting = waited(s, ~dut.i_stop & ~dut.o_idle & ~dut.o.valid)
    s.claim("beats come soon", waiting <= BEAT_CYCLES)


def deep(quick: int, long: int) -> pytest.MarkDecorator:
    """So many cycles in every run of the tests, and more of them in the slow ones."""
    return pytest.mark.parametrize("steps", [quick, pytest.param(long, marks=pytest.mark.slow)])


@deep(10, 30)
def test_axi_rules(check: Prove, steps: int) -> None:
    check(follows_axi, "bmc", steps)


@deep(11, 13)
def test_asks_for_exactly_the_words(check: Prove, steps: int) -> None:
    check(asks_exactly, "bmc", steps)


@deep(12, 14)
def test_hands_on_exactly_the_words(check: Prove, steps: int) -> None:
    check(hands_on_exactly, "bmc", steps)


@deep(20, 26)
def test_always_gets_on(check: Prove, steps: int) -> None:
    check(gets_on, "bmc", steps)


def test_reaches(check: Prove) -> None:
    check(asks_exactly, "cover", 15)
    check(hands_on_exactly, "cover", 15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("claims", "old", "new", "refuted"),
    [
        (follows_axi, "PAGE_BYTES // p.axi_bytes", "2 * PAGE_BYTES // p.axi_bytes", "4 KiB"),
        (follows_axi, "(~axi.arvalid | axi.arready)", "1", "stays"),
        (follows_axi, "depth=p.outstanding", "depth=p.outstanding + 1", "outstanding"),
        (follows_axi, "axi.arlen.eq(burst - 1)", "axi.arlen.eq(burst)", "long as promised|4 KiB"),
        (asks_exactly, "at.eq(at + length)", "at.eq(at + length + 1)", "follow each other"),
        (
            asks_exactly,
            "left.eq(left - length)",
            "left.eq(left - length + first)",
            "follow each other|due|beyond",
        ),
        (gets_on, "burst_valid.eq(0), fits.eq(0)]", "fits.eq(0)]", "idle soon"),
        (
            hands_on_exactly,
            "bursts.r_en.eq(axi.rvalid & axi.rlast)",
            "bursts.r_en.eq(axi.rvalid)",
            "outstanding|idle reader",
        ),
        (hands_on_exactly, "(axi.rresp == Resp.SLVERR) | ", "", "error"),
        (hands_on_exactly, "word.first.eq(incoming.first & ~in_burst)", "word.first.eq(0)", "memory's|last"),
        (
            gets_on,
            "prefetch.o.ready.eq(gearbox.i.ready)",
            "prefetch.o.ready.eq(gearbox.i.ready & ~self.i_stop)",
            "idle",
        ),
    ],
)
def test_broken_readers_are_found(check: Prove, claims: Any, old: str, new: str, refuted: str) -> None:
    steps = STOP_CYCLES + 12 if claims is gets_on else 14
    with pytest.raises(RefutedError, match=refuted):
        check(lambda s: claims(s, P, mutant(Reader, old, new)), "bmc", steps)

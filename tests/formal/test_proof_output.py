"""Packer and Skid: AXI4-Stream's rules (IHI 0051, 2.2), and no value lost, made up or out of order."""

from typing import Any

import pytest
from amaranth.hdl import Signal, Value
from formal_bench import Passage, Prove, RefutedError, Spec, passage
from mutants import mutant

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.bitwise import popcount
from atalanta.hw.output import Packer, Skid

P = DecoderParams(lanes=4, value_bits=4, shapeshifter=False, raw=False)
CYCLES = 12
ITEM_BITS = 8


def stays_until_taken(s: Spec, stream: Any) -> None:
    """What is offered is offered on, unchanged."""
    blocked = s.past(stream.valid & ~stream.ready)
    payload = Value.cast(stream.payload)
    s.claim("valid stays until ready", stream.valid, when=blocked)
    s.claim("payload stays until ready", payload == s.past(payload), when=blocked)


def skid_rules(s: Spec, component: type[Skid] = Skid) -> None:
    s.m.submodules.dut = dut = component(ITEM_BITS)
    s.free_inputs(dut)
    stays_until_taken(s, dut.o)


def skid_order(s: Spec, component: type[Skid] = Skid) -> None:
    s.m.submodules.dut = dut = component(ITEM_BITS)
    s.free_inputs(dut)
    inside = s.in_order("items keep their order", [passage(dut.i)], [passage(dut.o)], 3)
    s.claim("no item is lost or made up", dut.o.valid == (inside != 0))
    s.claim("not ready only while two are held", dut.i.ready == (inside != 2))
    s.cover("both registers are full", inside == 2)
    s.cover(
        "an item passes in every cycle",
        s.past(inside == 1, 3) & dut.i.valid & s.past(dut.o.ready, 1) & s.past(dut.o.ready, 2),
    )


def packer(s: Spec, component: type[Packer]) -> Packer:
    """A packer with vectors at its input as the decoders make them.

    The vectors of a tensor have one width and are full but for the last. An empty vector of any
    width may end a tensor: a segment without values does, and an error.
    """
    s.m.submodules.dut = dut = component(P)
    s.free_inputs(dut)
    v, came = dut.i.p, dut.i.valid & dut.i.ready
    inside, width = Signal(), Signal.like(v.width_log2)
    with s.m.If(came):
        s.m.d.sync += [inside.eq(~v.end), width.eq(v.width_log2)]
    full = (1 << (1 << v.width_log2)) - 1
    s.assume(v.width_log2 <= 2)
    s.assume((v.keep & (v.keep + 1)) == 0)
    s.assume(v.keep <= full)
    s.assume(v.end | (v.keep == full))
    s.assume(~inside | (v.width_log2 == width) | (v.end & (v.keep == 0)))
    return dut


def packer_rules(s: Spec, component: type[Packer] = Packer) -> None:
    stays_until_taken(s, packer(s, component).o)


def packer_order(s: Spec, component: type[Packer] = Packer) -> None:
    dut = packer(s, component)
    v, w = dut.i.p, dut.o.p
    came, went = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready
    places = range(P.out_values)
    entering = [Passage(v.keep[i], came & v.keep[i], Value.cast(v.values[i])) for i in places]
    leaving = [
        Passage(dut.o.valid & w.keep[i], went & w.keep[i], w.values.word_select(i, P.value_bits))
        for i in places
    ]
    inside = s.in_order("values keep their order", entering, leaving, 2 * P.out_values)
    ends = dut.o.valid & w.end
    s.claim("a word is filled from its first place on", (w.keep & (w.keep + 1)) == 0, when=dut.o.valid)
    s.claim("only a tensor's last word is not full", w.end | w.keep.all(), when=dut.o.valid)
    s.claim("no value is left when its tensor ends", inside == popcount(w.keep), when=ends)
    s.claim(
        "a tensor ends in the cycle after its last vector", ends == s.past((came & v.end) | (ends & ~went))
    )
    s.claim("a tensor ends as well or badly as it came", w.bad == s.past(v.bad), when=s.past(came & v.end))
    s.claim("a full word is offered at once", dut.o.valid, when=inside >= P.out_values)
    s.claim("ready if the output is", dut.i.ready, when=dut.o.ready)
    s.cover("four vectors of one value fill a word", dut.o.valid & (s.past(v.width_log2) == 0) & w.keep.all())
    s.cover("a tensor ends in the middle of a word", ends & (popcount(w.keep) == 3))
    s.cover("a tensor ends without values", ends & (w.keep == 0))
    s.cover("a tensor follows another at once", ends & dut.i.ready & dut.i.valid & w.keep.any())


def test_skid_holds_what_it_offers(check: Prove) -> None:
    check(skid_rules, "induction", 2)


def test_skid_keeps_order(check: Prove) -> None:
    check(skid_order, "bmc", CYCLES)
    check(skid_order, "cover", CYCLES)


def test_packer_holds_what_it_offers(check: Prove) -> None:
    check(packer_rules, "induction", 2)


def test_packer_keeps_order(check: Prove) -> None:
    check(packer_order, "bmc", CYCLES)
    check(packer_order, "cover", CYCLES)


@pytest.mark.parametrize(
    ("claims", "old", "new", "refuted"),
    [
        (skid_rules, "~self.o.valid | self.o.ready", "self.i.valid | self.o.ready", "payload stays"),
        (skid_order, "self.i.ready.eq(~spare_valid)", "self.i.ready.eq(1)", "two are held"),
        (skid_order, "spare_valid.eq(0)", "spare_valid.eq(self.i.valid)", "two are held"),
    ],
)
def test_broken_skids_are_found(check: Prove, claims: Any, old: str, new: str, refuted: str) -> None:
    with pytest.raises(RefutedError, match=refuted):
        check(lambda s: claims(s, mutant(Skid, old, new)), "bmc", CYCLES)


@pytest.mark.parametrize(
    ("claims", "old", "new", "refuted"),
    [
        (packer_rules, "self.i.ready.eq(~self.o.valid | self.o.ready)", "self.i.ready.eq(1)", "stays"),
        (packer_order, "place.eq(Mux(self.i.p.end, 0, after))", "place.eq(after)", "full word|first place"),
        (packer_order, "self.i.p.values[source]", "self.i.p.values[0]", "order"),
        (packer_order, "accepted & (place == 0)", "accepted & 0", "no value is left|from its first"),
        (packer_order, "self.o.p.bad.eq(self.i.p.bad)", "self.o.p.bad.eq(0)", "well or badly"),
        (packer_order, "(after == p.out_values) | self.i.p.end", "after == p.out_values", "end"),
    ],
)
def test_broken_packers_are_found(check: Prove, claims: Any, old: str, new: str, refuted: str) -> None:
    with pytest.raises(RefutedError, match=refuted):
        check(lambda s: claims(s, mutant(Packer, old, new)), "bmc", CYCLES)

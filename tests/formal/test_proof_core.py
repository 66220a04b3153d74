"""The core at its ports: the rules of both buses, and no way into a state that it does not leave.

Where cycles are counted it is the smallest core that there is, for raw tensors only, so that the solver
gets beyond a header.
"""

from typing import Any

import pytest
from amaranth.hdl import Signal, Value
from axi_memory import Bus, fair, memory, request_stays, waited
from formal_bench import Prove, RefutedError, Spec
from mutants import mutant

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import ErrorCode
from atalanta.hw.core import Core

P = DecoderParams(
    value_bits=4,
    axi_bits=128,
    burst_beats=2,
    outstanding=1,
    prefetch=2,
    address_bits=16,
    atalanta=False,
    shapeshifter=False,
)
WHOLE = DecoderParams(lanes=4)
"""All three codecs; what is proved by induction needs no header."""
WAIT = 1
"""Cycles that a fair bus and a fair receiver let anything wait."""
HALT_CYCLES = 11
"""Cycles from an error to a halt, for so many words under way."""


def core(s: Spec, component: type[Core]) -> tuple[Any, Bus]:
    """A core with descriptors, memory and receiver that may do anything that is legal."""
    s.m.submodules.dut = dut = component(P)
    s.free_inputs(dut)
    d = dut.i.p
    s.assume((d.length != 0) & (d.address + d.length <= 1 << P.address_bits))
    return dut, memory(s, P, dut.m_axi)


def output_stays(s: Spec, out: Any) -> None:
    """Claim that what is offered is offered on, unchanged (IHI 0051, 2.2)."""
    blocked = s.past(out.tvalid & ~out.tready)
    s.claim("tvalid stays until tready", out.tvalid, when=blocked)
    for name in ("tdata", "tkeep", "tlast", "tuser"):
        value = Value.cast(getattr(out, name))
        s.claim(f"{name} stays until tready", value == s.past(value), when=blocked)


def holds_what_it_offers(s: Spec) -> None:
    """Both buses, whatever the other side does, legal or not."""
    s.m.submodules.dut = dut = Core(WHOLE)
    s.free_inputs(dut)
    request_stays(s, dut.m_axi)
    output_stays(s, dut.m_axis)


def follows_the_rules(s: Spec, component: type[Core] = Core) -> None:
    dut, bus = core(s, component)
    out = dut.m_axis
    output_stays(s, out)
    s.claim("tkeep is filled from its first byte on", (out.tkeep & (out.tkeep + 1)) == 0, when=out.tvalid)
    s.claim("only the last word is not full", out.tlast | out.tkeep.all(), when=out.tvalid)
    s.claim("only the last word is bad", out.tlast | ~out.tuser, when=out.tvalid)

    took, gave = dut.i.valid & dut.i.ready, out.tvalid & out.tready & out.tlast
    halts = dut.o_halted & ~s.past(dut.o_halted)
    open_tensors = Signal(range(16))
    s.m.d.sync += open_tensors.eq(open_tensors + took - gave)
    with s.m.If(dut.o_halted):
        s.m.d.sync += open_tensors.eq(0)
    s.claim("no packet without a descriptor", open_tensors != 0, when=out.tvalid & ~dut.o_halted)
    s.claim("busy while a tensor is not out", dut.o_busy, when=(open_tensors != 0) & ~dut.o_halted)
    s.claim("halted only when the bus is drained", ~dut.m_axi.arvalid & (bus.pending == 0), when=dut.o_halted)
    s.claim("halted only when the packet is out", ~out.tvalid, when=dut.o_halted)
    s.claim("halted only with an error", dut.o_code != ErrorCode.NONE, when=dut.o_halted)
    kept = s.past(dut.o_code != ErrorCode.NONE) & ~s.past(dut.o_halted & dut.i_clear)
    s.claim("the error stays until it is cleared", dut.o_code == s.past(dut.o_code), when=kept)
    s.claim("halted until cleared", dut.o_halted, when=s.past(dut.o_halted & ~dut.i_clear))
    s.claim("a bad packet comes with an error", dut.o_code != 0, when=out.tvalid & out.tuser)
    s.cover("halted after an abort", halts & (dut.o_code == ErrorCode.ABORTED))
    s.cover("an error response", dut.o_code == ErrorCode.BUS)
    s.cover("a stream that is none", dut.o_code == ErrorCode.MAGIC)
    s.cover("a stream of another version", dut.o_code == ErrorCode.VERSION)
    s.cover("a stream that is too short", dut.o_code == ErrorCode.TRUNCATED)
    s.cover("a bad packet ends", gave & out.tuser)
    s.cover("reads again after an error is cleared", dut.m_axi.arvalid & s.before(dut.o_halted))


def always_ends(s: Spec, component: type[Core] = Core) -> None:
    """After an abort or an error a fair bus and a receiver that is not stuck bring the core to a halt."""
    dut, bus = core(s, component)
    fair(s, dut.m_axi, bus, WAIT)
    s.assume(waited(s, dut.m_axis.tvalid & ~dut.m_axis.tready) <= WAIT)
    ending = waited(s, (dut.o_code != ErrorCode.NONE) & ~dut.o_halted)
    s.claim("an error ends in a halt", ending <= HALT_CYCLES)
    aborting = waited(s, s.past(dut.i_abort & dut.o_busy) & (dut.o_code == ErrorCode.NONE))
    s.claim("an abort is an error at once", aborting == 0)


def decodes(s: Spec) -> None:
    """The solver finds streams by itself, checksums included."""
    dut, _ = core(s, Core)
    s.cover("a tensor ends well", dut.o_done)
    s.cover("a header whose CRC is wrong", dut.o_code == ErrorCode.HEADER_CRC)
    s.cover("a header that is refused", dut.o_code == ErrorCode.HEADER)
    s.cover("a codec that is not built in", dut.o_code == ErrorCode.UNSUPPORTED)


def deep(quick: int, long: int) -> pytest.MarkDecorator:
    """So many cycles in every run of the tests, and more of them in the slow ones."""
    return pytest.mark.parametrize("steps", [quick, pytest.param(long, marks=pytest.mark.slow)])


def test_holds_what_it_offers(check: Prove) -> None:
    check(holds_what_it_offers, "induction", 2)


@deep(11, 14)
def test_rules_of_both_buses(check: Prove, steps: int) -> None:
    check(follows_the_rules, "bmc", steps)


@deep(16, 20)
def test_errors_and_aborts_end(check: Prove, steps: int) -> None:
    check(always_ends, "bmc", steps)


def test_reaches_errors(check: Prove) -> None:
    check(follows_the_rules, "cover", 18)


@pytest.mark.slow
def test_reaches_good_streams(check: Prove) -> None:
    check(decodes, "cover", 26)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("claims", "old", "new", "refuted"),
    [
        (follows_the_rules, "reader.o_idle & ~packer.o.valid", "~packer.o.valid", "bus is drained"),
        (follows_the_rules, "& ~packer.o.valid & ~skid.o.valid", "", "packet is out|bad packet"),
        (follows_the_rules, "with m.If(self.i_clear):", "with m.If(1):", "until"),
        (always_ends, "reader.i_stop.eq(stopping)", "reader.i_stop.eq(0)", "halt"),
        (always_ends, "connect(m, reader.o, aligner.i)", "", "halt"),
        (always_ends, "aborts = self.i_abort &", "aborts = self.i_abort & (tensors != 2) &", "abort"),
    ],
)
def test_broken_cores_are_found(check: Prove, claims: Any, old: str, new: str, refuted: str) -> None:
    with pytest.raises(RefutedError, match=refuted):
        check(lambda s: claims(s, mutant(Core, old, new)), "bmc", 20)

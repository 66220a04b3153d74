"""An AXI4 memory for proofs: any timing that the protocol allows, one manager, no reordering."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal, Value
from formal_bench import Spec

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.axi import PAGE_BYTES, Burst


@dataclass(frozen=True)
class Bus:
    """What a proof may look at. asked: a burst is accepted; words: its length; came: a word comes in.

    pending: bursts accepted and not yet answered. address: of the word that comes in.
    """

    asked: Value
    words: Value
    came: Value
    pending: Value
    address: Value


def request_stays(s: Spec, axi: Any) -> None:
    """Claim that what is asked for is asked for on, unchanged (IHI 0022, A3.2.1)."""
    held = s.past(axi.arvalid & ~axi.arready)
    payload = [n for n in axi.signature.members if n.startswith("ar") and n not in {"arvalid", "arready"}]
    s.claim("arvalid stays until arready", axi.arvalid, when=held)
    for name in payload:
        value = Value.cast(getattr(axi, name))
        s.claim(f"{name} stays until arready", value == s.past(value), when=held)


def memory(s: Spec, p: DecoderParams, axi: Any) -> Bus:
    """Assume answers as AXI4 has them (IHI 0022, A3) and claim that requests are as it wants them."""
    m: Module = s.m
    asked, came = axi.arvalid & axi.arready, axi.rvalid & axi.rready
    places = p.outstanding + 1
    starts = Array(Signal(p.address_bits, name=f"burst_address{i}") for i in range(places))
    lengths = Array(Signal(8, name=f"burst_length{i}") for i in range(places))
    pending, beat = Signal(range(places + 1)), Signal(8)
    ended = came & axi.rlast
    m.d.sync += pending.eq(pending + asked - ended)
    with m.If(ended):
        for i in range(places - 1):
            m.d.sync += [starts[i].eq(starts[i + 1]), lengths[i].eq(lengths[i + 1])]
    with m.If(asked):
        end = (pending - ended)[: len(pending)]
        m.d.sync += [starts[end].eq(axi.araddr), lengths[end].eq(axi.arlen)]
    with m.If(came):
        m.d.sync += beat.eq(Mux(axi.rlast, 0, beat + 1))

    s.assume(~axi.rvalid | (pending != 0))
    s.assume(axi.rlast == (beat == lengths[0]))
    waits = s.past(axi.rvalid & ~axi.rready)
    for name in ("rvalid", "rdata", "rresp", "rlast"):
        value = Value.cast(getattr(axi, name))
        s.assume(~waits | (value == s.past(value)))

    request_stays(s, axi)
    size = (axi.arlen + 1) * p.axi_bytes
    s.claim("no burst crosses 4 KiB", axi.araddr % PAGE_BYTES + size <= PAGE_BYTES, when=axi.arvalid)
    s.claim("bursts start at a word", axi.araddr % p.axi_bytes == 0, when=axi.arvalid)
    s.claim("bursts are as long as promised", axi.arlen < p.burst_beats, when=axi.arvalid)
    whole = (axi.arsize == p.axi_bytes.bit_length() - 1) & (axi.arburst == Burst.INCR)
    s.claim("bursts are of whole words, ascending", whole, when=axi.arvalid)
    s.claim("no more bursts outstanding than promised", pending + axi.arvalid <= p.outstanding)
    s.claim("words are taken at once", axi.rready, when=axi.rvalid)
    return Bus(asked, axi.arlen + 1, came, pending, starts[0] + beat * p.axi_bytes)


def fair(s: Spec, axi: Any, bus: Bus, wait: int) -> None:
    """Assume that no request and no answer waits for more than `wait` cycles."""
    for waits in (axi.arvalid & ~axi.arready, (bus.pending != 0) & ~axi.rvalid):
        s.assume(waited(s, waits) <= wait)


def waited(s: Spec, condition: Value) -> Value:
    """For how many cycles up to this one the condition has held."""
    before = Signal(range(128))
    now = Mux(condition, before + 1, 0)
    s.m.d.sync += before.eq(now)
    return now

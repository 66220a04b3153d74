"""Registers: AXI4-Lite's rules (IHI 0022, A3.2 and B1), one answer to every access, effects as documented."""

from typing import Any

import pytest
from amaranth.hdl import Cat, Signal, Value
from formal_bench import Prove, RefutedError, Spec
from mutants import mutant

from atalanta.golden.format import RESERVED, Field, Record
from atalanta.golden.registers import REGISTER_BITS, Access, Register
from atalanta.hw.axi import Resp
from atalanta.hw.registers import WORD_SHIFT, Registers

CYCLES = 10
INDUCTION = 5
LATENCY = 2
"""Cycles from the later of AW and W to B, and from AR to R."""


def register(name: str, offset: int, access: Access, width: int) -> Register:
    """A register with one field."""
    rest = (Field("reserved", REGISTER_BITS - width, RESERVED),) if width < REGISTER_BITS else ()
    record = Record(name, (Field("value", width, "A value."), *rest))
    return Register(name, offset, access, "A register.", record)


RO = register("ro", 0x0, Access.RO, 32)
RW = register("rw", 0x4, Access.RW, 20)
W1C = register("w1c", 0x8, Access.W1C, 9)
W1P = register("w1p", 0x10, Access.W1P, 12)
TABLE = (RO, RW, W1C, W1P)
"""One of each kind, and a gap."""


def registers(s: Spec, component: type[Registers]) -> Registers:
    """The registers with a manager that keeps to the rules: what it offers stays until it is taken."""
    s.m.submodules.dut = dut = component(TABLE)
    s.free_inputs(dut)
    axi = dut.s_axil
    for valid, ready, payload in (
        (axi.awvalid, axi.awready, axi.awaddr),
        (axi.wvalid, axi.wready, Cat(axi.wdata, axi.wstrb)),
        (axi.arvalid, axi.arready, axi.araddr),
    ):
        waits = s.past(valid & ~ready)
        s.assume(~waits | (valid & (payload == s.past(payload))))
    return dut


def under_way(s: Spec, came: Value, went: Value) -> Signal:
    """How many came and have not gone."""
    count = Signal(3)
    s.m.d.sync += count.eq(count + came - went)
    return count


def rules(s: Spec, component: type[Registers] = Registers) -> None:
    """Handshakes and the number of answers, for ever."""
    axi = registers(s, component).s_axil
    for name, valid, ready, payload in (
        ("B", axi.bvalid, axi.bready, Value.cast(axi.bresp)),
        ("R", axi.rvalid, axi.rready, Cat(axi.rdata, axi.rresp)),
    ):
        waits = s.past(valid & ~ready)
        s.claim(f"{name} stays valid until ready", valid, when=waits)
        s.claim(f"{name} stays as it is until ready", payload == s.past(payload), when=waits)
    answered = axi.bvalid & axi.bready
    held = {name: s.peek(f"dut.{name}_held", 1) for name in ("address", "data", "asked")}
    for name, came, went, waiting, offered in (
        ("AW", axi.awvalid & axi.awready, answered, held["address"], axi.bvalid),
        ("W", axi.wvalid & axi.wready, answered, held["data"], axi.bvalid),
        ("AR", axi.arvalid & axi.arready, axi.rvalid & axi.rready, held["asked"], axi.rvalid),
    ):
        count = under_way(s, came, went)
        s.claim(f"every {name} has one answer", count == waiting + offered)
        s.claim(f"no answer before {name}", count != 0, when=offered)
    both = held["address"] & held["data"]
    b_free = ~axi.bvalid | axi.bready
    s.claim("a write is answered at once if B is free", axi.bvalid, when=s.past(both & b_free))
    s.claim("a read is answered at once if R is free", axi.rvalid, when=s.past(held["asked"] & axi.rready))


def effects(s: Spec, component: type[Registers] = Registers) -> None:
    """What one write and one read do, in whatever order AW and W come and however long they wait."""
    dut = registers(s, component)
    axi = dut.s_axil
    address, data, strobes, asked = Signal(12), Signal(32), Signal(4), Signal(12)
    with s.m.If(axi.awvalid & axi.awready):
        s.m.d.sync += address.eq(axi.awaddr)
    with s.m.If(axi.wvalid & axi.wready):
        s.m.d.sync += [data.eq(axi.wdata), strobes.eq(axi.wstrb)]
    with s.m.If(axi.arvalid & axi.arready):
        s.m.d.sync += asked.eq(axi.araddr)
    answers = axi.bvalid & (s.past(~axi.bvalid | axi.bready))  # its first cycle; it took effect before
    target, written = s.past(address[WORD_SHIFT:]), s.past(data)
    lanes = s.past(Cat(strobe.replicate(8) for strobe in strobes))
    rw, w1c, w1p = (Value.cast(getattr(dut, f"o_{r.name}")) for r in (RW, W1C, W1P))

    def writes(r: Register) -> Value:
        return answers & (target == r.offset >> WORD_SHIFT)

    mask = lanes & RW.mask
    s.claim("RW holds the written bytes", rw == (s.past(rw) & ~mask | written & mask), when=writes(RW))
    s.claim("RW changes by a write alone", rw == s.past(rw), when=~writes(RW))
    cleared = written & lanes & W1C.mask
    events = s.past(Value.cast(dut.i_w1c))
    s.claim("W1C loses the bits written as 1", w1c == (s.past(w1c) & ~cleared | events), when=writes(W1C))
    s.claim("W1C is set by events alone", w1c == s.past(w1c) | events, when=~writes(W1C))
    s.claim("W1P has the bits written as 1", s.past(w1p) == written & lanes & W1P.mask, when=writes(W1P))
    s.claim("W1P is 0 without a write", s.past(w1p) == 0, when=~writes(W1P) & ~s.past(s.first))
    legal = writes(RW) | writes(W1C) | writes(W1P)
    s.claim("SLVERR for what cannot be written", axi.bresp.as_value() == Resp.SLVERR, when=answers & ~legal)
    s.claim("OKAY for what can", axi.bresp.as_value() == Resp.OKAY, when=legal)

    gives = axi.rvalid & s.past(~axi.rvalid | axi.rready)
    source = s.past(asked[WORD_SHIFT:])
    values = {RO: Value.cast(dut.i_ro), RW: rw, W1C: w1c, W1P: 0}
    known: Value = Signal()
    for r, value in values.items():
        here = gives & (source == r.offset >> WORD_SHIFT)
        right = (axi.rdata == s.past(value)) & (axi.rresp.as_value() == Resp.OKAY)
        s.claim(f"a read gives {r.name}", right, when=here)
        known |= here
    refused = (axi.rdata == 0) & (axi.rresp.as_value() == Resp.SLVERR)
    s.claim("SLVERR and 0 where there is no register", refused, when=gives & ~known)
    late = s.past(axi.awvalid & axi.awready, LATENCY) & s.past(~axi.wready, LATENCY)
    s.cover("a write whose data came first", writes(RW) & (rw == 0x5A5A5) & late)
    s.cover("a read and a write answered at once", gives & answers & (rw != 0))
    s.cover("an event wins over its clearing", writes(W1C) & (cleared & events).any())


def test_every_access_has_one_answer_that_stays(check: Prove) -> None:
    check(rules, "induction", INDUCTION)


def test_accesses_do_what_the_table_says(check: Prove) -> None:
    check(effects, "bmc", CYCLES)
    check(effects, "cover", CYCLES)


@pytest.mark.parametrize(
    ("claims", "old", "new", "refuted"),
    [
        (
            rules,
            "address_held & data_held & (~axi.bvalid | axi.bready)",
            "address_held & data_held",
            "B|answer",
        ),
        (rules, "axi.wready.eq(~data_held)", "axi.wready.eq(1)", "every W"),
        (rules, "asked_held & (~axi.rvalid | axi.rready)", "asked_held", "R stays|every AR"),
        (effects, "(held & ~mask) | (data & mask)", "data & mask", "RW holds"),
        (effects, "written & r.mask", "r.mask", "RW holds|W1C|W1P"),
        (effects, "(held & ~cleared) |", "held |", "W1C loses"),
        (effects, "axi.bresp.eq(Resp.SLVERR)", "axi.bresp.eq(Resp.OKAY)", "SLVERR"),
    ],
)
def test_broken_registers_are_found(check: Prove, claims: Any, old: str, new: str, refuted: str) -> None:
    with pytest.raises(RefutedError, match=refuted):
        check(lambda s: claims(s, mutant(Registers, old, new)), "bmc", CYCLES)

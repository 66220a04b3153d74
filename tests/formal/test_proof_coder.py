"""One step of hw.coder is one step of golden.coder, from any state, with any table and any bits.

A state is legal if its window is one after renormalisation and its code lies inside. The first state
is legal, and what follows a legal state is golden's and legal: so every state of every stream is.
"""

from typing import Any

import pytest
from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import data
from formal_bench import Prove, RefutedError, Spec
from golden_step import golden_step, is_window
from mutants import mutant

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.params import Precision
from atalanta.golden.table import PUBLISHED
from atalanta.hw.coder import VALUE_STAGES, Coder
from atalanta.hw.table import row_layout

SMALLEST = Precision(code=5, count=2)
SMALL = Precision(code=6, count=3)
DEPTH = 2 + VALUE_STAGES
"""Cycles from a state to the values of two ways."""


def params(ways: int, precision: Precision) -> DecoderParams:
    return DecoderParams(
        lanes=1, ways=ways, rows=8, value_bits=4, shapeshifter=False, raw=False, precision=precision
    )


def legal_table(s: Spec, p: DecoderParams, table: Any) -> list[Value]:
    """Assume a table as hw.rows makes them; the counts before each row, and behind the last one."""
    cum = [Const(0), *(table[r].cum for r in range(1, p.rows)), Const(p.precision.total)]
    s.assume(table[0].cum == 0)
    for r in range(p.rows):
        s.assume(cum[r] <= cum[r + 1])
        length = sum(((table[r].last >> n) != 0 for n in range(p.value_bits)), start=Const(0))
        s.assume(table[r].offset_bits == length)
    return cum


def least_share(precision: Precision) -> int:
    """Codes that a row of count 1 gets in the smallest window, as golden.coder says."""
    return 1 << (precision.code - 2 - precision.count)


def shares_are_large(s: Spec, precision: Precision) -> None:
    """One count more is so many codes more: for any window, and any product with the counts before."""
    code, count = precision.code, precision.count
    span, product = s.free(code + 1), s.free(code + count + 1)
    s.assume((span > 1 << (code - 2)) & (span <= 1 << code))
    share = ((product + span) >> count) - (product >> count)
    s.claim("a row with counts has codes", share >= least_share(precision))


def delayed(m: Module, step: Value, steps: int, values: dict[str, Value]) -> dict[str, Value]:
    """The values of so many steps ago."""
    for turn in range(steps):
        behind: dict[str, Value] = {n: Signal(v.shape(), name=f"{n}{turn}") for n, v in values.items()}
        with m.If(step):
            m.d.sync += [behind[name].eq(value) for name, value in values.items()]
        values = behind
    return values


def steps_are_golden(s: Spec, p: DecoderParams, component: type[Coder] = Coder) -> None:
    """At the loop's start stands any state; W - 1 steps later its value is at the ports.

    What the multipliers give is left open but for `shares_are_large`: golden's and the coder's products
    are the same ones, which Yosys sees before the solver does.
    """
    m, code = s.m, p.precision.code
    s.products_are_free = True
    m.submodules.dut = dut = component(p)
    s.free_inputs(dut, dut.i_table)
    table = s.constant(dut.i_table.shape())
    m.d.comb += dut.i_table.eq(table)
    cum = legal_table(s, p, table)

    low, delta = Signal(code), s.peek("dut.take_delta", code) | s.peek("dut.take_refill", code)
    span, high = s.peek("dut.take_range", code + 1), Signal(code)
    m.d.comb += [low.eq(s.peek("dut.take_low", code - 1)), high.eq(low + span - 1)]
    legal = (span == high - low + 1) & is_window(low, high, p.precision) & (delta < span)
    golden = golden_step(m, low, span, delta, cum, p.precision)

    for r in range(p.rows):
        share = golden.bounds[r + 1] - golden.bounds[r]
        s.assume(~legal | Mux(cum[r] < cum[r + 1], share >= least_share(p.precision), share == 0))

    s.assume(dut.i_step & dut.i_move)
    s.assume(dut.i_initial | dut.i_value | ~dut.i_feed)  # whoever goes on after its first code has a value
    chosen = Array(Value.cast(table[r]) for r in range(p.rows))[golden.row]
    now = legal & (s.age == 0)
    s.claim("the row is golden's", s.peek("dut.select_row", len(chosen)) == chosen, when=now)
    s.claim("the row's share starts as golden's", s.peek("dut.select_start", code) == golden.start, when=now)
    s.claim("the row's share ends as golden's", s.peek("dut.select_end", code + 1) == golden.end, when=now)
    at_end = delayed(
        m,
        dut.i_step,
        p.ways - 1,
        {
            "legal": legal & (s.age == 0),
            "low": golden.low,
            "high": golden.high,
            "delta": golden.delta,
            "shift": golden.shift,
            "still": golden.still,
            "row": chosen,
        },
    )
    narrowed = at_end["high"] - at_end["low"] + 1
    done = at_end["legal"]
    s.claim("the window starts as golden's", s.peek("dut.end_low", code - 1) == at_end["low"], when=done)
    s.claim("the window is golden's", s.peek("dut.end_range", code + 1) == narrowed, when=done)
    moved = (at_end["delta"] << at_end["shift"])[:code]
    s.claim("the code moves with the window", s.peek("dut.end_delta", code) == moved, when=done)
    row = data.View(row_layout(p), at_end["row"])
    shift, offset_bits = Signal(range(code + 1)), Signal.like(row.offset_bits)
    refill, offset = Signal(code), Signal(p.value_bits)
    m.d.comb += [
        shift.eq(Mux(dut.i_feed, at_end["shift"], 0)),
        offset_bits.eq(Mux(dut.i_value, row.offset_bits, 0)),
        refill.eq(dut.i_bits & ((1 << shift) - 1)),
        offset.eq((dut.i_bits >> shift) & ((1 << offset_bits) - 1)),
    ]
    continues = at_end["legal"] & ~dut.i_initial
    s.claim("golden's loops end within max_shift", ~at_end["still"], when=continues)
    s.claim("bits taken are golden's", dut.o_take == shift + offset_bits, when=continues)
    ends = delayed(
        m,
        dut.i_move,
        VALUE_STAGES,
        {
            "continues": continues,
            "valid": dut.i_value,
            "value": (row.base + offset)[: p.value_bits],
            "illegal": dut.i_value & (offset > row.last),
        },
    )
    s.claim("the value is golden's", dut.o_value == ends["value"], when=ends["continues"] & ends["valid"])
    s.claim("an offset beyond its row is illegal", dut.o_illegal == ends["illegal"], when=ends["continues"])

    goes_on = s.past(continues & dut.i_feed & dut.i_step)
    next_delta = (at_end["delta"] << shift | refill)[:code]
    s.claim("the next window starts as golden's", low == s.past(at_end["low"]), when=goes_on)
    s.claim("the next window ends as golden's", high == s.past(at_end["high"]), when=goes_on)
    s.claim("the next code is golden's", delta == s.past(next_delta), when=goes_on)
    s.claim("the next state is legal", legal, when=goes_on)
    starts = s.past(dut.i_initial & dut.i_feed & dut.i_step)
    s.claim("the first state is legal", legal, when=starts)
    s.claim("the first window is all codes", (low == 0) & high.all(), when=starts)
    s.claim("the first code is the lane's first bits", delta == s.past(dut.i_bits[:code]), when=starts)
    s.claim("an initial code is taken", dut.o_take == code, when=dut.i_initial & dut.i_feed & ~dut.i_value)


def test_rows_have_codes(check: Prove) -> None:
    check(lambda s: shares_are_large(s, PUBLISHED), "bmc", 1)


def test_small_coder(check: Prove) -> None:
    check(lambda s: steps_are_golden(s, params(2, SMALL)), "bmc", DEPTH)


@pytest.mark.slow
def test_published_coder(check: Prove) -> None:
    check(lambda s: steps_are_golden(s, params(2, PUBLISHED)), "bmc", DEPTH)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "refuted"),
    [
        ("(zeros - ~straddles)", "(zeros - 1)", "window"),
        ('s[f"bound{row}"] <= s["delta"]', 's[f"bound{row}"] < s["delta"]', "row"),
        ('s["low"] + s["end"] - 1)', 's["low"] + s["end"])', "window"),
        ("(bits >> cut_shift) &", "bits &", "value"),
        ("offset > last[-1]", "offset >= last[-1]", "illegal"),
        ('"delta": end_delta & ~self.i_initial.replicate(code)', '"delta": end_delta', "first"),
        (
            '"take": s["shift"] + data.View(row_layout(p), s["row"]).offset_bits',
            '"take": s["shift"]',
            "bits taken",
        ),
    ],
)
def test_broken_coders_are_found(check: Prove, old: str, new: str, refuted: str) -> None:
    with pytest.raises(RefutedError, match=refuted):
        check(lambda s: steps_are_golden(s, params(2, SMALLEST), mutant(Coder, old, new)), "bmc", DEPTH)

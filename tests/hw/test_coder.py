"""Coder against golden.coder.WayDecoder, slot by slot."""

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from coder_paths import LONGEST_UNDERFLOW, Seen, codes_of, follow, steep_table, steered_rows
from hw_bench import LIGHT, NONE, Bench, Pauses
from tables import hardware_rows, random_table

from atalanta.golden.bits import BitReader
from atalanta.golden.coder import WayDecoder
from atalanta.golden.decoder import SEARCHES, DecoderParams
from atalanta.golden.params import WAYS, AtalantaParams, Precision
from atalanta.golden.reference.atalanta import encode_lane
from atalanta.golden.table import PUBLISHED, Table
from atalanta.hw.coder import VALUE_STAGES, Coder


@dataclass(frozen=True)
class Slot:
    """What a slot does in the coder and what golden says about it."""

    initial: bool
    feed: bool
    bits: int
    take: int
    value: int | None
    illegal: bool


@dataclass(frozen=True)
class Value:
    """What a slot has finished, if anything."""

    value: int | None
    illegal: bool


def expected_slots(data: bytes, count: int, table: Table, ways: int) -> list[Slot]:
    """The slots of a lane of `count` values whose bits are `data`; behind its end bits are 0."""
    reader = BitReader(data, strict=False)
    decoders: list[WayDecoder] = []
    slots = []
    for t in range(ways + count):
        bits, start, k = BitReader(data, strict=False), reader.position, t - ways
        bits.position = start
        window, value, illegal = bits.get("window", 32), None, False
        if t < ways:
            feed = t < count
            if feed:
                decoders.append(WayDecoder(reader.get("code", table.precision.code), table.precision))
        else:
            way = decoders[k % ways]
            row, shift = way.decode(table)
            feed = k + ways < count
            if feed:
                way.refill(shift, reader.get("refill", shift))
            offset = reader.get("offset", table.offset_bits[row])
            value, illegal = table.v_min[row] + offset, offset >= table.width(row)
        slots.append(Slot(t < ways, feed, window, reader.position - start, value, illegal))
    return slots


def run_slots(
    p: DecoderParams,
    segments: list[tuple[Table, bool, list[Slot]]],
    pauses: Pauses = NONE,
    seed: int = 0,
) -> None:
    """Drive the coder through segments of (table, signed, slots) and compare every slot."""
    dut, random = Coder(p), Random(seed)
    bench = Bench(dut)
    mask = (1 << p.value_bits) - 1
    moved: list[Value] = []

    async def move(ctx: Any, value: Value) -> None:
        """One cycle in which values move on; `value` is the one that goes in."""
        ctx.set(dut.i_move, 1)
        await ctx.tick()
        ctx.set(dut.i_move, 0)
        moved.append(value)
        leaves = moved[-VALUE_STAGES] if len(moved) >= VALUE_STAGES else Value(None, illegal=False)
        assert ctx.get(dut.o_illegal) == leaves.illegal
        if leaves.value is not None and not leaves.illegal:
            assert ctx.get(dut.o_value) == leaves.value & mask

    async def slots_in_turn(ctx: Any) -> None:
        for table, signed, slots in segments:
            ctx.set(dut.i_table, hardware_rows(table, p, signed=signed))
            middle = 1 << table.bits - 1 if signed else 0
            for slot in slots:
                for _ in range(pauses.gap(random)):
                    ctx.set(dut.i_bits, random.getrandbits(32))
                    ctx.set(dut.i_initial, random.getrandbits(1))
                    ctx.set(dut.i_value, 0)
                    if random.getrandbits(1):
                        await move(ctx, Value(None, illegal=False))
                    else:
                        await ctx.tick()  # nothing moves, whatever is at the inputs
                ctx.set(dut.i_initial, slot.initial)
                ctx.set(dut.i_feed, slot.feed)
                ctx.set(dut.i_value, slot.value is not None)
                ctx.set(dut.i_bits, slot.bits)
                assert ctx.get(dut.o_take) == slot.take
                ctx.set(dut.i_step, 1)
                value = None if slot.value is None else slot.value - middle
                await move(ctx, Value(value, illegal=slot.illegal))
                ctx.set(dut.i_step, 0)
        ctx.set(dut.i_value, 0)
        for _ in range(VALUE_STAGES):
            await move(ctx, Value(None, illegal=False))

    bench.add(slots_in_turn)
    bench.run()


def random_segment(random: Random, p: DecoderParams, count: int) -> tuple[Table, bool, list[Slot]]:
    """A segment of random bits: decoders take any, and come upon offsets beyond their rows."""
    table = random_table(random, random.randint(2, p.value_bits), p.rows, p.precision)
    slots = expected_slots(random.randbytes(6 * count + 16), count, table, p.ways)
    return table, random.random() < 0.5, slots


@pytest.mark.parametrize("pauses", [NONE, LIGHT], ids=lambda p: p.name)
@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("ways", WAYS)
def test_random_bits(ways: int, search: str, pauses: Pauses) -> None:
    random = Random(ways)
    p = DecoderParams(ways=ways, search=search)
    segments = [random_segment(random, p, count) for count in (1, 40, ways - 1, 80, ways, 80, ways + 1, 40)]
    assert any(slot.illegal for _, _, slots in segments for slot in slots)
    run_slots(p, segments, pauses)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(("value_bits", "rows"), [(4, 8), (8, 8), (16, 16), (16, 32)])
def test_other_widths_and_rows(value_bits: int, rows: int, search: str) -> None:
    random = Random(rows + value_bits)
    p = DecoderParams(value_bits=value_bits, rows=rows, search=search)
    run_slots(p, [random_segment(random, p, 40) for _ in range(10)], LIGHT)


@pytest.mark.parametrize(
    "table",
    [
        Table(8, (0,), (0,)),
        Table(16, (0,), (0,)),
        Table(2, (0, 1, 2, 3), (0, 0, 1024, 1024)),
        Table(8, (0, 100), (0, 1)),
        Table(8, (0, 1), (0, 1023)),
        Table(16, (0, 1, 65535), (0, 1, 1023)),
        Table(8, tuple(range(16)), tuple(range(16))),
        Table(8, tuple(range(16)), (0, *range(1009, 1024))),
        Table(8, tuple(range(16)), (0,) * 16),
    ],
    ids=["one-row", "one-wide-row", "zero-counts", "first-1", "last-1", "16-bit", "ones-first", "ones-last",
         "all-in-last"],
)  # fmt: skip
@pytest.mark.parametrize("search", SEARCHES)
def test_edge_tables(table: Table, search: str) -> None:
    p = DecoderParams(value_bits=16, search=search)
    random = Random(table.rows)
    usable = [row for row in range(table.rows) if table.count(row)]
    codes = codes_of(random.choices(usable, k=60), table, random)
    data = encode_lane(codes, table, AtalantaParams(bits=table.bits, lanes=1, ways=p.ways))[0].data
    slots = expected_slots(data, len(codes), table, p.ways)
    assert [slot.value for slot in slots if slot.value is not None] == codes
    run_slots(p, [(table, False, slots)])


@pytest.mark.parametrize("ways", [2, 4, 5, 8])
def test_every_shift_and_underflow_run(ways: int) -> None:
    """Encoded paths whose renormalisations shift by 0 to 12 bits, with underflow runs of 0 to 12."""
    random, seen = Random(3), Seen()
    p = DecoderParams(ways=ways)
    segments = []

    def add(table: Table, rows: list[int]) -> None:
        codes = codes_of(rows, table, random)
        data = encode_lane(codes, table, AtalantaParams(bits=8, lanes=1, ways=ways))[0].data
        segments.append((table, True, expected_slots(data, len(codes), table, ways)))

    table, path = LONGEST_UNDERFLOW
    follow(table, path, seen)
    add(table, [row for row in path for _ in range(ways)])
    while seen.missing:
        table = steep_table(random, 8, 16)
        paths = [steered_rows(table, 600 // ways, random, seen) for _ in range(ways)]
        add(table, [row for step in zip(*paths, strict=True) for row in step])
    run_slots(p, segments)


def test_a_small_coder() -> None:
    """The precision with which proofs visit every state."""
    random = Random(1)
    p = DecoderParams(ways=2, rows=8, value_bits=4, precision=Precision(code=7, count=3))
    run_slots(p, [random_segment(random, p, 60) for _ in range(6)])


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("ways", WAYS)
def test_latency_is_the_ways(ways: int, search: str) -> None:
    """The code that goes in at step t is the value of step t + latency, and the next one's is not."""
    p = DecoderParams(ways=ways, value_bits=8, search=search)
    dut = Coder(p)
    table = Table(8, (0, 200), (0, 512))
    top = (1 << PUBLISHED.code) - 1
    bench = Bench(dut)

    async def one_code(ctx: Any) -> None:
        ctx.set(dut.i_table, hardware_rows(table, p))
        values = []
        ctx.set(dut.i_step, 1)
        ctx.set(dut.i_move, 1)
        ctx.set(dut.i_initial, 1)
        for way in range(ways):  # way 0 gets the highest code, the others the lowest
            ctx.set(dut.i_feed, way == 0)
            ctx.set(dut.i_bits, top)
            await ctx.tick()
            values.append(ctx.get(dut.o_value))
            ctx.set(dut.i_initial, way + 1 < dut.latency)
        ctx.set(dut.i_bits, 0)
        ctx.set(dut.i_value, 1)
        for _ in range(VALUE_STAGES + 1):
            await ctx.tick()
            values.append(ctx.get(dut.o_value))
        first = dut.latency + VALUE_STAGES - 1
        assert values[first:] == [200, 0], "the next way's code was the lowest"

    assert dut.latency == ways
    bench.add(one_code)
    bench.run()

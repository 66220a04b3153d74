"""Rows against golden.table.Table: good tables field by field, bad ones of every kind."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hw_bench import Bench, plain
from tables import hardware_rows, random_table

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import StreamError
from atalanta.golden.format import BLOCK_BYTES, padded, row_record
from atalanta.golden.table import Table
from atalanta.hw.rows import Rows

KINDS = {
    "8x8": DecoderParams(rows=8),
    "16x8": DecoderParams(rows=16),
    "32x16": DecoderParams(rows=32, value_bits=16),
    "8x4": DecoderParams(rows=8, value_bits=4),
}
every_kind = pytest.mark.parametrize("p", KINDS.values(), ids=KINDS.keys())

LATENCY = 2
"""Cycles from the last block to `o_good`, by when the table is there too."""

Fields = tuple[list[int], list[int]]
"""v_min and cum of a table that may be bad."""


class RowsBench:
    """Writes table sections block by block and shows what comes out LATENCY cycles after the last one."""

    def __init__(self, p: DecoderParams) -> None:
        self.p = p
        self.dut = Rows(p)
        self.bench = Bench(self.dut)
        self._random = Random(8)

    async def load(self, ctx: Any, fields: Fields, bits: int, *, signed: bool = False) -> None:
        """Write a section and wait for what it says. What the last block leaves over is junk."""
        dut, record = self.dut, row_record(bits)
        v_min, cum = fields
        section = b"".join(record.pack({"v_min": v, "cum": c}) for v, c in zip(v_min, cum, strict=True))
        junk = self._random.randbytes(-len(section) % BLOCK_BYTES)
        section = padded(section + junk, BLOCK_BYTES)
        ctx.set(dut.i_rows, len(v_min))
        ctx.set(dut.i_bits, bits)
        ctx.set(dut.i_signed, signed)
        for index in range(len(section) // BLOCK_BYTES):
            block = section[index * BLOCK_BYTES :][:BLOCK_BYTES]
            ctx.set(dut.i_block, int.from_bytes(block, "little"))
            ctx.set(dut.i_index, index)
            ctx.set(dut.i_write, 1)
            await ctx.tick()
            ctx.set(dut.i_write, 0)
        await ctx.tick().repeat(LATENCY)


@every_kind
def test_good_tables(p: DecoderParams) -> None:
    random = Random(p.rows)
    rows = RowsBench(p)

    async def tables(ctx: Any) -> None:
        for number in range(60):
            bits = p.value_bits if number % 2 else random.randint(2, p.value_bits)
            table = random_table(random, bits, 1 if number % 10 == 9 else p.rows)
            signed = random.random() < 0.5
            await rows.load(ctx, (list(table.v_min), list(table.cum)), bits, signed=signed)
            assert ctx.get(rows.dut.o_good)
            found = plain(ctx.get(rows.dut.o_table))
            due = hardware_rows(table, p, signed=signed)
            assert found[: table.rows] == due[: table.rows]
            total = {p.precision.total}
            assert {row["cum"] for row in found[table.rows :]} <= total, "rows beyond are out of reach"

    rows.bench.add(tables)
    rows.bench.run()


def first_value(random: Random, fields: Fields, bits: int) -> None:
    fields[0][0] = random.randint(1, (1 << bits) - 1)


def first_count(random: Random, fields: Fields, _bits: int) -> None:
    fields[1][0] = random.randint(1, 1024)


def equal_values(random: Random, fields: Fields, _bits: int) -> None:
    row = random.randrange(1, len(fields[0]))
    fields[0][row] = fields[0][row - 1]


def falling_values(random: Random, fields: Fields, _bits: int) -> None:
    row = random.randrange(1, len(fields[0]))
    fields[0][row] = random.randint(0, fields[0][row - 1])


def falling_counts(random: Random, fields: Fields, _bits: int) -> None:
    row = random.randrange(1, len(fields[1]))
    fields[1][row - 1] = random.randint(fields[1][row] + 1, 0xFFFF)


def counts_beyond_total(random: Random, fields: Fields, _bits: int) -> None:
    fields[1][-1] = random.choice([1025, 2048, 1024 + fields[1][-1], 0xFFFF])


def value_beyond_bits(random: Random, fields: Fields, bits: int) -> None:
    width = 8 if bits <= 8 else 16
    beyond = 1 << bits
    fields[0][-1] = random.randint(beyond, (1 << width) - 1) if beyond >> width == 0 else 0


def any_field(random: Random, fields: Fields, bits: int) -> None:
    width = 8 if bits <= 8 else 16
    row = random.randrange(len(fields[0]))
    if random.random() < 0.5:
        fields[0][row] = random.getrandbits(width)
    else:
        fields[1][row] = random.getrandbits(random.choice([10, 11, 16]))


@every_kind
@pytest.mark.parametrize(
    "spoil",
    [first_value, first_count, equal_values, falling_values, falling_counts, counts_beyond_total,
     value_beyond_bits, any_field],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_bad_tables(p: DecoderParams, spoil: Callable[[Random, Fields, int], None]) -> None:
    """Golden and hardware agree on which tables are bad; most of these are."""
    random = Random(p.rows)
    rows = RowsBench(p)
    verdicts = []

    async def tables(ctx: Any) -> None:
        for _ in range(30):
            bits = random.randint(3, p.value_bits)
            table = random_table(random, bits, p.rows)
            while table.rows < 2:
                table = random_table(random, bits, p.rows)
            fields = list(table.v_min), list(table.cum)
            spoil(random, fields, bits)
            try:
                Table(bits, tuple(fields[0]), tuple(fields[1]))
                good = True
            except StreamError:
                good = False
            verdicts.append(good)
            await rows.load(ctx, fields, bits)
            assert ctx.get(rows.dut.o_good) == good, fields

    rows.bench.add(tables)
    rows.bench.run()
    assert verdicts.count(False) > len(verdicts) // 2

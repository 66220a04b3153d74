"""Crc against zlib."""

import zlib
from random import Random
from typing import Any

import pytest
from hw_bench import Bench, Pauses, every_pause

from atalanta.hw.crc import Crc

LATENCY = 2


@pytest.mark.parametrize("nbytes", [1, 4, 16, 64])
@every_pause
def test_crc_of_blocks_is_zlibs(nbytes: int, pauses: Pauses) -> None:
    random = Random(nbytes)
    dut = Crc(nbytes)
    bench = Bench(dut)

    async def blocks(ctx: Any) -> None:
        for _ in range(6):
            done = b""
            for block in range(random.randint(1, 8)):
                chunk = random.randbytes(nbytes)
                before = ctx.get(dut.o_crc)
                for _ in range(pauses.gap(random)):
                    ctx.set(dut.i_data, random.getrandbits(8 * nbytes))
                    await ctx.tick()
                    assert ctx.get(dut.o_crc) == before
                ctx.set(dut.i_data, int.from_bytes(chunk, "little"))
                ctx.set(dut.i_valid, 1)
                ctx.set(dut.i_first, block == 0)
                assert ctx.get(dut.o_crc) == before, "before its clock edge a block has no effect"
                await ctx.tick()
                ctx.set(dut.i_valid, 0)
                await ctx.tick().repeat(LATENCY - 1)
                done += chunk
                assert ctx.get(dut.o_crc) == zlib.crc32(done)

    bench.add(blocks)
    bench.run()


def test_one_block_per_cycle() -> None:
    dut = Crc(16)
    bench = Bench(dut)
    data = Random(5).randbytes(16 * 20)

    async def blocks(ctx: Any) -> None:
        ctx.set(dut.i_valid, 1)
        for at in range(0, len(data), 16):
            ctx.set(dut.i_first, at == 0)
            ctx.set(dut.i_data, int.from_bytes(data[at : at + 16], "little"))
            await ctx.tick()
        ctx.set(dut.i_valid, 0)
        await ctx.tick().repeat(LATENCY - 1)
        assert ctx.get(dut.o_crc) == zlib.crc32(data)

    bench.add(blocks)
    bench.run()
    assert bench.cycle == len(data) // 16 + LATENCY - 1

"""AXI4-Lite registers against a register file in Python."""

from random import Random
from typing import Any

import pytest
from axil_bench import AT_ONCE, Delays, Manager, watch_responses
from hw_bench import Bench

from atalanta.golden.registers import ADDRESS_BITS, BY_NAME, REGISTERS, Access, Register
from atalanta.hw.axi import Resp
from atalanta.hw.registers import Registers

WRITE_LATENCY = 2
"""Cycles from the later of AW and W to B."""
READ_LATENCY = 2
"""Cycles from AR to R."""

UNKNOWN = sorted(set(range(0, 1 << ADDRESS_BITS, 4)) - {r.offset for r in REGISTERS})


class Model:
    """What the registers hold, by the table's rules."""

    def __init__(self) -> None:
        self.held = {r.offset: 0 for r in REGISTERS}
        self.pulses: list[tuple[str, int]] = []

    def write(self, r: Register | None, data: int, strobes: int) -> Any:
        if r is None or r.access is Access.RO:
            return Resp.SLVERR
        mask = r.mask & sum(0xFF << 8 * i for i in range(4) if strobes >> i & 1)
        if r.access is Access.RW:
            self.held[r.offset] = self.held[r.offset] & ~mask | data & mask
        elif r.access is Access.W1C:
            self.held[r.offset] &= ~(data & mask)
        elif data & mask:
            self.pulses.append((r.name, data & mask))
        return Resp.OKAY


def random_delays(random: Random) -> Delays:
    """AW first, W first, both at once; B and R taken at once or late."""
    return Delays(random.choice([0, 0, 1, 4]), random.choice([0, 0, 1, 4]), random.choice([-1, 0, 1, 3]))


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_accesses_acts_as_the_table_says(seed: int) -> None:
    """Writes with any strobes and distances between AW and W, reads, events, unknown addresses."""
    random = Random(seed)
    dut, model = Registers(), Model()
    bench = Bench(dut)
    manager = Manager(dut.s_axil)
    watch_responses(bench, dut.s_axil)
    commands = [r for r in REGISTERS if r.access is Access.W1P]
    seen = bench.sample(*(getattr(dut, f"o_{r.name}").as_value() for r in commands))

    async def body(ctx: Any) -> None:
        for known in REGISTERS:
            if known.access is Access.RO:
                model.held[known.offset] = random.getrandbits(32)
                ctx.set(getattr(dut, f"i_{known.name}").as_value(), model.held[known.offset])
        for _ in range(250):
            r: Register | None = random.choice([*REGISTERS, None])
            address = (r.offset if r else random.choice(UNKNOWN)) + random.randrange(4)
            delays = random_delays(random)
            kind = random.choice(["write", "read", "event"])
            if kind == "write":
                data, strobes = random.getrandbits(32), random.getrandbits(4)
                resp, _ = await manager.write(ctx, address, data, strobes, delays)
                assert resp is model.write(r, data, strobes)
            elif kind == "read":
                value, resp, _ = await manager.read(ctx, address, delays)
                assert resp is (Resp.OKAY if r else Resp.SLVERR)
                assert value == (model.held[r.offset] if r else 0)
            else:
                pending = BY_NAME["pending"]
                events = random.getrandbits(32) & pending.mask
                ctx.set(dut.i_pending.as_value(), events)
                await ctx.tick()
                ctx.set(dut.i_pending.as_value(), 0)
                model.held[pending.offset] |= events

    bench.add(body)
    bench.run()
    pulses = [(r.name, value) for row in seen for r, value in zip(commands, row, strict=True) if value]
    assert pulses == model.pulses, "a command is given once, for one cycle, and only by a write"


@pytest.mark.parametrize(
    "delays", [AT_ONCE, Delays(address=5), Delays(data=5)], ids=["together", "W first", "AW first"]
)
def test_latency(delays: Delays) -> None:
    dut = Registers()
    bench = Bench(dut)
    manager = Manager(dut.s_axil)
    offset = BY_NAME["length"].offset

    async def body(ctx: Any) -> None:
        for _ in range(3):
            assert (await manager.write(ctx, offset, 1, 15, delays))[1] == WRITE_LATENCY
            assert (await manager.read(ctx, offset, delays))[2] == READ_LATENCY

    bench.add(body)
    bench.run()


def test_an_access_every_two_cycles_each_way_at_the_same_time() -> None:
    dut = Registers()
    bench = Bench(dut)
    axi = dut.s_axil
    seen = bench.sample(axi.bvalid, axi.rvalid)

    async def body(ctx: Any) -> None:
        for signal in (axi.awvalid, axi.wvalid, axi.arvalid, axi.bready, axi.rready):
            ctx.set(signal, 1)
        await ctx.tick().repeat(22)

    bench.add(body)
    bench.run()
    assert [sum(column) for column in zip(*seen, strict=True)] == [10, 10]


def test_no_output_follows_an_input_within_the_cycle() -> None:
    """IHI 0022, A3.2.1: no combinational paths between inputs and outputs of an AXI interface."""
    dut = Registers()
    bench = Bench(dut)
    axi = dut.s_axil
    outputs = (axi.awready, axi.wready, axi.bvalid, axi.bresp, axi.arready, axi.rvalid, axi.rdata, axi.rresp)

    async def body(ctx: Any) -> None:
        random = Random(5)
        inputs = (
            axi.awvalid,
            axi.awaddr,
            axi.wvalid,
            axi.wdata,
            axi.bready,
            axi.arvalid,
            axi.araddr,
            axi.rready,
        )
        for _ in range(100):
            before = [ctx.get(o) for o in outputs]
            for signal in inputs:
                ctx.set(signal, random.getrandbits(len(signal)))
            assert [ctx.get(o) for o in outputs] == before
            await ctx.tick()

    bench.add(body)
    bench.run()


def test_a_bit_that_is_set_while_it_is_cleared_stays() -> None:
    dut = Registers()
    bench = Bench(dut)
    manager = Manager(dut.s_axil)

    async def body(ctx: Any) -> None:
        ctx.set(dut.i_pending.done, 1)  # in every cycle, that of the clearing write among them
        ctx.set(dut.i_pending.idle, 1)
        await ctx.tick()
        ctx.set(dut.i_pending.idle, 0)
        await manager.put(ctx, "pending", done=1, idle=1)
        assert (await manager.get(ctx, "pending")) == {
            "done": 1,
            "error": 0,
            "idle": 0,
            "empty": 0,
            "dropped": 0,
        }

    bench.add(body)
    bench.run()

"""An AXI4-Lite manager for testbenches, and the rules that a subordinate has to keep."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Cat
from hw_bench import Bench

from atalanta.golden.registers import BY_NAME
from atalanta.hw.axi import Resp


@dataclass(frozen=True)
class Delays:
    """Cycles that the manager waits: before AW, before W or AR, and with BREADY or RREADY.

    A wait of -1 before BREADY or RREADY: it is high from the start.
    """

    address: int = 0
    data: int = 0
    response: int = -1


AT_ONCE = Delays()


class Manager:
    """Does one access at a time; every access says what came back and after how many cycles."""

    def __init__(self, axi: Any) -> None:
        self._axi = axi

    async def write(
        self, ctx: Any, address: int, data: int, strobes: int = 15, delays: Delays = AT_ONCE
    ) -> tuple[Resp, int]:
        """BRESP, and the cycle of B counted from the later of AW and W."""
        axi, cycle, at = self._axi, 0, {"aw": -1, "w": -1}
        ctx.set(axi.awaddr, address)
        ctx.set(axi.wdata, data)
        ctx.set(axi.wstrb, strobes)
        while True:
            ctx.set(axi.awvalid, at["aw"] < 0 and cycle >= delays.address)
            ctx.set(axi.wvalid, at["w"] < 0 and cycle >= delays.data)
            taken = max(at.values()) if min(at.values()) >= 0 else cycle
            ctx.set(axi.bready, cycle - taken > delays.response)
            _, _, aw, w, aw_valid, w_valid, b, b_ready, resp = await ctx.tick().sample(
                axi.awready, axi.wready, axi.awvalid, axi.wvalid, axi.bvalid, axi.bready, axi.bresp
            )
            if aw and aw_valid:
                at["aw"] = cycle
            if w and w_valid:
                at["w"] = cycle
            if b and b_ready:
                assert min(at.values()) >= 0, "a response before the request"
                ctx.set(axi.bready, 0)
                return Resp(resp), cycle - max(at.values())
            cycle += 1

    async def read(self, ctx: Any, address: int, delays: Delays = AT_ONCE) -> tuple[int, Resp, int]:
        """RDATA, RRESP, and the cycle of R counted from AR."""
        axi, cycle, at = self._axi, 0, -1
        ctx.set(axi.araddr, address)
        while True:
            ctx.set(axi.arvalid, at < 0 and cycle >= delays.address)
            ctx.set(axi.rready, cycle - (at if at >= 0 else cycle) > delays.response)
            _, _, ar, ar_valid, r, r_ready, value, resp = await ctx.tick().sample(
                axi.arready, axi.arvalid, axi.rvalid, axi.rready, axi.rdata, axi.rresp
            )
            if ar and ar_valid:
                at = cycle
            if r and r_ready:
                assert at >= 0, "a response before the request"
                ctx.set(axi.rready, 0)
                return value, Resp(resp), cycle - at
            cycle += 1

    async def get(self, ctx: Any, register: str) -> dict[str, int]:
        """The fields of a register."""
        value, resp, _ = await self.read(ctx, BY_NAME[register].offset)
        assert resp is Resp.OKAY
        return BY_NAME[register].unpack(value)

    async def put(self, ctx: Any, register: str, **fields: int) -> None:
        """Set a register; fields that are not given become 0."""
        resp, _ = await self.write(ctx, BY_NAME[register].offset, BY_NAME[register].pack(fields))
        assert resp is Resp.OKAY


def watch_responses(bench: Bench, axi: Any) -> None:
    """See that B and R stay as they are until they are taken."""
    bench.watch(SimpleNamespace(payload=axi.bresp, valid=axi.bvalid, ready=axi.bready))
    bench.watch(SimpleNamespace(payload=Cat(axi.rdata, axi.rresp), valid=axi.rvalid, ready=axi.rready))

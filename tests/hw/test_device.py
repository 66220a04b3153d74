"""Device: queue, status, interrupt, errors and abort as software sees them, cycle by cycle."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from axil_bench import Manager, watch_responses
from hw_bench import Bench

import atalanta
from atalanta.golden.decoder import CAUSES, DecoderParams
from atalanta.golden.errors import ErrorCode
from atalanta.golden.registers import COUNTERS
from atalanta.hw.axi import Resp
from atalanta.hw.device import Device

P = DecoderParams(lanes=1, ways=2, rows=8, queue=3, prefetch=16, address_bits=32)
"""As small as can be; streams are raw ones, since nothing that is tested here depends on the codec."""

WRITE_TO_EFFECT = 1
"""Cycles from the later of AW and W to the cycle in which a write takes effect."""
EFFECT_TO_ARVALID = 6
EVENT_TO_IRQ = 2
EFFECT_TO_ABORTED = 2
WORDS_BEHIND = 3
"""Output words that the receiver must take before the device can halt."""

MOST_IN_CORE = 9
"""Tensors that the core can hold when its output is blocked, if they are small."""

BASE = 0x1000


def stream_of(count: int, seed: int = 0) -> tuple[np.ndarray, bytes]:
    """Values, and their stream."""
    values = np.random.default_rng(seed).integers(0, 256, count, np.uint8)
    return values, atalanta.encode(values, "raw")


class DeviceBench:
    """A device, its registers' manager, a memory and a receiver that can be stopped.

    memory_ready, receiver_ready: whether AR is taken and answered, and output is taken.
    packets: values and TUSER of each.
    """

    def __init__(self, streams: Sequence[bytes], p: DecoderParams = P, error_word: int = -1) -> None:
        self.p = p
        self.dut = Device(p)
        self.bench = Bench(self.dut)
        self.manager = Manager(self.dut.s_axil)
        self.addresses = []
        self.image = bytearray()
        for stream in streams:
            self.addresses.append(BASE + len(self.image))
            self.image += stream
        self.streams = streams
        self.error_word = error_word
        self.memory_ready = self.receiver_ready = True
        self.bursts = self.words = 0
        self.packets: list[tuple[bytes, int]] = []
        watch_responses(self.bench, self.dut.s_axil)
        self.bench.add(self._memory, background=True)
        self.bench.add(self._receiver, background=True)

    def run(self, software: Callable[[Any], Awaitable[None]]) -> None:
        """Run until the software has ended."""
        self.bench.add(software)
        self.bench.run()

    async def push(self, ctx: Any, number: int, **more: int) -> None:
        """Push the descriptor of one of the streams."""
        put = self.manager.put
        await put(ctx, "source_low", address=self.addresses[number])
        await put(ctx, "length", length=len(self.streams[number]))
        await put(ctx, "control", push=1, **more)

    async def status(self, ctx: Any) -> dict[str, int]:
        return await self.manager.get(ctx, "status")

    async def until(self, ctx: Any, **due: int) -> dict[str, int]:
        """Read STATUS until these fields have these values."""
        while not (due.items() <= (status := await self.status(ctx)).items()):
            pass
        return status

    async def pending(self, ctx: Any) -> set[str]:
        """Clear PENDING and say what it was."""
        found = await self.manager.get(ctx, "pending")
        await self.manager.put(ctx, "pending", **found)
        return {name for name, value in found.items() if value}

    async def counters(self, ctx: Any) -> dict[str, int]:
        await self.manager.put(ctx, "control", snapshot=1)
        found = {}
        for name in COUNTERS:
            low, high = [
                (await self.manager.get(ctx, f"count_{name}_{half}"))["count"] for half in ("low", "high")
            ]
            found[name] = low | high << 32
        return found

    async def _memory(self, ctx: Any) -> None:
        axi, size, due = self.dut.m_axi, self.p.axi_bytes, deque[tuple[int, bool]]()
        while True:
            ready = self.memory_ready
            ctx.set(axi.arready, ready)
            ctx.set(axi.rvalid, ready and bool(due))
            if ready and due:
                at, last = due.popleft()
                word = bytes(self.image[max(at - BASE, 0) :][:size])
                ctx.set(axi.rdata, int.from_bytes(word, "little"))
                ctx.set(axi.rlast, last)
                ctx.set(axi.rresp, Resp.SLVERR if self.words == self.error_word else Resp.OKAY)
                self.words += 1
            _, _, asked, address, length = await ctx.tick().sample(axi.arvalid, axi.araddr, axi.arlen)
            if asked and ready:
                self.bursts += 1
                due += [(address + i * size, i == length) for i in range(length + 1)]

    async def _receiver(self, ctx: Any) -> None:
        axis, held = self.dut.m_axis, b""
        while True:
            ready = self.receiver_ready
            ctx.set(axis.tready, ready)
            _, _, valid, data, keep, last, user = await ctx.tick().sample(
                axis.tvalid, axis.tdata, axis.tkeep, axis.tlast, axis.tuser
            )
            if valid and ready:
                held += data.to_bytes(len(axis.tkeep), "little")[: keep.bit_count()]
                if last:
                    self.packets.append((held, user))
                    held = b""


def test_a_push_reaches_memory_after_the_latency() -> None:
    bench = DeviceBench([stream_of(40)[1]])
    seen = bench.bench.sample(bench.dut.s_axil.wvalid, bench.dut.m_axi.arvalid)

    async def software(ctx: Any) -> None:
        await bench.push(ctx, 0)
        await bench.until(ctx, busy=0, done=1)

    bench.run(software)
    last_write = max(cycle for cycle, (w, _) in enumerate(seen) if w)
    first_ask = min(cycle for cycle, (_, ar) in enumerate(seen) if ar)
    assert first_ask == last_write + WRITE_TO_EFFECT + EFFECT_TO_ARVALID


def test_descriptors_wait_in_order_and_one_too_many_is_dropped() -> None:
    tensors = [stream_of(100 + i, i) for i in range(10)]
    bench = DeviceBench([stream for _, stream in tensors])
    bench.memory_ready = False

    async def software(ctx: Any) -> None:
        assert await bench.status(ctx) == {"done": 0, "space": P.queue, "code": 0, "busy": 0, "halted": 0}
        pushed = 0
        while (await bench.status(ctx))["space"]:
            assert await bench.pending(ctx) <= {"empty"}
            await bench.push(ctx, pushed)
            pushed += 1
        assert pushed > P.queue
        await bench.push(ctx, pushed)
        assert "dropped" in await bench.pending(ctx)
        assert (await bench.status(ctx))["done"] == 0
        bench.memory_ready = True
        await bench.until(ctx, busy=0, done=pushed, space=P.queue)
        assert await bench.pending(ctx) == {"done", "empty", "idle"}
        assert bench.packets == [(values.tobytes(), 0) for values, _ in tensors[:pushed]]

    bench.run(software)


def test_tensors_that_wait_at_a_blocked_output_are_all_counted() -> None:
    """However many end one behind the other, the device is busy until the last one has left."""
    tensors = [stream_of(1, i) for i in range(20)]
    bench = DeviceBench([stream for _, stream in tensors], replace(P, prefetch=128))
    bench.receiver_ready = False

    async def software(ctx: Any) -> None:
        pushed = 0
        while (await bench.status(ctx))["space"]:
            await bench.push(ctx, pushed)
            pushed += 1
            for _ in range(15):
                assert (await bench.status(ctx))["busy"]
        assert pushed == P.queue + MOST_IN_CORE
        bench.receiver_ready = True
        await bench.until(ctx, busy=0, done=pushed)
        assert bench.packets == [(values.tobytes(), 0) for values, _ in tensors[:pushed]]

    bench.run(software)


def test_the_interrupt_is_a_level_with_its_latency() -> None:
    bench = DeviceBench([stream_of(40)[1]])
    axis, axil = bench.dut.m_axis, bench.dut.s_axil
    seen = bench.bench.sample(bench.dut.irq, axis.tvalid & axis.tready & axis.tlast, axil.wvalid)

    async def software(ctx: Any) -> None:
        await bench.manager.put(ctx, "enable", done=1)
        await bench.push(ctx, 0)
        await bench.until(ctx, busy=0, done=1)
        await ctx.tick().repeat(10)
        assert ctx.get(bench.dut.irq)
        await bench.manager.put(ctx, "pending", idle=1, empty=1)
        assert ctx.get(bench.dut.irq), "only done is enabled, and it is still pending"
        assert await bench.pending(ctx) == {"done"}
        await ctx.tick().repeat(3)

    bench.run(software)
    irq = [row[0] for row in seen]
    end = next(cycle for cycle, row in enumerate(seen) if row[1])
    last_write = max(cycle for cycle, row in enumerate(seen) if row[2])
    assert irq.index(1) == end + EVENT_TO_IRQ
    assert irq.index(0, end + EVENT_TO_IRQ) == last_write + WRITE_TO_EFFECT + EVENT_TO_IRQ


def test_an_abort_of_an_idle_device_does_nothing() -> None:
    values, stream = stream_of(40)
    bench = DeviceBench([stream])

    async def software(ctx: Any) -> None:
        await bench.manager.put(ctx, "control", abort=1)
        await bench.manager.put(ctx, "control", clear=1)
        await bench.push(ctx, 0)
        await bench.until(ctx, busy=0, done=1)
        assert "error" not in await bench.pending(ctx)

    bench.run(software)
    assert bench.packets == [(values.tobytes(), 0)]


def test_an_abort_takes_hold_after_the_latency() -> None:
    bench = DeviceBench([stream_of(4000)[1]])
    axi = bench.dut.m_axi
    seen = bench.bench.sample(bench.dut.s_axil.wvalid, bench.dut._core.o_code, axi.arvalid & axi.arready)

    async def software(ctx: Any) -> None:
        await bench.push(ctx, 0)
        await ctx.tick().repeat(30)
        await bench.manager.put(ctx, "control", abort=1)
        await bench.until(ctx, halted=1)

    bench.run(software)
    aborted = max(cycle for cycle, row in enumerate(seen) if row[0]) + WRITE_TO_EFFECT + EFFECT_TO_ABORTED
    assert [row[1] for row in seen[aborted - 1 : aborted + 1]] == [ErrorCode.NONE, ErrorCode.ABORTED]
    assert any(row[2] for row in seen[:aborted]), "it was reading"
    assert not any(row[2] for row in seen[aborted + 1 :]), "but for a burst that AR showed already"


@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8, 11, 20, 41, 90])
def test_an_abort_stops_halts_and_clears(after: int) -> None:
    """Whenever it comes: before the first read, while data comes in, while the output is blocked."""
    tensors = [stream_of(600, i) for i in range(3)]
    bench = DeviceBench([stream for _, stream in tensors])

    async def software(ctx: Any) -> None:
        for number in range(3):
            await bench.push(ctx, number)
        bench.receiver_ready = after % 2 == 0
        for _ in range(after):
            await ctx.tick()
        bench.memory_ready = False
        await bench.manager.put(ctx, "control", abort=1)
        status = await bench.status(ctx)
        assert (status["code"], status["space"], status["busy"]) == (ErrorCode.ABORTED, 0, 1)
        await bench.push(ctx, 0)
        seen = await bench.pending(ctx)
        assert "dropped" in seen
        asked = bench.bursts
        bench.memory_ready = bench.receiver_ready = True
        await bench.until(ctx, halted=1, busy=0, code=ErrorCode.ABORTED)
        seen |= await bench.pending(ctx)
        assert "error" in seen
        assert "idle" not in seen
        assert bench.bursts <= asked + 1, "nothing is asked for after the abort but what AR already showed"
        await bench.manager.put(ctx, "control", clear=1)
        status = await bench.status(ctx)
        assert (status["code"], status["halted"], status["space"]) == (ErrorCode.NONE, 0, P.queue)
        assert await bench.pending(ctx) == set()
        *good, (values, bad) = bench.packets
        assert bad
        assert good == [(v.tobytes(), 0) for v, _ in tensors[: len(good)]]
        assert values == tensors[len(good)][0].tobytes()[: len(values)]
        bench.packets.clear()
        await bench.push(ctx, 2)
        await bench.until(ctx, busy=0, done=status["done"] + 1)
        assert bench.packets == [(tensors[2][0].tobytes(), 0)]

    bench.run(software)


def test_a_clear_that_comes_early_waits_for_the_halt() -> None:
    values, stream = stream_of(600)
    bench = DeviceBench([stream], error_word=9)
    taken = bench.bench.sample(bench.dut.m_axis.tvalid & bench.dut.m_axis.tready)

    async def software(ctx: Any) -> None:
        bench.receiver_ready = False
        await bench.push(ctx, 0)
        await bench.until(ctx, code=ErrorCode.BUS)
        await bench.manager.put(ctx, "control", clear=1)
        await ctx.tick().repeat(50)
        assert (await bench.until(ctx, code=ErrorCode.BUS))["halted"] == 0
        before = sum(row[0] for row in taken)
        bench.receiver_ready = True
        await bench.until(ctx, code=ErrorCode.NONE, busy=0)
        assert sum(row[0] for row in taken) - before <= WORDS_BEHIND
        assert "error" in await bench.pending(ctx)
        bench.error_word = -1
        await bench.push(ctx, 0)
        await bench.until(ctx, busy=0, done=1)
        assert bench.packets[-1] == (values.tobytes(), 0)

    bench.run(software)


def test_an_empty_descriptor_is_a_truncated_stream() -> None:
    bench = DeviceBench([b"", stream_of(40)[1]])

    async def software(ctx: Any) -> None:
        await bench.push(ctx, 0)
        await bench.until(ctx, halted=1, code=ErrorCode.TRUNCATED)

    bench.run(software)


def test_counters_are_those_of_one_cycle_until_the_next_snapshot() -> None:
    tensors = [stream_of(500, i) for i in range(2)]
    bench = DeviceBench([stream for _, stream in tensors])

    async def software(ctx: Any) -> None:
        for number in range(2):
            await bench.push(ctx, number)
        running = await bench.counters(ctx)
        await bench.until(ctx, busy=0, done=2)
        again = {n: (await bench.manager.get(ctx, f"count_{n}_low"))["count"] for n in COUNTERS}
        assert again == running
        assert 0 < sum(running[cause] for cause in CAUSES) == running["cycles"]
        done = await bench.counters(ctx)
        assert sum(done[cause] for cause in CAUSES) == done["cycles"] > running["cycles"]
        due = {"values": 1000, "tensors": 2, "words": bench.words, "bursts": bench.bursts}
        assert {name: done[name] for name in due} == due
        assert done["bytes"] == done["words"] * P.axi_bytes
        await bench.manager.put(ctx, "control", clear_counters=1)
        assert set((await bench.counters(ctx)).values()) == {0}

    bench.run(software)

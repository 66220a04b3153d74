"""What surrounds the device in cocotb: its registers as a driver's bus, memories, receiver, monitors."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, First, RisingEdge, Timer
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiRamRead,
    AxiReadBus,
    AxiResp,
    AxiStreamBus,
    AxiStreamSink,
)  # fmt: skip

from atalanta.golden.decoder import DecoderParams
from atalanta.sim.native import Memory
from atalanta.tools.driver import Driver

P = DecoderParams(lanes=2, lane_fifo=4, outstanding=4, prefetch=48, queue=4)
"""The device of these tests."""

CLOCK_NS = 10
POLL_NS = 500
"""Software waits at most this long for an interrupt before it looks at STATUS again."""


def pauses(seed: int, share: float, longest: int = 12) -> Iterator[bool]:
    """Pauses of 1..longest cycles that begin in this share of the cycles."""
    random = Random(seed)
    while True:
        if random.random() < share:
            yield from [True] * random.randint(1, longest)
        yield False


class Registers:
    """The device's registers as `Driver` wants them; every access is answered with OKAY."""

    def __init__(self, axil: AxiLiteMaster) -> None:
        async def read(offset: int) -> int:
            answer = await axil.read(offset, 4)
            assert answer.resp is AxiResp.OKAY
            return int.from_bytes(answer.data, "little")

        async def write(offset: int, value: int) -> None:
            answer = await axil.write(offset, value.to_bytes(4, "little"))
            assert answer.resp is AxiResp.OKAY

        self.read32: Callable[[int], int] = resume(read)
        self.write32: Callable[[int, int], None] = resume(write)


class FaultyRam(AxiRamRead):  # type: ignore[misc]
    """Memory of cocotbext-axi in which reads of some addresses fail."""

    faulty: range = range(0)

    async def _read(self, address: int, length: int) -> Any:
        if address in self.faulty:
            raise ValueError("a fault")
        return await super()._read(address, length)


class ModelRam:
    """Memory whose timing is that of the simulator's memory model.

    model: an ideal one, since what it does must not depend on when the first descriptor comes.
    """

    def __init__(self, dut: Any, model: Memory, image: bytes, base: int) -> None:
        self._dut, self._model, self._image, self._base = dut, model, image, base
        self._due: deque[tuple[int, bool]] = deque()
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        dut, size, cycle = self._dut, P.axi_bytes, 0
        while True:
            arrives = self._model.beat(cycle)
            dut.m_axi_rvalid.value = arrives
            if arrives:
                address, last = self._due.popleft()
                at = address - self._base
                word = bytes(
                    self._image[i] if 0 <= i < len(self._image) else 0xAA for i in range(at, at + size)
                )
                dut.m_axi_rdata.value = int.from_bytes(word, "little")
                dut.m_axi_rlast.value = last
                dut.m_axi_rresp.value = AxiResp.OKAY
            ready = self._model.ready(cycle)
            dut.m_axi_arready.value = ready
            await RisingEdge(dut.clk)
            if ready and dut.m_axi_arvalid.value == 1:
                address, words = int(dut.m_axi_araddr.value), int(dut.m_axi_arlen.value) + 1
                assert self._model.request(cycle, address, words, size)
                self._due += [(address + i * size, i + 1 == words) for i in range(words)]
            cycle += 1


class Bench:
    """The device with clock, reset, registers, receiver and a monitor of what it reads.

    words, bursts: of m_axi, as a monitor counts them.
    """

    def __init__(self, dut: Any) -> None:
        for logger in ("cocotb", "cocotbext"):
            logging.getLogger(logger).setLevel(logging.WARNING)
        self.dut = dut
        dut.rst.value = 1
        Clock(dut.clk, CLOCK_NS, unit="ns").start()
        self.axil = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        self.words = self.bursts = 0
        self.memory: FaultyRam | None = None

    def ram(self) -> FaultyRam:
        """The memory of cocotbext-axi, which checks the rules of bursts."""
        bus = AxiReadBus.from_prefix(self.dut, "m_axi")
        self.memory = FaultyRam(bus, self.dut.clk, self.dut.rst, size=1 << 24)
        return self.memory

    async def start(self) -> None:
        """Reset."""
        await ClockCycles(self.dut.clk, 3)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)
        cocotb.start_soon(self._monitor())

    async def _monitor(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.clk)
            self.words += dut.m_axi_rvalid.value == 1 and dut.m_axi_rready.value == 1
            self.bursts += dut.m_axi_arvalid.value == 1 and dut.m_axi_arready.value == 1

    async def software(self, program: Callable[[Driver], Any]) -> Any:
        """Run a program with a driver of the device; it waits for the interrupt between two looks."""

        async def pause() -> None:
            if self.dut.irq.value == 0:
                await First(RisingEdge(self.dut.irq), Timer(POLL_NS, "ns"))

        def run() -> Any:
            return program(Driver(Registers(self.axil), resume(pause)))

        return await bridge(run)()

    def packets(self) -> list[tuple[bytes, bool]]:
        """The values and TUSER of every packet that has ended since the last call."""
        found = []
        while not self.sink.empty():
            frame = self.sink.recv_nowait(compact=False)
            kept = bytes(b for b, keep in zip(frame.tdata, frame.tkeep, strict=True) if keep)
            found.append((kept, bool(frame.tuser[-1])))
        return found

"""Monitors of the device's ports: they see that the rules are kept, count, and fill the coverage.

Everything is sampled in the middle of a cycle, when its values have settled.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge
from core_coverage import fifos, wait_bin
from functional_coverage import Coverage

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.axi import PAGE_BYTES, Burst


class Handshake:
    """One channel's rule: what is offered stays as it is until it is taken (IHI 0022, A3.2.1).

    waited: cycles that the offer at hand has waited. idle: cycles in which nothing was offered to a
    receiver that was ready, since the last transfer.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._offered: tuple[int, ...] | None = None
        self.waited = self.idle = 0

    def sample(self, valid: int, ready: int, payload: tuple[int, ...]) -> bool:
        """Take note of a cycle; whether there was a transfer in it. Call `start` after a transfer."""
        if self._offered is not None:
            assert valid, f"{self._name}: VALID fell before READY"
            assert payload == self._offered, f"{self._name}: the payload changed before READY"
        self._offered = payload if valid and not ready else None
        self.waited += valid and not ready
        self.idle += ready and not valid
        return bool(valid and ready)

    def start(self) -> None:
        """The next transfer's waiting begins."""
        self.waited = self.idle = 0


@dataclass
class ReadMonitor:
    """The manager's read channels: legal bursts, no more outstanding than promised, all data taken.

    words, bursts: transfers so far. outstanding: bursts whose last word has not come.
    addresses: byte address of each word that was asked for.
    """

    dut: Any
    p: DecoderParams
    coverage: Coverage
    words: int = 0
    bursts: int = 0
    outstanding: deque[int] = field(default_factory=deque)
    addresses: list[int] = field(default_factory=list)

    async def run(self) -> None:
        """Watch every cycle."""
        dut, address, data = self.dut, Handshake("AR"), Handshake("R")
        fixed = (dut.m_axi_arid, dut.m_axi_arsize, dut.m_axi_arburst, dut.m_axi_arlock)
        due = (0, self.p.axi_bytes.bit_length() - 1, Burst.INCR.value, 0)
        while True:
            await FallingEdge(dut.clk)
            asks = int(dut.m_axi_arvalid.value)
            asked = (int(dut.m_axi_araddr.value), int(dut.m_axi_arlen.value)) if asks else ()
            if asks:
                assert tuple(int(signal.value) for signal in fixed) == due
            if address.sample(asks, int(dut.m_axi_arready.value), asked):
                self._burst(*asked, late=address.waited)
                address.start()
            if data.sample(int(dut.m_axi_rvalid.value), int(dut.m_axi_rready.value), ()):
                self._word(int(dut.m_axi_rlast.value), gap=data.idle)
                data.start()
            elif not self.outstanding:
                data.start()

    def _burst(self, address: int, length: int, late: int) -> None:
        p, words = self.p, length + 1
        end = address + words * p.axi_bytes
        assert words <= p.burst_beats
        assert address % p.axi_bytes == 0
        assert address // PAGE_BYTES == (end - 1) // PAGE_BYTES, "a burst crosses 4 KiB"
        self.addresses += range(address, end, p.axi_bytes)
        kinds = {0: "0", p.outstanding - 1: "most"}
        self.coverage.hit("bursts outstanding", kinds.get(len(self.outstanding), "some"))
        self.outstanding.append(words)
        assert len(self.outstanding) <= p.outstanding
        self.bursts += 1
        self.coverage.hit("burst words", {1: "1", p.burst_beats: "most"}.get(words, "some"))
        self.coverage.hit("burst ends", "elsewhere" if end % PAGE_BYTES else "at 4 KiB")
        self.coverage.hit("cycles ARREADY is late", wait_bin(late))

    def _word(self, last: int, gap: int) -> None:
        assert self.outstanding, "data that nobody asked for"
        self.outstanding[0] -= 1
        assert bool(last) == (self.outstanding[0] == 0)
        if last:
            self.outstanding.popleft()
        self.words += 1
        self.coverage.hit("cycles between read words", wait_bin(gap))


@dataclass
class StreamMonitor:
    """The values' channel: packets of whole words but for the last, TKEEP without holes.

    packets: values as bytes, and TUSER, of every packet that has ended. values: how many in all.
    """

    dut: Any
    p: DecoderParams
    coverage: Coverage
    packets: list[tuple[bytes, bool]] = field(default_factory=list)
    values: int = 0

    async def run(self) -> None:
        """Watch every cycle."""
        dut, channel, held = self.dut, Handshake("T"), bytearray()
        word_bytes = len(dut.m_axis_tkeep)
        whole = (1 << word_bytes) - 1
        while True:
            await FallingEdge(dut.clk)
            word: tuple[int, ...] = ()
            valid = int(dut.m_axis_tvalid.value)
            if valid:
                signals = (dut.m_axis_tdata, dut.m_axis_tkeep, dut.m_axis_tlast, dut.m_axis_tuser)
                word = tuple(int(signal.value) for signal in signals)
            if not channel.sample(valid, int(dut.m_axis_tready.value), word):
                continue
            data, keep, last, user = word
            assert keep & (keep + 1) == 0, "a hole in TKEEP"
            assert last or keep == whole, "an incomplete word before the last"
            assert not user or last, "TUSER belongs to TLAST"
            size = keep.bit_length()
            held += data.to_bytes(word_bytes, "little")[:size]
            self.values += size * 8 // self.p.value_bits
            self.coverage.hit("cycles TREADY is late", wait_bin(channel.waited))
            self.coverage.hit("cycles TVALID is late", wait_bin(channel.idle))
            channel.start()
            if last:
                self.packets.append((bytes(held), bool(user)))
                held.clear()


class FifoMonitor:
    """Levels of FIFOs inside."""

    def __init__(self, dut: Any, p: DecoderParams, coverage: Coverage) -> None:
        self._dut, self._coverage = dut, coverage
        self._levels = []
        for name, (path, depth) in fifos(p).items():
            handle = dut
            for part in path.split("."):
                handle = getattr(handle, part)
            self._levels.append((name, handle.level, depth))

    async def run(self) -> None:
        """Watch every cycle."""
        while True:
            await FallingEdge(self._dut.clk)
            for name, level, depth in self._levels:
                now = int(level.value)
                assert now <= depth
                if now in (0, depth):
                    self._coverage.hit("full FIFO" if now else "empty FIFO", name)


def start(*monitors: ReadMonitor | StreamMonitor | FifoMonitor) -> None:
    """Let monitors watch from the next cycle on."""
    for monitor in monitors:
        cocotb.start_soon(monitor.run())

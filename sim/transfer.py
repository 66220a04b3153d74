"""The memory behind an accelerator, and how long whole tensors take on their way to or from it.

`Port.read` moves plain bytes without a decoder, as a DMA engine does that always has the next request
ready: what a decoder is compared with. `Port.write` is the way back, for results that are written as fast
as the port takes them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.errors import require
from atalanta.sim.dram import DramConfig
from atalanta.sim.native import DramStats, Memory, run_trace


@dataclass(frozen=True)
class Extent:
    """Where a tensor lies: bytes address .. address + nbytes - 1."""

    address: int
    nbytes: int


@dataclass(frozen=True)
class Transfer:
    """ends: the cycle after each tensor's last byte. moved: bytes that memory moved for them."""

    ends: tuple[int, ...]
    cycles: int
    moved: int
    stats: DramStats | None


@dataclass(frozen=True, kw_only=True)
class Port:
    """A memory and the port through which the chip sees it.

    dram: None for an ideal memory, which then moves at most `bytes_per_cycle` (None: what the bus carries).
    latency: cycles of every read besides the DRAM's own; at least 1 with an ideal memory.
    clock_ps: period of the chip's clock, in picoseconds. axi_bytes: width of the data bus.
    outstanding: bursts under way that the memory's side of the port takes.
    """

    dram: DramConfig | None
    latency: int
    clock_ps: Fraction
    axi_bytes: int
    bytes_per_cycle: Fraction | None = None
    outstanding: int = 64

    def __post_init__(self) -> None:
        self.open().close()  # which checks all there is to check
        if self.dram is not None:
            require(
                self.bytes_per_cycle is None, "bytes_per_cycle", "left out with a DRAM", self.bytes_per_cycle
            )

    def open(self) -> Memory:
        """A new memory, for one run of a decoder."""
        if self.dram is None:
            return Memory.ideal(
                latency=self.latency, bytes_per_cycle=self.bytes_per_cycle, outstanding=self.outstanding
            )
        return Memory.dram(self.dram, self.clock_ps, latency=self.latency, outstanding=self.outstanding)

    @property
    def unit(self) -> int:
        """Bytes that the memory moves at once."""
        return self.axi_bytes if self.dram is None else self.dram.burst_bytes

    @property
    def peak_bytes_per_cycle(self) -> float:
        """What the memory, or the bus if that is less, can move in a cycle of the chip."""
        if self.dram is None:
            limit = self.bytes_per_cycle
            return float(self.axi_bytes if limit is None else min(limit, Fraction(self.axi_bytes)))
        return min(float(self.axi_bytes), self.dram.peak_bytes_per_s * float(self.clock_ps) * 1e-12)

    def read(self, extents: Sequence[Extent]) -> Transfer:
        """Fetch tensors one after the other, the requests as fast as the bus could carry their data."""
        return self._move(extents, write=False)

    def write(self, extents: Sequence[Extent]) -> Transfer:
        """Write tensors back, buffers of the memory's controller emptied at the end."""
        return self._move(extents, write=True)

    def _move(self, extents: Sequence[Extent], *, write: bool) -> Transfer:
        counts = np.array([_units(e, self.unit) for e in extents], np.int64)
        moved = int(counts.sum()) * self.unit
        if not moved:
            return Transfer((0,) * len(extents), 0, 0, None)
        last = np.cumsum(counts)
        if self.dram is None:
            rate = Fraction(self.axi_bytes)
            if self.bytes_per_cycle is not None:
                rate = min(rate, self.bytes_per_cycle)
            start = 0 if write else self.latency
            ends = [start + math.ceil(int(n) * self.unit / rate) for n in last]
            return Transfer(tuple(ends), ends[-1], moved, None)
        addresses = _addresses(extents, counts, self.unit)
        ratio = self.clock_ps / self.dram.tck_ps * Fraction(self.unit, self.axi_bytes)
        # The port hands over one unit every unit/axi_bytes cycles of its clock.
        arrivals = np.arange(len(addresses)) * ratio.numerator // ratio.denominator
        result = run_trace(self.dram, addresses, np.full(len(addresses), write), arrivals)
        there = np.maximum.accumulate(result.complete)
        tick = self.dram.tck_ps / self.clock_ps
        latency = 0 if write else self.latency
        ends = [(math.ceil(int(there[n - 1]) * tick) if n else 0) + latency for n in last]
        cycles = max(ends[-1], math.ceil(result.stats.cycles * tick)) if write else ends[-1]
        return Transfer(tuple(ends), cycles, moved, result.stats)


def _units(extent: Extent, unit: int) -> int:
    if not extent.nbytes:
        return 0
    return (extent.address + extent.nbytes - 1) // unit - extent.address // unit + 1


def _addresses(extents: Sequence[Extent], counts: NDArray[np.int64], unit: int) -> NDArray[np.uint64]:
    starts = np.repeat([e.address // unit for e in extents], counts)
    within = np.arange(len(starts)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray((starts + within) * unit, np.uint64)


def place(lengths: Sequence[int], unit: int) -> list[Extent]:
    """Tensors of these lengths one after the other, each at a multiple of `unit`: no two share one."""
    extents, start = [], 0
    for nbytes in lengths:
        extents.append(Extent(start, nbytes))
        start += -(-nbytes // unit) * unit
    return extents

"""Throughput of the RTL: values per cycle of decoders of every width, beside what the simulator says."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from atalanta.golden import container
from atalanta.golden.decoder import AXI_BITS, GROUP_VALUES, DecoderParams
from atalanta.golden.params import BEAT_BYTES
from atalanta.golden.values import Array
from atalanta.sim.decoder import plan, simulate
from atalanta.sim.native import Memory
from atalanta.tools.rtl.agreement import MismatchError
from atalanta.tools.rtl.core import CompiledCore

LANE_FIFO = 4
PREFETCH = 128
"""Bus words: those of the memory's latency, and of the bursts that are asked for meanwhile."""

OUTSTANDING = 16


@dataclass(frozen=True)
class Throughput:
    """One tensor through one decoder.

    peak: most values per cycle that the codec can have. cycles: from the first descriptor's offer to the
    last value, start and end included. simulated: the same in the simulator.
    """

    codec: str
    lanes: int
    ways: int
    beat_bytes: int
    peak: int
    values: int
    stream_bytes: int
    cycles: int
    simulated: int

    @property
    def rate(self) -> float:
        """Values per cycle in the RTL."""
        return self.values / self.cycles

    @property
    def simulated_rate(self) -> float:
        """Values per cycle in the simulator."""
        return self.values / self.simulated

    def row(self) -> dict[str, Any]:
        """All of it, flat, for JSON."""
        return {
            "codec": self.codec, "lanes": self.lanes, "ways": self.ways, "beat_bytes": self.beat_bytes,
            "values": self.values, "stream_bytes": self.stream_bytes,
            "rtl_cycles": self.cycles, "sim_cycles": self.simulated,
            "cycles_difference": self.simulated - self.cycles,
            "rtl_values_per_cycle": self.rate, "sim_values_per_cycle": self.simulated_rate,
            "peak_values_per_cycle": self.peak, "share_of_peak": self.rate / self.peak,
        }  # fmt: skip


def decoder_for(lanes: int, ways: int, value_bits: int) -> DecoderParams:
    """A decoder whose bus can bring what its lanes take: a beat a cycle, a byte a value at most."""
    beat_bytes = next(b for b in BEAT_BYTES if b >= min(lanes, BEAT_BYTES[-1]) * value_bits // 8)
    axi_bits = next(b for b in AXI_BITS if b >= 8 * beat_bytes)
    return DecoderParams(
        lanes=lanes, ways=ways, value_bits=value_bits, beat_bytes=beat_bytes, axi_bits=axi_bits,
        lane_fifo=LANE_FIFO, prefetch=PREFETCH, outstanding=OUTSTANDING,
    )  # fmt: skip


def _measure(core: CompiledCore, array: Array, codec: str, latency: int) -> Throughput:
    p = core.params
    coding: dict[str, Any] = {}
    if codec == "atalanta":
        # As many lanes as the decoder has, also where fewer would make a smaller stream.
        coding = {"lanes": p.lanes, "ways": p.ways, "beat_bytes": p.beat_bytes, "fit": False}
    stream = container.encode(array, codec, **coding)
    with Memory.ideal(latency=latency, outstanding=OUTSTANDING) as memory:
        run = core.run([stream], memory, most_values=array.size, signed=array.dtype.kind == "i")
    found = run.packets[0]
    if found.bad or not np.array_equal(found.values, array.reshape(-1)):
        raise MismatchError(f"{codec}, {p.lanes} lanes: the RTL's values are not those that were encoded")
    with Memory.ideal(latency=latency, outstanding=OUTSTANDING) as memory:
        model = simulate([plan(stream, p)], p, memory)
    return Throughput(
        codec=codec,
        lanes=p.lanes,
        ways=p.ways,
        beat_bytes=p.beat_bytes,
        peak=p.lanes if codec == "atalanta" else GROUP_VALUES,
        values=array.size,
        stream_bytes=len(stream),
        cycles=run.cycles,
        simulated=model.cycles,
    )


def throughput(
    array: Array, lanes: int, ways: int, codecs: tuple[str, ...], latency: int
) -> Iterator[Throughput]:
    """What each codec reaches on a decoder of so many lanes, behind an ideal memory.

    Raises BuildError if the RTL cannot be compiled, MismatchError if it decodes wrongly.
    """
    with CompiledCore(decoder_for(lanes, ways, 8 * array.dtype.itemsize)) as core:
        for codec in codecs:
            yield _measure(core, array, codec, latency)

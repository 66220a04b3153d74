"""Cycles, stalls and energy of reading a tensor through the decoder, by codec of the hardware."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from atalanta.golden.decoder import DecoderParams
from atalanta.sim.decoder import plan, simulate
from atalanta.sim.dram import DramConfig
from atalanta.sim.dram_energy import energy
from atalanta.sim.native import Memory
from atalanta.tools.compare.lines import OURS, RIVAL, Line
from atalanta.tools.compare.pieces import Pieces
from atalanta.tools.compare.sizes import encode, fairest

LINES = {
    OURS: Line(name=OURS, title="Atalanta", codec="atalanta"),
    RIVAL: Line(name=RIVAL, title="ShapeShifter", codec="shapeshifter", magnitudes=True),
    "raw": Line(name="raw", title="raw", codec="raw"),
}
"""What is simulated: what the hardware decodes."""


@dataclass(frozen=True)
class Simulation:
    """A decoder and the memory it reads from.

    memory: makes a new one for each run. name: the memory in words. dram: its parameters, if it is one.
    """

    decoder: DecoderParams
    memory: Callable[[], Memory]
    name: str
    dram: DramConfig | None

    @property
    def key(self) -> str:
        """What results depend on."""
        return f"{self.decoder} {self.name} {self.dram}"


def run(pieces: Pieces, line: Line, simulation: Simulation) -> dict[str, Any]:
    """A tensor's pieces one behind the other.

    cycles: from the first request to the last value. slots: cycles in which values left. counters: cycles
    by cause. bytes_moved: on the bus. energy_j: of the DRAM in joules, None where no currents are published.
    """
    p = replace(simulation.decoder, value_bits=16 if pieces.info.bits > 8 else 8)
    streams = encode(fairest(pieces, line), line)
    with simulation.memory() as memory:
        found = simulate([plan(stream, p) for stream in streams], p, memory)
        memory.finish()
        _, dram = memory.stats()
    config = simulation.dram
    known = config is not None and config.power is not None and dram is not None
    return {
        "cycles": found.cycles,
        "slots": found.counters["slot"],
        "counters": found.counters,
        "bytes_moved": found.counters["words"] * p.axi_bytes,
        "energy_j": energy(config, dram).total_j if known and config and dram else None,
    }

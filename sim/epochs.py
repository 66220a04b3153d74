"""Time series of a network's run: what happened in each epoch of so many cycles."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.errors import require
from atalanta.sim.accelerator import Span
from atalanta.sim.network import LayerRun

SERIES = ("macs", "compute_cycles", "read_cycles", "write_cycles", "read_bytes", "write_bytes")
"""What is counted; bytes are those that memory moved."""


def epochs(runs: Sequence[LayerRun], epoch_cycles: int) -> dict[str, NDArray[np.float64]]:
    """Each of SERIES by epoch, the last of which may be cut short; every series sums to the network's total.

    Within a step's reading, computing or writing, its bytes and multiply-accumulates are spread evenly.
    """
    require(epoch_cycles >= 1, "epoch_cycles", "at least 1", epoch_cycles)
    total = sum(run.cycles for run in runs)
    edges = np.minimum(np.arange(-(-total // epoch_cycles) + 1) * epoch_cycles, total).astype(np.float64)
    series = {name: np.zeros(len(edges) - 1) for name in SERIES}
    start = 0
    for run in runs:
        line = run.timeline
        for name, spans, amount in (
            ("macs", line.computes, run.layer.macs),
            ("compute_cycles", line.computes, run.compute_cycles),
            ("read_cycles", line.reads, run.read_cycles),
            ("write_cycles", line.writes, run.write_cycles),
            ("read_bytes", line.reads, run.moved_read_bytes),
            ("write_bytes", line.writes, run.moved_write_bytes),
        ):
            if amount:
                series[name] += _spread(spans, start, amount, edges)
        start += run.cycles
    return series


def _spread(
    spans: Sequence[Span], start: int, amount: int, edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`amount` over the busy cycles of the spans, by epoch."""
    times = np.array([start + t for s in spans for t in (s.start, s.end)], np.float64)
    busy = np.cumsum([t for s in spans for t in (0, s.end - s.start)])
    return np.asarray(np.diff(np.interp(edges, times, busy * (amount / busy[-1]))))

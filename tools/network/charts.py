"""Charts of simulated networks, as PNG."""

from collections.abc import Sequence
from typing import Any

from atalanta.sim.accelerator import Span
from atalanta.sim.network import Machine
from atalanta.tools.charts import COLOURS, png, pyplot
from atalanta.tools.network.report import TOTAL, Row
from atalanta.tools.network.run import NetworkRun


def _colour(codec: str) -> str:
    return COLOURS.get(codec, COLOURS["raw"])


def roofline(rows: Sequence[Row], machine: Machine) -> bytes:
    """Multiply-accumulates per second over those per byte moved, and what the machine allows."""
    plt = pyplot()
    hertz = machine.accelerator.clock_mhz * 1e6
    peak_macs = machine.accelerator.macs_per_cycle * hertz
    peak_bytes = machine.peak_bytes_per_cycle * hertz
    layers = [r for r in rows if r["layer"] != TOTAL and r["macs"]]
    figure, axes = plt.subplots(figsize=(8, 5.5), layout="constrained")
    xs = [r["macs_per_byte"] for r in layers] or [1.0]
    low, high = min(*xs, peak_macs / peak_bytes) / 2, max(*xs, peak_macs / peak_bytes) * 2
    knee = peak_macs / peak_bytes
    axes.plot([low, knee, high], [low * peak_bytes, peak_macs, peak_macs], "k", linewidth=1)
    axes.annotate(f"{peak_bytes / 1e9:.3g} GB/s", (low, low * peak_bytes), xytext=(0, 12),
                  textcoords="offset points", fontsize=8)  # fmt: skip
    axes.annotate(f"{peak_macs / 1e9:.4g} GMAC/s", (high, peak_macs), ha="right", va="bottom", fontsize=8)
    for codec in dict.fromkeys(r["codec"] for r in layers):
        own = [r for r in layers if r["codec"] == codec]
        axes.plot(
            [r["macs_per_byte"] for r in own], [r["macs"] / r["time_s"] for r in own],
            "o", markersize=5, color=_colour(codec), label=codec,
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="multiply-accumulates / byte moved",
             ylabel="multiply-accumulates / second")  # fmt: skip
    axes.grid(alpha=0.3)
    if layers:
        axes.legend(loc="lower right", fontsize=8)
    return png(plt, figure)


def timeline(runs: Sequence[NetworkRun], machine: Machine) -> bytes:
    """When memory read, when the multipliers worked and when memory wrote, one group of bars a codec."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(11, 1.2 + 0.9 * len(runs)), layout="constrained")
    us = 1 / machine.accelerator.clock_mhz
    labels: list[str] = []
    for run in runs:
        for what in ("reads", "computes", "writes"):
            start, bars = 0, []
            for layer in run.layers:
                spans: Sequence[Span] = getattr(layer.timeline, what)
                bars += [((start + s.start) * us, (s.end - s.start) * us) for s in spans if s.end > s.start]
                start += layer.cycles
            shade: dict[str, Any] = {"facecolors": "#444444" if what == "computes" else _colour(run.codec)}
            axes.broken_barh(bars, (len(labels) - 0.4, 0.8), alpha=0.5 if what == "writes" else 1.0, **shade)
            labels.append(f"{run.codec}, {what}")
    axes.set(yticks=range(len(labels)), yticklabels=labels, xlabel="time / µs")
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    return png(plt, figure)


def pareto(points: Sequence[Row], x: str, y: str) -> bytes:
    """All points of a sweep, and for each codec the line of those that none beats in both."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(8, 5.5), layout="constrained")
    for codec in dict.fromkeys(p["codec"] for p in points):
        own = [(p[x], p[y]) for p in points if p["codec"] == codec]
        axes.plot(*zip(*own, strict=True), "o", markersize=4, color=_colour(codec), label=codec)
        axes.step(*zip(*front(own), strict=True), where="post", linewidth=1, color=_colour(codec))
    axes.set(xlabel=x.replace("_", " "), ylabel=y.replace("_", " "))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return png(plt, figure)


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other is below or equal to in both coordinates, by the first."""
    best: list[tuple[float, float]] = []
    for point in sorted(set(points)):
        if not best or point[1] < best[-1][1]:
            best.append(point)
    return best

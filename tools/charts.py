"""Charts of results, as PNG."""

import io
from typing import Any

from atalanta.golden.errors import AtalantaError

COLOURS = {"atalanta": "#1b6ca8", "shapeshifter": "#e08e2b", "raw": "#9aa5b1"}


class MissingPlotError(AtalantaError, RuntimeError):
    """Matplotlib is not installed."""


def pyplot() -> Any:
    """Matplotlib's pyplot, drawing to memory. Raises MissingPlotError."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingPlotError("Matplotlib is not installed; install the extra atalanta[plot]") from None
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def png(plt: Any, figure: Any) -> bytes:
    """The figure as the bytes of a PNG; it is closed."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": "atalanta"})
    plt.close(figure)
    return out.getvalue()


def run_chart(rows: list[dict[str, Any]]) -> bytes:
    """Bytes and cycles of every tensor by codec. rows: as `measure.summary` makes them."""
    plt = pyplot()
    names = [row["tensor"] for row in rows]
    height = 1.4 + 0.28 * len(rows)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, height), sharey=True, layout="constrained")
    places = range(len(rows))
    for offset, codec in ((-0.2, "atalanta"), (0.2, "shapeshifter")):
        at = [place + offset for place in places]
        left.barh(at, [row[f"{codec}_ratio"] for row in rows], 0.38, color=COLOURS[codec], label=codec)
        speed = [row["raw_cycles"] / row[f"{codec}_cycles"] for row in rows]
        right.barh(at, speed, 0.38, color=COLOURS[codec], label=codec)
    entropy = [row["entropy_bytes"] / row["tensor_bytes"] if row["tensor_bytes"] else 1 for row in rows]
    left.plot(entropy, list(places), "k|", markersize=9, label="order-0 entropy")
    left.axvline(1, color=COLOURS["raw"], linewidth=1)
    right.axvline(1, color=COLOURS["raw"], linewidth=1)
    left.set(xlabel="bytes / raw bytes, all metadata counted", yticks=list(places), yticklabels=names)
    right.set(xlabel="cycles raw / cycles")
    left.invert_yaxis()
    left.legend(loc="lower left", fontsize=8)
    return png(plt, figure)

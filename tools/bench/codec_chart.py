"""The chart of `atalanta bench codec`: ratio against speed."""

import io
from typing import Any

from atalanta.tools.charts import COLOURS, MissingPlotError

TITLES = {"weight": "weights", "activation": "activations"}


def chart(document: dict[str, Any]) -> bytes:
    """A PNG, one panel a kind: ratio over MB/s, a line from encoding to decoding speed for each coder.

    document: as `atalanta bench codec --json` prints it. Raises MissingPlotError.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingPlotError("Matplotlib is not installed; install the extra atalanta[plot]") from None
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    kinds = list(document["kinds"])
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(6.5 * len(kinds), 5), layout="constrained", squeeze=False
    )
    for axis, kind in zip(axes[0], kinds, strict=True):
        rows = [
            r
            for r in document["coders"]
            if r["kind"] == kind and "only" not in r["coder"] and r["coder"] != "memcpy"
        ]
        for row in rows:
            ours = row["coder"].startswith(("atalanta", "shapeshifter"))
            colour = COLOURS["atalanta"] if ours else COLOURS["shapeshifter"]
            speeds = [row["encode_mb_s"], row["decode_mb_s"]]
            axis.plot(speeds, [row["ratio"]] * 2, color=colour, linewidth=1)
            axis.plot(speeds[0], row["ratio"], "o", color=colour, fillstyle="none")
            axis.plot(speeds[1], row["ratio"], "o", color=colour)
            place = (max(speeds), row["ratio"])
            axis.annotate(
                row["coder"], place, xytext=(6, 0), textcoords="offset points", va="center", fontsize=8
            )
        entropy = document["kinds"][kind]["entropy_ratio"]
        axis.axhline(entropy, color=COLOURS["raw"], linewidth=1)
        axis.annotate(
            "order-0 entropy",
            (1, entropy),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="top",
            fontsize=8,
        )
        axis.set(
            xscale="log",
            xlabel="MB/s of raw data, one thread (ring: encode, dot: decode)",
            title=TITLES[kind],
        )
        axis.set_ylabel("bytes / raw bytes, all metadata counted")
        axis.margins(x=0.25)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": "atalanta"})
    plt.close(figure)
    return out.getvalue()

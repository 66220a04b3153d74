"""The chart of `atalanta bench codec`: ratio and speeds as bars."""

import io
from typing import Any

from atalanta.tools.charts import COLOURS, MissingPlotError

TITLES = {"weight": "weights", "activation": "activations"}
COLUMNS = {"ratio": "bytes / raw bytes", "encode_mb_s": "encode, MB/s", "decode_mb_s": "decode, MB/s"}


def chart(document: dict[str, Any]) -> bytes:
    """A PNG: a row of panels for each kind of tensor, a bar for each coder.

    document: as `atalanta bench codec --json` prints it. Raises MissingPlotError.
    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise MissingPlotError("Matplotlib is not installed; install the extra atalanta[plot]") from None
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    kinds = list(document["kinds"])
    size = (12, 0.6 + 3.4 * len(kinds))
    figure, axes = plt.subplots(
        len(kinds), 3, figsize=size, layout="constrained", squeeze=False, sharey="row"
    )
    for line, kind in zip(axes, kinds, strict=True):
        rows = [row for row in document["coders"] if row["kind"] == kind]
        names = [row["coder"] for row in rows]
        ours = [name.startswith(("atalanta", "shapeshifter")) for name in names]
        colours = [COLOURS["atalanta"] if own else COLOURS["shapeshifter"] for own in ours]
        for axis, (column, title) in zip(line, COLUMNS.items(), strict=True):
            values = [row[column] for row in rows]
            bars = axis.barh(range(len(rows)), values, color=colours)
            form = "%.4f" if column == "ratio" else "%.0f"
            axis.bar_label(bars, fmt=form, fontsize=7, padding=2)
            axis.margins(x=0.15)
            if column != "ratio":
                axis.set_xscale("log")
            axis.set_title(f"{TITLES[kind]}: {title}", fontsize=9)
            axis.tick_params(labelsize=8)
        line[0].axvline(document["kinds"][kind]["entropy_ratio"], color="black", linewidth=0.8)
        line[0].set(yticks=range(len(rows)), yticklabels=names, xlim=(0, 1.15))
        line[0].invert_yaxis()
    axes[0][0].set_title(f"{axes[0][0].get_title()} (line: order-0 entropy)", fontsize=9)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": "atalanta"})
    plt.close(figure)
    return out.getvalue()

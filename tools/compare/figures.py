"""Figures for papers, as PNG and PDF."""

import io
from typing import Any

from atalanta.tools.charts import pyplot
from atalanta.tools.compare.lines import ENTROPY, OURS, RIVAL

COLOURS = {OURS: "#1b6ca8", RIVAL: "#e08e2b"}
OTHERS = "#9aa5b1"
TITLES = {"weight": "weights", "activation": "activations"}
LABELS = {OURS: "Atalanta", RIVAL: "ShapeShifter"}
FORMATS = ("png", "pdf")
TOP = 1.12
"""Where Figure 3 ends; bars of tensors too small to compress end there, too."""
PDF_METADATA = {"Creator": "atalanta", "CreationDate": None}
"""No date, so that the same data give the same file."""


def _saved(figure: Any, stem: str) -> dict[str, bytes]:
    """The figure in every format, by file name."""
    files = {}
    for form in FORMATS:
        out = io.BytesIO()
        metadata = {"Software": "atalanta"} if form == "png" else PDF_METADATA
        figure.savefig(out, format=form, dpi=150, metadata=metadata)
        files[f"{stem}.{form}"] = out.getvalue()
    return files


def _panels(document: dict[str, Any]) -> list[str]:
    """The kinds of tensors that there are."""
    return [kind for kind in TITLES if any(kind in n["totals"] for n in document["networks"])]


def _figure3_panel(axes: Any, document: dict[str, Any], kind: str) -> None:
    rows = [row for row in document["figure3"] if row["kind"] == kind]
    networks = list(dict.fromkeys(row["network"] for row in rows))
    for codec, side in ((OURS, -1), (RIVAL, 1)):
        for row in rows:
            if row["codec"] != codec:
                continue
            at = networks.index(row["network"]) + side * 0.2
            first = row["network"] == networks[0]
            axes.bar(at, row["ratio"], 0.34, color=COLOURS[codec], label=LABELS[codec] if first else None)
            inside = min(row["ratio"], TOP) - 0.05
            axes.text(at, inside, f"{row['ratio']:.3f}", ha="center", va="top", fontsize=7, color="white")
            if row["published"] is not None:
                axes.hlines(row["published"], at - 0.19, at + 0.19, color="black", linewidth=1.4)
    totals = {n["name"]: n["totals"][kind]["lines"] for n in document["networks"] if kind in n["totals"]}
    for place, network in enumerate(networks):
        if ENTROPY in totals[network]:
            axes.hlines(totals[network][ENTROPY]["ratio"], place - 0.4, place + 0.4, "#b3261e", "dotted")
    if any(row["published"] is not None for row in rows):
        axes.plot([], [], color="black", linewidth=1.4, label="published")
    axes.plot([], [], color="#b3261e", linestyle="dotted", label="order-0 entropy")
    axes.axhline(1, color=OTHERS, linewidth=0.8)
    axes.set(title=TITLES[kind], xticks=range(len(networks)), xticklabels=networks, ylim=(0, TOP))
    axes.set_ylabel("bytes / raw bytes, everything counted")
    axes.legend(fontsize=7, loc="lower left", framealpha=0.9)


def figure3(document: dict[str, Any]) -> dict[str, bytes]:
    """Figure 3 of the published comparison: two charts, its own figures as black strokes."""
    plt = pyplot()
    kinds = _panels(document)
    size = (1.2 + 4.3 * len(kinds), 3.6)
    figure, axes = plt.subplots(1, len(kinds), figsize=size, layout="constrained", squeeze=False)
    for panel, kind in zip(axes[0], kinds, strict=True):
        _figure3_panel(panel, document, kind)
    files = _saved(figure, "figure3")
    plt.close(figure)
    return files


def codecs(document: dict[str, Any]) -> dict[str, bytes]:
    """Every line of the comparison: a row a line, a mark a network."""
    plt = pyplot()
    kinds = _panels(document)
    lines = document["lines"]
    size = (1.8 + 4.3 * len(kinds), 1.3 + 0.26 * len(lines))
    figure, axes = plt.subplots(1, len(kinds), figsize=size, layout="constrained", sharey=True, squeeze=False)
    for panel, kind in zip(axes[0], kinds, strict=True):
        for network, mark in zip(
            document["networks"], "osD^vP*X<>" * len(document["networks"]), strict=False
        ):
            found = network["totals"].get(kind, {"lines": {}})["lines"]
            points = [
                (found[line["name"]]["ratio"], i) for i, line in enumerate(lines) if line["name"] in found
            ]
            if points:
                panel.plot(*zip(*points, strict=True), mark, label=network["name"], markersize=5, alpha=0.8)
        panel.axvline(1, color=OTHERS, linewidth=0.8)
        panel.grid(visible=True, axis="both", alpha=0.25)
        panel.set(title=TITLES[kind], xlabel="bytes / raw bytes, everything counted")
        panel.set(yticks=range(len(lines)), yticklabels=[line["title"] for line in lines])
        panel.legend(fontsize=7)
    axes[0][0].invert_yaxis()
    files = _saved(figure, "codecs")
    plt.close(figure)
    return files


def draw(document: dict[str, Any]) -> dict[str, bytes]:
    """All figures, by file name. Raises MissingPlotError."""
    return (figure3(document) if document["figure3"] else {}) | codecs(document)

"""Figure 3 and Table 4 of the published comparison made again, and why the figures differ."""

from typing import Any

from atalanta.tools.compare.lines import OURS, RIVAL
from atalanta.tools.compare.published import IMAGES, Published, published

METADATA = ("header", "tables", "padding", "width", "mask")
"""Parts of streams that the published comparison does not count."""
NOT_AVAILABLE = "not available"


def _without_metadata(line: dict[str, Any]) -> int:
    return sum(bits for part, bits in line["bits"].items() if part not in METADATA)


def same_weights(total: dict[str, Any], entry: Published) -> bool:
    """Whether these are the published weights: counted as published, they take as many bits."""
    return bool(total["published_shapeshifter_bits"] == entry.shapeshifter_bits)


def _weights_reason(codec: str, total: dict[str, Any]) -> str:
    raw, line = 8 * total["raw_bytes"], total["lines"][codec]
    bare = _without_metadata(line) / raw
    rest = line["ratio"] - bare
    if codec == OURS:
        return (
            f"Same weights. Published without tables, which come from a heuristic search. Here symbols and "
            f"offsets under the best tables take {bare:.4f}; headers, tables and padding add {rest:.4f}."
        )
    counted = total["published_shapeshifter_bits"] / raw
    return (
        f"Same weights: counted as published (moved up by 128, values alone) they take {counted:.4f} here "
        f"too. As sign and magnitude the values take {bare:.4f}; widths, masks and headers add {rest:.4f}."
    )


def _other_reason(codec: str, total: dict[str, Any], entry: Published) -> str:
    raw, line = 8 * total["raw_bytes"], total["lines"][codec]
    rest = line["ratio"] - _without_metadata(line) / raw
    if total["kind"] == "weight":
        data = f"Other weights: {entry.values:,} published, {total['values']:,} here."
    else:
        data = (
            f"Other data: published {IMAGES} images of CIFAR-10, {entry.values:,} values of every layer; "
            f"here {total['values']:,} values of {total['tensors']} tensors."
        )
    if codec == OURS:
        tables = "profiled on other images" if total["profiled"] else "of their own"
        return f"{data} Tables {tables} and headers, not counted there, are {rest:.4f} here."
    counted = total["published_shapeshifter_bits"] / raw
    return (
        f"{data} Widths, masks and headers, not counted there, are {rest:.4f} here; as there: {counted:.4f}."
    )


def _totals(network: dict[str, Any]) -> list[dict[str, Any]]:
    """The totals with both codecs, with what else reasons need."""
    found = []
    for kind, total in network["totals"].items():
        if OURS in total["lines"] and RIVAL in total["lines"]:
            profiled = any(t["profiled"] for t in network["tensors"] if t["kind"] == kind)
            found.append(total | {"kind": kind, "profiled": profiled})
    return found


def figure3(networks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Size over raw size, per network, kind and codec: ours, the published one, and why they differ."""
    rows = []
    for network in networks:
        for total in _totals(network):
            entry = published(network["name"], total["kind"])
            for codec in (OURS, RIVAL):
                row = {
                    "network": network["name"],
                    "kind": total["kind"],
                    "codec": codec,
                    "ratio": total["lines"][codec]["ratio"],
                    "published": None,
                    "difference": NOT_AVAILABLE,
                }
                if entry:
                    same = total["kind"] == "weight" and same_weights(total, entry)
                    why = _weights_reason(codec, total) if same else _other_reason(codec, total, entry)
                    row |= {"published": entry.ratio(codec), "difference": why}
                rows.append(row)
    return rows


def _gain_reason(total: dict[str, Any], entry: Published) -> str:
    raw = 8 * total["raw_bytes"]
    if not (total["kind"] == "weight" and same_weights(total, entry)):
        bare = _without_metadata(total["lines"][OURS]) / total["published_shapeshifter_bits"]
        return f"Other data. Metadata left out on both sides, as there, it would be {100 * (1 - bare):.2f} %."
    shifted = entry.shapeshifter_bits / raw
    return (
        f"Published against ShapeShifter of weights moved up by 128, {shifted:.4f}; as sign and magnitude, "
        f"and counted, it takes {total['lines'][RIVAL]['ratio']:.4f}, which leaves less to gain."
    )


def table4(networks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How much smaller Atalanta is than ShapeShifter, in per cent: ours, the published one, and why."""
    rows = []
    for network in networks:
        for total in _totals(network):
            entry = published(network["name"], total["kind"])
            ours, rival = (total["lines"][codec]["bytes"] for codec in (OURS, RIVAL))
            rows.append(
                {
                    "network": network["name"],
                    "kind": total["kind"],
                    "percent": 100 * (1 - ours / rival),
                    "published": entry.gain_percent if entry else None,
                    "difference": _gain_reason(total, entry) if entry else NOT_AVAILABLE,
                }
            )
    return rows

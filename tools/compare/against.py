"""Figure 3 and Table 4 of the published comparison made again, and why the figures differ."""

from typing import Any

from atalanta.tools.compare.lines import OURS, RIVAL
from atalanta.tools.compare.published import IMAGES, Published, published
from atalanta.tools.compare.totals import total

METADATA = ("header", "tables", "padding", "width", "mask")
"""Parts of streams that the published comparison does not count."""
NOT_AVAILABLE = "not available"


def _without_metadata(line: dict[str, Any]) -> int:
    return sum(bits for part, bits in line["bits"].items() if part not in METADATA)


def same_weights(found: dict[str, Any], entry: Published) -> bool:
    """Whether these are the published weights: counted as published, they take as many bits."""
    return bool(found["published_shapeshifter_bits"] == entry.shapeshifter_bits)


def _weights_reason(codec: str, found: dict[str, Any]) -> str:
    raw, line = 8 * found["raw_bytes"], found["lines"][codec]
    bare = _without_metadata(line) / raw
    rest = line["ratio"] - bare
    if codec == OURS:
        return (
            f"Same weights. Published without tables, which come from a heuristic search. Here symbols and "
            f"offsets under the best tables take {bare:.4f}; headers, tables and padding add {rest:.4f}."
        )
    counted = found["published_shapeshifter_bits"] / raw
    return (
        f"Same weights: counted as published (moved up by 128, values alone) they take {counted:.4f} here "
        f"too. As sign and magnitude the values take {bare:.4f}; widths, masks and headers add {rest:.4f}."
    )


def _other_reason(codec: str, found: dict[str, Any], entry: Published) -> str:
    raw, line = 8 * found["raw_bytes"], found["lines"][codec]
    rest = line["ratio"] - _without_metadata(line) / raw
    if found["kind"] == "weight":
        here = "as many" if found["values"] == entry.values else f"{found['values']:,}"
        data = f"Other weights: {entry.values:,} published, {here} here."
    else:
        data = (
            f"Other data: published {IMAGES} images of CIFAR-10, {entry.values:,} outputs of layers with "
            f"weights; here {found['values']:,} values of {found['tensors']} tensors."
        )
    if codec == OURS:
        tables = "profiled on other images" if found["profiled"] else "of their own"
        return f"{data} Tables {tables} and headers, not counted there, are {rest:.4f} here."
    counted = found["published_shapeshifter_bits"] / raw
    return (
        f"{data} Widths, masks and headers, not counted there, are {rest:.4f} here; as there: {counted:.4f}."
    )


def _totals(network: dict[str, Any]) -> list[dict[str, Any]]:
    """The totals with both codecs, with what else reasons need; of published networks, convolutions alone."""
    found = []
    for kind, whole in network["totals"].items():
        if OURS not in whole["lines"] or RIVAL not in whole["lines"]:
            continue
        tensors = [t for t in network["tensors"] if t["kind"] == kind]
        entry = published(network["name"], kind)
        convolutions = [t for t in tensors if len(t["shape"]) > 2]
        left_out = 0
        if entry and kind == "weight" and convolutions:
            left_out = len(tensors) - len(convolutions)
            tensors = convolutions
        profiled = any(t["profiled"] for t in tensors)
        found.append(total(tensors) | {"kind": kind, "profiled": profiled, "left_out": left_out})
    return found


def _left_out(found: dict[str, Any]) -> str:
    return (
        f"Convolutions alone, as published, without {found['left_out']} more. " if found["left_out"] else ""
    )


def figure3(networks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Size over raw size, per network, kind and codec: ours, the published one, and why they differ."""
    rows = []
    for network in networks:
        for found in _totals(network):
            entry = published(network["name"], found["kind"])
            for codec in (OURS, RIVAL):
                row = {
                    "network": network["name"],
                    "kind": found["kind"],
                    "codec": codec,
                    "ratio": found["lines"][codec]["ratio"],
                    "published": None,
                    "difference": NOT_AVAILABLE,
                }
                if entry:
                    same = found["kind"] == "weight" and same_weights(found, entry)
                    why = _weights_reason(codec, found) if same else _other_reason(codec, found, entry)
                    row |= {"published": entry.ratio(codec), "difference": _left_out(found) + why}
                rows.append(row)
    return rows


def _gain_reason(found: dict[str, Any], entry: Published) -> str:
    raw = 8 * found["raw_bytes"]
    if not (found["kind"] == "weight" and same_weights(found, entry)):
        bare = _without_metadata(found["lines"][OURS]) / found["published_shapeshifter_bits"]
        return f"Other data. Metadata left out on both sides, as there, it would be {100 * (1 - bare):.2f} %."
    shifted = entry.shapeshifter_bits / raw
    return (
        f"Published against ShapeShifter of weights moved up by 128, {shifted:.4f}; as sign and magnitude, "
        f"and counted, it takes {found['lines'][RIVAL]['ratio']:.4f}, which leaves less to gain."
    )


def table4(networks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How much smaller Atalanta is than ShapeShifter, in per cent: ours, the published one, and why."""
    rows = []
    for network in networks:
        for found in _totals(network):
            entry = published(network["name"], found["kind"])
            ours, rival = (found["lines"][codec]["bytes"] for codec in (OURS, RIVAL))
            rows.append(
                {
                    "network": network["name"],
                    "kind": found["kind"],
                    "percent": 100 * (1 - ours / rival),
                    "published": entry.gain_percent if entry else None,
                    "difference": _gain_reason(found, entry) if entry else NOT_AVAILABLE,
                }
            )
    return rows

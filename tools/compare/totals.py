"""Sums over tensors of one kind."""

from collections import Counter
from collections.abc import Sequence
from typing import Any


def _line_total(found: list[dict[str, Any]], raw_bytes: int) -> dict[str, Any]:
    bits: Counter[str] = Counter()
    for item in found:
        bits.update(item["bits"])
    nbytes = sum(item["bytes"] for item in found)
    return {
        "bytes": nbytes,
        "ratio": nbytes / raw_bytes if raw_bytes else 1.0,
        "bits": dict(bits),
        "stored_raw": sum(item["stored_raw"] for item in found),
    }


def _cycles_total(runs: list[dict[str, Any]]) -> dict[str, Any]:
    energies = [run["energy_j"] for run in runs]
    return {
        "cycles": sum(run["cycles"] for run in runs),
        "slots": sum(run["slots"] for run in runs),
        "bytes_moved": sum(run["bytes_moved"] for run in runs),
        "energy_j": None if None in energies else sum(energies),
    }


def total(tensors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What tensors of a network's document take together, one at least; each has the same lines."""
    raw = sum(t["raw_bytes"] for t in tensors)
    lines, codecs = tensors[0]["lines"], tensors[0]["cycles"]
    return {
        "tensors": len(tensors),
        "values": sum(t["values"] for t in tensors),
        "raw_bytes": raw,
        "published_shapeshifter_bits": sum(t["published_shapeshifter_bits"] for t in tensors),
        "lines": {name: _line_total([t["lines"][name] for t in tensors], raw) for name in lines},
        "cycles": {name: _cycles_total([t["cycles"][name] for t in tensors]) for name in codecs},
    }

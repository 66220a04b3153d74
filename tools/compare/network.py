"""All tensors of one network in all lines, from the cache where nothing has changed."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import atalanta.sim
import atalanta.tools.compare
from atalanta.tools.code_hash import package_hash
from atalanta.tools.compare import cycles, sizes
from atalanta.tools.compare.cache import Cache, codec_hash
from atalanta.tools.compare.cycles import Simulation
from atalanta.tools.compare.lines import OURS, Line, all_lines
from atalanta.tools.compare.pieces import Pieces, cut
from atalanta.tools.compare.totals import total
from atalanta.tools.extract.tensors import TensorFile

KINDS = ("weight", "activation")


@dataclass(frozen=True)
class Settings:
    """What is asked of a comparison.

    lines: those to measure. profile_images: see `pieces.cut`. simulation: None for sizes alone.
    """

    lines: Sequence[Line]
    profile_images: int | None = None
    simulation: Simulation | None = None


def _size_key(pieces: Pieces, line: Line) -> list[object]:
    here = package_hash(atalanta.tools.compare.__name__)
    return ["size", pieces.content, line.codec, line.name, sorted(line.options.items()), line.own,
            codec_hash(line.codec), here]  # fmt: skip


def _measure(pieces: Pieces, settings: Settings, results: Cache) -> dict[str, Any]:
    """Everything there is to know of one tensor."""
    info = pieces.info
    found: dict[str, Any] = {
        "key": info.key,
        "layer": info.layer,
        "kind": info.kind,
        "dtype": info.dtype,
        "bits": info.bits,
        "shape": list(info.shape),
        "images": pieces.images,
        "coded_images": len(pieces.coded) if pieces.images else 0,
        "profiled": pieces.sample is not None,
        "values": pieces.values,
        "raw_bytes": pieces.raw_bytes,
        "lines": {},
        "cycles": {},
    }
    for line in settings.lines:
        if info.kind in line.kinds:
            key = _size_key(pieces, line)
            found["lines"][line.name] = results.result(key, partial(sizes.size, pieces, line))
    ours = next(line for line in all_lines() if line.name == OURS)
    key = ["facts", *_size_key(pieces, ours)]
    found |= results.result(key, partial(sizes.facts, pieces, ours))
    simulation = settings.simulation
    if simulation is not None:
        for name, line in cycles.LINES.items():
            key = ["cycles", simulation.key, package_hash(atalanta.sim.__name__), *_size_key(pieces, line)]
            found["cycles"][name] = results.result(key, partial(cycles.run, pieces, line, simulation))
    return found


def compare_network(
    name: str, file: TensorFile, settings: Settings, results: Cache, advance: Callable[[], None]
) -> dict[str, Any]:
    """A network's part of the document.

    advance: called when a tensor is done. Activations with the values of an earlier one are skipped (what
    moves nothing new), and listed with those that the file itself says were skipped.
    Raises RoundTripError, InputError.
    """
    skipped = [asdict(item) for item in file.skipped]
    seen: dict[str, str] = {}

    def one(key: str) -> tuple[str, dict[str, Any]] | None:
        info = file.tensors[key]
        pieces = cut(info, file.read(key), settings.profile_images)
        if not pieces.values:
            skipped.append({"name": key, "reason": "no values"})
            return None
        return pieces.values_hash, _measure(pieces, settings, results)

    tensors = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for key, found in zip(file.tensors, pool.map(one, file.tensors), strict=True):
            advance()
            if found is None:
                continue
            values, tensor = found
            if tensor["kind"] == "activation" and values in seen:
                reason = f"the same values as {seen[values]}, counted once"
                skipped.append({"name": key, "reason": reason})
                continue
            seen[values] = key
            tensors.append(tensor)
    totals = {}
    for kind in KINDS:
        chosen = [t for t in tensors if t["kind"] == kind]
        if chosen:
            totals[kind] = total(chosen)
    return {
        "name": name,
        "file": file.path.name,
        "provenance": asdict(file.provenance),
        "skipped": skipped,
        "totals": totals,
        "tensors": tensors,
    }

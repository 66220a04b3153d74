"""From a sweep's YAML to its points: fully resolved configurations, each with a key that names its result."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import atalanta
from atalanta.tools.extract.versions import file_hash
from atalanta.tools.network.config import ConfigError, check, merge, read_yaml, resolve, with_value
from atalanta.tools.network.report import SCHEMA
from atalanta.tools.network.schema import SAMPLES, Config, SweepConfig


@dataclass(frozen=True)
class Point:
    """One configuration. settings: what sets it apart. key: of all that decides about its result."""

    number: int
    network: str
    settings: dict[str, Any]
    config: Config
    key: str


@dataclass(frozen=True)
class Sweep:
    """A sweep ready to run. folder: what file names in its configurations are relative to."""

    points: Sequence[Point]
    folder: Path
    pareto: tuple[str, str]


def read_sweep(path: Path) -> Sweep:
    """The points of a sweep, every one of them checked.

    Raises ConfigError, ParameterError or InputError for anything that cannot be run; OSError.
    """
    section = check(SweepConfig, read_yaml(path), str(path))
    if len(section.pareto) != 2:
        raise ConfigError(f"{path}: pareto must name two columns, not {len(section.pareto)}")
    folder = path.parent
    base = section.base
    data = read_yaml(folder / base) if isinstance(base, str) else base
    if isinstance(base, str) and Path(base).parent != Path():
        raise ConfigError(f"{path}: base must lie beside the sweep, not at {base}")
    networks = [n.model_dump(exclude_defaults=True) for n in section.networks]
    combinations = [
        dict(zip(section.grid, values, strict=True)) for values in product(*section.grid.values())
    ]
    if section.points and not section.grid:
        combinations = []
    hashes: dict[Path, str] = {}
    points: list[Point] = []
    for network in networks or [data.get("network", {})]:
        for settings in (*combinations, *section.points):
            chosen = {**data, "network": network}
            for key, value in settings.items():
                chosen = with_value(chosen, key, value)
            what = ", ".join(f"{k}={v}" for k, v in settings.items())
            config = resolve(chosen, f"{path}, point {len(points)}" + (f" ({what})" if what else ""))
            config.machine()
            points.append(
                Point(len(points), _name(config), dict(settings), config, _key(config, folder, hashes))
            )
    if not points:
        raise ConfigError(f"{path}: there are no points: grid has a key without values")
    return Sweep(points, folder, (section.pareto[0], section.pareto[1]))


def _name(config: Config) -> str:
    network = config.network
    return network.name or Path(network.file).stem or "network"


def _key(config: Config, folder: Path, hashes: dict[Path, str]) -> str:
    """SHA-256 of configuration, version, and contents of all files."""
    files = [t.file for t in config.network.tensors.values() if t.file]
    if config.network.file and config.network.file != SAMPLES:
        files.append(config.network.file)
    contents = {}
    for name in files:
        path = folder / name
        if path not in hashes:
            hashes[path] = file_hash(path)
        contents[name] = hashes[path]
    whole = merge(
        config.model_dump(), {"schema": SCHEMA, "atalanta": atalanta.__version__, "files": contents}
    )
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:24]

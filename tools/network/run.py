"""A configured network through encoder, decoder check and simulator, codec by codec."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from atalanta.golden import container
from atalanta.golden.values import Array
from atalanta.sim.decoder import plan
from atalanta.sim.network import LayerRun, Machine, Stored, run_layer, tiles_of
from atalanta.tools.measure import RoundTripError
from atalanta.tools.network.schema import NONE, Config
from atalanta.tools.network.sources import Source


@dataclass(frozen=True)
class NetworkRun:
    """All layers under one codec. stored_bytes: of every operand once, as it lies in memory."""

    codec: str
    layers: Sequence[LayerRun]
    stored_bytes: Mapping[str, int]


def _options(codec: str, config: Config) -> dict[str, Any]:
    """What the codec is told, of all that it can be told."""
    d = config.decoder.model_dump()
    options = {name: d[name] for name in ("lanes", "ways", "rows", "beat_bytes", "lane_depth")}
    options["fit"] = config.coding.fit_lanes
    known = container.CODECS[codec].options()
    return {name: value for name, value in options.items() if name in known}


def _store(rows: Array, codec: str, config: Config, machine: Machine) -> list[Stored]:
    """One tile, cut into a piece for each port, each a tensor of its own. Raises RoundTripError."""
    pieces = np.array_split(rows.reshape(-1), machine.ports)
    if codec == NONE:
        return [Stored(piece.nbytes) for piece in pieces]
    stored = []
    for piece in pieces:
        stream = container.encode(piece, codec, threads=1, **_options(codec, config))
        if not np.array_equal(container.decode(stream, threads=1), piece):
            raise RoundTripError(f"{codec} does not give back what it was given")
        stored.append(Stored(len(stream), plan(stream, machine.decoder)))
    return stored


def run_network(
    config: Config,
    source: Source,
    machine: Machine,
    tick: Callable[[], None] = lambda: None,
    *,
    threads: int | None = None,
) -> list[NetworkRun]:
    """The network under every codec of the configuration, and under none as the first.

    tick: called once for every tensor coded and every layer simulated. threads: most at work.

    Raises ParameterError if a layer does not fit on the chip, RoundTripError if a codec loses something,
    ConservationError if figures do not add up.
    """
    workload = source.workload
    tilings = machine.tilings(workload)
    tiles = tiles_of(workload, tilings)
    codecs = [NONE, *(c for c in config.codecs if c != NONE)]

    def store(name: str) -> dict[str, list[list[Stored]]]:
        cut = np.array_split(source.rows[name](), tiles[name])
        made = {codec: [_store(tile, codec, config, machine) for tile in cut] for codec in codecs}
        tick()
        return made

    with ThreadPoolExecutor(threads) as pool:
        found = dict(zip(workload.operands, pool.map(store, workload.operands), strict=True))
        runs = []
        for codec in codecs:
            stored = {name: made[codec] for name, made in found.items()}

            def one(number: int, stored: dict[str, list[list[Stored]]] = stored) -> LayerRun:
                layer = workload.layers[number]
                run = run_layer(layer, workload, tilings[layer.name], machine, stored)
                tick()
                return run

            layers = list(pool.map(one, range(len(workload.layers))))
            sizes = {name: sum(s.nbytes for tile in each for s in tile) for name, each in stored.items()}
            runs.append(NetworkRun(codec, layers, sizes))
    return runs


def ticks(config: Config, source: Source) -> int:
    """How often `run_network` will call `tick`."""
    codecs = len({NONE, *config.codecs})
    return len(source.workload.operands) + codecs * len(source.workload.layers)

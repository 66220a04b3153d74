"""Running a sweep on Dask: results kept point by point, so that nothing is ever computed twice."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atalanta.golden.atomic import replacing
from atalanta.golden.errors import AtalantaError
from atalanta.tools.network.report import TOTAL, Row, rows
from atalanta.tools.network.run import run_network
from atalanta.tools.network.schema import Config
from atalanta.tools.network.sources import open_source
from atalanta.tools.sweep.points import Point, Sweep

if TYPE_CHECKING:
    from distributed import Client


def run_point(config: Config, folder: Path) -> dict[str, Any]:
    """One point, wherever it runs: its rows, or the error that it ended with as `error`."""
    try:
        source = open_source(config, folder)
        machine = config.machine(value_bits=16 if source.wide else 8)
        found = rows(source.workload.name, run_network(config, source, machine, threads=1), machine)
    except (AtalantaError, OSError, MemoryError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"rows": found}


@contextmanager
def connected(scheduler: str | None, workers: int | None) -> Iterator["Client"]:
    """A Dask client: of the cluster at `scheduler`, or of processes of this machine, which then end.

    Raises AtalantaError if there is no scheduler at that address.
    """
    from distributed import Client, LocalCluster

    if scheduler is None:
        with (
            LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
            ) as cluster,
            Client(cluster) as client,  # type: ignore[no-untyped-call]
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout="10s")  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise AtalantaError(f"no Dask scheduler at {scheduler}: {error}") from error
    with client:
        yield client


class Store:
    """Results on disk, one file for each point, which appears when it is complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "points"
        self._folder.mkdir(parents=True, exist_ok=True)

    def _path(self, point: Point) -> Path:
        return self._folder / f"{point.key}.json"

    def has(self, point: Point) -> bool:
        """Whether the point was computed before."""
        return self._path(point).exists()

    def write(self, point: Point, found: list[Row]) -> None:
        """Keep a point's rows, and the configuration that they are of."""
        document = {"config": point.config.model_dump(exclude_none=True), "rows": found}
        with replacing(self._path(point)) as out:
            out.write(json.dumps(document, indent=1).encode())

    def read(self, point: Point) -> list[Row]:
        """The rows of a point that was computed."""
        found: list[Row] = json.loads(self._path(point).read_text())["rows"]
        return found


def run_sweep(
    sweep: Sweep, store: Store, client: Callable[[], Any], tick: Callable[[], None] = lambda: None
) -> dict[int, str]:
    """Compute what the store does not have; errors by point. client: opens one, if anything is to be done.

    tick: called for every point, those that were there included.
    """
    missing: dict[str, Point] = {}
    for point in sweep.points:
        if store.has(point):
            tick()
        else:
            missing.setdefault(point.key, point)
    errors: dict[str, str] = {}
    if missing:
        from distributed import as_completed

        same = {key: sum(p.key == key for p in sweep.points) for key in missing}
        with client() as opened:
            futures = {
                opened.submit(run_point, p.config, sweep.folder.resolve(), key=f"{p.key}-{id(missing)}"): p
                for p in missing.values()
            }
            for future in as_completed(futures):  # type: ignore[no-untyped-call]
                point = futures[future]
                try:
                    result = future.result()
                except Exception as error:  # noqa: BLE001 whatever a worker may raise is that point's failure
                    result = {"error": f"{type(error).__name__}: {error}"}
                if "error" in result:
                    errors[point.key] = result["error"]
                else:
                    store.write(point, result["rows"])
                for _ in range(same[point.key]):
                    tick()
    return {p.number: errors[p.key] for p in sweep.points if p.key in errors}


def table(sweep: Sweep, store: Store, *, layers: bool = False) -> list[Row]:
    """All results in the order of the points: a row for each codec, or for each layer and codec."""
    keys = list(dict.fromkeys(k for p in sweep.points for k in p.settings))
    found = []
    for point in sweep.points:
        if not store.has(point):
            continue
        settings = {key: point.settings.get(key) for key in keys}
        found += [
            {"point": point.number, **settings, **row}
            for row in store.read(point)
            if layers or row["layer"] == TOTAL
        ]
    return found

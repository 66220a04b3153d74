"""`atalanta sweep`: many configurations, networks and codecs at once."""

import io
import json
from pathlib import Path
from typing import Any

import click
from rich.table import Table

import atalanta
from atalanta.golden.atomic import replacing
from atalanta.golden.errors import AtalantaError
from atalanta.tools.cli.common import console, json_option, print_json, progress
from atalanta.tools.cli.net import csv_of
from atalanta.tools.extract.extras import extra

SCHEMA = "atalanta.sweep/1"


class FailedPointsError(AtalantaError):
    """Some points of a sweep could not be computed; all others were."""


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-o", "--output", default="results/sweep", show_default=True, type=click.Path(path_type=Path),
              help="Folder for results, and for what a later run need not compute again.")  # fmt: skip
@click.option("--scheduler", metavar="ADDRESS", help="Address of a Dask scheduler, such as tcp://node1:8786; "
              "its workers need this package and the network's files.")  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1), help="Processes on this machine.  [default: one a processor]"
)
@click.option("--layers", is_flag=True, help="Rows for every layer, not only for whole networks.")
@json_option
def sweep(
    config: Path, output: Path, scheduler: str | None, workers: int | None, layers: bool, as_json: bool
) -> None:
    """Simulate every point of a sweep: networks x configurations x codecs.

    CONFIG is YAML with `base` (a configuration of `atalanta net`, or a file's name), and `grid`, `points`
    and `networks` to vary it. All points are checked before the first one runs. Points run on processes of
    this machine or on a Dask cluster; what was computed is kept, so a sweep that was stopped goes on where
    it was, and points that failed are tried again. Writes sweep.csv, sweep.parquet, sweep.json and
    pareto.png, in the order of the points.

    \b
    Examples:
      atalanta sweep buffers.yaml
      atalanta sweep buffers.yaml -o results/buffers --workers 4 --json
      atalanta sweep buffers.yaml --scheduler tcp://node1:8786
    A sweep of six points:
      base: {preset: edge}
      grid:
        memory.preset: [ddr4-2400, ddr4-3200]
        accelerator.buffer_bytes: [131072, 262144, 524288]
    """
    try:
        from atalanta.tools.network.charts import pareto
        from atalanta.tools.sweep.points import read_sweep
        from atalanta.tools.sweep.run import Store, connected, run_sweep, table
    except ModuleNotFoundError as error:
        raise extra("net", str(error.name)) from error

    chosen = read_sweep(config)
    store = Store(output)
    with progress() as bars:
        task = bars.add_task("simulating points", total=len(chosen.points))
        failed = run_sweep(chosen, store, lambda: connected(scheduler, workers), lambda: bars.advance(task))
    rows = table(chosen, store, layers=layers)
    failures = [
        {"point": number, "settings": chosen.points[number].settings, "error": error}
        for number, error in failed.items()
    ]
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "atalanta": atalanta.__version__,
        "points": len(chosen.points),
        "failed": failures,
        "rows": rows,
    }
    files = {"sweep.json": json.dumps(document, indent=1).encode()}
    if rows:
        files |= {"sweep.csv": csv_of(rows), "sweep.parquet": _parquet(rows)}
        x, y = chosen.pareto
        unknown = [name for name in chosen.pareto if not isinstance(rows[0].get(name), int | float)]
        if unknown:
            raise AtalantaError(f"{config}: pareto names {unknown[0]}, which is no column of numbers here")
        files["pareto.png"] = pareto([row for row in rows if row["layer"] == "all"], x, y)
    for name, contents in files.items():
        with replacing(output / name) as out:
            out.write(contents)
    if as_json:
        print_json(document)
    else:
        if rows:
            console().print(_table([row for row in rows if row["layer"] == "all"], chosen.points[0].settings))
        console().print("written: " + ", ".join(str(output / name) for name in files))
    if failures:
        what = "; ".join(f"point {f['point']} {f['settings']}: {f['error']}" for f in failures)
        raise FailedPointsError(f"{len(failures)} of {len(chosen.points)} points failed: {what}")


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import parquet

    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for name, values in columns.items():
        kinds = {type(v) for v in values if v is not None}
        if (len(kinds) > 1 and not kinds <= {int, float}) or kinds & {dict, list}:
            columns[name] = [None if v is None else str(v) for v in values]
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out)
    return out.getvalue()


def _table(rows: list[dict[str, Any]], settings: dict[str, Any]) -> Table:
    table = Table(title="sweep", title_justify="left")
    for head in (
        "point",
        "network",
        *settings,
        "codec",
        "time / µs",
        "moved bytes",
        "speed-up",
        "DRAM energy / mJ",
    ):
        table.add_column(head, justify="left" if head in ("network", "codec", *settings) else "right")
    for row in rows:
        energy = row["dram_energy_j"]
        table.add_row(
            str(row["point"]), row["network"], *(str(row[key]) for key in settings), row["codec"],
            f"{row['time_s'] * 1e6:,.1f}", f"{row['moved_bytes']:,}", f"{row['speedup_over_none']:.3f}",
            "not known" if energy is None else f"{energy * 1e3:.4g}",
        )  # fmt: skip
    return table

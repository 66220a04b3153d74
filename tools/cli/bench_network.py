"""`atalanta bench network`: bytes beside entropy, and the time that whole networks take."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from atalanta.golden.errors import InputError
from atalanta.golden.params import MAX_ROWS
from atalanta.tools.bench.network import NetworkBench, bench
from atalanta.tools.cli.common import console, json_option, print_json, progress
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.samples import sample_path

KINDS = ("weight", "activation")


def _row(name: str, found: NetworkBench) -> dict[str, Any]:
    row: dict[str, Any] = {"tensors": name, "raw_bytes": found.raw_bytes}
    for coded in found.coded:
        row |= {
            f"ratio_{coded.lanes}_lanes": coded.nbytes / found.raw_bytes,
            f"excess_{coded.lanes}_lanes": coded.excess,
        }
    return row | {"seconds": found.seconds, "search_s": found.search_s}


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--rows",
    type=click.IntRange(1, MAX_ROWS),
    default=16,
    show_default=True,
    help="Most rows of the probability tables.",
)
@json_option
def network(files: tuple[Path, ...], rows: int, as_json: bool) -> None:
    """Code, decode and verify all tensors of FILE..., with 1 and with 16 lanes.

    Excess is how much longer streams are than order-0 entropy and probability tables together. Search is the
    slowest table search, after the histogram. Without FILE, the tensors that come with the package.

    \b
    Examples:
      atalanta bench network resnet50.npz googlenet.npz
    """
    lines = []
    for path in files or (sample_path(),):
        file = TensorFile.open(path)
        for kind in KINDS:
            arrays = [file.read(info.key) for info in file.of_kind(kind) if info.size]  # type: ignore[arg-type]
            if arrays:
                with progress() as bars:
                    task = bars.add_task(f"{path.stem}, {kind}s", total=2 * len(arrays))
                    found = bench(arrays, rows=rows, step=lambda bars=bars, task=task: bars.advance(task))  # type: ignore[misc]
                lines.append(_row(f"{path.stem}, {kind}s", found))
    if not lines:
        raise InputError(f"no tensors in {', '.join(map(str, files))}")
    if as_json:
        print_json({"rows": rows, "networks": lines})
        return
    table = Table(title=f"1 and 16 lanes, tables of {rows} rows", title_justify="left")
    heads = (
        "tensors",
        "raw bytes",
        "ratio, 1",
        "ratio, 16",
        "excess, 1",
        "excess, 16",
        "seconds",
        "search ms",
    )
    for head in heads:
        table.add_column(head, justify="left" if head == "tensors" else "right")
    for row in lines:
        ratios = [f"{row[f'ratio_{lanes}_lanes']:.4f}" for lanes in (1, 16)]
        excess = [f"{row[f'excess_{lanes}_lanes']:.3%}" for lanes in (1, 16)]
        searches = ", ".join(f"{1000 * s:.1f} ({bits} bits)" for bits, s in row["search_s"].items())
        table.add_row(
            row["tensors"], f"{row['raw_bytes']:,}", *ratios, *excess, f"{row['seconds']:.1f}", searches
        )
    console().print(table)
    total = sum(row["seconds"] for row in lines)
    console().print(f"{total:.1f} s to encode, decode and verify all of it twice, on all processors")

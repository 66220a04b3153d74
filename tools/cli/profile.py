"""`atalanta profile`: tables from samples."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from atalanta.golden.errors import InputError
from atalanta.golden.params import MAX_ROWS
from atalanta.tools.cli.common import console, json_option, print_json, progress
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.profiles import Cost, costs, profiles, save


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="File of tables to write."
)
@click.option(
    "--kind",
    type=click.Choice(["activation", "weight"]),
    default="activation",
    show_default=True,
    help="Tensors to profile.",
)
@click.option(
    "--rows", type=click.IntRange(1, MAX_ROWS), default=16, show_default=True, help="Most rows of a table."
)
@click.option(
    "--check",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Report the cost on this file, which no table was made from; repeat for more.",
)
@json_option
def profile(
    files: tuple[Path, ...], output: Path, kind: str, rows: int, check: tuple[Path, ...], as_json: bool
) -> None:
    """Make one table for each tensor from several samples of it, for data that is not known yet.

    FILE... are .npz or .safetensors with the same names, one for each run of the network. Values that no
    sample has can still be coded. Reports how much longer streams are than with each tensor's own table: on
    the samples themselves, and on the files of --check. `atalanta encode --profile` uses the tables.

    \b
    Examples:
      atalanta profile cat.npz dog.npz bird.npz -o tables.json --check fish.npz
      atalanta encode fish.npz -o fish.atn --profile tables.json
    """
    sources = [TensorFile.open(path) for path in files]
    with progress() as bars:
        found = dict(bars.track(profiles(sources, kind, rows), description="profiling"))  # type: ignore[arg-type]
        if not found:
            raise InputError(f"no {kind}s in {', '.join(map(str, files))}")
        save(output, found)
        seen = [cost for file in sources for cost in costs(file, found, rows)]
        unseen = [cost for path in check for cost in costs(TensorFile.open(path), found, rows)]
    if as_json:
        rows_of = {"samples": [asdict(cost) for cost in seen], "check": [asdict(cost) for cost in unseen]}
        print_json({"output": str(output), "tables": len(found), **rows_of})
        return
    console().print(f"{output}: {len(found)} tables")
    table = Table(
        "on", "raw bytes", "own tables", "profiled", "longer by", title="streams", title_justify="left"
    )
    for name, chosen in (("the samples", seen), ("files of --check", unseen)):
        if chosen:
            table.add_row(name, *_sums(chosen))
    console().print(table)


def _sums(chosen: list[Cost]) -> tuple[str, ...]:
    raw, own, profiled = (
        sum(getattr(c, n) for c in chosen) for n in ("raw_bytes", "own_bytes", "profiled_bytes")
    )
    return f"{raw:,}", f"{own:,}", f"{profiled:,}", f"{profiled / own - 1:.2%}"

"""`atalanta extract`: a network in, its quantised weights and activations out."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from atalanta.golden.errors import AtalantaError
from atalanta.tools.extract import api
from atalanta.tools.extract.tensors import TensorFile

EXAMPLES = f"""
MODEL is one of {", ".join(api.MODELS)}.

\b
Examples:
  atalanta extract efficientnet_lite0 -o lite0.npz
  atalanta extract efficientnet_lite0 -o mine.npz --images photos/ --bits 4
  atalanta extract efficientnet_lite0 -o weights.npz --only 'weights.*'
  atalanta extract efficientnet_lite0 -o few.npz --keep coffee --only weights.048,activations.058
"""


class Failure(click.ClickException):
    """What the user gave cannot be used: one line, exit status 2."""

    exit_code = 2


def _listed(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(filter(None, (item.strip() for item in value.split(","))))


@click.command(epilog=EXAMPLES)
@click.argument("model")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The .npz to write."
)  # fmt: skip
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder of images to calibrate on and to run; by default the photos that come with scikit-image "
    "and scikit-learn.",
)
@click.option(
    "--bits", type=click.IntRange(2, 8), default=8, show_default=True, help="Bits of weights and activations."
)
@click.option("--per-tensor", is_flag=True, help="One weight scale per tensor, not per output channel.")
@click.option(
    "--keep", default="", callback=_listed, metavar="NAME,...", help="Write activations of these images only."
)
@click.option(
    "--only", default="", callback=_listed, metavar="KEY,...", help="Write these tensors only; * is allowed."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def extract(
    model: str,
    output: Path,
    images: Path | None,
    bits: int,
    per_tensor: bool,
    keep: tuple[str, ...],
    only: tuple[str, ...],
    as_json: bool,
) -> None:
    """Quantise MODEL and write its weights and activations to one file.

    Every image runs through the quantised network; what moves between its layers is written as the
    integers that hardware would move, with scales, zero points, layouts and the origin of it all.
    """
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def progress(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what)
        bars.update(tasks[what], completed=done, total=total)

    try:
        with bars:
            file = api.extract(
                model,
                output,
                images=images,
                bits=bits,
                per_channel=not per_tensor,
                keep=keep,
                only=only,
                progress=progress,
            )
    except AtalantaError as error:
        raise Failure(str(error)) from error
    if as_json:
        click.echo(json.dumps(_summary(file)))
    else:
        _show(file)


def _summary(file: TensorFile) -> dict[str, object]:
    agree, of = file.provenance.top1_agreement
    fields = ("key", "kind", "layer", "dtype", "bits", "shape", "layout", "sha256")
    return {
        "file": str(file.path),
        "bytes": file.path.stat().st_size,
        "provenance": asdict(file.provenance),
        "top1_agreement": {"agree": agree, "of": of},
        "macs": sum(layer.macs for layer in file.layers),
        "tensors": [{name: getattr(info, name) for name in fields} for info in file.tensors.values()],
        "skipped": [asdict(s) for s in file.skipped],
    }


def _show(file: TensorFile) -> None:
    console = Console(highlight=False)
    table = Table("", "tensors", "values", "bits", title=f"{file.provenance.model} → {file.path}")
    table.title_justify = "left"
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, name in (("weight", "weights"), ("activation", "activations")):
        infos = [info for info in file.tensors.values() if info.kind == kind]
        bits = ", ".join(map(str, sorted({info.bits for info in infos})))
        table.add_row(name, f"{len(infos)}", f"{sum(info.size for info in infos):,}", bits)
    console.print(table)
    macs = sum(layer.macs for layer in file.layers)
    console.print(f"{len(file.layers)} layers, {macs:,} multiply-accumulates an image")
    console.print(file.provenance.quantiser)
    agree, of = file.provenance.top1_agreement
    if of:
        console.print(f"top-1 class as in the float network on {agree} of {of} images")
    for skipped in file.skipped:
        console.print(f"skipped {skipped.name}: {skipped.reason}")
    console.print(f"{file.path.stat().st_size:,} bytes")

"""`atalanta extract`: a network in, its quantised weights and activations out."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from atalanta.golden.errors import AtalantaError
from atalanta.tools.extract import api
from atalanta.tools.extract.tensors import TensorFile

EXAMPLES = """
MODEL is the name of a network (--list shows them), or a file: a quantised .tflite or .onnx model, or
tensors in a .npz, .npy or .safetensors.

\b
Examples:
  atalanta extract efficientnet_lite0 -o lite0.npz
  atalanta extract efficientnet_lite0 -o mine.npz --images photos/ --bits 4
  atalanta extract quantized_resnet50 -o resnet50.npz --keep coffee,chelsea
  atalanta extract quantized_resnet50 -o shapes.npz --random-weights
  atalanta extract mobilenet.tflite -o mobilenet.npz --only 'weights.*'
  atalanta extract detector.onnx -o detector.npz --mean 0 --std 255
"""

SKIPPED_SHOWN = 8


class Failure(click.ClickException):
    """What the user gave cannot be used: one line, exit status 2."""

    exit_code = 2


def _listed(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(filter(None, (item.strip() for item in value.split(","))))


def _numbers(context: click.Context, option: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        return tuple(float(item) for item in _listed(context, option, value))
    except ValueError as error:
        raise click.BadParameter("must be one number or three with commas between them") from error


def _list_models(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        try:
            click.echo("\n".join(api.model_names()))
        except AtalantaError as error:
            raise Failure(str(error)) from error
        context.exit()


@click.command(epilog=EXAMPLES)
@click.argument("model")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The .npz or .safetensors to write.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder of images to calibrate on and to run; by default the photos that come with scikit-image "
    "and scikit-learn.",
)
@click.option(
    "--bits",
    type=click.IntRange(2, 8),
    help="Bits of weights and activations of a float network.  [default: 8]",
)
@click.option("--per-tensor", is_flag=True, help="One weight scale per layer, not per output channel.")
@click.option("--weights", help="For networks of torchvision: a name it has for weights, or a file.")
@click.option("--random-weights", is_flag=True, help="For networks of torchvision: random numbers instead.")
@click.option(
    "--mean",
    default="",
    callback=_numbers,
    metavar="R,G,B",
    help="For model files: what the model wants to see is (pixel - mean) / std, pixels 0..255.",
)
@click.option("--std", default="", callback=_numbers, metavar="R,G,B", help="See --mean.")
@click.option(
    "--keep", default="", callback=_listed, metavar="NAME,...", help="Write activations of these images only."
)
@click.option(
    "--only", default="", callback=_listed, metavar="KEY,...", help="Write these tensors only; * is allowed."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_models,
    help="Print the names of all networks and exit.",
)
def extract(model: str, output: Path, only: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Write the quantised weights and activations of MODEL to one file.

    Every image runs through the network; what moves between its layers is written as the integers that
    hardware would move, with scales, zero points, layouts and the origin of it all. Float networks are
    quantised on the way.
    """
    stderr = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def progress(what: str, done: int, total: int) -> None:
        bars.start()  # only now: a download may show its own bar before
        if what not in tasks:
            tasks[what] = bars.add_task(what)
        bars.update(tasks[what], completed=done, total=total)

    try:
        file = api.extract(model, output, only=only, progress=progress, **options)
    except AtalantaError as error:
        raise Failure(str(error)) from error
    finally:
        bars.stop()
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
    table = Table("", "tensors", "values", "bits")
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, name in (("weight", "weights"), ("activation", "activations")):
        infos = [info for info in file.tensors.values() if info.kind == kind]
        bits = ", ".join(map(str, sorted({info.bits for info in infos})))
        table.add_row(name, f"{len(infos)}", f"{sum(info.size for info in infos):,}", bits)
    click.echo(f"{file.provenance.model} → {file.path}, {file.path.stat().st_size:,} bytes")
    Console().print(table)
    if file.layers:
        macs = sum(layer.macs for layer in file.layers)
        click.echo(f"{len(file.layers)} layers, {macs:,} multiply-accumulates an image")
    if file.provenance.quantiser:
        click.echo(file.provenance.quantiser)
    agree, of = file.provenance.top1_agreement
    if of:
        click.echo(f"top-1 class as in the float network on {agree} of {of} images")
    for skipped in file.skipped[:SKIPPED_SHOWN]:
        click.echo(f"skipped {skipped.name}: {skipped.reason}")
    if len(file.skipped) > SKIPPED_SHOWN:
        click.echo(f"... and {len(file.skipped) - SKIPPED_SHOWN} more; the file and --json list them all")

"""`atalanta extract`: a network in, its quantised weights and activations out."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress, TaskID
from rich.table import Table

from atalanta.tools.cli.common import console, failures, json_option, print_json, progress
from atalanta.tools.extract import api
from atalanta.tools.extract.images import other_files
from atalanta.tools.extract.tensors import Skipped, TensorFile

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


class _Bars:
    """Progress bars that begin with the first report, for a download may show its own before."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._bars is None:
            self._bars = self._stack.enter_context(progress())
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what)
        self._bars.update(self._tasks[what], completed=done, total=total)


def _listed(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(filter(None, (item.strip() for item in value.split(","))))


def _numbers(context: click.Context, option: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        return tuple(float(item) for item in _listed(context, option, value))
    except ValueError as error:
        raise click.BadParameter("must be one number or three with commas between them") from error


def _list_models(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        with failures():
            click.echo("\n".join(api.model_names()))
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
@json_option
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
    with failures(), ExitStack() as stack:
        file = api.extract(model, output, only=only, progress=_Bars(stack), **options)
    skipped = [*file.skipped, *(other_files(options["images"]) if options["images"] else [])]
    if as_json:
        print_json(_summary(file, skipped))
    else:
        _show(file, skipped)


def _summary(file: TensorFile, skipped: Sequence[Skipped]) -> dict[str, object]:
    agree, of = file.provenance.top1_agreement
    fields = ("key", "kind", "layer", "dtype", "bits", "shape", "layout", "sha256")
    return {
        "file": str(file.path),
        "bytes": file.path.stat().st_size,
        "provenance": asdict(file.provenance),
        "top1_agreement": {"agree": agree, "of": of},
        "macs": sum(layer.macs for layer in file.layers),
        "tensors": [{name: getattr(info, name) for name in fields} for info in file.tensors.values()],
        "skipped": [asdict(s) for s in skipped],
    }


def _show(file: TensorFile, skipped: Sequence[Skipped]) -> None:
    table = Table("", "tensors", "values", "bits")
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, name in (("weight", "weights"), ("activation", "activations")):
        infos = [info for info in file.tensors.values() if info.kind == kind]
        bits = ", ".join(map(str, sorted({info.bits for info in infos})))
        table.add_row(name, f"{len(infos)}", f"{sum(info.size for info in infos):,}", bits)
    click.echo(f"{file.provenance.model} → {file.path}, {file.path.stat().st_size:,} bytes")
    console().print(table)
    if file.layers:
        macs = sum(layer.macs for layer in file.layers)
        click.echo(f"{len(file.layers)} layers, {macs:,} multiply-accumulates an image")
    if file.provenance.quantiser:
        click.echo(file.provenance.quantiser)
    agree, of = file.provenance.top1_agreement
    if of:
        click.echo(f"top-1 class as in the float network on {agree} of {of} images")
    for item in skipped[:SKIPPED_SHOWN]:
        click.echo(f"skipped {item.name}: {item.reason}")
    if len(skipped) > SKIPPED_SHOWN:
        click.echo(f"... and {len(skipped) - SKIPPED_SHOWN} more; --json lists them all")

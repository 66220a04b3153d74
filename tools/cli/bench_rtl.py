"""`atalanta bench rtl`: values per cycle."""

from pathlib import Path

import click
from rich.table import Table

from atalanta.golden.errors import require
from atalanta.golden.params import LANES, WAYS
from atalanta.tools.bench.rtl import Throughput, throughput
from atalanta.tools.cli.common import choice, console, json_option, print_json, progress
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.measure import CODECS
from atalanta.tools.samples import sample_path

TENSOR = "weights.049"
"""1,280,000 weights of EfficientNet-Lite0's classifier."""


def _table(rows: list[Throughput], title: str) -> Table:
    table = Table("lanes", "beat", "codec", "cycles RTL", "simulator", "difference", "values/cycle RTL",
                  "simulator", "of peak", title=title)  # fmt: skip
    for column in (*table.columns[:2], *table.columns[3:]):
        column.justify = "right"
    for r in rows:
        cycles = (f"{r.cycles:,}", f"{r.simulated:,}", f"{r.simulated - r.cycles:+,}")
        rates = (f"{r.rate:.3f}", f"{r.simulated_rate:.3f}", f"{r.rate / r.peak:.4f}")
        table.add_row(str(r.lanes), f"{r.beat_bytes} B", r.codec, *cycles, *rates)
    return table


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--tensor", default=TENSOR, show_default=True, help="Key of the tensor in FILE.")
@click.option(
    "--lanes", type=choice(LANES), multiple=True, help="Lanes; may be given several times.  [default: all]"
)
@click.option("--ways", type=choice(WAYS), default="4", show_default=True, help="Ways.")
@click.option("--codec", "codecs", type=click.Choice(CODECS), multiple=True,
              help="Codec; may be given several times.  [default: atalanta and shapeshifter]")  # fmt: skip
@click.option("--latency", type=click.IntRange(0), default=20, show_default=True,
              help="Cycles from a read request to its first data.")  # fmt: skip
@json_option
def rtl(
    file: Path | None,
    tensor: str,
    lanes: tuple[str, ...],
    ways: str,
    codecs: tuple[str, ...],
    latency: int,
    as_json: bool,
) -> None:
    """Values per cycle of the RTL and of the simulator, for decoders of 1 to 64 lanes.

    One tensor of FILE, by default of the tensors that come with the package, goes through the compiled
    RTL of each decoder, behind an ideal memory. Beats and bus are as wide as the lanes need: 16, 32 or
    64 bytes; ShapeShifter, 16 values per cycle whatever the lanes, may need 32 where a group takes more
    than 16. Cycles count from the descriptor's offer to the last value.

    \b
    Examples:
      atalanta bench rtl
      atalanta bench rtl --lanes 1 --lanes 16 --json
      atalanta bench rtl tensors.npz --tensor weights.003 --codec raw
    """
    source = TensorFile.open(file or sample_path())
    array = source.read(tensor)
    require(array.size > 0, "tensor", "one with values", tensor)
    chosen = [int(n) for n in lanes] or list(LANES)
    rows: list[Throughput] = []
    with progress() as bars:
        for n in bars.track(chosen, description="running the RTL"):
            rows += throughput(array, n, int(ways), codecs or ("atalanta", "shapeshifter"), latency)
    if as_json:
        print_json({"file": str(source.path.name), "tensor": tensor, "latency": latency,
                    "runs": [r.row() for r in rows]})  # fmt: skip
        return
    console().print(_table(rows, f"{tensor}, {array.size:,} values, memory latency {latency} cycles"))

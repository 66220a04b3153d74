"""`atalanta bench sim`: how fast the simulator is."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from atalanta.golden.errors import InputError
from atalanta.golden.params import LANES, WAYS
from atalanta.tools.bench.sim import SimBench, bench
from atalanta.tools.cli.common import (
    choice,
    console,
    decoder,
    decoder_options,
    json_option,
    make_memory,
    memory_name,
    memory_options,
    print_json,
    progress,
)
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.samples import sample_path


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--lanes", type=choice(LANES), default="16", show_default=True, help="Lanes of the decoder.")
@click.option("--ways", type=choice(WAYS), default="4", show_default=True, help="Ways of the decoder.")
@click.option("--rtl-values", type=click.IntRange(0), default=2_000_000, show_default=True,
              help="Run the RTL on about so many values; 0 for not at all.")  # fmt: skip
@memory_options
@decoder_options
@json_option
def sim(file: Path | None, lanes: str, ways: str, rtl_values: int, as_json: bool, **options: Any) -> None:
    """Time the simulator on all weights of FILE, against the compiled RTL and against more of the same work.

    Without FILE, on the weights that come with the package. Times are of one processor, the best of five
    for the simulator. RTL and simulator run the same streams behind the same memory, and every counter
    must agree. The simulator's cost grows with beats, so 4 times the work should take 4 times as long.

    \b
    Examples:
      atalanta bench sim --memory ddr4-3200
      atalanta bench sim network.npz --rtl-values 0 --json
    """
    source = TensorFile.open(file or sample_path())
    arrays = [source.read(info.key) for info in source.of_kind("weight")]
    if not arrays:
        raise InputError(f"{source.path.name} has no weights")
    p = decoder(options, lanes=int(lanes), ways=int(ways))
    with progress() as bars:
        task = bars.add_task("", total=None)
        found = bench(arrays, p, lambda: make_memory(options), rtl_values=rtl_values,
                      step=lambda what: bars.update(task, description=what))  # fmt: skip
    if as_json:
        print_json({"file": source.path.name, "memory": memory_name(options), **_document(found)})
        return
    console().print(_table(found, f"{source.path.name}, {found.values:,} weights, {memory_name(options)}"))


def _document(found: SimBench) -> dict[str, Any]:
    document = asdict(found)
    document["copies"] = [{"copies": n, **asdict(timed)} for n, timed in found.copies.items()]
    return document | {"speedup_over_rtl": found.speedup}


def _table(found: SimBench, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for head in ("what", "seconds", "cycles", "cycles / s", "ns / beat"):
        table.add_column(head, justify="left" if head == "what" else "right")
    table.add_row("encode", f"{found.encode_s:.3f}", "", "", "")
    table.add_row("plan: read each beat's slots from the streams", f"{found.plan_s:.3f}", "", "", "")
    rows = [(f"simulate {n} x", timed) for n, timed in found.copies.items()]
    if found.sim and found.rtl:
        rows += [("RTL", found.rtl), (f"simulate the same: {found.speedup:,.0f} x as fast", found.sim)]
    for what, timed in rows:
        table.add_row(
            what, f"{timed.seconds:.4f}", f"{timed.cycles:,}", f"{timed.cycles / timed.seconds:,.0f}",
            f"{timed.seconds * 1e9 / timed.beats:.1f}",
        )  # fmt: skip
    return table

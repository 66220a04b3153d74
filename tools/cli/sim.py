"""`atalanta sim`: cycles and stalls of compressed tensors, from the simulator."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from atalanta.golden.decoder import CAUSES, DecoderParams
from atalanta.sim.decoder import DecoderRun, plan, simulate
from atalanta.tools.cli.common import (
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
from atalanta.tools.cli.streams import streams_of
from atalanta.tools.decoders import decoder_needs


def report(name: str, stream: bytes, run: DecoderRun, p: DecoderParams) -> dict[str, Any]:
    """What a run came to, flat, units in the names."""
    values = run.counters["values"]
    return {
        "tensor": name,
        "stream_bytes": len(stream),
        "bytes_moved": run.counters["words"] * p.axi_bytes,
        "values": values,
        "cycles": run.cycles,
        "values_per_cycle": values / run.cycles if run.cycles else 0.0,
        "bursts": run.bursts,
        **{f"{cause}_cycles": run.counters[cause] for cause in CAUSES},
    }


def show(rows: list[dict[str, Any]], title: str, extra: tuple[str, ...] = ()) -> None:
    """Runs as a table."""
    columns = ("tensor", "values", "bytes_moved", "cycles", "values_per_cycle",
               *(f"{c}_cycles" for c in CAUSES), *extra)  # fmt: skip
    table = Table(*(c.replace("_cycles", "").replace("_", " ") for c in columns), title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        cells = (row[c] for c in columns)
        table.add_row(
            *(
                f"{c:.2f}" if isinstance(c, float) else f"{c:,}" if isinstance(c, int) else str(c)
                for c in cells
            )
        )
    console().print(table)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@memory_options
@decoder_options
@json_option
def sim(files: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Cycles, bytes moved and stalls of each tensor in FILE..., as the RTL would count them.

    Values are not decoded in time: the simulator knows in which slot each beat is needed, and runs over
    beats.

    \b
    Examples:
      atalanta sim weights.atl
      atalanta sim network.atn --memory ddr4-3200 --clock-mhz 1000
      atalanta sim weights.atl --latency 200 --outstanding 2 --json
    """
    named = [pair for file in files for pair in streams_of(file)]
    p = decoder(options, **decoder_needs(stream for _, stream in named))
    rows = []
    with progress() as bars:
        for name, stream in bars.track(named, description="simulating"):
            rows.append(report(name, stream, simulate([plan(stream, p)], p, make_memory(options)), p))
    if as_json:
        print_json({"memory": memory_name(options), "tensors": rows})
    else:
        show(rows, f"simulator, {memory_name(options)}")

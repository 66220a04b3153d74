"""`atalanta rtlsim`: compressed tensors through the real RTL."""

from pathlib import Path
from typing import Any

import click
import numpy as np

import atalanta
from atalanta.golden.container import segments
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
from atalanta.tools.cli.sim import report, show
from atalanta.tools.cli.streams import streams_of
from atalanta.tools.decoders import decoder_needs
from atalanta.tools.rtl.agreement import MismatchError, difference
from atalanta.tools.rtl.core import CompiledCore


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@memory_options
@decoder_options
@json_option
def rtlsim(file: Path, as_json: bool, **options: Any) -> None:
    """Run the RTL, compiled from its exported Verilog, on every tensor in FILE.

    Reports cycles, bytes and stalls from the RTL's own counters, values that differ from the golden
    model and counters that differ from the simulator; both must be none.

    \b
    Examples:
      atalanta rtlsim weights.atl
      atalanta rtlsim network.atn --memory ddr4-3200 --clock-mhz 1000 --json
    """
    named = list(streams_of(file))
    p = decoder(options, **decoder_needs(stream for _, stream in named))
    rows = []
    with progress() as bars:
        task = bars.add_task("compiling the RTL", total=None)
        with CompiledCore(p) as core:
            bars.remove_task(task)
            for name, stream in bars.track(named, description="running the RTL"):
                values = atalanta.decode(stream).reshape(-1)
                signed = next(segments(stream)).header.signed
                with make_memory(options) as memory:
                    run = core.run([stream], memory, most_values=values.size, signed=signed)
                with make_memory(options) as memory:
                    model = simulate([plan(stream, p)], p, memory)
                found = run.packets[0].values
                wrong = int(np.count_nonzero(found != values)) if found.size == values.size else values.size
                row = report(name, stream, DecoderRun(run.counters, run.cycles, run.bursts, []), p)
                simulator = "differs" if difference(run, model) else "equal"
                rows.append(row | {"mismatches": wrong, "simulator": simulator})
    if as_json:
        print_json({"memory": memory_name(options), "tensors": rows})
    else:
        show(rows, f"RTL, {memory_name(options)}", extra=("mismatches", "simulator"))
    bad = [row["tensor"] for row in rows if row["mismatches"] or row["simulator"] != "equal"]
    if bad:
        raise MismatchError(f"RTL and models disagree on {', '.join(bad)}")
    if not as_json:
        console().print("every value as in the golden model, every counter as in the simulator")

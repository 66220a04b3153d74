"""`atalanta trace`: DRAM requests, recorded, run and converted."""

from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from atalanta.golden.errors import ParameterError
from atalanta.sim.decoder import plan, simulate
from atalanta.sim.dram_bandwidth import bandwidth
from atalanta.sim.dram_energy import energy
from atalanta.sim.dram_presets import PRESETS, preset
from atalanta.sim.native import Memory, run_trace
from atalanta.sim.trace import FORMATS, Trace, read_trace, trace_of, write_trace
from atalanta.tools.cli.common import Group, console, decoder, decoder_options, json_option, print_json
from atalanta.tools.cli.streams import streams_of
from atalanta.tools.decoders import decoder_needs

_format = click.Choice(FORMATS)
_memory = click.option("--memory", type=click.Choice(list(PRESETS)), default="ddr4-3200", show_default=True,
                       help="DRAM.")  # fmt: skip


@click.group(cls=Group)
def trace() -> None:
    """Requests to DRAM: record a decoder's, run anyone's, convert between formats.

    Formats: csv (arrival_cycle,address,operation), dramsim3, ramulator (1, memory traces) and ramulator2
    (load/store traces). Cycles are of the memory's clock; Ramulator's formats have no times.
    """


@trace.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Trace to write.")
@click.option("--format", "kind", type=_format, default="csv", show_default=True, help="Format of the trace.")
@_memory
@click.option("--clock-mhz", type=float, default=800.0, show_default=True, help="The decoder's clock.")
@click.option("--latency", type=click.IntRange(0), default=20, show_default=True,
              help="Cycles of a read besides the DRAM's own.")  # fmt: skip
@decoder_options
@json_option
def record(
    file: Path,
    output: Path,
    kind: str,
    memory: str,
    clock_mhz: float,
    latency: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the DRAM requests that a decoder makes for the tensors in FILE, one after the other.

    When each request is made depends on the memory, since the decoder's buffers are finite.

    \b
    Examples:
      atalanta trace record weights.atl -o weights.csv
      atalanta trace record network.atn -o network.trc --format dramsim3 --memory ddr4-3200
    """
    if clock_mhz <= 0:
        raise ParameterError(f"clock-mhz must be above 0, not {clock_mhz}")
    streams = [stream for _, stream in streams_of(file)]
    p = decoder(options, **decoder_needs(streams))
    config = preset(memory)
    clock_ps = Fraction(1_000_000) / Fraction(clock_mhz).limit_denominator(1000)
    with Memory.dram(config, clock_ps, latency=latency, outstanding=64) as opened:
        opened.record()
        run = simulate([plan(s, p) for s in streams], p, opened)
        made = trace_of(opened.requests(), config, clock_ps)
    write_trace(output, made, kind)
    report = {"output": str(output), "format": kind, "requests": len(made), "tensors": len(streams),
              "decoder_cycles": run.cycles}  # fmt: skip
    if as_json:
        print_json(report)
    else:
        console().print(f"{output}: {len(made):,} requests of {config.burst_bytes} bytes, {kind}")


@trace.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=_format, default="csv", show_default=True, help="Format of the trace.")
@_memory
@json_option
def run(file: Path, kind: str, memory: str, as_json: bool) -> None:
    """Run the requests of a trace on a DRAM: latency, bandwidth against the peak, commands, energy.

    \b
    Examples:
      atalanta trace run weights.csv
      atalanta trace run dramsim3.trc --format dramsim3 --memory dramsim3-ddr4-3200 --json
    """
    config = preset(memory)
    requests = read_trace(file, kind)
    row = _results(requests, memory)
    if as_json:
        print_json(row)
        return
    table = Table(title=f"{file.name} on {memory}, {config.burst_bytes} bytes a request", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in row.items():
        text = "not known" if value is None else f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
        table.add_row(name.replace("_", " "), text)
    console().print(table)


def _results(requests: Trace, memory: str) -> dict[str, Any]:
    config = preset(memory)
    result = run_trace(config, requests.addresses, requests.writes, requests.arrivals)
    stats = result.stats
    rate = bandwidth(config, stats)
    known = config.power is not None
    return {
        "requests": len(requests),
        "memory_cycles": stats.cycles,
        "time_s": rate.seconds,
        "read_latency_mean_cycles": stats.latency_sum / stats.reads if stats.reads else 0.0,
        "read_latency_max_cycles": stats.latency_max,
        "bandwidth_bytes_per_s": rate.bytes_per_s,
        "bandwidth_share_of_peak": rate.of_peak,
        "bandwidth_share_of_refresh_limited_peak": rate.of_refresh_limited,
        **{name: getattr(stats, name) for name in (
            "reads", "writes", "forwarded", "merged_reads", "merged_writes", "activates", "precharges",
            "refreshes", "row_hits", "row_misses", "row_conflicts",
        )},
        **({f"dram_{k}": v for k, v in asdict(energy(config, stats)).items()} if known else {}),
        "dram_energy_j": energy(config, stats).total_j if known else None,
    }  # fmt: skip


@trace.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--from", "source_kind", type=_format, required=True, help="Format of IN.")
@click.option("--to", "output_kind", type=_format, required=True, help="Format of OUT.")
@json_option
def convert(source: Path, output: Path, source_kind: str, output_kind: str, as_json: bool) -> None:
    """Write a trace in another format. Ramulator's formats lose the times.

    \b
    Examples:
      atalanta trace convert weights.csv weights.trc --from csv --to dramsim3
      atalanta trace convert dramsim3.trc loads.trc --from dramsim3 --to ramulator2
    """
    requests = read_trace(source, source_kind)
    write_trace(output, requests, output_kind)
    if as_json:
        print_json({"output": str(output), "format": output_kind, "requests": len(requests)})
    else:
        console().print(f"{output}: {len(requests):,} requests, {output_kind}")

"""`atalanta net`: a whole network on an accelerator, layer by layer."""

import csv
import io
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

import atalanta
from atalanta.golden.atomic import replacing
from atalanta.tools.cli.common import console, json_option, print_json, progress
from atalanta.tools.extract.extras import extra
from atalanta.tools.network import presets


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--preset", type=click.Choice(presets()), help="Start from this preset, whatever CONFIG says.")
@click.option("-s", "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one value, such as "
              "memory.preset=ddr4-3200; may be repeated.")  # fmt: skip
@click.option("-o", "--output", default="results/net", show_default=True, type=click.Path(path_type=Path),
              help="Folder for results.")  # fmt: skip
@click.option("--plots/--no-plots", default=True, show_default=True, help="Draw roofline and timeline.")
@click.option("--layers", is_flag=True, help="Also print a line for every layer.")
@click.option("--show-config", is_flag=True, help="Print all of the configuration, and run nothing.")
@json_option
def net(
    config: Path | None,
    preset: str | None,
    settings: tuple[str, ...],
    output: Path,
    plots: bool,
    layers: bool,
    show_config: bool,
    as_json: bool,
) -> None:
    """Simulate a network on an accelerator: time, traffic and DRAM energy of every layer.

    Each layer is cut into tiles that fit on the chip; compressed tiles are read through the decoder, cycle
    for cycle as the RTL does, from the DRAM model; results are written back; reading, computing and writing
    overlap. Everything is compared with no compression and with ShapeShifter.

    CONFIG is YAML; without it, layers of EfficientNet-Lite0 that come with the package run on the preset
    `edge`. Prints the network's totals and writes net.json, net.csv, config.yaml (all of the configuration,
    to run again), roofline.png and timeline.png into the results folder; net_epochs.csv if the configuration
    has epoch_cycles.

    \b
    Examples:
      atalanta net
      atalanta net --show-config > my.yaml
      atalanta net my.yaml -o results/mine
      atalanta net --preset embedded -s accelerator.buffer_bytes=1048576 --json
      atalanta net -s network.file=resnet50.npz -s memory.preset=ddr4-3200 -s epoch_cycles=10000
    """
    try:
        from atalanta.tools.network import charts, report
        from atalanta.tools.network import config as configuration
        from atalanta.tools.network.run import run_network, ticks
        from atalanta.tools.network.sources import open_source
    except ModuleNotFoundError as error:
        raise extra("net", str(error.name)) from error

    data: dict[str, Any] = configuration.read_yaml(config) if config else {}
    if preset:
        data["preset"] = preset
    for key, value in configuration.settings(settings):
        data = configuration.with_value(data, key, value)
    where = str(config) if config else "configuration"
    resolved = configuration.resolve(data, where)
    if show_config:
        click.echo(configuration.dump(resolved), nl=False)
        return
    source = open_source(resolved, config.parent if config else Path())
    machine = resolved.machine(value_bits=16 if source.wide else 8)
    with progress() as bars:
        task = bars.add_task("encoding and simulating", total=ticks(resolved, source))
        runs = run_network(resolved, source, machine, lambda: bars.advance(task))
    name = source.workload.name
    rows = report.rows(name, runs, machine)
    document = {
        "schema": report.SCHEMA,
        "atalanta": atalanta.__version__,
        "python": platform.python_version(),
        "config": resolved.model_dump(exclude_none=True),
        "skipped_layers": dict(source.skipped),
        "layers": rows,
    }
    files = {
        "net.json": json.dumps(document, indent=1).encode(),
        "net.csv": csv_of(rows),
        "config.yaml": f"# atalanta {atalanta.__version__}\n{configuration.dump(resolved)}".encode(),
    }
    if resolved.epoch_cycles:
        files["net_epochs.csv"] = csv_of(report.epoch_rows(name, runs, resolved.epoch_cycles))
    if plots:
        files["roofline.png"] = charts.roofline(rows, machine)
        files["timeline.png"] = charts.timeline(runs, machine)
    output.mkdir(parents=True, exist_ok=True)
    for file, contents in files.items():
        with replacing(output / file) as out:
            out.write(contents)
    if as_json:
        print_json(document)
        return
    title = f"{name}, {len(source.workload.layers)} layers, {resolved.memory.preset}"
    out_console = console()
    out_console.print(_table([row for row in rows if row["layer"] == report.TOTAL], title))
    if layers:
        out_console.print(_layers_table(rows))
    _say(len(source.skipped), [output / file for file in files])


def _say(skipped: int, files: Sequence[Path]) -> None:
    """What else there is to say behind the tables."""
    if skipped:
        console().print(f"{skipped} layers left out: the file does not have all their tensors")
    console().print("written: " + ", ".join(map(str, files)))


def csv_of(rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows of one kind as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _table(rows: Sequence[dict[str, Any]], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    heads = ("codec", "moved bytes", "cycles", "compute-bound", "memory-bound", "of peak bandwidth",
             "decoder busy", "speed-up", "over ShapeShifter", "DRAM energy")  # fmt: skip
    for head in heads:
        table.add_column(head, justify="left" if head == "codec" else "right")
    for row in rows:
        energy, saved = row["dram_energy_j"], row["dram_energy_saving_over_none"]
        faster = row["speedup_over_shapeshifter"]
        table.add_row(
            row["codec"],
            f"{row['moved_bytes']:,}",
            f"{row['cycles']:,}",
            f"{row['compute_bound_cycles']:,}",
            f"{row['memory_bound_cycles']:,}",
            f"{row['bandwidth_share_of_peak']:.1%}",
            f"{row['decoder_share_of_cycles']:.1%}",
            f"{row['speedup_over_none']:.3f}",
            "-" if faster is None else f"{faster:.3f}",
            "not known" if energy is None else f"{energy * 1e3:.4g} mJ ({0 - saved:+.1%})",
        )
    return table


def _layers_table(rows: Sequence[dict[str, Any]]) -> Table:
    """A line for every layer: what all codecs share, then cycles and bytes of each."""
    codecs = list(dict.fromkeys(row["codec"] for row in rows))
    table = Table(title="layers", title_justify="left")
    heads = ("layer", "kind", "steps", "fetched", "bound", *(f"cycles {c}" for c in codecs),
             *(f"moved {c}" for c in codecs), "speed-up")  # fmt: skip
    for head in heads:
        table.add_column(head, justify="left" if head in ("layer", "kind", "bound") else "right")
    for shared in (row for row in rows if row["codec"] == codecs[0]):
        own = [row for row in rows if row["layer"] == shared["layer"]]
        fetches = (shared["weight_fetches"], shared["input_fetches"])
        table.add_row(
            shared["layer"], shared["kind"], str(shared["steps"]),
            "" if None in fetches else "{} x, {} x".format(*fetches), own[-1]["bound"],
            *(f"{row['cycles']:,}" for row in own), *(f"{row['moved_bytes']:,}" for row in own),
            f"{own[-1]['speedup_over_none']:.3f}",
        )  # fmt: skip
    return table

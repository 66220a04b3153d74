"""`atalanta compare` and `atalanta report`: networks x codecs, beside the published figures."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from atalanta.golden.atomic import replacing
from atalanta.golden.errors import InputError
from atalanta.sim.dram_presets import preset
from atalanta.tools.charts import pyplot
from atalanta.tools.cli.common import (
    IDEAL,
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
from atalanta.tools.compare import document as documents
from atalanta.tools.compare.cache import Cache
from atalanta.tools.compare.cycles import Simulation
from atalanta.tools.compare.lines import all_lines, chosen_lines, missing
from atalanta.tools.compare.network import KINDS, Settings, compare_network
from atalanta.tools.compare.published import PUBLISHED
from atalanta.tools.compare.sources import SAMPLES, network_name, open_source

SKIPPED_SHOWN = 4
LAYERS_WIDTH = 1000
PLURAL = {"weight": "weights", "activation": "activations"}


class _Bars:
    """Progress of an extraction, if there is one."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what)
        self._bars.update(self._tasks[what], completed=done, total=total)


def _simulation(options: dict[str, Any]) -> Simulation:
    """The decoder and the memory of the command line."""
    dram = None if options["memory"] == IDEAL else preset(options["memory"])
    return Simulation(
        decoder=decoder(options, lanes=16, ways=4),
        memory=lambda: make_memory(options),
        name=memory_name(options),
        dram=dram,
    )


def _compare(sources: Sequence[str], settings: Settings, results: Cache) -> dict[str, Any]:
    """The document of all sources, progress shown."""
    networks: list[dict[str, Any]] = []
    with progress() as bars:
        for source in sources or (SAMPLES,):
            file = open_source(source, _Bars(bars))
            name = network_name(file)
            if name in [network["name"] for network in networks]:
                raise InputError(f"{source}: another network is named {name!r}")
            task = bars.add_task(f"measuring {name}", total=len(file.tensors))
            networks.append(compare_network(name, file, settings, results, partial(bars.advance, task)))
    return documents.make(networks, settings)


def _right(title: str, *heads: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left", overflow="fold")
    return table


def _sizes(document: dict[str, Any]) -> Table:
    """A row a line, a column for each network's weights and activations."""
    columns = [(n, kind) for n in document["networks"] for kind in KINDS if kind in n["totals"]]
    heads = [f"{n['name']}\n{PLURAL[kind]}" for n, kind in columns]
    table = _right("bytes / raw bytes, everything counted", "codec", *heads)
    before = None
    for line in document["lines"]:
        if line["role"] == "reference" != before:
            table.add_section()
        before = line["role"]
        ratios = [n["totals"][kind]["lines"].get(line["name"]) for n, kind in columns]
        cells = [f"{ratio['ratio']:.4f}" if ratio else "" for ratio in ratios]
        style = "bold" if line["role"] == "ours" else "dim" if line["role"] == "reference" else None
        table.add_row(line["title"], *cells, style=style)
    table.add_section()
    table.add_row("values", *(f"{n['totals'][kind]['values']:,}" for n, kind in columns))
    images = [_images(n, kind) for n, kind in columns]
    if any(images):
        table.add_row("images coded, tables from others", *images)
    return table


def _images(network: dict[str, Any], kind: str) -> str:
    """How many images are coded, and how many others their tables come from."""
    found = [t for t in network["tensors"] if t["kind"] == kind and t["images"]]
    if not found:
        return ""
    coded, others = (max(t[name] for t in found) for name in ("coded_images", "images"))
    return f"{coded}, {others - coded if any(t['profiled'] for t in found) else 0}"


def _figure3(document: dict[str, Any]) -> Table:
    table = _right("Figure 3: bytes / raw bytes", "network", "codec", "here", "published", "why they differ")
    table.columns[-1].justify = "left"
    for row in document["figure3"]:
        known = f"{row['published']:.4f}" if row["published"] is not None else "not available"
        name = f"{row['network']} {PLURAL[row['kind']]}"
        table.add_row(name, row["codec"], f"{row['ratio']:.4f}", known, row["difference"])
    return table


def _table4(document: dict[str, Any]) -> Table:
    table = _right("Table 4: Atalanta over ShapeShifter", "network", "here", "published", "why they differ")
    table.columns[-1].justify = "left"
    for row in document["table4"]:
        known = f"{row['published']:.2f} %" if row["published"] is not None else "not available"
        name = f"{row['network']} {PLURAL[row['kind']]}"
        table.add_row(name, f"{row['percent']:.2f} %", known, row["difference"])
    return table


def _cycles(document: dict[str, Any]) -> Table:
    heads = ("network", "codec", "cycles", "stalled", "bytes moved", "DRAM energy")
    table = _right(f"simulated, {document['memory']}", *heads)
    for network in document["networks"]:
        for kind, total in network["totals"].items():
            for codec, run in total["cycles"].items():
                energy = "" if run["energy_j"] is None else f"{run['energy_j'] * 1e6:,.1f} uJ"
                stalled = f"{1 - run['slots'] / run['cycles']:.1%}" if run["cycles"] else ""
                name = f"{network['name']} {PLURAL[kind]}"
                table.add_row(name, codec, f"{run['cycles']:,}", stalled, f"{run['bytes_moved']:,}", energy)
    return table


def _layers(document: dict[str, Any]) -> Table:
    names = [line["name"] for line in document["lines"]]
    table = _right("bytes / raw bytes by tensor", "network", "tensor", "layer", "values", *names)
    for network in document["networks"]:
        for tensor in network["tensors"]:
            found = (tensor["lines"].get(name) for name in names)
            ratios = (f"{item['bytes'] / tensor['raw_bytes']:.4f}" if item else "" for item in found)
            table.add_row(network["name"], tensor["key"], tensor["layer"], f"{tensor['values']:,}", *ratios)
    return table


def _show(document: dict[str, Any], *, layers: bool) -> None:
    out = console()
    tables = [_sizes(document)]
    published = any(row["published"] is not None for row in document["figure3"])
    if published:
        tables += [_figure3(document), _table4(document)]
    if document["memory"]:
        tables.append(_cycles(document))
    if layers:  # as wide as it is: rows of numbers are not for wrapping
        Console(highlight=False, width=LAYERS_WIDTH).print(_layers(document))
    for table in tables:
        out.print(table)
    if not published:
        known = ", ".join(dict.fromkeys(entry.network for entry in PUBLISHED))
        out.print(
            f"Figure 3 and Table 4: published figures not available for these networks, but for {known}"
        )
    skipped = documents.skipped_rows(document["networks"])
    for item in skipped if layers else skipped[:SKIPPED_SHOWN]:
        out.print(f"skipped: {item['network']} {item['name']}: {item['reason']}")
    if len(skipped) > SKIPPED_SHOWN and not layers:
        out.print(f"skipped: {len(skipped) - SKIPPED_SHOWN} more; --layers and compare.json list them all")
    for line in all_lines():
        if missing(line):
            out.print(f"not measured: {line.title}: {missing(line)}")


def write_files(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    """Write files into a folder, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        with replacing(folder / name) as out:
            out.write(data)
    return [folder / name for name in contents]


def _check_extras(*, figures: bool, html: bool) -> None:
    """Before anything is measured: MissingPlotError or MissingExtraError if the results cannot be drawn."""
    if figures:
        pyplot()
    if html:
        from atalanta.tools.report.page import plotly

        plotly()


def _files(document: dict[str, Any], *, figures: bool, html: bool) -> dict[str, bytes]:
    files = {
        "compare.json": json.dumps(document, indent=1).encode(),
        "compare.csv": documents.write_csv(documents.layer_rows(document)),
        "compare_bits.csv": documents.write_csv(documents.part_rows(document)),
    }
    if figures:
        from atalanta.tools.compare.figures import draw

        files |= draw(document)
    if html:
        from atalanta.tools.report.page import page

        files["report.html"] = page(document).encode()
    return files


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--codec",
    "names",
    multiple=True,
    metavar="NAME",
    help="Measure only this line; repeat for more. An unknown name lists them all.",
)
@click.option(
    "--profile-images",
    type=click.IntRange(0),
    metavar="N",
    help="Profile tables of activations on the first N images, measure on the rest; "
    "0: each image's own table. Without it, half of them.",
)
@click.option("--simulate", is_flag=True, help="Cycles, stalls and energy of the hardware's codecs, too.")
@click.option("--layers", is_flag=True, help="Print a row for each tensor, too.")
@click.option(
    "-o",
    "--output",
    default="results",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for results.",
)
@click.option("--figures/--no-figures", default=True, show_default=True, help="Draw PNG and PDF figures.")
@click.option("--html", is_flag=True, help="Write the report for a browser, too.")
@click.option("--cache/--no-cache", default=True, show_default=True, help="Keep results, use kept ones.")
@memory_options
@decoder_options
@json_option
def compare(
    sources: tuple[str, ...], names: tuple[str, ...], profile_images: int | None, simulate: bool,
    layers: bool, output: Path, figures: bool, html: bool, cache: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Every codec on every tensor of networks, all metadata counted, every result decoded again.

    SOURCE is a file of tensors (.npz, .npy, .safetensors), a model (.tflite, .onnx), or a network that
    `atalanta extract --list` names; without any, tensors of EfficientNet-Lite0 that come with the package.
    Weights are coded with their own tables; activations image by image, with tables profiled on other
    images. Prints sizes, and Figure 3 and Table 4 of the published comparison made again; writes
    compare.json, compare.csv, compare_bits.csv and figures. Results are kept in the user's cache
    ($ATALANTA_CACHE) by content: a second run measures only what has changed.

    \b
    Examples:
      atalanta compare
      atalanta compare resnet50.npz googlenet.npz mobilenet_v2.npz --html
      atalanta compare mobilenet_v2.tflite --codec atalanta --codec shapeshifter --layers
      atalanta compare network.npz --simulate --memory ddr4-3200 --json
      atalanta --plugin mine.py compare --codec mine --codec atalanta
    """
    settings = Settings(chosen_lines(names), profile_images, _simulation(options) if simulate else None)
    output.mkdir(parents=True, exist_ok=True)
    _check_extras(figures=figures, html=html)
    with Cache.of_user() if cache else Cache(None) as results:
        document = _compare(sources, settings, results)
    written = write_files(output, _files(document, figures=figures, html=html))
    if as_json:
        print_json(document)
    else:
        _show(document, layers=layers)
        console().print("written: " + ", ".join(map(str, written)))


@click.command()
@click.argument("comparison", default="results/compare.json", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write; by default report.html beside the comparison.",
)
def report(comparison: Path, output: Path | None) -> None:
    """The report of a comparison that `atalanta compare` wrote: one HTML file that needs no network.

    \b
    Examples:
      atalanta report
      atalanta report results/compare.json -o report.html
    """
    from atalanta.tools.report.page import page

    target = output or comparison.with_name("report.html")
    text = page(documents.load(comparison)).encode()
    with replacing(target) as out:
        out.write(text)
    console().print(f"{target}: {len(text):,} bytes")

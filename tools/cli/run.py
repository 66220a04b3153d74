"""`atalanta run`: the whole chain on real tensors."""

import csv
import io
import json
import platform
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.progress import Progress
from rich.table import Table

import atalanta
from atalanta.golden.atomic import replacing
from atalanta.golden.container import decode
from atalanta.golden.decoder import ROWS, DecoderParams
from atalanta.golden.params import LANES, WAYS
from atalanta.sim.native import Memory
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
from atalanta.tools.measure import CODECS, Measured, measure, summary
from atalanta.tools.overhead import REASONS
from atalanta.tools.rtl.agreement import MismatchError, difference
from atalanta.tools.rtl.core import CompiledCore
from atalanta.tools.samples import sample_path

SCHEMA = "atalanta-run-1"
KINDS = {"weight": "weights", "activation": "activations"}


def _open(source: str | None, model: str | None, folder: Path, bars: Progress) -> TensorFile:
    if source and model:
        raise click.UsageError("give FILE or --model, not both")
    if model:
        from atalanta.tools.extract import api

        path = folder / f"{model}.npz"
        if not path.exists():
            task = bars.add_task(f"extracting {model}", total=None)
            api.extract(model, path)
            bars.remove_task(task)
        return TensorFile.open(path)
    return TensorFile.open(source or sample_path())


def _measure_all(
    file: TensorFile, options: dict[str, Any], p: DecoderParams, coding: dict[str, Any], bars: Progress
) -> list[Measured]:
    def memories() -> Iterator[Memory]:
        while True:
            yield make_memory(options)

    task = bars.add_task("encoding, decoding, simulating", total=len(file.tensors))

    def one(key: str) -> Measured:
        info = file.tensors[key]
        result = measure(key, info.kind, file.read(key), {"atalanta": coding}, p, memories())
        bars.advance(task)
        return result

    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, file.tensors))


def _check_rtl(
    measured: list[Measured], options: dict[str, Any], p: DecoderParams, most_values: int, bars: Progress
) -> dict[str, Any]:
    """Run the RTL on tensors, at least one of each kind, while their values are within the budget."""
    first = {m.kind: m.name for m in reversed(measured)}
    budget = most_values
    checked = []
    for m in measured:
        if m.name == first[m.kind] or m.values * len(CODECS) <= budget:
            checked.append(m)
            budget -= m.values * len(CODECS)
    task = bars.add_task("compiling the RTL", total=None)
    values = cycles = 0
    with CompiledCore(p) as core:
        bars.remove_task(task)
        for m in bars.track(checked, description="running the RTL"):
            for codec, coded in m.coded.items():
                expected = decode(coded.stream).reshape(-1)
                with make_memory(options) as memory:
                    run = core.run([coded.stream], memory, most_values=m.values, signed=m.signed)
                where = f"{m.name}, {codec}"
                if not np.array_equal(run.packets[0].values, expected):
                    raise MismatchError(f"{where}: the RTL's values are not those of the golden model")
                if found := difference(run, coded.run):
                    raise MismatchError(f"{where}: {found}")
                values += m.values
                cycles += run.cycles
    return {
        "tensors": [m.name for m in checked],
        "runs": len(checked) * len(CODECS),
        "values": values,
        "cycles": cycles,
    }


def _rows(measured: list[Measured]) -> list[dict[str, Any]]:
    rows = [summary(m.name, m.kind, [m]) for m in measured]
    for kind, name in KINDS.items():
        chosen = [m for m in measured if m.kind == kind]
        if chosen:
            rows.append(summary(f"all {name}", kind, chosen))
    return [*rows, summary("all", "", measured)]


def _show(rows: list[dict[str, Any]], title: str) -> None:
    table = Table(title=title, title_justify="left")
    heads = ("tensor", "raw bytes", "moved bytes", "ratio", "to entropy", "ShapeShifter", "cycles",
             "cycles raw", "stalled")  # fmt: skip
    for head in heads:
        table.add_column(head, justify="left" if head == "tensor" else "right")
    for row in rows:
        if row["tensor"].startswith("all "):
            table.add_section()
        table.add_row(
            row["tensor"],
            f"{row['tensor_bytes']:,}",
            f"{row['atalanta_bytes_moved']:,}",
            f"{row['atalanta_ratio']:.4f}",
            f"{row['atalanta_ratio_to_entropy']:.4f}",
            f"{row['shapeshifter_ratio']:.4f}",
            f"{row['atalanta_cycles']:,}",
            f"{row['raw_cycles']:,}",
            f"{row['atalanta_stall_share']:.1%}",
        )
    console().print(table)


def _show_overhead(rows: list[dict[str, Any]]) -> None:
    """Why the Atalanta streams are longer than order-0 entropy, in per cent of raw."""
    table = Table(title="bytes beyond order-0 entropy, in % of raw", title_justify="left")
    for head in ("", *REASONS, "sum", "excess over entropy + table"):
        table.add_column(head, justify="right" if head else "left")
    for row in rows:
        if row["tensor"].startswith("all "):
            shares = [row[f"atalanta_{reason}_bytes"] / (row["tensor_bytes"] or 1) for reason in REASONS]
            cells = (f"{share:.3%}" for share in (*shares, sum(shares), row["atalanta_excess"]))
            table.add_row(row["tensor"].removeprefix("all "), *cells)
    console().print(table)


def _write(folder: Path, document: dict[str, Any]) -> list[Path]:
    from atalanta.tools.charts import run_chart

    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, document["tensors"][0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(document["tensors"])
    contents = {
        "run.json": json.dumps(document, indent=1).encode(),
        "run.csv": text.getvalue().encode(),
        "run.png": run_chart(document["tensors"]),
    }
    for name, data in contents.items():
        with replacing(folder / name) as out:
            out.write(data)
    return [folder / name for name in contents]


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--model", help="Extract this network first (see `atalanta extract --list`); kept in the results folder."
)
@click.option(
    "-o",
    "--output",
    default="results",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for results.",
)
@click.option("--lanes", type=choice(LANES), default="16", show_default=True, help="Lanes of the decoder.")
@click.option("--ways", type=choice(WAYS), default="4", show_default=True, help="Ways of the decoder.")
@click.option("--rows", type=choice(ROWS), default="16", show_default=True, help="Most rows of a table.")
@click.option("--rtl/--no-rtl", default=True, show_default=True, help="Compile and run the RTL, and compare.")
@click.option(
    "--rtl-values",
    type=int,
    default=8_000_000,
    show_default=True,
    help="Run the RTL on tensors until it has decoded about so many values.",
)
@memory_options
@decoder_options
@json_option
def run(
    file: Path | None, model: str | None, output: Path, lanes: str, ways: str, rows: str, rtl: bool,
    rtl_values: int, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Encode real tensors with every codec, prove the round trip, simulate, and run the RTL.

    Without FILE, on tensors of EfficientNet-Lite0 that come with the package. FILE is a .npz as
    `atalanta extract` writes it, or any .npz, .npy or .safetensors of int8 or uint8 arrays. Prints a
    table and writes run.json, run.csv and run.png into the results folder.

    \b
    Examples:
      atalanta run
      atalanta run --model efficientnet_lite0
      atalanta run network.npz -o results/network --memory ddr4-3200 --no-rtl --json
    """
    coding = {"lanes": int(lanes), "ways": int(ways), "rows": int(rows)}
    with progress() as bars:
        output.mkdir(parents=True, exist_ok=True)
        source = _open(str(file) if file else None, model, output, bars)
        wide = any(info.dtype.endswith("16") for info in source.tensors.values())
        p = decoder(options, **coding, value_bits=16 if wide else 8)
        measured = _measure_all(source, options, p, coding, bars)
        checked = _check_rtl(measured, options, p, rtl_values, bars) if rtl else None
    table = _rows(measured)
    document = {
        "schema": SCHEMA,
        "atalanta": atalanta.__version__,
        "python": platform.python_version(),
        "source": source.provenance.model or str(source.path.name),
        "decoder": asdict(p),
        "memory": memory_name(options),
        "rtl": checked,
        "tensors": table,
    }
    files = _write(output, document)
    if as_json:
        print_json(document)
        return
    out = console()
    _show(table, f"{document['source']}, {p.lanes} lanes, {document['memory']}")
    _show_overhead(table)
    if checked:
        out.print(
            f"RTL: {checked['runs']} runs, {checked['values']:,} values as in the golden model, "
            f"{checked['cycles']:,} cycles as in the simulator, difference 0"
        )
    out.print("written: " + ", ".join(map(str, files)))

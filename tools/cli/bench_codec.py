"""`atalanta bench codec`: ratio and speed beside other entropy coders."""

import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

import atalanta
from atalanta.golden.atomic import replacing
from atalanta.golden.errors import InputError
from atalanta.tools.bench.codec import Work, bench, summary
from atalanta.tools.bench.coders import CODERS, Range
from atalanta.tools.bench.threads import scaling
from atalanta.tools.cli.common import console, json_option, print_json, progress
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.measure import entropy_bytes
from atalanta.tools.samples import sample_path

SCHEMA = "atalanta-bench-codec-2"
KINDS = {"weight": "weights", "activation": "activations"}


def _works(files: tuple[Path, ...], largest: int | None) -> list[Work]:
    """Arrays of the files, the largest of each kind if only some are wanted."""
    works = []
    for path in files or (sample_path(),):
        file = TensorFile.open(path)
        prefix = f"{path.stem}:" if len(files) > 1 else ""
        for kind in KINDS:
            infos = file.of_kind(kind)  # type: ignore[arg-type]
            if largest is not None:
                infos = sorted(infos, key=lambda info: -info.size)[:largest]
            works += [Work(prefix + info.key, kind, file.read(info.key)) for info in infos if info.size]
    if not works:
        raise InputError(f"no tensors in {', '.join(map(str, files))}")
    return works


def _processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")


def _show(document: dict[str, Any]) -> None:
    out = console()
    for kind, name in KINDS.items():
        rows = [row for row in document["coders"] if row["kind"] == kind]
        if not rows:
            continue
        about = document["kinds"][kind]
        title = f"{name}: {about['tensors']} tensors, {about['raw_bytes']:,} bytes"
        entropy = f"order-0 entropy {about['entropy_ratio']:.4f}"
        table = Table(title=f"{title}, {entropy}", title_justify="left")
        for head in (
            "coder",
            "ratio",
            "over entropy",
            "encode MB/s",
            "decode MB/s",
            "encode x range",
            "decode x range",
        ):
            table.add_column(head, justify="left" if head == "coder" else "right")
        base = next((row for row in rows if row["coder"] == Range.name), None)
        for row in rows:
            speeds = [row[f"{way}_mb_s"] for way in ("encode", "decode")]
            times = [f"{row[w] / base[w]:.2f}" if base else "-" for w in ("encode_mb_s", "decode_mb_s")]
            over = (
                f"{100 * (row['ratio'] / about['entropy_ratio'] - 1):.3f}%" if about["entropy_ratio"] else "-"
            )
            cells = [row["coder"], f"{row['ratio']:.4f}", over, *(f"{speed:,.0f}" for speed in speeds)]
            table.add_row(*cells, *times)
        out.print(table)
    for missing in document["missing"]:
        out.print(f"{missing['coder']} needs {missing['package']}: pip install 'atalanta[bench]'")
    threads = document["threads"]
    if threads:
        for what, suffix in ((f"all {KINDS[threads['kind']]}", ""), ("the largest of them", "_largest")):
            encode, decode = (threads[way + suffix] for way in ("encode", "decode"))
            out.print(f"{threads['threads']} threads, {what}: encode {encode:.2f} x, decode {decode:.2f} x")
        note = f"wall time, best of {document['repeats']}"
        out.print(f"machine: {threads['ceiling']:.2f} x for decoders that share nothing ({note})")
    out.print("MB/s of raw data, processor time of one thread; ratio counts tables, models, dtype and shape")


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--largest", type=click.IntRange(1), help="Only so many tensors of each kind and file, the largest."
)
@click.option(
    "--repeats", type=click.IntRange(1), default=7, show_default=True, help="Times to run each coder."
)
@click.option(
    "--threads",
    type=click.IntRange(2),
    help="Also measure how so many threads scale, on the weights if there are some.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for codec.json and codec.png.")
@json_option
def codec(
    files: tuple[Path, ...],
    largest: int | None,
    repeats: int,
    threads: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Compare this project's codecs with zstd, zlib, Huffman, range coder, ANS and Arm's mlw_codec.

    All code and decode the same tensors in one run, by turns, and must give them back. Without FILE, the
    tensors that come with the package; FILE is a .npz, .npy or .safetensors. "Coding only" leaves out all
    but the kernels: tables and models are given. Packages that are not installed are named.

    \b
    Examples:
      atalanta bench codec
      atalanta bench codec network.npz -o results --threads 2
      atalanta bench codec a.npz b.npz --largest 3 --json
    """
    works = _works(files, largest)
    with progress() as bars:
        task = bars.add_task("", total=len(works))

        def step(name: str) -> None:
            bars.update(task, advance=1, description=name)

        results = bench(works, repeats=repeats, step=step)
    kinds = {}
    for kind in KINDS:
        arrays = [work.array for work in works if work.kind == kind]
        raw = sum(array.nbytes for array in arrays)
        if arrays:
            entropy = sum(map(entropy_bytes, arrays)) / raw
            kinds[kind] = {"tensors": len(arrays), "raw_bytes": raw, "entropy_ratio": entropy}
    scaled = None
    if threads is not None:
        chosen = [work.array for work in works if work.kind == works[0].kind]
        scaled = {"kind": works[0].kind} | asdict(scaling(chosen, threads, repeats))
    document = {
        "schema": SCHEMA,
        "atalanta": atalanta.__version__,
        "python": platform.python_version(),
        "processor": _processor(),
        "packages": {
            coder.package: coder.version() for coder in CODERS if coder.package and not coder.missing()
        },
        "missing": [{"coder": coder.name, "package": coder.package} for coder in CODERS if coder.missing()],
        "repeats": repeats,
        "kinds": kinds,
        "coders": [row for kind in KINDS for row in summary(results, kind)],
        "threads": scaled,
        "results": [asdict(result) for result in results],
    }
    if output is not None:
        from atalanta.tools.bench.codec_chart import chart

        output.mkdir(parents=True, exist_ok=True)
        for name, data in (
            ("codec.json", json.dumps(document, indent=1).encode()),
            ("codec.png", chart(document)),
        ):
            with replacing(output / name) as out:
                out.write(data)
    if as_json:
        print_json(document)
    else:
        _show(document)

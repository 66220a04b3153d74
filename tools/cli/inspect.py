"""`atalanta inspect`: what is in a compressed file."""

from collections import Counter
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from atalanta.golden.errors import InputError
from atalanta.tools.cli.common import console, existing_file, json_option, print_json, progress
from atalanta.tools.cli.streams import streams_of
from atalanta.tools.inspection import inspect_stream


def _ratio(tensor: dict[str, Any]) -> str:
    return f"{tensor['bytes'] / tensor['bytes_raw']:.4f}" if tensor["bytes_raw"] else "-"


def _shape(tensor: dict[str, Any]) -> str:
    return "x".join(map(str, tensor["shape"])) or "scalar"


def _codecs(tensor: dict[str, Any]) -> str:
    return ", ".join(dict.fromkeys(segment["codec"] for segment in tensor["segments"]))


def _right(title: str, *heads: str) -> Table:
    """A table whose columns but the first are numbers."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left")
    return table


def _bits(tensor: dict[str, Any]) -> Table:
    table = _right("bits by part", "part", "bits", "bytes", "share")
    whole = 8 * tensor["bytes"]
    for part, bits in tensor["bits"].items():
        table.add_row(part, f"{bits:,}", f"{bits / 8:,.0f}", f"{bits / whole:.3%}")
    table.add_section()
    table.add_row("all", f"{whole:,}", f"{tensor['bytes']:,}", "100%")
    return table


def _segments(tensor: dict[str, Any]) -> Table:
    table = _right("segments", "segment", "byte", "codec", "values", "bytes", "bits/value")
    for number, segment in enumerate(tensor["segments"]):
        count, size = segment["header"]["count"], segment["bytes"]
        each = f"{8 * size / count:.3f}" if count else "-"
        start = f"{segment['start']:,}"
        table.add_row(str(number), start, segment["codec"], f"{count:,}", f"{size:,}", each)
    return table


def _fields(segment: dict[str, Any], number: int) -> Table:
    table = _right(f"segment {number}: header and what the codec reads in it", "field", "value")
    table.columns[1].max_width = 64  # lanes' lengths wrap
    for name, value in segment["header"].items():
        crc = name.endswith("crc") or name in ("magic", "params")
        table.add_row(name, f"{value:#x}" if crc else f"{value:,}")
    table.add_section()
    layout = segment["layout"]
    for name, value in {**layout, **layout.get("params", {})}.items():
        if name not in ("params", "table"):
            table.add_row(name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
    return table


def _rows(segment: dict[str, Any], number: int) -> Table:
    heads = ("row", "first", "last", "count", "offset_bits")
    table = _right(f"segment {number}: probability table, counts of 1024", *heads)
    for row, cells in enumerate(segment["layout"]["table"]):
        table.add_row(str(row), *(str(cells[head]) for head in heads[1:]))
    return table


def _show(tensor: dict[str, Any], number: int) -> None:
    out = console()
    head = f"{tensor['tensor']}: {tensor['dtype']} {_shape(tensor)}, {tensor['bits_per_value']} bits a value"
    out.print(f"{head}, {tensor['bytes']:,} bytes of {tensor['bytes_raw']:,}, ratio {_ratio(tensor)}")
    out.print(_bits(tensor))
    found = tensor["segments"]
    if number >= len(found):
        raise InputError(
            f"{tensor['tensor']} has {len(found)} segments, numbered from 0; there is no {number}"
        )
    if len(found) > 1:
        out.print(_segments(tensor))
    out.print(_fields(found[number], number))
    if "table" in found[number]["layout"]:
        out.print(_rows(found[number], number))


def _total(tensors: list[dict[str, Any]]) -> dict[str, Any]:
    bits: Counter[str] = Counter()
    for tensor in tensors:
        bits.update(tensor["bits"])
    return {"bits": bits, **{key: sum(tensor[key] for tensor in tensors) for key in ("bytes", "bytes_raw")}}


def _list(tensors: list[dict[str, Any]], title: str) -> None:
    table = _right(title, "tensor", "raw bytes", "bytes", "ratio", "dtype", "shape", "codec")
    for tensor in tensors:
        numbers = (f"{tensor['bytes_raw']:,}", f"{tensor['bytes']:,}", _ratio(tensor))
        table.add_row(tensor["tensor"], *numbers, tensor["dtype"], _shape(tensor), _codecs(tensor))
    total = _total(tensors)
    table.add_section()
    table.add_row("all", f"{total['bytes_raw']:,}", f"{total['bytes']:,}", _ratio(total))
    console().print(table)
    console().print(_bits(total))


@click.command()
@existing_file
@click.option("--tensor", help="Of an archive, show this tensor in detail.")
@click.option(
    "--segment",
    "number",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="The segment whose header and table are shown.",
)
@json_option
def inspect(file: Path, tensor: str | None, number: int, as_json: bool) -> None:
    """Show header fields, probability table and bits by part of a compressed tensor, or list an archive.

    Every tensor is decoded on the way, so that a file which inspect shows is a whole one. JSON has all
    tensors with all segments.

    \b
    Examples:
      atalanta inspect weights.atl
      atalanta inspect network.atn
      atalanta inspect network.atn --tensor weights.003
      atalanta inspect weights.atl --json
    """
    named = [pair for pair in streams_of(file) if tensor in (None, pair[0])]
    if tensor is not None and not named:
        names = ", ".join(name for name, _ in streams_of(file))
        raise InputError(f"{file} has no tensor {tensor!r}; it has {names or 'none'}")
    with progress() as bars:
        found = [inspect_stream(*pair) for pair in bars.track(named, description="inspecting")]
    if as_json:
        print_json({"file": str(file), "tensors": found})
    elif len(found) == 1:
        _show(found[0], number)
    else:
        _list(found, f"{file}: {len(found)} tensors")

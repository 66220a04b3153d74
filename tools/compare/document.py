"""A comparison as one document: JSON for programs, CSV for spreadsheets."""

import csv
import io
import json
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import atalanta
from atalanta.golden.errors import InputError
from atalanta.tools.compare.against import figure3, table4
from atalanta.tools.compare.network import Settings
from atalanta.tools.compare.published import SOURCE

SCHEMA = "atalanta-compare-1"


def make(networks: list[dict[str, Any]], settings: Settings) -> dict[str, Any]:
    """Everything in one document; units are in the names or in bytes."""
    return {
        "schema": SCHEMA,
        "atalanta": atalanta.__version__,
        "python": platform.python_version(),
        "published_source": SOURCE,
        "profile_images": settings.profile_images,
        "memory": settings.simulation.name if settings.simulation else "",
        "lines": [line.describe() for line in settings.lines],
        "figure3": figure3(networks),
        "table4": table4(networks),
        "networks": networks,
    }


def load(path: Path) -> dict[str, Any]:
    """A document from a file. Raises InputError if it is not one of this schema."""
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(document, dict) or schema != SCHEMA:
        raise InputError(f"{path} is not a comparison: its schema is {schema!r}, not {SCHEMA!r}")
    return document


def write_csv(rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows of equal columns as CSV."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue().encode()


def layer_rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a tensor: bytes of every line."""
    rows = []
    for network in document["networks"]:
        for tensor in network["tensors"]:
            row = {"network": network["name"]} | {
                name: tensor[name] for name in ("key", "layer", "kind", "values", "raw_bytes")
            }
            for line in document["lines"]:
                found = tensor["lines"].get(line["name"])
                row[f"{line['name']}_bytes"] = found["bytes"] if found else ""
            rows.append(row)
    return rows


def part_rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each part of each line of each tensor: bits."""
    return [
        {"network": network["name"], "key": tensor["key"], "kind": tensor["kind"], "line": line, "part": part,
         "bits": bits}
        for network in document["networks"]
        for tensor in network["tensors"]
        for line, found in tensor["lines"].items()
        for part, bits in found["bits"].items()
    ]  # fmt: skip


def skipped_rows(networks: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """A row for everything that was left out, with the reason."""
    return [{"network": network["name"], **item} for network in networks for item in network["skipped"]]

"""Files of probability tables, by the tensors they are for, and what they cost beside each tensor's own."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from atalanta.golden import container
from atalanta.golden.atomic import replacing
from atalanta.golden.errors import InputError
from atalanta.golden.profile import profile, table_from_json, table_to_json
from atalanta.golden.table import Table
from atalanta.tools.extract.info import Kind
from atalanta.tools.extract.tensors import TensorFile

FORMAT = "atalanta tables"
VERSION = 1


def save(path: Path, tables: Mapping[str, Table]) -> None:
    """Write tables. Raises InputError."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "tables": {n: table_to_json(t) for n, t in tables.items()},
    }
    with replacing(path) as out:
        out.write(json.dumps(document, indent=1).encode())


def load(path: Path) -> dict[str, Table]:
    """Tables by tensor. Raises OSError, InputError."""
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    ok = isinstance(document, dict) and (document.get("format"), document.get("version")) == (FORMAT, VERSION)
    tables = document.get("tables") if ok else None
    if not isinstance(tables, dict):
        raise InputError(f"{path} is not a file of tables as `atalanta profile` writes it")
    return {name: table_from_json(data, f"{path}, {name}") for name, data in tables.items()}


def profiles(files: Sequence[TensorFile], kind: Kind, rows: int = 16) -> Iterator[tuple[str, Table]]:
    """A table for each tensor of that kind, from all files that hold it. Raises InputError."""
    names = dict.fromkeys(info.key for file in files for info in file.of_kind(kind))
    for name in names:
        samples = (file.read(name) for file in files if name in file.tensors)
        yield name, profile(samples, rows=rows)


@dataclass(frozen=True)
class Cost:
    """A tensor's stream with the table of a profile and with its own."""

    tensor: str
    raw_bytes: int
    profiled_bytes: int
    own_bytes: int


def costs(file: TensorFile, tables: Mapping[str, Table], rows: int = 16) -> Iterator[Cost]:
    """Of every tensor of the file that has a table. Raises InputError."""
    for name, table in tables.items():
        if name in file.tensors:
            array = file.read(name)
            profiled = len(container.encode(array, table=table))
            yield Cost(name, array.nbytes, profiled, len(container.encode(array, rows=rows)))

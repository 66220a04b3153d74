"""Compressed tensors of a file, whichever kind of file it is."""

from collections.abc import Iterator
from pathlib import Path

from atalanta.golden.archive import Archive


def streams_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and stream of every tensor. Raises InputError, StreamError."""
    with Archive.open(path) as opened:
        for name in opened:
            yield name, opened.stream(name)

"""Compressed tensors of a file, whichever kind of file it is."""

from collections.abc import Iterator
from pathlib import Path

from atalanta.golden.archive import Archive
from atalanta.tools.cli.codec import is_archive


def streams_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and stream of every tensor. Raises OSError, InputError, StreamError."""
    if is_archive(path):
        with Archive.open(path) as opened:
            for name in opened.entries:
                yield name, opened.stream(name)
    else:
        yield path.name, path.read_bytes()

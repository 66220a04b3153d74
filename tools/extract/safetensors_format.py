"""`.safetensors`: what the package of that name reads, and our JSON among its metadata."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from atalanta.golden.values import Array
from atalanta.tools.extract import contents
from atalanta.tools.extract.extras import extra
from atalanta.tools.extract.info import Contents, Skipped

try:
    import safetensors
except ImportError as error:
    raise extra("formats", "safetensors") from error

TYPES = {"I8": "int8", "U8": "uint8", "I16": "int16", "U16": "uint16"}
NAMES = {dtype: name for name, dtype in TYPES.items()}
ALIGNMENT = 8
"""The head's length is a multiple of this, so that the arrays start where any type may."""

COPY_BYTES = 1 << 20
MALFORMED = (OSError, ValueError, safetensors.SafetensorError, RecursionError)
"""What the package and json raise for files that are not what they should be."""


def read_contents(path: Path) -> Contents:
    """What is in a file; no tensor is read."""
    with safetensors.safe_open(path, "numpy") as file:
        keys = list(file.keys())
        about = (file.metadata() or {}).get(contents.NAME)
        if about is not None:
            return contents.load(about, set(keys))
        infos, skipped = [], []
        for key in keys:
            view = file.get_slice(key)
            if view.get_dtype() in TYPES:
                infos.append(contents.guess(key, np.dtype(TYPES[view.get_dtype()]), tuple(view.get_shape())))
            else:
                skipped.append(Skipped(name=key, reason=f"its type is {view.get_dtype()}"))
        return Contents(tensors=contents.in_order(infos), skipped=tuple(skipped))


def read_array(path: Path, key: str) -> Array:
    """One array."""
    with safetensors.safe_open(path, "numpy") as file:
        array: Array = file.get_tensor(key)
    return array


class Writer:
    """Writes arrays into an open file, once all are there: the format begins with a list of them.

    Until then they lie in a temporary file. The package of that name writes from memory only. Use as a
    context manager.
    """

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 -- until __exit__
        self._added: dict[str, tuple[np.dtype[Any], tuple[int, ...], int, int]] = {}

    def add(self, key: str, array: Array) -> None:
        """Take one array."""
        self.add_pieces(key, array.dtype, array.shape, [np.ascontiguousarray(array)])

    def add_pieces(
        self, key: str, dtype: np.dtype[Any], shape: tuple[int, ...], pieces: Iterable[Array]
    ) -> None:
        """Take one array, as contiguous pieces of its values in order."""
        start = self._spool.tell()
        for piece in pieces:
            self._spool.write(piece.astype(dtype.newbyteorder("<"), copy=False).data)
        self._added[key] = (dtype, shape, start, self._spool.tell())

    def describe(self, what: Contents) -> None:
        """Write the arrays and what they are."""
        self.finish({contents.NAME: contents.dump(what)})

    def finish(self, metadata: dict[str, str]) -> None:
        """Write the arrays, those of wide elements first, so that all lie at multiples of their size."""
        order = sorted(self._added, key=lambda key: -self._added[key][0].itemsize)
        head: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
        at = 0
        for key in order:
            dtype, shape, start, end = self._added[key]
            offsets = [at, at := at + end - start]
            head[key] = {"dtype": NAMES[dtype.name], "shape": shape, "data_offsets": offsets}
        text = json.dumps(head, separators=(",", ":")).encode()
        text += b" " * (-len(text) % ALIGNMENT)
        self._out.write(len(text).to_bytes(8, "little") + text)
        for key in order:
            _, _, start, end = self._added[key]
            self._spool.seek(start)
            for at in range(start, end, COPY_BYTES):
                self._out.write(self._spool.read(min(COPY_BYTES, end - at)))

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

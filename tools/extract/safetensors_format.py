"""`.safetensors`: what the package of that name reads and writes, and our JSON among its metadata."""

from pathlib import Path
from typing import IO

import numpy as np

from atalanta.golden.values import Array
from atalanta.tools.extract import contents
from atalanta.tools.extract.extras import extra
from atalanta.tools.extract.info import Contents, Skipped

try:
    import safetensors
    import safetensors.numpy
except ImportError as error:
    raise extra("formats", "safetensors") from error

TYPES = {"I8": "int8", "U8": "uint8", "I16": "int16", "U16": "uint16"}
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
    """Writes arrays into an open file, once they are described: the format begins with a list of them.

    Use as a context manager.
    """

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._arrays: dict[str, Array] = {}

    def add(self, key: str, array: Array) -> None:
        """Take one array."""
        self._arrays[key] = np.ascontiguousarray(array)

    def describe(self, what: Contents) -> None:
        """Write the arrays and what they are."""
        about = {contents.NAME: contents.dump(what)}
        self._out.write(safetensors.numpy.save(self._arrays, about))

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._arrays.clear()

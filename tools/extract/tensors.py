"""Tensors of a network on disk: arrays in an `.npz`, and one JSON text that says what they are.

`weights.NNN` are the weights of every layer that has some, in the order in which the layers run.
`activations.NNN` are what moves between layers: 000 is the network's input, then the output of every
layer. Their first axis counts the images. NumPy reads such a file by itself; the member `provenance.json`
adds scales, zero points, layouts, layers and the origin of it all. `.safetensors` hold the same.

Files from elsewhere read as well, `.npy` too: without that text, keys and dtypes say what is known.
Nothing here trusts the file it reads: no pickles, and no memory on a header's word.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.atomic import replacing
from atalanta.golden.errors import InputError
from atalanta.golden.values import Array
from atalanta.tools.extract import npz_format
from atalanta.tools.extract.contents import check_codable
from atalanta.tools.extract.info import (
    Contents,
    ImageInfo,
    Kind,
    LayerInfo,
    Provenance,
    Skipped,
    TensorInfo,
)

__all__ = [
    "ImageInfo",
    "LayerInfo",
    "Provenance",
    "Skipped",
    "TensorFile",
    "TensorInfo",
    "check_output",
    "tensor_hash",
    "write_tensors",
]


def _format(path: Path) -> ModuleType:
    """The module that reads files with that suffix. Raises MissingExtraError."""
    if path.suffix == ".safetensors":
        from atalanta.tools.extract import safetensors_format

        return safetensors_format
    return npz_format


@contextmanager
def _reading(path: Path, key: str = "") -> Iterator[Any]:
    """The format of a file; every failure inside becomes one InputError that names file and tensor."""
    form: Any = _format(path)
    try:
        yield form
    except InputError:
        raise
    except form.MALFORMED as error:
        what = f"{path}, {key}" if key else str(path)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{what}: {reason or type(error).__name__}") from error


@dataclass(frozen=True)
class TensorFile:
    """A collection of tensors on disk; each is read only when asked for.

    path: the `.npz`, `.safetensors` or `.npy`.
    provenance, layers, skipped: what the file says; empty for files from elsewhere.
    tensors: by key, weights first, each kind in the order of execution.
    """

    path: Path
    provenance: Provenance
    tensors: dict[str, TensorInfo]
    layers: tuple[LayerInfo, ...]
    skipped: tuple[Skipped, ...]

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "TensorFile":
        """Read what is in the file, but no tensor yet. Raises InputError if it is unreadable or malformed."""
        path = Path(path)
        with _reading(path) as form:
            contents: Contents = form.read_contents(path)
        tensors = {info.key: info for info in contents.tensors}
        return cls(path, contents.provenance, tensors, contents.layers, contents.skipped)

    def read(self, key: str) -> Array:
        """The values of one tensor. Raises InputError if it is missing or not what the file says."""
        if key not in self.tensors:
            raise InputError(f"{self.path} has no tensor {key}; it has {_some(list(self.tensors))}")
        info = self.tensors[key]
        with _reading(self.path, key) as form:
            array = np.asarray(form.read_array(self.path, key))
            if (array.dtype.name, array.shape) != (info.dtype, info.shape):
                raise ValueError(f"holds {array.dtype}{array.shape}, not {info.dtype}{info.shape} as it says")
        return array

    def of_kind(self, kind: Kind) -> list[TensorInfo]:
        """All weights or all activations, in the order of execution."""
        return [info for info in self.tensors.values() if info.kind == kind]


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:4]) + (f", ... ({len(keys)} in all)" if len(keys) > 4 else "") or "none"


def tensor_hash(array: NDArray[Any]) -> str:
    """SHA-256 of the values, C order, little endian."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.data if little.size else b"").hexdigest()


def check_output(path: Path) -> None:
    """InputError if no file of tensors can have that name."""
    if path.suffix not in (".npz", ".safetensors"):
        raise InputError(f"cannot write {path}: a file of tensors is named .npz or .safetensors")
    if path.is_dir():
        raise InputError(f"cannot write {path}: Is a directory")


def write_tensors(
    path: str | os.PathLike[str],
    tensors: Iterable[tuple[TensorInfo, Array]],
    *,
    provenance: Provenance,
    layers: Iterable[LayerInfo] = (),
    skipped: Iterable[Skipped] = (),
) -> None:
    """Write a file of tensors, all or nothing: it takes its name only when it is complete.

    path: a `.npz` or `.safetensors`.
    tensors: taken one at a time; dtype, shape and hash of each are filled in from its array.
    Raises InputError if the file cannot be written.
    """
    path = Path(path)
    check_output(path)
    with replacing(path) as out:
        _write(out, _format(path), tensors, provenance, tuple(layers), tuple(skipped))


def _write(
    out: IO[bytes],
    form: Any,
    tensors: Iterable[tuple[TensorInfo, Array]],
    provenance: Provenance,
    layers: tuple[LayerInfo, ...],
    skipped: tuple[Skipped, ...],
) -> None:
    written = []
    with form.Writer(out) as writer:
        for info, array in tensors:
            try:
                check_codable(array.dtype)
            except ValueError as error:
                raise InputError(f"{info.key}: {error}") from None
            sha256 = tensor_hash(array)
            written.append(replace(info, dtype=array.dtype.name, shape=array.shape, sha256=sha256))
            writer.add(info.key, array)
        writer.describe(
            Contents(provenance=provenance, tensors=tuple(written), layers=layers, skipped=skipped)
        )

"""Tensors of a network on disk: arrays in an `.npz`, and one JSON member that says what they are.

`weights.NNN` are the weights of every layer that has some, in the order in which the layers run.
`activations.NNN` are what moves between layers: 000 is the network's input, then the output of every
layer. Their first axis counts the images. NumPy reads such a file by itself; the JSON member
`provenance.json` adds scales, zero points, layouts, layers and the origin of it all. Files from elsewhere
read as well: without the JSON member, keys and dtypes say what is known.

Nothing here trusts the file it reads: no pickles, and no memory on a header's word.
"""

import hashlib
import json
import math
import os
import re
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.errors import InputError
from atalanta.golden.values import DTYPES, Array
from atalanta.tools.extract.info import (
    Contents,
    ImageInfo,
    Kind,
    LayerInfo,
    Provenance,
    Skipped,
    TensorInfo,
)
from atalanta.tools.extract.records import from_json

__all__ = [
    "ImageInfo",
    "LayerInfo",
    "Provenance",
    "Skipped",
    "TensorFile",
    "TensorInfo",
    "tensor_hash",
    "write_tensors",
]

MEMBER = "provenance.json"
HEAD = {"format": "atalanta tensors", "version": 1}
MAX_JSON = 1 << 28
"""Bytes of JSON that are read at most."""
DEFLATE_MOST = 1032
"""Deflate cannot shrink data by more than this factor, so no honest member claims more."""

MALFORMED = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,  # zipfile, for encrypted members
    NotImplementedError,  # zipfile, for compression methods it does not know
    RecursionError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy, zipfile and json raise for files that are not what they should be."""


@contextmanager
def _reading(path: Path, key: str = "") -> Iterator[None]:
    """Every failure inside becomes one InputError that names the file and the tensor."""
    try:
        yield
    except InputError:
        raise
    except MALFORMED as error:
        what = f"{path}, {key}" if key else str(path)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{what}: {reason or type(error).__name__}") from error


@dataclass(frozen=True)
class TensorFile:
    """An open-ended collection of tensors on disk; each is read only when asked for.

    path: the `.npz` or `.npy`.
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
        with _reading(path):
            if path.suffix == ".npy":
                with path.open("rb") as stream:
                    info = _foreign(path.stem, *_header(stream, path.stat().st_size))
                contents = Contents(tensors=(info,))
            else:
                with zipfile.ZipFile(path) as archive:
                    contents = _contents(archive)
        return cls(
            path,
            contents.provenance,
            {info.key: info for info in contents.tensors},
            contents.layers,
            contents.skipped,
        )

    def read(self, key: str) -> Array:
        """The values of one tensor. Raises InputError if it is missing or not what the file says."""
        if key not in self.tensors:
            raise InputError(f"{self.path} has no tensor {key}; it has {_some(list(self.tensors))}")
        info = self.tensors[key]
        with _reading(self.path, key):
            if self.path.suffix == ".npy":
                with self.path.open("rb") as stream:
                    array = _array(stream, self.path.stat().st_size)
            else:
                with zipfile.ZipFile(self.path) as archive, archive.open(f"{key}.npy") as stream:
                    array = _array(stream, _honest_size(archive.getinfo(f"{key}.npy")))
            if (array.dtype.name, array.shape) != (info.dtype, info.shape):
                raise ValueError(f"holds {array.dtype}{array.shape}, not {info.dtype}{info.shape} as it says")
        return np.asarray(array)

    def of_kind(self, kind: Kind) -> list[TensorInfo]:
        """All weights or all activations, in the order of execution."""
        return [info for info in self.tensors.values() if info.kind == kind]


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:4]) + (f", ... ({len(keys)} in all)" if len(keys) > 4 else "") or "none"


def _codable(dtype: np.dtype[Any]) -> None:
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES.values())}, not {dtype}")


def _array(stream: IO[bytes], size: int) -> Array:
    """The array of a `.npy` of `size` bytes."""
    _header(stream, size)
    stream.seek(0)
    array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _header(stream: IO[bytes], size: int) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The dtype and shape of a `.npy` of `size` bytes; ValueError if it cannot hold what it says."""
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"array format {version[0]}.{version[1]} is not known")
    shape, _, dtype = readers[version](stream)
    _codable(dtype)
    held = size - stream.tell()
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != held:
        raise ValueError(f"the header says {dtype}{shape}, but {held} bytes follow")
    return dtype, shape


def _honest_size(member: zipfile.ZipInfo) -> int:
    """The uncompressed size of a member; ValueError if no compression could have made it so small."""
    if member.file_size > max(member.compress_size, 1) * DEFLATE_MOST:
        raise ValueError(f"claims to hold {member.file_size} bytes in {member.compress_size}")
    return member.file_size


def _contents(archive: zipfile.ZipFile) -> Contents:
    names = archive.namelist()
    if MEMBER not in names:
        return _foreign_contents(archive)
    if _honest_size(archive.getinfo(MEMBER)) > MAX_JSON:
        raise ValueError(f"{MEMBER} is larger than {MAX_JSON} bytes")
    data = json.loads(archive.read(MEMBER))
    if not isinstance(data, dict) or any(data.pop(key, None) != value for key, value in HEAD.items()):
        raise ValueError(f"{MEMBER} does not say {json.dumps(HEAD)}")
    contents = from_json(Contents, data, MEMBER)
    for info in contents.tensors:
        if f"{info.key}.npy" not in names:
            raise ValueError(f"{MEMBER} lists {info.key}, which is not there")
    return contents


def _foreign_contents(archive: zipfile.ZipFile) -> Contents:
    """Tensors of a file without a JSON member; what cannot be coded is listed as skipped."""
    infos, skipped = [], []
    for name in archive.namelist():
        key = name.removesuffix(".npy")
        try:
            with archive.open(name) as stream:
                infos.append(_foreign(key, *_header(stream, _honest_size(archive.getinfo(name)))))
        except MALFORMED as error:
            skipped.append(Skipped(name=key, reason=str(error)))
    infos.sort(key=lambda info: (info.kind == "activation", info.index))
    return Contents(tensors=tuple(infos), skipped=tuple(skipped))


def _foreign(key: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> TensorInfo:
    """What key and dtype tell: weights and activations are called so, or else weights are signed."""
    kind: Kind = "weight" if dtype.kind == "i" else "activation"
    if key.startswith("weight"):
        kind = "weight"
    elif key.startswith("activation"):
        kind = "activation"
    number = re.search(r"(\d+)\D*$", key)
    layouts = {2: "OI", 4: "OIHW"} if kind == "weight" else {2: "NC", 4: "NCHW"}
    return TensorInfo(
        key=key,
        kind=kind,
        layer=key,
        index=int(number[1][-9:]) if number else 0,
        dtype=dtype.name,
        shape=shape,
        layout=layouts.get(len(shape), ""),
        bits=8 * dtype.itemsize,
    )


def tensor_hash(array: NDArray[Any]) -> str:
    """SHA-256 of the values, C order, little endian."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.data if little.size else b"").hexdigest()


def write_tensors(
    path: str | os.PathLike[str],
    tensors: Iterable[tuple[TensorInfo, Array]],
    *,
    provenance: Provenance,
    layers: Iterable[LayerInfo] = (),
    skipped: Iterable[Skipped] = (),
) -> None:
    """Write a file of tensors, all or nothing: it takes its name only when it is complete.

    tensors: taken one at a time; dtype, shape and hash of each are filled in from its array.
    Raises InputError if the file cannot be written.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as out:
            _write(out, tensors, provenance, tuple(layers), tuple(skipped))
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write(
    out: IO[bytes],
    tensors: Iterable[tuple[TensorInfo, Array]],
    provenance: Provenance,
    layers: tuple[LayerInfo, ...],
    skipped: tuple[Skipped, ...],
) -> None:
    written = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for info, array in tensors:
            try:
                _codable(array.dtype)
            except ValueError as error:
                raise InputError(f"{info.key}: {error}") from None
            sha256 = tensor_hash(array)
            written.append(replace(info, dtype=array.dtype.name, shape=array.shape, sha256=sha256))
            with archive.open(_member(f"{info.key}.npy"), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)
        contents = Contents(provenance=provenance, tensors=tuple(written), layers=layers, skipped=skipped)
        archive.writestr(_member(MEMBER), json.dumps(HEAD | asdict(contents)))


def _member(name: str) -> zipfile.ZipInfo:
    """A member without a date, so that equal tensors make equal files."""
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member

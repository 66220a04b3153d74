"""`.npz` and `.npy`: arrays as NumPy writes them. Read without pickles and without trust in a header."""

import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from atalanta.golden.values import Array
from atalanta.tools.extract import contents
from atalanta.tools.extract.info import Contents, Skipped

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
DEFLATE_MOST = 1032
"""Deflate cannot shrink data by more than this factor, so no honest member claims more."""


def read_contents(path: Path) -> Contents:
    """What is in a file; of arrays, only the headers are read."""
    if path.suffix == ".npy":
        with path.open("rb") as stream:
            return Contents(tensors=(contents.guess(path.stem, *_header(stream, path.stat().st_size)),))
    with zipfile.ZipFile(path) as archive:
        keys = {name.removesuffix(".npy") for name in archive.namelist()}
        if contents.NAME not in keys:
            return _guessed(archive)
        if _honest_size(archive.getinfo(contents.NAME)) > contents.MAX_BYTES:
            raise ValueError(f"{contents.NAME} is larger than {contents.MAX_BYTES} bytes")
        return contents.load(archive.read(contents.NAME), keys)


def read_array(path: Path, key: str) -> Array:
    """One array."""
    if path.suffix == ".npy":
        with path.open("rb") as stream:
            return _array(stream, path.stat().st_size)
    with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as stream:
        return _array(stream, _honest_size(archive.getinfo(f"{key}.npy")))


class Writer:
    """Writes one array after the other into an open file. Use as a context manager."""

    def __init__(self, out: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9)

    def add(self, key: str, array: Array) -> None:
        """Write one array."""
        with self._archive.open(_member(f"{key}.npy"), "w", force_zip64=True) as stream:
            np.lib.format.write_array(stream, array, allow_pickle=False)

    def describe(self, what: Contents) -> None:
        """Write what the arrays are."""
        self._archive.writestr(_member(contents.NAME), contents.dump(what))

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()


def _member(name: str) -> zipfile.ZipInfo:
    """A member without a date, so that equal tensors make equal files."""
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


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
    contents.check_codable(dtype)
    held = size - stream.tell()
    if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != held:
        raise ValueError(f"the header says {dtype}{shape}, but {held} bytes follow")
    return dtype, shape


def _honest_size(member: zipfile.ZipInfo) -> int:
    """The uncompressed size of a member; ValueError if no compression could have made it so small."""
    if member.file_size > max(member.compress_size, 1) * DEFLATE_MOST:
        raise ValueError(f"claims to hold {member.file_size} bytes in {member.compress_size}")
    return member.file_size


def _guessed(archive: zipfile.ZipFile) -> Contents:
    """The contents of a file from elsewhere; what cannot be coded is listed as skipped."""
    infos, skipped = [], []
    for name in archive.namelist():
        key = name.removesuffix(".npy")
        try:
            with archive.open(name) as stream:
                infos.append(contents.guess(key, *_header(stream, _honest_size(archive.getinfo(name)))))
        except MALFORMED as error:
            skipped.append(Skipped(name=key, reason=str(error)))
    return Contents(tensors=contents.in_order(infos), skipped=tuple(skipped))

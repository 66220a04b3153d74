"""Files of arrays to compressed files and back: `.npy`, `.npz` and `.safetensors`, `.atl` and `.atn`.

A `.npy` becomes a single stream, the others an archive, which keeps what a file of tensors says about
itself (see `extract.tensors`) as attributes, so that it comes back as it was. Streams are coded and
decoded segment by segment: a `.npy` may be larger than memory. Of files of many arrays, one is in memory
at a time.
"""

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from atalanta.golden import container
from atalanta.golden.archive import Archive, Writer
from atalanta.golden.atomic import replacing
from atalanta.golden.errors import InputError
from atalanta.golden.table import Table
from atalanta.golden.values import Array
from atalanta.tools.extract import contents, npz_format
from atalanta.tools.extract.extras import extra
from atalanta.tools.extract.info import Contents
from atalanta.tools.extract.tensors import TensorFile, write_tensors

SUFFIXES = (".npy", ".npz", ".safetensors")
Track = Callable[[Iterable[Any]], Iterable[Any]]
"""Given what there is to do, yields it one by one: a progress bar."""


def encode_file(
    source: Path,
    output: Path,
    *,
    skip_others: bool = False,
    tables: Mapping[str, Table] | None = None,
    track: Track = iter,
    **options: Any,
) -> int:
    """Compress a file of arrays; returns the bytes of its values.

    skip_others: leave out arrays that cannot be coded, such as floats, instead of raising.
    tables: for the tensors of these names, instead of each one's own; a .npy goes by its file's name.
    options: for `container.encode`.
    Raises InputError for what cannot be read, coded or written.
    """
    _check_suffix(source)
    if source.suffix == ".npy":
        array = _mapped(source)
        options |= _table(tables, source.stem)
        with replacing(output) as out:
            for segment in track(container.encode_segments(array, **options)):
                out.write(segment.header)
                out.write(segment.body.payload)
        return array.nbytes
    file = TensorFile.open(source)
    described = bool(file.provenance.model)  # else what it says is guessed, and not worth keeping
    if file.skipped and not described and not skip_others:
        first = file.skipped[0]
        raise InputError(f"{source}: {first.name} cannot be coded: {first.reason}")
    total = 0
    with Writer(output, _file_attributes(file) if described else None) as writer:
        for info in track(list(file.tensors.values())):
            array = file.read(info.key)
            total += array.nbytes
            about = asdict(info) if described else {}
            attributes = {name: about[name] for name in about.keys() - {"key", "dtype", "shape"}}
            chosen = options | _table(tables, info.key)
            writer.add(info.key, array, attributes=dict(sorted(attributes.items())), **chosen)
    return total


def decode_file(source: Path, output: Path, *, tensor: str | None = None, track: Track = iter) -> None:
    """Restore what `encode_file` compressed, to the format that the output's suffix names.

    tensor: restore this one only.
    Raises InputError, StreamError.
    """
    _check_suffix(output)
    with Archive.open(source) as archive:
        names = list(archive) if tensor is None else [tensor]
        if tensor is not None and tensor not in archive.entries:
            raise InputError(f"{source} has no tensor {tensor!r}; it has {', '.join(archive) or 'none'}")
        if output.suffix == ".npy":
            if len(names) != 1:
                raise InputError(
                    f"{source} holds {len(names)} tensors; a .npy holds one: choose a tensor or .npz"
                )
            with replacing(output) as out:
                _write_npy(out, archive, names[0], track)
        elif tensor is None and archive.attributes.get("format") == contents.HEAD["format"]:
            about = _contents(archive)
            arrays = ((info, archive.read(info.key)) for info in track(about.tensors))
            origin = about.provenance
            write_tensors(output, arrays, provenance=origin, layers=about.layers, skipped=about.skipped)
        elif output.suffix == ".npz":
            with replacing(output) as out:
                _write_npz(out, archive, names, track)
        else:
            with replacing(output) as out:
                out.write(_safetensors({name: archive.read(name) for name in track(names)}))


def _table(tables: Mapping[str, Table] | None, name: str) -> dict[str, Table]:
    """The option that gives a tensor its table, if there is one."""
    return {} if tables is None or name not in tables else {"table": tables[name]}


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: a file of arrays is named {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")


def _mapped(path: Path) -> Array:
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except npz_format.MALFORMED as error:
        raise InputError(f"{path}: not a .npy file of numbers: {error}") from None
    return array


def _file_attributes(file: TensorFile) -> dict[str, Any]:
    """What the file says, but for its tensors."""
    about = Contents(provenance=file.provenance, layers=file.layers, skipped=file.skipped)
    return {name: value for name, value in (contents.HEAD | asdict(about)).items() if name != "tensors"}


def _contents(archive: Archive) -> Contents:
    """What the file said that the archive was made of. Raises InputError."""
    tensors = [
        {**entry.attributes, "key": name, "dtype": entry.dtype, "shape": list(entry.shape)}
        for name, entry in archive.entries.items()
    ]
    try:
        return contents.load(json.dumps(archive.attributes | {"tensors": tensors}), set(archive.entries))
    except ValueError as error:
        raise InputError(f"{archive.path}: attributes: {error}") from None


def _write_npy(out: IO[bytes], archive: Archive, name: str, track: Track) -> None:
    entry = archive.entries[name]
    head = {
        "descr": np.dtype(entry.dtype).newbyteorder("<").str,
        "fortran_order": False,
        "shape": entry.shape,
    }
    pieces: Iterator[Array] = archive.pieces(name)
    npy.write_array_header_1_0(out, head)
    for piece in track(pieces):
        out.write(piece.astype(piece.dtype.newbyteorder("<"), copy=False).data)


def _write_npz(out: IO[bytes], archive: Archive, names: list[str], track: Track) -> None:
    with zipfile.ZipFile(out, "w") as members:
        for name in track(names):
            member = zipfile.ZipInfo(f"{name}.npy")  # without a date: equal tensors make equal files
            with members.open(member, "w", force_zip64=True) as stream:
                _write_npy(stream, archive, name, iter)


def _safetensors(arrays: dict[str, Array]) -> bytes:
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise extra("formats", "safetensors") from error
    data: bytes = save(arrays)
    return data

"""Files of arrays to compressed files and back: `.npy`, `.npz` and `.safetensors`, `.atl` and `.atn`.

A `.npy` becomes a single stream, the others an archive, which keeps what a file of tensors says about
itself (see `extract.tensors`) as attributes, so that it comes back as it was. Streams are coded and
decoded segment by segment, those of several arrays at the same time: files may be larger than memory, if
their arrays are not. A `.npy` may be, too.
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
from atalanta.golden.archive import Addition, Archive, Entry, Writer
from atalanta.golden.atomic import replacing
from atalanta.golden.errors import InputError
from atalanta.golden.table import Table
from atalanta.golden.values import Array
from atalanta.tools.extract import contents, npz_format
from atalanta.tools.extract.info import Contents, TensorInfo
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
    infos = list(file.tensors.values())
    total = sum(info.size * np.dtype(info.dtype).itemsize for info in infos)

    def addition(info: TensorInfo) -> Addition:
        about = asdict(info) if described else {}
        attributes = {name: about[name] for name in about.keys() - {"key", "dtype", "shape"}}
        chosen = options | _table(tables, info.key)
        return Addition(info.key, file.read(info.key), dict(sorted(attributes.items())), chosen)

    with Writer(output, _file_attributes(file) if described else None) as writer:
        writer.add_all(map(addition, track(infos)), input_bytes=total)
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
                _write_npy(out, archive.entries[names[0]], track(archive.pieces(names[0])))
        elif tensor is None and archive.attributes.get("format") == contents.HEAD["format"]:
            about = _contents(archive)
            decoded = archive.arrays(info.key for info in about.tensors)
            arrays = ((info, array) for info, (_, array) in zip(track(about.tensors), decoded, strict=True))
            origin = about.provenance
            write_tensors(output, arrays, provenance=origin, layers=about.layers, skipped=about.skipped)
        elif output.suffix == ".npz":
            with replacing(output) as out:
                _write_npz(out, archive, names, track)
        else:
            with replacing(output) as out:
                _write_safetensors(out, archive, names, track)


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


def _little(pieces: Iterable[Array]) -> Iterator[memoryview]:
    """The bytes of values, little endian."""
    for piece in pieces:
        yield piece.astype(piece.dtype.newbyteorder("<"), copy=False).data


def _write_npy(out: IO[bytes], entry: Entry, pieces: Iterable[Array]) -> None:
    head = {
        "descr": np.dtype(entry.dtype).newbyteorder("<").str,
        "fortran_order": False,
        "shape": entry.shape,
    }
    npy.write_array_header_1_0(out, head)
    for data in _little(pieces):
        out.write(data)


def _write_npz(out: IO[bytes], archive: Archive, names: list[str], track: Track) -> None:
    with zipfile.ZipFile(out, "w") as members:
        for _, (entry, pieces) in zip(track(names), archive.all_pieces(names), strict=True):
            member = zipfile.ZipInfo(f"{entry.name}.npy")  # without a date: equal tensors make equal files
            with members.open(member, "w", force_zip64=True) as stream:
                _write_npy(stream, entry, pieces)


def _write_safetensors(out: IO[bytes], archive: Archive, names: list[str], track: Track) -> None:
    from atalanta.tools.extract.safetensors_format import Writer as SafetensorsWriter

    with SafetensorsWriter(out) as writer:
        for _, (entry, pieces) in zip(track(names), archive.all_pieces(names), strict=True):
            writer.add_pieces(entry.name, np.dtype(entry.dtype), entry.shape, pieces)
        writer.finish({})

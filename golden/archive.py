"""One file with many compressed tensors: names, shapes and attributes, random access, checksums.

A fixed head, the tensors' streams (each as `container` makes it, on a 64-byte boundary, so that memory
bursts start where they should), and a directory at the end, which the head points to: JSON text behind
zlib, since the scales of many channels are long as text. Head and directory have CRCs of their own; a
tensor's are those of its segments, checked when it is read.
"""

import json
import os
import sys
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from atalanta.golden import container
from atalanta.golden.atomic import replacing
from atalanta.golden.batch import Work, decode_all, encode_all
from atalanta.golden.engine import AUTO
from atalanta.golden.errors import ErrorCode, InputError, StreamError
from atalanta.golden.format import ARCHIVE_HEAD, ARCHIVE_MAGIC, VERSION, crc32, round_up
from atalanta.golden.source import FileBytes
from atalanta.golden.values import Array, Buffer

ALIGNMENT = 64
MAX_TEXT_BYTES = 1 << 26
"""Bytes of a directory's text at most."""

_CRC_AT = ARCHIVE_HEAD.offsets["head_crc"] // 8


@dataclass(frozen=True)
class Entry:
    """One tensor of an archive. attributes: whatever its writer wanted to keep, such as scales."""

    name: str
    offset: int
    nbytes: int
    dtype: str
    shape: tuple[int, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Addition:
    """A tensor for an archive, and how to encode it; see `Writer.add`. options: codec and its options."""

    name: str
    array: Array
    attributes: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


class Writer:
    """Writes an archive; the file appears under its name when the `with` block ends well.

    attributes: of the whole, kept in the directory.
    Raises InputError if the file cannot be written or JSON cannot hold the attributes.
    """

    def __init__(self, path: str | os.PathLike[str], attributes: Mapping[str, Any] | None = None) -> None:
        self._entries: dict[str, Entry] = {}
        self._attributes = dict(attributes or {})
        _check_json(self._attributes, "the archive")
        self._replacing = replacing(Path(path))
        self._out: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._out = self._replacing.__enter__()
        self._out.write(bytes(ARCHIVE_HEAD.nbytes))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
        except BaseException:
            self._replacing.__exit__(*sys.exc_info())
            raise
        self._replacing.__exit__(kind, error, trace)

    def _file(self) -> IO[bytes]:
        if self._out is None:
            raise InputError("an archive is written inside a `with` block")
        return self._out

    def _align(self) -> int:
        out = self._file()
        at = out.tell()
        out.write(bytes(round_up(at, ALIGNMENT) - at))
        return out.tell()

    def add(
        self,
        name: str,
        array: Array,
        codec: str = "atalanta",
        *,
        attributes: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Entry:
        """Encode a tensor into the file; codec and options as in `container.encode`."""
        pieces = (
            piece
            for segment in container.encode_segments(array, codec, **options)
            for piece in (segment.header, segment.body.payload)
        )
        return self.add_stream(name, pieces, array.dtype.name, array.shape, attributes)

    def add_all(
        self, tensors: Iterable[Addition], *, threads: int | None = None, input_bytes: int = 0
    ) -> None:
        """Encode tensors into the file, side by side. threads, input_bytes: as for `batch.encode_all`."""
        named: deque[tuple[str, str, tuple[int, ...], Mapping[str, Any]]] = deque()

        def works() -> Iterator[Work]:
            for one in tensors:
                named.append((one.name, one.array.dtype.name, one.array.shape, one.attributes))
                yield Work(one.array, one.options)

        for segments in encode_all(works(), threads=threads, input_bytes=input_bytes):
            name, dtype, shape, attributes = named.popleft()
            self.add_stream(name, segments, dtype, shape, attributes)

    def add_stream(
        self,
        name: str,
        pieces: Iterable[Buffer],
        dtype: str,
        shape: tuple[int, ...],
        attributes: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Copy a stream that is already encoded into the file.

        Raises InputError for a name that is not printable or comes twice, and for attributes that JSON
        cannot hold.
        """
        if name in self._entries:
            raise InputError(f"tensor {name!r} is in the archive already")
        if not name.isprintable():
            raise InputError(f"a tensor's name is printable, not {name!r}")
        _check_json(attributes, name)
        offset = self._align()
        out = self._file()
        for piece in pieces:
            out.write(piece)
        entry = Entry(name, offset, out.tell() - offset, dtype, tuple(shape), dict(attributes or {}))
        self._entries[name] = entry
        return entry

    def _finish(self) -> None:
        out = self._file()
        tensors = [asdict(entry) for entry in self._entries.values()]
        text = json.dumps(
            {"attributes": self._attributes, "tensors": tensors}, separators=(",", ":")
        ).encode()
        if len(text) > MAX_TEXT_BYTES:
            raise InputError(
                f"names and attributes of {len(text):,} bytes; at most {MAX_TEXT_BYTES:,} are kept"
            )
        directory = zlib.compress(text, 9)
        offset = self._align()
        out.write(directory)
        head = {
            "magic": ARCHIVE_MAGIC,
            "version": VERSION,
            "directory_offset": offset,
            "directory_bytes": len(directory),
            "text_bytes": len(text),
            "directory_crc": crc32(directory),
        }
        packed = ARCHIVE_HEAD.pack(head)
        out.seek(0)
        out.write(ARCHIVE_HEAD.pack(head | {"head_crc": crc32(packed[:_CRC_AT])}))


def _check_json(attributes: Mapping[str, Any] | None, what: str) -> None:
    try:
        json.dumps(attributes)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"attributes of {what}: {error}") from None


def _entry(item: object, size: int, where: str) -> Entry:
    """A directory's entry, every field checked."""
    fields = {"name": str, "offset": int, "nbytes": int, "dtype": str, "shape": list, "attributes": dict}
    ok = isinstance(item, dict) and set(item) == set(fields)
    ok = ok and all(type(item[name]) is kind for name, kind in fields.items())  # type: ignore[index]
    if not ok or not isinstance(item, dict):
        raise StreamError(ErrorCode.HEADER, f"{where} is not an entry of a directory")
    if not item["name"].isprintable():
        raise StreamError(ErrorCode.HEADER, f"{where} has the name {item['name']!a}")
    if not all(type(n) is int and n >= 0 for n in item["shape"]):
        raise StreamError(ErrorCode.SHAPE, f"{where} has shape {item['shape']}")
    if item["offset"] < ARCHIVE_HEAD.nbytes or item["nbytes"] < 0 or item["offset"] + item["nbytes"] > size:
        raise StreamError(ErrorCode.LENGTH, f"{where} lies beyond the file")
    return Entry(
        item["name"], item["offset"], item["nbytes"], item["dtype"], tuple(item["shape"]), item["attributes"]
    )


class Archive(Mapping[str, Array]):
    """Compressed tensors on disk, as a mapping from names to tensors; one is read when it is asked for.

    A file with a single stream is an archive of one tensor, named like the file without its suffix.

    entries: what is in it, by name. attributes: of the whole. single: whether it is a single stream.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        """Read head and directory of an open file. Raises StreamError if they are malformed."""
        self.path = path
        self._file = file
        self._data = FileBytes(file)
        self.single = self._data[:4] != ARCHIVE_MAGIC.to_bytes(4, "little")
        self.entries, self.attributes = self._stream() if self.single else _directory(self._data, path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a file that `Writer` wrote, or that holds what `encode` returned.

        Raises InputError if it is unreadable, StreamError if it is malformed.
        """
        path = Path(path)
        try:
            file = path.open("rb")
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        try:
            return cls(path, file)
        except BaseException:
            file.close()
            raise

    def _stream(self) -> tuple[dict[str, Entry], dict[str, Any]]:
        """The directory of a single stream."""
        found = list(container.segments(self._data))
        shape = container.tensor_shape(found)
        container.check_end(found, len(self._data))
        name = self.path.stem
        return {name: Entry(name, 0, len(self._data), found[0].dtype.name, shape)}, {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def source(self, name: str) -> FileBytes:
        """A tensor's compressed stream, not read yet."""
        entry = self.entries[name]
        return self._data.window(entry.offset, entry.nbytes)

    def stream(self, name: str) -> bytes:
        """A tensor's compressed stream."""
        return self.source(name)[:]

    def read(self, name: str, **options: Any) -> Array:
        """A tensor, decoded and checked. options: as in `container.decode`. Raises StreamError."""
        array = container.decode(self.stream(name), **options)
        entry = self.entries[name]
        _check(entry, array.dtype.name, array.shape)
        return array

    def pieces(self, name: str, *, engine: str = AUTO) -> Iterator[Array]:
        """A tensor's values in order, flat, a segment at a time. Raises StreamError."""
        source = self.source(name)
        found = list(container.segments(source))
        _check(self.entries[name], found[0].dtype.name, container.tensor_shape(found))
        return container.decode_segments(source, engine=engine)

    def all_pieces(
        self, names: Iterable[str], *, threads: int | None = None, engine: str = AUTO
    ) -> Iterator[tuple[Entry, Iterator[Array]]]:
        """The `pieces` of tensors, which threads decode side by side; take them before the next tensor."""
        entries = [self.entries[name] for name in names]
        sources = (self.source(entry.name) for entry in entries)
        decoded = decode_all(sources, threads=threads, input_bytes=len(self._data), engine=engine)
        for entry, (shape, pieces) in zip(entries, decoded, strict=True):
            yield entry, _checked(entry, shape, pieces)

    def arrays(self, names: Iterable[str], *, threads: int | None = None) -> Iterator[tuple[str, Array]]:
        """Names and tensors, which threads decode side by side. Raises StreamError."""
        for entry, pieces in self.all_pieces(names, threads=threads):
            values = list(pieces)
            flat = values[0] if len(values) == 1 else np.concatenate(values)
            yield entry.name, flat.reshape(entry.shape)

    def __getitem__(self, name: str) -> Array:
        return self.read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def _check(entry: Entry, dtype: str, shape: tuple[int, ...]) -> None:
    """Raise StreamError unless a stream is what its entry says."""
    if (dtype, shape) != (entry.dtype, entry.shape):
        what = f"{entry.name} holds {dtype}{shape}, not {entry.dtype}{entry.shape} as the directory says"
        raise StreamError(ErrorCode.SHAPE, what)


def _checked(entry: Entry, shape: tuple[int, ...], pieces: Iterator[Array]) -> Iterator[Array]:
    """The pieces. Raises StreamError if they are not of what the entry says."""
    for piece in pieces:
        _check(entry, piece.dtype.name, shape)
        yield piece


def _directory(data: FileBytes, path: Path) -> tuple[dict[str, Entry], dict[str, Any]]:
    packed = data[: ARCHIVE_HEAD.nbytes]
    if len(packed) < ARCHIVE_HEAD.nbytes:
        raise StreamError(ErrorCode.TRUNCATED, f"{path}: {len(packed)} of {ARCHIVE_HEAD.nbytes} head bytes")
    head = ARCHIVE_HEAD.unpack(packed)

    def check(ok: bool, code: ErrorCode, what: str) -> None:
        if not ok:
            raise StreamError(code, f"{path}: {what}")

    check(head["magic"] == ARCHIVE_MAGIC, ErrorCode.MAGIC, f"found {packed[:4]!r}")
    check(head["version"] == VERSION, ErrorCode.VERSION, f"version {head['version']}")
    check(crc32(packed[:_CRC_AT]) == head["head_crc"], ErrorCode.HEADER_CRC, "head of the archive")
    start, size = head["directory_offset"], head["directory_bytes"]
    check(start + size <= len(data), ErrorCode.TRUNCATED, f"directory of {size} bytes at {start}")
    check(
        start + size == len(data), ErrorCode.LENGTH, f"{len(data) - start - size} bytes after the directory"
    )
    packed = data[start : start + size]
    check(crc32(packed) == head["directory_crc"], ErrorCode.HEADER_CRC, "directory of the archive")
    claimed = head["text_bytes"]
    check(claimed <= MAX_TEXT_BYTES, ErrorCode.HEADER, f"directory of {claimed:,} bytes of text")
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(packed, claimed + 1)
    except zlib.error as error:
        raise StreamError(ErrorCode.HEADER, f"{path}: directory: {error}") from None
    whole = unpacking.eof and not unpacking.unused_data and len(text) == claimed
    check(whole, ErrorCode.LENGTH, f"the directory's text is not {claimed} bytes long")
    try:
        directory = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StreamError(ErrorCode.HEADER, f"{path}: directory is not JSON: {error}") from None
    ok = (
        isinstance(directory, dict)
        and isinstance(directory.get("tensors"), list)
        and isinstance(directory.get("attributes"), dict)
    )
    check(ok, ErrorCode.HEADER, "directory without tensors or attributes")
    entries: dict[str, Entry] = {}
    for number, item in enumerate(directory["tensors"]):
        entry = _entry(item, start, f"{path}: entry {number}")
        check(entry.name not in entries, ErrorCode.HEADER, f"two tensors named {entry.name!r}")
        entries[entry.name] = entry
    return entries, directory["attributes"]

"""One file with many compressed tensors: names, shapes and attributes, random access, checksums.

A fixed head, the tensors' streams (each as `container` makes it, on a 64-byte boundary, so that memory
bursts start where they should), and a directory in JSON at the end, which the head points to. Head and
directory have CRCs of their own; a tensor's are those of its segments, checked when it is read.
"""

import json
import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from atalanta.golden import container
from atalanta.golden.atomic import replacing
from atalanta.golden.engine import AUTO
from atalanta.golden.errors import ErrorCode, InputError, StreamError
from atalanta.golden.format import ARCHIVE_HEAD, ARCHIVE_MAGIC, VERSION, crc32, round_up
from atalanta.golden.values import Array

ALIGNMENT = 64
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


class Writer:
    """Writes an archive; the file appears under its name when the `with` block ends well.

    attributes: of the whole, kept in the directory.
    Raises InputError if the file cannot be written or a name comes twice.
    """

    def __init__(self, path: str | os.PathLike[str], attributes: Mapping[str, Any] | None = None) -> None:
        self._entries: dict[str, Entry] = {}
        self._attributes = dict(attributes or {})
        self._replacing = replacing(Path(path))
        self._out: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._out = self._replacing.__enter__()
        self._out.write(bytes(ARCHIVE_HEAD.nbytes))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
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

    def add_stream(
        self,
        name: str,
        pieces: Iterator[bytes],
        dtype: str,
        shape: tuple[int, ...],
        attributes: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Copy a stream that is already encoded into the file."""
        if name in self._entries:
            raise InputError(f"tensor {name!r} is in the archive already")
        offset = self._align()
        out = self._file()
        for piece in pieces:
            out.write(piece)
        entry = Entry(name, offset, out.tell() - offset, dtype, tuple(shape), dict(attributes or {}))
        self._entries[name] = entry
        return entry

    def _finish(self) -> None:
        out = self._file()
        directory = json.dumps(
            {"attributes": self._attributes, "tensors": [asdict(e) for e in self._entries.values()]}
        ).encode()
        offset = self._align()
        out.write(directory)
        head = {
            "magic": ARCHIVE_MAGIC,
            "version": VERSION,
            "directory_offset": offset,
            "directory_bytes": len(directory),
            "directory_crc": crc32(directory),
        }
        packed = ARCHIVE_HEAD.pack(head)
        out.seek(0)
        out.write(ARCHIVE_HEAD.pack(head | {"head_crc": crc32(packed[:_CRC_AT])}))


def _entry(item: object, size: int, where: str) -> Entry:
    """A directory's entry, every field checked."""
    fields = {"name": str, "offset": int, "nbytes": int, "dtype": str, "shape": list, "attributes": dict}
    ok = isinstance(item, dict) and set(item) == set(fields)
    ok = ok and all(type(item[name]) is kind for name, kind in fields.items())  # type: ignore[index]
    if not ok or not isinstance(item, dict):
        raise StreamError(ErrorCode.HEADER, f"{where} is not an entry of a directory")
    if not all(type(n) is int and n >= 0 for n in item["shape"]):
        raise StreamError(ErrorCode.SHAPE, f"{where} has shape {item['shape']}")
    if item["offset"] < ARCHIVE_HEAD.nbytes or item["nbytes"] < 0 or item["offset"] + item["nbytes"] > size:
        raise StreamError(ErrorCode.LENGTH, f"{where} lies beyond the file")
    return Entry(
        item["name"], item["offset"], item["nbytes"], item["dtype"], tuple(item["shape"]), item["attributes"]
    )


class Archive(Mapping[str, Array]):
    """An archive on disk, as a mapping from names to tensors; a tensor is read when it is asked for.

    entries: what is in it, by name. attributes: of the whole.
    """

    def __init__(self, path: Path, data: mmap.mmap, entries: dict[str, Entry], attributes: dict[str, Any]):
        self.path = path
        self.entries = entries
        self.attributes = attributes
        self._data = data

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Read head and directory. Raises InputError if unreadable, StreamError if malformed."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < ARCHIVE_HEAD.nbytes:
                    raise StreamError(
                        ErrorCode.TRUNCATED, f"{path}: {size} of {ARCHIVE_HEAD.nbytes} head bytes"
                    )
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        try:
            entries, attributes = _directory(data, path)
        except BaseException:
            data.close()
            raise
        return cls(path, data, entries, attributes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._data.close()

    def stream(self, name: str) -> bytes:
        """A tensor's compressed stream."""
        if name not in self.entries:
            raise KeyError(name)
        entry = self.entries[name]
        return self._data[entry.offset : entry.offset + entry.nbytes]

    def read(self, name: str, *, engine: str = AUTO) -> Array:
        """A tensor, decoded and checked. Raises StreamError."""
        array = container.decode(self.stream(name), engine=engine)
        entry = self.entries[name]
        if (array.dtype.name, array.shape) != (entry.dtype, entry.shape):
            found = f"{array.dtype}{array.shape}"
            what = f"{name} holds {found}, not {entry.dtype}{entry.shape} as the directory says"
            raise StreamError(ErrorCode.SHAPE, what)
        return array

    def __getitem__(self, name: str) -> Array:
        return self.read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def _directory(data: mmap.mmap, path: Path) -> tuple[dict[str, Entry], dict[str, Any]]:
    packed = data[: ARCHIVE_HEAD.nbytes]
    head = ARCHIVE_HEAD.unpack(packed)

    def check(ok: bool, code: ErrorCode, what: str) -> None:
        if not ok:
            raise StreamError(code, f"{path}: {what}")

    check(head["magic"] == ARCHIVE_MAGIC, ErrorCode.MAGIC, f"found {packed[:4]!r}")
    check(head["version"] == VERSION, ErrorCode.VERSION, f"version {head['version']}")
    check(crc32(packed[:_CRC_AT]) == head["head_crc"], ErrorCode.HEADER_CRC, "head of the archive")
    start, size = head["directory_offset"], head["directory_bytes"]
    check(start + size <= len(data), ErrorCode.TRUNCATED, f"directory of {size} bytes at {start}")
    text = data[start : start + size]
    check(crc32(text) == head["directory_crc"], ErrorCode.HEADER_CRC, "directory of the archive")
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

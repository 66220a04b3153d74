"""Bytes that are read only when they are asked for: what lets a stream be larger than memory."""

import os
from threading import Lock
from typing import IO, Protocol

from atalanta.golden.errors import ErrorCode, StreamError


class Source(Protocol):
    """What a stream is read from: bytes, a memoryview, or a file through `FileBytes`."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes | memoryview: ...


class FileBytes:
    """An open file, or a stretch of it, that is sliced like bytes; threads may share it.

    Slices are read, not mapped: a file that shrinks meanwhile is an error, not a crash.
    """

    def __init__(
        self, file: IO[bytes], start: int = 0, size: int | None = None, lock: "Lock | None" = None
    ) -> None:
        self._file = file
        self._start = start
        self._size = os.fstat(file.fileno()).st_size - start if size is None else size
        self._lock = lock or Lock()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, step = part.indices(self._size)
        if step != 1:
            raise ValueError("a file is sliced without a step")
        wanted = max(stop - start, 0)
        with self._lock:
            self._file.seek(self._start + start)
            data = self._file.read(wanted)
        if len(data) < wanted:
            what = f"{len(data)} of {wanted} bytes at byte {self._start + start} of the file"
            raise StreamError(ErrorCode.TRUNCATED, what)
        return data

    def window(self, start: int, size: int) -> "FileBytes":
        """`size` bytes from `start` on."""
        return FileBytes(self._file, self._start + start, size, self._lock)

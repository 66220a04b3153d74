"""Results kept on disk, by what they depend on: the values, the options and the code that made them."""

import hashlib
import inspect
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import atalanta.golden
from atalanta.golden.codec import CODECS
from atalanta.tools.code_hash import package_hash
from atalanta.tools.rtl.build import cache_folder


def codec_hash(codec: str) -> str:
    """A hash of the code that a codec runs: this package's, and its own file if it is a plugin's."""
    own = package_hash(atalanta.golden.__name__)
    if codec not in CODECS or CODECS[codec].__module__.startswith("atalanta."):
        return own
    file = inspect.getsourcefile(CODECS[codec])
    text = Path(file).read_bytes() if file else CODECS[codec].__module__.encode()
    return hashlib.sha256(own.encode() + text).hexdigest()


class Cache:
    """Results by key, in one file; used from several threads and processes.

    folder: None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._lock = threading.Lock()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        where = ":memory:" if folder is None else str(folder / "results.sqlite")
        self._database = sqlite3.connect(where, check_same_thread=False, timeout=60, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute("CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value TEXT)")

    @classmethod
    def of_user(cls) -> Self:
        """The one in the user's cache folder."""
        return cls(cache_folder() / "compare")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def result(self, depends_on: Iterable[object], make: Callable[[], Any]) -> Any:
        """What is kept for these strings and numbers; made and kept if there is nothing yet."""
        text = json.dumps([str(item) for item in depends_on])
        key = hashlib.sha256(text.encode()).hexdigest()
        with self._lock:
            found = self._database.execute("SELECT value FROM results WHERE key = ?", (key,)).fetchone()
        if found:
            return json.loads(found[0])
        value = json.dumps(make())
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO results VALUES (?, ?)", (key, value))
        return json.loads(value)

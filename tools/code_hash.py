"""Hashes of this project's own code, for caches of what it made."""

import hashlib
from functools import cache
from importlib import import_module
from pathlib import Path

PYTHON = ("**/*.py",)
EVERYTHING = (*PYTHON, "_native*.so", "_native*.pyd")


@cache
def package_hash(package: str, patterns: tuple[str, ...] = EVERYTHING) -> str:
    """One hash of a package's files that match: its Python and its compiled library.

    package: an importable module's name.
    """
    folder = Path(import_module(package).__path__[0])
    found = hashlib.sha256()
    for path in sorted(p for pattern in patterns for p in folder.glob(pattern)):
        found.update(str(path.relative_to(folder)).encode())
        found.update(path.read_bytes())
    return found.hexdigest()

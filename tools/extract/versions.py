"""What took part in making a file: versions of packages, hashes of files."""

import hashlib
import importlib.metadata
from pathlib import Path

import atalanta
from atalanta.golden.errors import InputError


def versions(*packages: str) -> dict[str, str]:
    """The version of this package, and the installed version of each of the others."""
    return {"atalanta": atalanta.__version__, **{p: importlib.metadata.version(p) for p in packages}}


def file_hash(path: Path) -> str:
    """SHA-256 of a file. Raises InputError if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error

"""Codecs from elsewhere: files, and packages that announce theirs.

Either registers its codecs with `golden.codec.register` when it is imported.
"""

import sys
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from atalanta.golden.codec import CODECS
from atalanta.golden.errors import InputError

GROUP = "atalanta.codecs"
"""The group of entry points under which a package names its modules with codecs."""


def load_file(path: Path) -> list[str]:
    """Run a Python file; the names of the codecs that it registers.

    Raises InputError if there is no such file or it registers none; what the file itself raises, goes on.
    """
    path = path.resolve()
    name = f"atalanta_plugin_{path.stem}"
    known = set(CODECS)
    if path.suffix != ".py" or not path.is_file():
        raise InputError(f"cannot read {path}: a plugin is a file that ends in .py")
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"cannot import {path}")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    added = [codec for codec in CODECS if codec not in known]
    if not added:
        raise InputError(f"{path} registers no codec; see golden/codecs/README.md")
    return added


def load_installed() -> None:
    """Import what installed packages announce in the group `atalanta.codecs`."""
    for entry in entry_points(group=GROUP):
        entry.load()

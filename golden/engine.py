"""Which code runs: the compiled library or the reference. Their bits and errors are the same.

`auto` takes the library if the package was built with it. The environment variable ATALANTA_ENGINE
decides for everything that says `auto`.
"""

import os

from atalanta.golden import compiled
from atalanta.golden.errors import ParameterError

AUTO, NATIVE, REFERENCE = "auto", "native", "reference"
ENGINES = (AUTO, NATIVE, REFERENCE)
VARIABLE = "ATALANTA_ENGINE"


def use_native(engine: str = AUTO) -> bool:
    """Whether the compiled library runs.

    Raises ParameterError for an unknown engine, and for `native` where there is no library.
    """
    name = "engine"
    if engine == AUTO and os.environ.get(VARIABLE):
        name, engine = VARIABLE, os.environ[VARIABLE]
    if engine not in ENGINES:
        raise ParameterError(f"{name} must be one of {', '.join(ENGINES)}, not {engine!r}")
    why = compiled.missing()
    if engine == NATIVE and why:
        raise ParameterError(f"{name} is native, but there is no native library: {why}")
    return engine != REFERENCE and not why

"""Components with one line changed, to see that a proof fails when it should."""

import inspect
import sys
from types import ModuleType
from typing import Any


def mutant(component: type[Any], old: str, new: str) -> type[Any]:
    """The class as its module would define it with `new` in place of `old`.

    `old` must stand exactly once in the class, so that a changed source is noticed.
    """
    module = sys.modules[component.__module__]
    source, whole = inspect.getsource(component), inspect.getsource(module)
    assert source.count(old) == 1, f"{component.__name__} has {old!r} {source.count(old)} times"
    copy = ModuleType(module.__name__)
    copy.__file__ = module.__file__
    code = whole.replace(source, source.replace(old, new))
    exec(compile(code, str(module.__file__), "exec"), copy.__dict__)
    changed: type[Any] = getattr(copy, component.__name__)
    return changed

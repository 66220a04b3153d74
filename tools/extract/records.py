"""Frozen dataclasses from untrusted JSON: every field checked against its annotation."""

from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

NAMES = {tuple: "a list", dict: "an object", int: "an integer", float: "a number", str: "a string"}


def from_json(kind: type[T], data: object, where: str) -> T:
    """An instance of the dataclass `kind`; ValueError names the first field that does not fit.

    Understands str, int, float, unions of one type with None, literals, tuples of one type, dicts keyed
    by str, and dataclasses of those. Unknown and missing fields are errors.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{where} must be an object")
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name in data.keys() - known.keys():
        raise ValueError(f"{where}.{name} is not known")
    for name, f in known.items():
        if name not in data and f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"{where}.{name} is missing")
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in data.items()})


def _value(kind: Any, data: object, where: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return from_json(kind, data, where)  # type: ignore[arg-type]
    if origin is UnionType and NoneType in args:
        return None if data is None else _value(args[0], data, where)
    if origin is tuple and isinstance(data, list):
        return tuple(_value(args[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if origin is dict and isinstance(data, dict):
        return {key: _value(args[1], item, f"{where}.{key}") for key, item in data.items()}
    if (data in args) if origin is Literal else (type(data) is kind or (kind, type(data)) == (float, int)):
        return data
    expected = NAMES.get(origin or kind, f"one of {', '.join(map(repr, args))}")
    raise ValueError(f"{where} must be {expected}, not {str(data)[:40]!r}")

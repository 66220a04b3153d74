"""Reading a configuration: YAML, a preset below it, single values above it, and errors that help."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from atalanta.golden.errors import AtalantaError
from atalanta.tools.network import PRESET_FOLDER, presets
from atalanta.tools.network.schema import Config

DEFAULT_PRESET = "edge"
NO_PRESET = "none"
"""Nothing lies below: what `dump` writes needs no preset."""
M = TypeVar("M", bound=BaseModel)


class ConfigError(AtalantaError, ValueError):
    """A configuration that cannot be used; the message says where and what would be legal."""


class _Loader(yaml.SafeLoader):
    """YAML in which a key given twice is an error, not the last one's victory."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    pairs = [
        (loader.construct_object(k, deep=True), loader.construct_object(v, deep=True)) for k, v in node.value
    ]
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            line = node.start_mark.line + 1
            raise ConfigError(f"{key} is given twice in the section that begins on line {line}")
    return dict(pairs)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds one section. Raises ConfigError, OSError."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must hold keys and values, not {type(data).__name__}")
    return data


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, section by section."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def with_value(data: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`data` with the value at a dotted path, such as memory.preset, set."""
    first, _, rest = path.partition(".")
    inner = data.get(first)
    if not rest:
        return {**data, first: value}
    return {**data, first: with_value(inner if isinstance(inner, dict) else {}, rest, value)}


def settings(texts: Sequence[str]) -> list[tuple[str, Any]]:
    """`key=value` pairs, the values read as YAML. Raises ConfigError."""
    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"a setting is written KEY=VALUE, not {text!r}")
        try:
            pairs.append((key, yaml.load(value, _Loader)))
        except yaml.YAMLError:
            raise ConfigError(f"{key}: not a YAML value: {value!r}") from None
    return pairs


def resolve(data: Mapping[str, Any], where: str) -> Config:
    """The whole configuration: a preset (key `preset`), `data` above it, defaults for the rest.

    Raises ConfigError; `where` begins its message.
    """
    rest = dict(data)
    name = rest.pop("preset", DEFAULT_PRESET)
    legal = [*presets(), NO_PRESET]
    if name not in legal:
        raise ConfigError(
            f"{where}: preset must be one of {', '.join(legal)}, not {name!r}{_near(name, legal)}"
        )
    below = {} if name == NO_PRESET else read_yaml(PRESET_FOLDER / f"{name}.yaml")
    return check(Config, merge(below, rest), where, extra=("preset",))


def check(model: type[M], data: Mapping[str, Any], where: str, extra: Sequence[str] = ()) -> M:
    """A typed section. extra: keys that are legal besides its own.

    Raises ConfigError for the first unknown key, with the nearest legal one, and for every wrong value.
    """
    _known(model, data, where, "", tuple(extra))
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}, not {e.get('input')!r}" for e in error.errors()
        ]
        raise ConfigError(f"{where}: " + "; ".join(lines)) from None


def _near(word: object, legal: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(word), legal, 1, 0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _known(model: type[BaseModel], data: Any, where: str, path: str, extra: tuple[str, ...]) -> None:
    """ConfigError for a key that `model`, or a section inside it, does not have."""
    if not isinstance(data, Mapping):
        return
    legal = [*model.model_fields, *extra]
    for key, value in data.items():
        place = f"{path}{key}"
        if key not in legal:
            hint = _near(key, legal) or f"; legal here: {', '.join(legal)}"
            raise ConfigError(f"{where}: {place} is not known{hint}")
        field = model.model_fields.get(key)
        inner = None if field is None else _section(field.annotation)
        if inner is None:
            continue
        if _section_of_values(field.annotation) and isinstance(value, Mapping):  # type: ignore[union-attr]
            for name, item in value.items():
                _known(inner, item, where, f"{place}.{name}.", ())
        elif isinstance(value, list):
            for i, item in enumerate(value):
                _known(inner, item, where, f"{place}[{i}].", ())
        else:
            _known(inner, value, where, f"{place}.", ())


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds: itself, in a list or as values of a dict."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _section(arg))), None)


def _section_of_values(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is dict


def dump(config: Config) -> str:
    """As YAML that reads back as the same configuration."""
    text: str = yaml.safe_dump({"preset": NO_PRESET, **config.model_dump(exclude_none=True)}, sort_keys=False)
    return text

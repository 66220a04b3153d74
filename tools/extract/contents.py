"""What a file of tensors says about them, as JSON, and what can be guessed if it says nothing."""

import json
import re
from dataclasses import asdict
from typing import Any

import numpy as np

from atalanta.golden.values import DTYPES
from atalanta.tools.extract.info import Contents, Kind, TensorInfo
from atalanta.tools.extract.records import from_json

NAME = "provenance.json"
HEAD = {"format": "atalanta tensors", "version": 1}
MAX_BYTES = 1 << 28
"""Bytes of JSON that are read at most."""


def dump(contents: Contents) -> str:
    """The JSON text of a file's contents."""
    return json.dumps(HEAD | asdict(contents))


def load(text: str | bytes, keys: set[str]) -> Contents:
    """The contents that a JSON text describes. keys: of all tensors in the file. Raises ValueError."""
    data = json.loads(text)
    if not isinstance(data, dict) or any(data.pop(key, None) != value for key, value in HEAD.items()):
        raise ValueError(f"{NAME} does not say {json.dumps(HEAD)}")
    contents = from_json(Contents, data, NAME)
    for info in contents.tensors:
        if info.key not in keys:
            raise ValueError(f"{NAME} lists {info.key}, which is not there")
    return contents


def check_codable(dtype: np.dtype[Any]) -> None:
    """ValueError unless tensors may have that dtype."""
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES.values())}, not {dtype}")


def guess(key: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> TensorInfo:
    """What key and dtype tell: weights and activations are called so, or else weights are signed."""
    kind: Kind = "weight" if dtype.kind == "i" else "activation"
    if key.startswith("weight"):
        kind = "weight"
    elif key.startswith("activation"):
        kind = "activation"
    number = re.search(r"(\d+)\D*$", key)
    layouts = {2: "OI", 4: "OIHW"} if kind == "weight" else {2: "NC", 4: "NCHW"}
    return TensorInfo(
        key=key,
        kind=kind,
        layer=key,
        index=int(number[1][-9:]) if number else 0,
        dtype=dtype.name,
        shape=shape,
        layout=layouts.get(len(shape), ""),
        bits=8 * dtype.itemsize,
    )


def in_order(infos: list[TensorInfo]) -> tuple[TensorInfo, ...]:
    """Weights first, each kind by its numbers."""
    return tuple(sorted(infos, key=lambda info: (info.kind == "activation", info.index)))

"""Test vectors for other people's testbenches: memory images of streams, and what must come out.

For each tensor a folder with

- stream.bin, stream.hex: the compressed stream; the latter for $readmemh, one word of the memory a line,
  the byte at the lowest address in the word's lowest bits, the last word filled up with zeros;
- expected.bin, expected.hex: the values in order, little-endian; the latter one value a line, in two's
  complement;
- parameters.json: dtype, shape, sizes, and every header field, table and lane length.

vectors.json in the folder above lists them.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from atalanta.golden import container
from atalanta.golden.atomic import replacing
from atalanta.golden.errors import ParameterError
from atalanta.golden.format import padded
from atalanta.golden.values import Array
from atalanta.tools.inspection import inspect_stream

WORD_BITS = (8, 16, 32, 64, 128, 256, 512)


def readmemh(data: bytes, word_bytes: int) -> bytes:
    """Text for $readmemh: words of `word_bytes` bytes, little-endian, the last filled up with zeros."""
    whole = padded(data, word_bytes)
    words = (whole[at : at + word_bytes][::-1].hex() for at in range(0, len(whole), word_bytes))
    return "".join(f"{word}\n" for word in words).encode()


def write_vector(folder: Path, name: str, stream: bytes, word_bits: int) -> dict[str, Any]:
    """Write one tensor's vector; returns its entry for vectors.json. Raises StreamError, InputError."""
    values: Array = container.decode(stream)
    little = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    word = word_bits // 8
    about = inspect_stream(name, stream)
    sizes = {
        "word_bits": word_bits,
        "stream_words": -(-len(stream) // word),
        "value_bits": 8 * values.itemsize,
    }
    contents = {
        "stream.bin": stream,
        "stream.hex": readmemh(stream, word),
        "expected.bin": little,
        "expected.hex": readmemh(little, values.itemsize),
        "parameters.json": json.dumps(sizes | about, indent=1).encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in contents.items():
        with replacing(folder / file) as out:
            out.write(data)
    chosen = ("tensor", "dtype", "shape", "values", "bytes")
    return {"folder": folder.name, **sizes, **{key: about[key] for key in chosen}}


def write_vectors(
    folder: Path, streams: Iterable[tuple[str, bytes]], *, word_bits: int = 128
) -> list[dict[str, Any]]:
    """Write vectors of all streams, by name, and vectors.json; returns what that says.

    word_bits: width of the memory in stream.hex.
    Raises ParameterError if two names make the same folder, StreamError, InputError.
    """
    entries: list[dict[str, Any]] = []
    for name, stream in streams:
        safe = re.sub(r"[^A-Za-z0-9_-]", "_", name)
        if any(entry["folder"] == safe for entry in entries):
            raise ParameterError(
                f"tensor names must differ in letters and digits; {name!r} is a second {safe}"
            )
        entries.append(write_vector(folder / safe, name, stream, word_bits))
    with replacing(folder / "vectors.json") as out:
        out.write(json.dumps(entries, indent=1).encode())
    return entries


def some(array: Array, values: int) -> Array:
    """The first values of a tensor, flat; all of them in its shape if there are no more."""
    return array if array.size <= values else np.ascontiguousarray(array.reshape(-1)[:values])

"""Codecs from elsewhere: the document's own example, files and entry points."""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import atalanta
from atalanta.golden import container, plugins
from atalanta.golden.codec import CODECS
from atalanta.golden.errors import InputError, StreamError

DOCUMENT = Path(__file__).parents[2] / "golden" / "codecs" / "README.md"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The document's codec, saved as it says."""
    block = re.search(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.S | re.M)
    assert block
    path = tmp_path_factory.mktemp("plugin") / "trim.py"
    path.write_text(block[1])
    yield path
    CODECS.pop("trim", None)


@pytest.fixture(scope="module")
def trim(example: Path) -> str:
    assert plugins.load_file(example) == ["trim"]
    return "trim"


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
def test_the_document_s_codec(trim: str, dtype: type[np.integer]) -> None:
    array = np.random.default_rng(1).integers(5, 21, (70, 31)).astype(dtype)
    stream = atalanta.encode(array, trim)
    assert len(stream) == 32 + 3 + -(-array.size * 4 // 8)  # header, shape, 16 values in 4 bits each
    back = atalanta.decode(stream)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


@given(st.binary(max_size=60), st.integers(0, 40), st.integers(0, 7))
def test_the_document_s_codec_on_damaged_streams(trim: str, array: bytes, at: int, bit: int) -> None:
    stream = bytearray(atalanta.encode(np.frombuffer(array, np.int8), trim))
    stream[at % len(stream)] ^= 1 << bit
    with pytest.raises(StreamError):
        atalanta.decode(bytes(stream))


def test_empty_and_constant(trim: str) -> None:
    for array in (np.zeros(0, np.int8), np.full(1000, -7, np.int8)):
        stream = atalanta.encode(array, trim)
        assert len(stream) == 32
        assert np.array_equal(atalanta.decode(stream), array)
        assert sum(next(container.segments(stream)).parts(stream).values()) == 8 * 32


def test_files_that_are_no_plugins(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a plugin is a file that ends in \.py"):
        plugins.load_file(tmp_path / "missing.py")
    nothing = tmp_path / "nothing.py"
    nothing.write_text("x = 1\n")
    with pytest.raises(InputError, match="registers no codec"):
        plugins.load_file(nothing)


def test_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "announced_codec.py").write_text("LOADED = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("announced", "announced_codec", plugins.GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [entry] if group == plugins.GROUP else [])
    plugins.load_installed()
    assert sys.modules.pop("announced_codec").LOADED

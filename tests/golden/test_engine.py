"""The choice of engine: by option, by environment, and what happens without a library."""

import numpy as np
import pytest

import atalanta
from atalanta.golden import compiled, container
from atalanta.golden.codecs.atalanta import Atalanta
from atalanta.golden.engine import AUTO, NATIVE, REFERENCE, VARIABLE, use_native
from atalanta.golden.errors import ParameterError
from atalanta.golden.search import search


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "missing", lambda: "it was not built")


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The library's functions that have been called."""
    if compiled.missing():
        pytest.skip(compiled.missing())
    called: list[str] = []
    real = compiled.loaded()

    class Spy:
        def __getattr__(self, name: str) -> object:
            called.append(name.removeprefix("atalanta_"))
            return getattr(real, name)

    monkeypatch.setattr(compiled, "loaded", Spy)
    return called


@pytest.mark.usefixtures("library")
def test_auto_takes_the_library() -> None:
    assert use_native()
    assert use_native(NATIVE)
    assert not use_native(REFERENCE)


@pytest.mark.usefixtures("no_library")
def test_without_a_library() -> None:
    assert not use_native(AUTO)
    with pytest.raises(ParameterError, match="engine is native, but there is no native library: it was not"):
        use_native(NATIVE)
    data = atalanta.encode(np.arange(100, dtype=np.uint8))
    assert np.array_equal(atalanta.decode(data), np.arange(100))
    with pytest.raises(ParameterError, match="no native library"):
        atalanta.encode(np.arange(100, dtype=np.uint8), engine=NATIVE)


@pytest.mark.usefixtures("library")
def test_the_variable_decides_for_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, REFERENCE)
    assert not use_native(AUTO)
    assert use_native(NATIVE)
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(
        ParameterError, match=f"{VARIABLE} must be one of auto, native, reference, not 'fast'"
    ):
        use_native(AUTO)


def test_unknown_engine() -> None:
    with pytest.raises(ParameterError, match="engine must be one of auto, native, reference, not 'gpu'"):
        atalanta.encode(np.arange(9, dtype=np.uint8), engine="gpu")
    data = atalanta.encode(np.arange(9, dtype=np.uint8))
    with pytest.raises(ParameterError, match="engine must be one of"):
        atalanta.decode(data, engine="gpu")


@pytest.mark.parametrize("codec", ["atalanta", "shapeshifter", "raw", "best"])
def test_the_reference_keeps_off_the_library(codec: str, spy: list[str]) -> None:
    array = np.arange(2000, dtype=np.int16) // 9
    data = atalanta.encode(array, codec, engine=REFERENCE)
    assert np.array_equal(atalanta.decode(data, engine=REFERENCE), array)
    search(np.bincount(array, minlength=256), engine=REFERENCE)
    assert spy == []


def test_only_the_smallest_is_coded(spy: list[str]) -> None:
    """`best` measures every codec and codes with one; raw is not packed unless it wins."""
    rng = np.random.default_rng(1)
    peaked = rng.laplace(0, 9, 5000).clip(-128, 127).astype(np.int8)
    container.encode(peaked, "best")
    assert {"encode_fit", "encode_write", "shapeshifter_measure"} <= set(spy)
    assert not {"raw_encode", "shapeshifter_encode"} & set(spy)
    spy.clear()
    noise = rng.integers(0, 256, 5000).astype(np.uint8)
    container.encode(noise >> 1, bits=7)
    assert "raw_encode" in spy
    assert "encode_write" not in spy


def test_tables_of_another_precision() -> None:
    other = search(np.ones(256, np.int64), precision=atalanta.golden.params.Precision(count=6)).table
    with pytest.raises(ParameterError, match="table must be of the published precision"):
        Atalanta(table=other)


def test_table_of_other_bits() -> None:
    table = search(np.ones(16, np.int64)).table
    with pytest.raises(ParameterError, match=r"table\.bits must be the 8 of the values, not 4"):
        atalanta.encode(np.arange(50, dtype=np.uint8), table=table)


@pytest.mark.usefixtures("library")
def test_a_library_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "INTERFACE", compiled.INTERFACE + 1)
    compiled._find.cache_clear()
    try:
        assert "install the package again" in compiled.missing()
        assert not use_native()
    finally:
        monkeypatch.undo()
        compiled._find.cache_clear()

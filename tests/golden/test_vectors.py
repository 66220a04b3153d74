"""The conformance corpus in tests/vectors: good streams give their values, bad ones their errors."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

import atalanta
from atalanta.golden.container import decode_segments, segments
from atalanta.golden.errors import MEANING, ErrorCode, StreamError

FOLDER = Path(__file__).parents[1] / "vectors"
ABOUT = json.loads((FOLDER / "vectors.json").read_text())
HARDWARE_ONLY = {ErrorCode.NONE, ErrorCode.BUS, ErrorCode.UNSUPPORTED, ErrorCode.ABORTED}


@pytest.mark.parametrize("name", ABOUT["good"])
def test_good(name: str, engine: str) -> None:
    data = (FOLDER / "good" / f"{name}.atl").read_bytes()
    expected = np.load(FOLDER / "good" / f"{name}.npy")
    assert [segment.codec.name for segment in segments(data)] == ABOUT["good"][name]["codecs"]
    read = atalanta.decode(data, engine=engine)
    assert (read.dtype, read.shape) == (expected.dtype, expected.shape)
    assert np.array_equal(read, expected)
    assert np.array_equal(np.concatenate(list(decode_segments(data, engine=engine))), expected.reshape(-1))
    assert sum(sum(segment.parts(data).values()) for segment in segments(data)) == 8 * len(data)


@pytest.mark.parametrize("name", ABOUT["bad"])
def test_bad(name: str, engine: str) -> None:
    data = (FOLDER / "bad" / f"{name}.atl").read_bytes()
    with pytest.raises(StreamError) as caught:
        atalanta.decode(data, engine=engine)
    assert caught.value.code.name == ABOUT["bad"][name]["error"]


@pytest.mark.usefixtures("vectors")
def test_good_with_every_vector_width() -> None:
    for name in ABOUT["good"]:
        data = (FOLDER / "good" / f"{name}.atl").read_bytes()
        assert np.array_equal(atalanta.decode(data), np.load(FOLDER / "good" / f"{name}.npy")), name


def test_every_error_that_software_meets_has_a_stream() -> None:
    assert {about["error"] for about in ABOUT["bad"].values()} == {
        c.name for c in set(MEANING) - HARDWARE_ONLY
    }


def test_the_readme_shows_how(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program passes with this decoder, and not with one that is wrong."""
    monkeypatch.chdir(FOLDER.parents[1])
    shown = (FOLDER / "README.md").read_text().split("```python\n")[1].split("```")[0]
    program = compile(shown, "README.md", "exec")
    exec(program, {"my_decoder": atalanta.decode})
    with pytest.raises(AssertionError):
        exec(program, {"my_decoder": lambda data: atalanta.decode(data).reshape(-1)[:1]})


def test_the_script_makes_the_corpus(tmp_path: Path) -> None:
    spec = spec_from_file_location("make_vectors", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make(tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*")}
    kept = {
        path.relative_to(FOLDER): path.read_bytes()
        for path in FOLDER.rglob("*.*")
        if path.suffix in (".atl", ".npy", ".json")
    }
    assert made.keys() == kept.keys()
    for path, data in made.items():
        assert data == kept[path], path

"""`atalanta bench codec`: sizes are what decoding needs, nothing missing is made up, losses are seen."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import atalanta
from atalanta.golden.header import pack_shape
from atalanta.golden.values import Array
from atalanta.tools.bench import coders
from atalanta.tools.bench.codec import CoderError, Work, bench, summary
from atalanta.tools.bench.codec import Result as Row
from atalanta.tools.bench.coders import CODERS, Coder
from atalanta.tools.cli import bench_codec, main

RNG = np.random.default_rng(3)
WEIGHTS: Array = RNG.laplace(0, 12, (16, 8, 5, 5)).clip(-128, 127).astype(np.int8)
WIDE: Array = RNG.normal(0, 500, (30, 41)).astype(np.int16)
ZEROS: Array = np.zeros((3, 7), np.uint8)


def run(*words: str | Path | int) -> Result:
    return CliRunner().invoke(main, ["bench", "codec", *map(str, words)])


@pytest.mark.parametrize(
    "array", [WEIGHTS, WIDE, ZEROS, WEIGHTS.view(np.uint8)], ids=["w", "wide", "zeros", "a"]
)
@pytest.mark.parametrize("kind", CODERS, ids=lambda coder: coder.name)
def test_every_coder_gives_arrays_back(kind: type[Coder], array: Array) -> None:
    if kind.missing():
        pytest.skip(f"{kind.package} is not installed")
    coder = kind()
    if not coder.takes("weight", array):
        pytest.skip("not made for such arrays")
    prepared = coder.prepare(array)
    coded = coder.encode(prepared)
    found = coder.array(coder.decode(coded, prepared), array)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert np.array_equal(found, array)
    assert coder.nbytes(coded, array) > 0


def test_sizes() -> None:
    results = {row.coder: row for row in bench([Work("w", "weight", WEIGHTS)], repeats=1)}
    kept = 1 + len(pack_shape(WEIGHTS.shape))
    assert results["atalanta, 16 lanes"].nbytes == len(atalanta.encode(WEIGHTS))
    assert results["atalanta, 1 lane"].nbytes == len(atalanta.encode(WEIGHTS, lanes=1))
    assert results["zlib -6"].nbytes == len(zlib.compress(WEIGHTS.tobytes(), 6)) + kept
    if not coders.Range.missing():
        # What the range coder's kernel makes, and its model: which values occur, and a byte for how often.
        seen = len(np.unique(WEIGHTS))
        model = 32 + seen + 4 + kept
        assert abs(results[coders.Range.name].nbytes - results[coders.RangeCoding.name].nbytes - model) <= 8
    assert all(row.encode_s > 0 and row.decode_s > 0 for row in results.values())


@pytest.mark.skipif(coders.Range.missing(), reason="constriction is not installed")
@pytest.mark.parametrize("spread", [0.3, 3, 30])
def test_rounded_frequencies_cost_peers_nothing(spread: float) -> None:
    """A byte for each value's frequency: its kernel's output stays within 0.01 % of that with exact ones."""
    array = RNG.laplace(0, spread, 1 << 18).clip(-128, 127).astype(np.int8)
    coder, exact = coders.Range(), coders.RangeCoding()
    words, levels = coder.encode(array)
    least = exact.nbytes(exact.encode(exact.prepare(array)), array)
    assert levels.dtype == np.uint8
    assert least <= 4 * len(words) <= least * 1.0001 + 8


def test_summary() -> None:
    rows = [
        Row("x", "1", "weight", 1000, 500, 0.001, 0.0005),
        Row("x", "2", "weight", 3000, 900, 0.003, 0.0005),
        Row("x", "3", "activation", 100, 90, 0.1, 0.1),
        Row("y", "1", "weight", 1000, 800, 1.0, 1.0),
    ]
    first, second = summary(rows, "weight")
    assert (first["coder"], first["tensors"], first["raw_bytes"], first["bytes"]) == ("x", 2, 4000, 1400)
    assert first["ratio"] == pytest.approx(0.35)
    assert first["encode_mb_s"] == pytest.approx(1.0)
    assert first["decode_mb_s"] == pytest.approx(4.0)
    assert second["coder"] == "y"


def test_a_coder_that_loses_something() -> None:
    class Forgets(coders.Memcpy):
        name = "forgets"

        def decode(self, coded: Any, prepared: Any) -> Any:
            return coded & 0x7E

    with pytest.raises(CoderError, match="forgets does not give w back"):
        bench([Work("w", "weight", WEIGHTS)], coders=[Forgets], repeats=1)


def test_command(tmp_path: Path) -> None:
    np.savez(tmp_path / "n.npz", weights_1=WEIGHTS, activations_1=np.abs(WEIGHTS).astype(np.uint8))
    words: list[str | Path | int] = [
        tmp_path / "n.npz",
        "--repeats",
        1,
        "--threads",
        2,
        "-o",
        tmp_path / "out",
    ]
    result = run(*words)
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "out" / "codec.json").read_text())
    assert (tmp_path / "out" / "codec.png").read_bytes().startswith(b"\x89PNG")
    shown = {row["coder"] for row in document["coders"]}
    missing = {row["coder"] for row in document["missing"]}
    assert shown | missing == {coder.name for coder in CODERS}
    assert not shown & missing
    for row in document["coders"]:
        assert row["coder"] in result.output
        parts = [r for r in document["results"] if (r["coder"], r["kind"]) == (row["coder"], row["kind"])]
        assert row["bytes"] == sum(part["nbytes"] for part in parts)
    mlw = {row["kind"] for row in document["coders"] if row["coder"].startswith("mlw")}
    assert mlw <= {"weight"}
    threads = document["threads"]
    assert (threads.pop("kind"), threads.pop("threads")) == ("weight", 2)
    ways = {"encode", "decode", "encode_largest", "decode_largest", "ceiling"}
    assert threads.keys() == ways
    assert all(speedup > 0 for speedup in threads.values())


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(coders, "find_spec", lambda _: None)
    np.save(tmp_path / "w.npy", WEIGHTS)
    result = run(tmp_path / "w.npy", "--repeats", 1)
    assert result.exit_code == 0, result.output
    for coder in CODERS:
        rows = [line for line in result.output.splitlines() if coder.name in line]
        assert any(f"needs {coder.package}: pip install 'atalanta[bench]'" in row for row in rows) == bool(
            coder.module
        )
    assert "range coder (constriction) " not in result.output.split("needs")[0]


def test_bad_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "n.npz", x=np.ones(3))
    for file, message in ((tmp_path / "n.npz", "no tensors in"), (tmp_path / "none.npz", "No such file")):
        result = run(file)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1


def test_largest() -> None:
    works = bench_codec._works((), 2)
    assert [work.kind for work in works] == ["weight"] * 2 + ["activation"] * 2
    assert works[0].array.size >= works[1].array.size

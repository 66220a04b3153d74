"""Profiled tables: any value can be coded, files keep them, and what they cost is what it costs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import atalanta
from atalanta.golden.container import segments
from atalanta.golden.errors import InputError
from atalanta.golden.profile import profile, table_from_json, table_to_json
from atalanta.golden.values import Array
from atalanta.tools.cli import main
from atalanta.tools.profiles import load, save

RNG = np.random.default_rng(12)


def images(seed: int) -> dict[str, Array]:
    """Activations of two layers for one image."""
    rng = np.random.default_rng(seed)
    return {
        "activations.000": rng.poisson(3 + seed, (1, 40, 50)).astype(np.uint8),
        "activations.001": rng.normal(0, 20 + seed, (1, 900)).round().clip(-128, 127).astype(np.int8),
        "weights.000": rng.normal(0, 9, 700).round().astype(np.int8),
    }


def write(folder: Path, *seeds: int) -> list[Path]:
    paths = []
    for seed in seeds:
        paths.append(folder / f"image{seed}.npz")
        np.savez(paths[-1], **images(seed))  # type: ignore[arg-type]
    return paths


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def done(*words: str | Path) -> Result:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


@given(st.lists(st.integers(0, 15), max_size=30), st.integers(1, 16), st.booleans())
def test_values_never_seen_are_codable(seen: list[int], rows: int, signed: bool) -> None:
    """Whatever the samples, a table codes every value there is."""
    dtype = np.int8 if signed else np.uint8
    low = -8 if signed else 0
    sample = (np.array(seen, int) + low).astype(dtype)
    table = profile([sample], bits=4, rows=rows)
    assert all(table.count(row) for row in range(table.rows))
    everything = (np.arange(16) + low).repeat(9).astype(dtype)
    assert np.array_equal(atalanta.decode(atalanta.encode(everything, bits=4, table=table)), everything)


def test_the_table_is_that_of_all_samples() -> None:
    a, b = (images(seed)["activations.000"] for seed in (1, 6))
    both = profile([a, b])
    assert both == profile([np.concatenate([a, b])])
    assert both != profile([a])
    assert len(atalanta.encode(b, table=both)) < len(atalanta.encode(b, table=profile([a])))


def test_a_table_through_json() -> None:
    table = profile([images(2)["activations.001"]], rows=7)
    assert table.rows <= 7
    assert table_from_json(json.loads(json.dumps(table_to_json(table))), "here") == table


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"bits": 8, "v_min": [0]},
        {"bits": 8, "v_min": [0], "cum": ["0"]},
        {"bits": 8, "v_min": [], "cum": []},
        {"bits": 99, "v_min": [0], "cum": [0]},
        {"bits": True, "v_min": [0], "cum": [0]},
        {"bits": 8, "v_min": [0, 300], "cum": [0, 5]},
        {"bits": 8, "v_min": [0, 3], "cum": [0, 1025]},
        {"bits": 8, "v_min": [1], "cum": [0]},
    ],
)
def test_bad_tables(data: Any) -> None:
    with pytest.raises(InputError, match="here"):
        table_from_json(data, "here")


def test_samples_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="needs a sample"):
        profile([])
    with pytest.raises(InputError, match="samples of uint8 and of int8"):
        profile([np.zeros(3, np.uint8), np.zeros(3, np.int8)])


def test_commands(tmp_path: Path) -> None:
    one, two, other = write(tmp_path, 1, 3, 2)
    tables = tmp_path / "tables.json"
    report = json.loads(done("profile", one, two, "-o", tables, "--check", other, "--json").stdout)
    found = load(tables)
    assert list(found) == ["activations.000", "activations.001"]
    for name, table in found.items():
        assert table == profile([images(1)[name], images(3)[name]])
    assert len(report["samples"]) == 4
    for cost in report["check"]:
        array = images(2)[cost["tensor"]]
        assert cost["own_bytes"] == len(atalanta.encode(array))
        assert cost["profiled_bytes"] == len(atalanta.encode(array, table=found[cost["tensor"]]))
    assert "files of --check" in done("profile", one, two, "-o", tables, "--check", other).output
    done("encode", other, "-o", tmp_path / "a.atn", "--profile", tables)
    with atalanta.open(tmp_path / "a.atn") as archive:
        for name, array in images(2).items():
            assert np.array_equal(archive[name], array)
            (segment,) = segments(archive.stream(name))
            assert (segment.layout.table == found.get(name)) == (name in found)


def test_a_single_array_goes_by_its_name(tmp_path: Path) -> None:
    array = images(4)["activations.000"]
    table = profile([images(1)["activations.000"]])
    save(tmp_path / "tables.json", {"x": table})
    for name in ("x", "y"):
        np.save(tmp_path / f"{name}.npy", array)
        done(
            "encode",
            tmp_path / f"{name}.npy",
            "-o",
            tmp_path / f"{name}.atl",
            "--profile",
            tmp_path / "tables.json",
        )
    assert (tmp_path / "x.atl").read_bytes() == atalanta.encode(array, table=table)
    assert (tmp_path / "y.atl").read_bytes() == atalanta.encode(array)


def test_bad_files(tmp_path: Path) -> None:
    (sample,) = write(tmp_path, 1)
    tables = tmp_path / "tables.json"
    np.savez(tmp_path / "none.npz", x=np.ones(3))
    cases: tuple[tuple[list[str | Path], str], ...] = (
        (["profile", tmp_path / "no.npz", "-o", tables], "No such file"),
        (["profile", tmp_path / "none.npz", "-o", tables], "no activations in"),
        (["profile", sample, "-o", tmp_path / "no" / "tables.json"], "cannot write"),
        (["encode", sample, "-o", tmp_path / "a.atn", "--profile", sample], "not JSON"),
        (["encode", sample, "-o", tmp_path / "a.atn", "--profile", tables], "No such file"),
    )
    for words, message in cases:
        result = run(*words)
        assert result.exit_code == 2, result.output
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
    for text in ("[]", "{}", '{"format": "atalanta tables", "version": 2, "tables": {}}'):
        tables.write_text(text)
        assert (
            "is not a file of tables"
            in run("encode", sample, "-o", tmp_path / "a", "--profile", tables).stderr
        )
    tables.write_text('{"format": "atalanta tables", "version": 1, "tables": {"x": 1}}')
    assert "x is not a table" in run("encode", sample, "-o", tmp_path / "a", "--profile", tables).stderr
    assert not (tmp_path / "a.atn").exists()


def test_a_codec_without_tables(tmp_path: Path) -> None:
    (sample,) = write(tmp_path, 1)
    save(tmp_path / "t.json", {"weights.000": profile([images(1)["weights.000"]])})
    result = run(
        "encode", sample, "-o", tmp_path / "a", "--profile", tmp_path / "t.json", "--codec", "shapeshifter"
    )
    assert result.exit_code == 2
    assert "codec shapeshifter" in result.stderr

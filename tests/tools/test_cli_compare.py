"""`atalanta compare`, from files to files."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from compare_data import activations, write
from toy_tflite import toy

from atalanta.golden.codec import CODECS
from atalanta.golden.decoder import CAUSES
from atalanta.tools.cli import main
from atalanta.tools.compare import network as networks
from atalanta.tools.extract.api import extract

EXAMPLE = Path(__file__).parents[2] / "golden" / "codecs" / "README.md"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATALANTA_CACHE", str(tmp_path / "cache"))


def unexpected(*_arguments: object) -> None:
    raise AssertionError("not from the cache")


def run(tmp_path: Path, *arguments: str, before: tuple[str, ...] = ()) -> Result:
    command = [*before, "compare", *arguments, "-o", str(tmp_path / "out")]
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, command)


def document(tmp_path: Path, *arguments: str, before: tuple[str, ...] = ()) -> dict:
    result = run(tmp_path, *arguments, "--json", before=before)
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed == json.loads((tmp_path / "out" / "compare.json").read_text())
    return printed


def test_files(tmp_path: Path) -> None:
    path = write(tmp_path / "net.npz")
    result = run(tmp_path, str(path), "--layers")
    assert result.exit_code == 0, result.output
    for text in ("Atalanta", "order-0 entropy", "activations.000", "not available for these networks"):
        assert text in result.output
    (images,) = (line for line in result.output.splitlines() if "tables from others" in line)
    assert images.endswith(" 2, 2  ")
    written = {p.name for p in (tmp_path / "out").iterdir()}
    assert written == {"compare.json", "compare.csv", "compare_bits.csv", "figure3.png", "figure3.pdf",
                       "codecs.png", "codecs.pdf"}  # fmt: skip
    assert (tmp_path / "out" / "figure3.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / "codecs.pdf").read_bytes().startswith(b"%PDF")


def test_tensors_too_small_to_compress(tmp_path: Path) -> None:
    """Figures and report are drawn all the same, and a single value takes a whole header."""
    path = write(
        tmp_path / "odd.npz", weights_000=np.array(5, np.int8), activations_000=np.zeros(7, np.uint8)
    )
    found = document(tmp_path, str(path), "--html")
    assert (
        found["networks"][0]["totals"]["weight"]["lines"]["shapeshifter"]["ratio"] == 32 + 1 + 1
    )  # its shape, too
    assert (tmp_path / "out" / "report.html").stat().st_size > 1_000_000


def test_published_networks_have_figure_3_and_table_4(tmp_path: Path) -> None:
    result = run(tmp_path, str(write(tmp_path / "resnet50.npz")), "--no-figures")
    assert result.exit_code == 0, result.output
    for text in ("Figure 3", "Table 4", "0.8293", "0.9984", "16.94 %", "23,454,912 published, 1,200 here"):
        assert text in result.output


def test_csv_holds_the_numbers_of_the_json(tmp_path: Path) -> None:
    found = document(tmp_path, str(write(tmp_path / "net.npz")), "--no-figures")
    (network,) = found["networks"]
    rows, parts = (
        list(csv.DictReader((tmp_path / "out" / name).read_text().splitlines()))
        for name in ("compare.csv", "compare_bits.csv")
    )
    for tensor, row in zip(network["tensors"], rows, strict=True):
        for line, size in tensor["lines"].items():
            assert float(row[f"{line}_bytes"]) == size["bytes"]
            own = (p for p in parts if (p["key"], p["line"]) == (tensor["key"], line))
            assert sum(float(p["bits"]) for p in own) == pytest.approx(8 * size["bytes"])
    assert rows[0]["atalanta-own_bytes"] == ""


def test_the_samples_are_the_default(tmp_path: Path) -> None:
    found = document(tmp_path, "--codec", "atalanta", "--codec", "shapeshifter", "--no-figures")
    (network,) = found["networks"]
    assert network["name"] == "efficientnet_lite0"
    assert network["totals"]["weight"]["values"] == 2_009_568
    assert network["totals"]["weight"]["lines"]["atalanta"]["ratio"] < 0.904


def test_the_same_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "net.npz")
    arguments = (str(path), "--no-figures", "--simulate", "--memory", "ddr4-3200")
    first = document(tmp_path, *arguments)
    for module, name in ((networks.sizes, "size"), (networks.sizes, "facts"), (networks.cycles, "run")):
        monkeypatch.setattr(module, name, unexpected)
    assert document(tmp_path, *arguments) == first
    monkeypatch.undo()
    monkeypatch.setenv("ATALANTA_CACHE", str(tmp_path / "cache"))
    assert document(tmp_path, *arguments, "--no-cache") == first


def test_simulation(tmp_path: Path) -> None:
    path = write(
        tmp_path / "net.npz", weights_000=np.arange(512).astype(np.int16), activations_000=activations()
    )
    found = document(tmp_path, str(path), "--no-figures", "--simulate", "--memory", "ddr4-3200")
    assert found["memory"].startswith("ddr4-3200")
    for tensor in found["networks"][0]["tensors"]:
        assert set(tensor["cycles"]) == {"atalanta", "shapeshifter", "raw"}
        for name, cycles in tensor["cycles"].items():
            assert sum(cycles["counters"][cause] for cause in CAUSES) == cycles["cycles"]
            assert cycles["slots"] == cycles["counters"]["slot"]
            assert 0 < cycles["energy_j"] < 1e-3
            if name in tensor["lines"]:
                assert 0 <= cycles["bytes_moved"] - tensor["lines"][name]["bytes"] < 64
    ideal = document(tmp_path, str(path), "--no-figures", "--simulate")
    assert ideal["networks"][0]["totals"]["weight"]["cycles"]["atalanta"]["energy_j"] is None


def test_a_plugin_is_a_line_of_the_comparison(tmp_path: Path) -> None:
    code = EXAMPLE.read_text().split("```python\n")[1].split("```")[0]
    (tmp_path / "trim.py").write_text(code)
    path = write(tmp_path / "net.npz")
    try:
        found = document(
            tmp_path, str(path), "--codec", "trim", "--codec", "atalanta", "--codec", "entropy",
            "--no-figures", before=("--plugin", str(tmp_path / "trim.py")),
        )  # fmt: skip
    finally:
        CODECS.pop("trim", None)
    assert [line["name"] for line in found["lines"]] == ["atalanta", "trim", "entropy"]
    assert found["networks"][0]["totals"]["weight"]["lines"]["trim"]["bytes"] > 0


def test_a_model_s_file_is_extracted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "toy.tflite"
    model.write_bytes(toy())
    found = document(tmp_path, str(model), "--codec", "atalanta", "--no-figures")
    expected = extract(model, tmp_path / "toy.npz")
    keys = [t["key"] for t in found["networks"][0]["tensors"]]
    assert keys[: len(expected.of_kind("weight"))] == [info.key for info in expected.of_kind("weight")]
    monkeypatch.setattr("atalanta.tools.compare.sources.api.extract", unexpected)
    assert document(tmp_path, str(model), "--codec", "atalanta", "--no-figures") == found


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [("matplotlib", (), "plot"), ("plotly.offline", ("--html", "--no-figures"), "report")],
)
def test_missing_extras_are_said_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, arguments: tuple[str, ...], extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(networks.sizes, "size", unexpected)
    result = run(tmp_path, str(write(tmp_path / "net.npz")), *arguments)
    assert result.exit_code == 2
    assert f"atalanta[{extra}]" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.npz",), "missing.npz: No such file"),
        (("missing.tflite",), "cannot read missing.tflite: no such file"),
        (("no_such_network",), "model must be a file"),
        (("--codec", "zip"), "codec must be one of atalanta"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run(tmp_path, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_unreadable_files(tmp_path: Path) -> None:
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"PK\x03\x04 not a zip")
    other = tmp_path / "notes.txt"
    other.write_text("x")
    for path in (bad, other):
        result = run(tmp_path, str(path))
        assert result.exit_code == 2
        assert str(path) in result.stderr
    path = write(tmp_path / "net.npz")
    twice = run(tmp_path, str(path), str(path))
    assert "another network is named 'net'" in twice.stderr

"""The command `atalanta extract`: what it writes and says, and one line for whatever is wrong."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import nn

from atalanta.tools.cli.extract import extract
from atalanta.tools.extract import api
from atalanta.tools.extract.network import Network
from atalanta.tools.extract.tensors import TensorFile

TORCH_MODULES = ("network", "samples", "pipeline", "quantise", "graph", "layers", "hooks", "vision",
                 "torchvision_models", "efficientnet")  # fmt: skip


def tiny() -> Network:
    """A classifier of two layers."""
    torch.manual_seed(3)
    convolution = (nn.Conv2d(3, 4, 3, stride=2), nn.ReLU())
    return Network(
        name="tiny",
        module=nn.Sequential(*convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)).eval(),
        size=(16, 12),
        mean=(120.0, 110.0, 100.0),
        std=(60.0, 60.0, 50.0),
        source="this test",
        licence="Apache-2.0",
        weights_sha256="0" * 64,
        packages=("torch",),
    )


@pytest.fixture(autouse=True)
def tiny_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(api.MODELS, "tiny", tiny)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(extract, [str(word) for word in words])


def test_extract(tmp_path: Path) -> None:
    out = tmp_path / "tiny.npz"
    result = run("tiny", "-o", out)
    assert result.exit_code == 0, result.output
    file = TensorFile.open(out)
    assert list(file.tensors) == [f"weights.{i:03d}" for i in range(2)] + [
        f"activations.{i:03d}" for i in range(4)
    ]
    assert file.tensors["activations.001"].shape == (17, 4, 7, 5)
    assert file.provenance.command == "atalanta extract tiny -o tiny.npz"
    agree, of = file.provenance.top1_agreement
    assert of == 17
    for part in (f"on {agree} of 17 images", "3 layers, 3,820 multiply", f"{out.stat().st_size:,} bytes"):
        assert part in result.stdout


def test_json_and_choice(tmp_path: Path) -> None:
    out = tmp_path / "tiny.npz"
    words = ("--bits", "5", "--per-tensor", "--keep", "coffee,cell", "--only", "weights.*,activations.003")
    result = run("tiny", "-o", out, *words, "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    file = TensorFile.open(out)
    assert [t["key"] for t in said["tensors"]] == ["weights.000", "weights.001", "activations.003"]
    assert [t["sha256"] for t in said["tensors"]] == [t.sha256 for t in file.tensors.values()]
    assert file.tensors["activations.003"].images == ("cell", "coffee")  # in the order in which they ran
    assert file.read("activations.003").shape == (2, 10)
    assert {t.bits for t in file.tensors.values()} == {5}
    assert len(file.tensors["weights.000"].scale) == 1
    assert said["bytes"] == out.stat().st_size
    assert said["provenance"]["command"] == (
        "atalanta extract tiny -o tiny.npz --bits 5 --per-tensor --keep coffee,cell "
        "--only 'weights.*,activations.003'"
    )
    assert (
        run(*said["provenance"]["command"].replace("'", "").split()[2:], "-o", out, "--json").exit_code == 0
    )


def test_own_images(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in (("red.png", (255, 0, 0)), ("grey.png", (9, 9, 9))):
        Image.new("RGB", (30, 20), colour).save(folder / name)
    (folder / "labels.txt").write_text("cat\n")
    result = run("tiny", "-o", tmp_path / "x.npz", "--images", folder)
    assert result.exit_code == 0
    assert "skipped labels.txt: no image by its name (.bmp" in result.output
    file = TensorFile.open(tmp_path / "x.npz")
    assert [(i.name, i.source) for i in file.provenance.images] == [
        ("grey.png", "photos/grey.png"),
        ("red.png", "photos/red.png"),
    ]
    assert file.read("activations.000").shape == (2, 3, 16, 12)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nope", "-o", "x.npz"), ".npz, .npy, .safetensors) or one of efficientnet_lite0, tiny, alexnet, "),
        (("tiny", "-o", "x.npz", "--mean", "1,b", "--std", "1"), "must be one number or three"),
        (("x.onnx", "-o", "x.npz", "--mean", "1,2", "--std", "1"), "mean and std must be 1 or 3 numbers"),
        (("tiny", "-o", "x.npz", "--random-weights"), "the option random_weights means nothing for tiny"),
        (("tiny", "-o", "nowhere/x.npz"), "cannot write nowhere/x.npz: No such file or directory"),
        (("tiny", "-o", "x.npy"), "cannot write x.npy: a file of tensors is named .npz or .safetensors"),
        (("tiny", "-o", "x.npz", "--images", "nowhere"), "nowhere is not a folder"),
        (("tiny", "-o", "x.npz", "--keep", "dog"), "there is no image dog; there are astronaut, brick, "),
        (("tiny", "-o", "x.npz", "--only", "weights.9"), "there is no tensor weights.9; there are "),
        (("tiny", "-o", "x.npz", "--bits", "9"), "9 is not in the range 2<=x<=8"),
        (("tiny",), "Missing option '-o'"),
    ],
)  # fmt: skip
def test_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("Error: "))
    assert message in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["torch", "efficientnet_lite_pytorch"])
def test_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    for name in [n for n in sys.modules if n.startswith("atalanta.tools.extract.")]:
        if name.rpartition(".")[2] in TORCH_MODULES:
            monkeypatch.delitem(sys.modules, name)
            monkeypatch.delattr(name)
    monkeypatch.setitem(sys.modules, package, None)
    result = run("efficientnet_lite0", "-o", tmp_path / "x.npz")
    assert result.exit_code == 2
    assert "pip install 'atalanta[models]'" in result.stderr


def test_help_and_list() -> None:
    names = run("--list").stdout.split()
    assert {"efficientnet_lite0", "tiny", "resnet18", "quantized_resnet50"} <= set(names)
    result = run("--help")
    assert "atalanta extract efficientnet_lite0 -o lite0.npz" in result.stdout


def test_what_is_skipped_is_shown(tmp_path: Path) -> None:
    many = {f"[real] {i}": np.ones(2) for i in range(11)}
    np.savez(tmp_path / "x.npz", **many, weights=np.ones(2, np.int8))  # type: ignore[arg-type]
    lines = run(tmp_path / "x.npz", "-o", tmp_path / "y.npz").stdout.splitlines()
    assert "skipped [real] 0: dtype must be one of int8, uint8, int16, uint16, not float64" in lines
    assert lines[-1] == "... and 3 more; --json lists them all"

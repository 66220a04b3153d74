"""Tensors in files from elsewhere, and the same contents in either format."""

import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from atalanta.golden.errors import InputError, ParameterError
from atalanta.tools.extract.api import extract
from atalanta.tools.extract.extras import MissingExtraError
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.samples import sample_path


def test_both_formats_hold_the_same(tmp_path: Path) -> None:
    only = ("weights.00?", "activations.05[79]", "weights.018")
    first = extract(sample_path(), tmp_path / "a.safetensors", only=only)
    second = extract(tmp_path / "a.safetensors", tmp_path / "b.npz")
    sample = TensorFile.open(sample_path())
    assert list(first.tensors) == ["weights.000", "weights.018", "activations.057", "activations.059"]
    for file in (first, second):
        assert file.provenance == sample.provenance
        assert {layer.name for layer in file.layers} == {
            "_conv_stem", "_blocks.6._expand_conv", "_blocks.15._project_conv", "_conv_head",
            "_avg_pooling.adaptive_avg_pool2d", "_fc",
        }  # fmt: skip
        assert set(file.layers) <= set(sample.layers)
        for key, info in file.tensors.items():
            assert info == sample.tensors[key]
            np.testing.assert_array_equal(file.read(key), sample.read(key))


def test_any_safetensors(tmp_path: Path) -> None:
    arrays = {
        "block.1.weight": np.arange(-3, 3, dtype=np.int8).reshape(2, 3),
        "activations.0": np.arange(4, dtype=np.uint16),
        "bias": np.zeros(3, np.float32),
    }
    safetensors.numpy.save_file(arrays, str(tmp_path / "x.safetensors"))
    file = TensorFile.open(tmp_path / "x.safetensors")
    assert [(t.key, t.kind, t.layout, t.bits) for t in file.tensors.values()] == [
        ("block.1.weight", "weight", "OI", 8),
        ("activations.0", "activation", "", 16),
    ]
    for key in file.tensors:
        np.testing.assert_array_equal(file.read(key), arrays[key])
    assert [(s.name, s.reason) for s in file.skipped] == [("bias", "its type is F32")]
    taken = extract(tmp_path / "x.safetensors", tmp_path / "y.npz")
    assert taken.skipped == file.skipped
    assert (taken.provenance.model, taken.provenance.source) == ("x", "x.safetensors")
    assert len(taken.provenance.weights_sha256) == 64


def test_arrays_of_numpy(tmp_path: Path) -> None:
    np.savez(tmp_path / "traces.npz", **{"weights.000": np.full((2, 2), 7, np.int8), "scale": np.ones(2)})
    file = extract(tmp_path / "traces.npz", tmp_path / "x.npz")
    np.testing.assert_array_equal(file.read("weights.000"), np.full((2, 2), 7))
    assert [s.name for s in file.skipped] == ["scale"]
    np.save(tmp_path / "one.npy", np.full(3, 9, np.uint8))
    np.testing.assert_array_equal(extract(tmp_path / "one.npy", tmp_path / "y.npz").read("one"), [9] * 3)


def test_nothing_to_take(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", real=np.ones(2))
    with pytest.raises(InputError, match=r"no tensor of integers to write \(real: dtype must be one of int8"):
        extract(tmp_path / "x.npz", tmp_path / "y.npz")
    with pytest.raises(InputError, match="No such file"):
        extract(tmp_path / "nowhere.safetensors", tmp_path / "y.npz")
    with pytest.raises(ParameterError, match=r"the option images means nothing for a \.npz file"):
        extract(tmp_path / "x.npz", tmp_path / "y.npz", images=tmp_path)


@pytest.mark.parametrize(
    "data", [b"", b"rubbish" * 9, (1 << 60).to_bytes(8, "little"), b"\x02" + bytes(7) + b"{}["]
)
def test_damaged_safetensors(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"x\.safetensors: "):
        TensorFile.open(path)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_damage_is_an_error_or_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "x.safetensors"
    extract(sample_path(), path, only=["weights.000"])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        file = TensorFile.open(path)
        for info in file.tensors.values():
            assert file.read(info.key).shape == info.shape
    except InputError:
        return


@pytest.mark.parametrize(
    ("package", "file"),
    [("safetensors", "x.safetensors"), ("tflite", "x.tflite"), ("onnx", "x.onnx")],
)
def test_missing_packages_name_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, file: str
) -> None:
    for name in ("safetensors_format", "tflite_file", "onnx_file", "onnx_graph"):
        monkeypatch.delitem(sys.modules, f"atalanta.tools.extract.{name}", raising=False)
        monkeypatch.delattr(f"atalanta.tools.extract.{name}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / file).write_bytes(b"x")
    with pytest.raises(MissingExtraError, match=rf"this needs {package}: pip install 'atalanta\[formats\]'"):
        extract(tmp_path / file, tmp_path / "y.npz")

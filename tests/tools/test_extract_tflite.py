"""TFLite files: every weight and activation, and integers that agree with NumPy's."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_layers import Integers, convolution, steps
from PIL import Image
from toy_tflite import toy

from atalanta.golden.errors import InputError, ParameterError
from atalanta.tools.extract.api import extract
from atalanta.tools.extract.images import fit, folder_photos
from atalanta.tools.extract.tensors import LayerInfo, TensorFile
from atalanta.tools.extract.tflite_file import _Model, _Tensor

REAL = os.environ.get("ATALANTA_TFLITE")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(6)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(folder / name)
    return folder


@pytest.fixture
def toy_file(tmp_path: Path, photos: Path) -> TensorFile:
    path = tmp_path / "toy.tflite"
    path.write_bytes(toy())
    return extract(path, tmp_path / "toy.npz", images=photos)


def test_every_tensor_is_there(toy_file: TensorFile) -> None:
    assert [(w.layer, w.shape, w.layout, len(w.scale), w.axis) for w in toy_file.of_kind("weight")] == [
        ("c1", (4, 3, 3, 3), "OHWI", 4, 0),
        ("c2", (1, 2, 3, 4), "IHWO", 4, 3),
        ("y", (10, 36), "OI", 1, None),
    ]
    assert [(a.layer, a.shape, a.layout, a.zero_point) for a in toy_file.of_kind("activation")] == [
        ("input", (2, 8, 9, 3), "NHWC", (-3,)),
        ("c1", (2, 4, 5, 4), "NHWC", (-128,)),
        ("c2", (2, 3, 3, 4), "NHWC", (7,)),
        ("y", (2, 10), "NC", (5,)),
    ]
    assert toy_file.skipped == ()
    conv, depthwise, fc = toy_file.layers
    assert (conv.macs, depthwise.macs, fc.macs) == (4 * 5 * 4 * 27, 3 * 3 * 4 * 6, 10 * 36)
    assert (conv.clamp, conv.kernel, conv.stride, conv.padding) == ((0.0, 6.0), (3, 3), (2, 2), (0, 1, 1, 1))
    assert (depthwise.groups, depthwise.padding, depthwise.clamp) == (4, (0, 0, 0, 0), ())
    assert fc.inputs == (depthwise.output,)  # the reshape between them moves nothing


def test_pixels_are_the_codes(toy_file: TensorFile, photos: Path) -> None:
    assert [i.name for i in toy_file.provenance.images] == ["a.png", "b.png"]
    shown = [fit(photo.pixels, (8, 9)).astype(int) - 128 for photo in folder_photos(photos)]
    np.testing.assert_array_equal(toy_file.read("activations.000"), shown)


def test_normalised_input(tmp_path: Path, photos: Path) -> None:
    path = tmp_path / "toy.tflite"
    path.write_bytes(toy())
    raw = extract(path, tmp_path / "raw.npz", images=photos).read("activations.000").astype(int) + 128
    file = extract(path, tmp_path / "n.npz", images=photos, mean=(100,), std=(50,))
    np.testing.assert_array_equal(
        file.read("activations.000"), np.rint((raw - 100) / 50 * 64 - 3).clip(-128, 127)
    )
    assert file.provenance.command.endswith("--images photos --mean 100 --std 50")


def recomputed(file: TensorFile, layer: LayerInfo) -> Integers:
    x, w = steps(file, layer.inputs[0]), file.read(layer.weight).astype(np.int64)
    if layer.kind == "fully_connected":
        total = x.reshape(len(x), -1) @ w.T + np.array(layer.bias)
    else:
        upright = w.transpose(0, 3, 1, 2) if layer.kind == "conv_2d" else w.transpose(3, 0, 1, 2)
        total = convolution(x.transpose(0, 3, 1, 2), upright, layer).transpose(0, 2, 3, 1) + np.array(
            layer.bias
        )
    target = file.tensors[layer.output]
    unit = file.tensors[layer.inputs[0]].scale[0] * np.array(file.tensors[layer.weight].scale)
    real = total * unit
    if layer.clamp:
        real = real.clip(*layer.clamp)
    codes: Integers = np.rint(real / target.scale[0]).astype(np.int64) + target.zero_point[0]
    return codes.clip(-128, 127)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_integers_agree_with_numpy(toy_file: TensorFile, index: int) -> None:
    layer = toy_file.layers[index]
    codes = toy_file.read(layer.output)
    assert len(np.unique(codes)) > 10
    difference = np.abs(recomputed(toy_file, layer) - codes)
    assert difference.max() <= 1  # TFLite's multiplier is a 31-bit fixed-point number
    assert (difference == 0).mean() > 0.99


def test_float_models_have_no_integers(tmp_path: Path, photos: Path) -> None:
    path = tmp_path / "float.tflite"
    path.write_bytes(toy("float32"))
    with pytest.raises(InputError, match=r"no tensor of integers to write.*x: this activation is float32"):
        extract(path, tmp_path / "x.npz", images=photos)
    assert not (tmp_path / "x.npz").exists()


def test_without_an_image_for_input_the_weights_remain(tmp_path: Path, photos: Path) -> None:
    path = tmp_path / "sound.tflite"
    path.write_bytes(toy(image=False))
    file = extract(path, tmp_path / "x.npz", images=photos)
    assert [t.kind for t in file.tensors.values()] == ["weight"] * 3
    assert [(s.name, s.reason) for s in file.skipped] == [
        ("activations", "the input, [1, 8, 9, 4], is no image")
    ]


def test_four_bit_weights() -> None:
    tensor = _Tensor("w", "int4", (5,), bytes([0x71, 0x8F, 0x0A]), (0.5,), (0,), None)
    np.testing.assert_array_equal(tensor.values(), [1, 7, -1, -8, -6])
    assert (tensor.info("weight", "l", "").bits, tensor.info("weight", "l", "").dtype) == (4, "int8")


@pytest.mark.parametrize("data", [b"", b"rubbish" * 9, toy()[:1000], b"\xff\xff\xff\x7fTFL3"])
def test_damaged_files(tmp_path: Path, photos: Path, data: bytes) -> None:
    (tmp_path / "bad.tflite").write_bytes(data)
    with pytest.raises(InputError, match=r"bad\.tflite"):
        extract(tmp_path / "bad.tflite", tmp_path / "x.npz", images=photos)
    with pytest.raises(InputError, match=r"cannot read .*nowhere\.tflite"):
        extract(tmp_path / "nowhere.tflite", tmp_path / "x.npz", images=photos)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_damage_is_an_error_or_is_read(data: st.DataObject) -> None:
    content = bytearray(toy())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        model = _Model.parse(bytes(content), Path("damaged.tflite"))
    except InputError:
        return
    assert all(isinstance(t.name, str) for t in model.tensors)


def test_options_that_mean_nothing(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"the option bits means nothing for a \.tflite file"):
        extract(tmp_path / "x.tflite", tmp_path / "x.npz", bits=4)


@pytest.mark.skipif(REAL is None, reason="a real network is large: set ATALANTA_TFLITE to a MobileNetV2")
def test_mobilenet_v2(tmp_path: Path) -> None:
    assert REAL is not None
    file = extract(REAL, tmp_path / "x.npz", keep=("coffee",))
    assert (len(file.of_kind("weight")), sum(w.size for w in file.of_kind("weight"))) == (53, 3_471_040)
    assert (len(file.of_kind("activation")), sum(a.size for a in file.of_kind("activation"))) == (
        66,
        7_048_306,
    )
    assert sum(layer.macs for layer in file.layers) == 300_775_552
    assert file.skipped == ()
    coffee = next(i for i in file.provenance.images if i.name == "coffee")
    assert coffee.top1 == 968  # espresso; class 0 is the background

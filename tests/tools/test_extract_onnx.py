"""ONNX files, made by ONNX Runtime's own quantiser: every tensor, and integers that agree with NumPy's."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from integer_layers import output_codes
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from PIL import Image

from atalanta.golden.errors import InputError
from atalanta.tools.extract.api import extract
from atalanta.tools.extract.tensors import TensorFile

FLOAT = TensorProto.FLOAT


def constant(name: str, values: Any, dtype: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def save(path: Path, nodes: list[Any], constants: list[TensorProto], shape: list[Any]) -> Path:
    ends = [[helper.make_tensor_value_info(n, FLOAT, s)] for n, s in (("x", shape), ("y", None))]
    graph = helper.make_graph(nodes, "toy", ends[0], ends[1], constants)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def toy(path: Path) -> Path:
    """A float network: convolution, depthwise, sum, pools, linear."""
    rng = np.random.default_rng(7)
    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w1", "b1"], ["c1"], "conv1", strides=[2, 2], pads=[0, 0, 1, 1]),
        make("Relu", ["c1"], ["r1"], "relu"),
        make("Conv", ["r1", "w2", "b2"], ["c2"], "depthwise", auto_pad="SAME_UPPER", group=8),
        make("Add", ["r1", "c2"], ["s"], "add"),
        make("MaxPool", ["s"], ["m"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        make("GlobalAveragePool", ["m"], ["g"], "mean"),
        make("Flatten", ["g"], ["f"], "flatten"),
        make("Gemm", ["f", "w3", "b3"], ["y"], "fc", transB=1),
    ]  # fmt: skip
    shapes = {"w1": (8, 3, 3, 3), "b1": 8, "w2": (8, 1, 3, 3), "b2": 8, "w3": (10, 8), "b3": 10}
    constants = [constant(name, rng.normal(size=shape)) for name, shape in shapes.items()]
    return save(path, nodes, constants, ["n", 3, 16, 16])


class Noise(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        rng = np.random.default_rng(8)
        self.inputs: Iterator[Any] = iter([{"x": rng.normal(size=(1, 3, 16, 16)).astype(np.float32)}] * 4)

    def get_next(self) -> Any:
        return next(self.inputs, None)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(6)
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(folder / name)
    return folder


Quantise = Callable[..., TensorFile]


@pytest.fixture
def quantised(tmp_path: Path, photos: Path) -> Quantise:
    def run(**options: Any) -> TensorFile:
        path = tmp_path / "quantised.onnx"
        quantize_static(str(toy(tmp_path / "toy.onnx")), str(path), Noise(), **options)
        return extract(path, tmp_path / "x.npz", images=photos)

    return run


FORMATS = {
    "QDQ": {"quant_format": QuantFormat.QDQ, "per_channel": True},
    "QDQ, one scale": {"quant_format": QuantFormat.QDQ},
    "QDQ, signed": {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QInt8},
    "operators on integers": {"quant_format": QuantFormat.QOperator},
}


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_every_tensor_is_there(quantised: Quantise, options: dict[str, Any]) -> None:
    file = quantised(**{"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8} | options)
    dtype = "int8" if "activation_type" in options else "uint8"
    scales = (8, 8, 10) if "per_channel" in options else (1, 1, 1)
    assert [(w.shape, w.layout, w.dtype, len(w.scale)) for w in file.of_kind("weight")] == [
        ((8, 3, 3, 3), "OIHW", "int8", scales[0]),
        ((8, 1, 3, 3), "OIHW", "int8", scales[1]),
        ((10, 8), "OI", "int8", scales[2]),
    ]
    activations = file.of_kind("activation")
    assert [(a.shape, a.layout) for a in activations] == [
        ((3, 3, 16, 16), "NCHW"), ((3, 8, 8, 8), "NCHW"), ((3, 8, 8, 8), "NCHW"), ((3, 8, 8, 8), "NCHW"),
        ((3, 8, 4, 4), "NCHW"), ((3, 8, 1, 1), "NCHW"), ((3, 10), "NC"),
    ]  # fmt: skip
    assert {a.dtype for a in activations} == {dtype}
    assert all(len(a.scale) == 1 for a in activations)
    assert activations[3].scale == activations[4].scale  # a pool picks values
    assert file.skipped == ()
    conv, depthwise, _, _, _, fc = file.layers
    assert (conv.macs, conv.stride, conv.padding, conv.groups) == (8 * 8 * 8 * 27, (2, 2), (0, 1, 0, 1), 1)
    assert (depthwise.macs, depthwise.padding, depthwise.groups) == (8 * 8 * 8 * 9, (1, 1, 1, 1), 8)
    assert (fc.macs, fc.inputs) == (80, ("activations.005",))  # the reshape before it moves nothing
    assert [i.top1 for i in file.provenance.images] == file.read("activations.006").argmax(axis=1).tolist()


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("index", [0, 1, 5])
def test_integers_agree_with_numpy(quantised: Quantise, options: dict[str, Any], index: int) -> None:
    file = quantised(**{"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8} | options)
    layer = file.layers[index]
    codes = file.read(layer.output).astype(int)
    assert len(np.unique(codes)) > 10
    difference = np.abs(output_codes(file, layer) - codes)
    assert difference.max() <= 1  # ONNX Runtime computes in float32
    assert (difference == 0).mean() > 0.99


def test_real_weights_with_a_quantiser_behind_them(tmp_path: Path, photos: Path) -> None:
    rng = np.random.default_rng(9)
    real = rng.normal(size=(4, 3, 1, 1)).astype(np.float32)
    scales = np.abs(real).reshape(4, -1).max(axis=1) / 127
    make = helper.make_node
    nodes = [
        make("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        make("DequantizeLinear", ["xq", "s", "z"], ["xr"]),
        make("QuantizeLinear", ["w", "ws", "wz"], ["wq"], axis=0),
        make("DequantizeLinear", ["wq", "ws", "wz"], ["wr"], axis=0),
        make("Conv", ["xr", "wr", "b"], ["c"], "conv"),
        make("Clip", ["c", "low", "high"], ["k"], "clip"),
        make("QuantizeLinear", ["k", "s", "z"], ["kq"]),
        make("DequantizeLinear", ["kq", "s", "z"], ["y"]),
    ]
    constants = [
        constant("s", 0.02), constant("z", 100, np.uint8), constant("w", real), constant("ws", scales),
        constant("wz", [0] * 4, np.int8), constant("b", [0.1, 0.2, 0.3, 0.4]), constant("low", 0),
        constant("high", 1),
    ]  # fmt: skip
    path = save(tmp_path / "t.onnx", nodes, constants, [1, 3, 5, 5])
    file = extract(path, tmp_path / "x.npz", images=photos)
    (weight,) = file.of_kind("weight")
    codes = np.rint(real / scales.reshape(-1, 1, 1, 1).astype(np.float32))
    np.testing.assert_array_equal(file.read(weight.key), codes)
    (layer,) = file.layers
    assert layer.clamp == (0.0, 1.0)
    difference = np.abs(output_codes(file, layer) - file.read(layer.output))
    assert difference.max() <= 1
    assert (difference == 0).mean() > 0.99


def test_what_stays_real_is_listed(tmp_path: Path, photos: Path) -> None:
    make = helper.make_node
    nodes = [
        make("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        make("DequantizeLinear", ["xq", "s", "z"], ["xr"]),
        make("Conv", ["xr", "w"], ["c"], "conv"),
        make("Sigmoid", ["c"], ["y"], "sigmoid"),
    ]
    constants = [constant("s", 0.02), constant("z", 100, np.uint8), constant("w", np.ones((1, 3, 1, 1)))]
    file = extract(
        save(tmp_path / "t.onnx", nodes, constants, [1, 3, 5, 5]), tmp_path / "x.npz", images=photos
    )
    assert list(file.tensors) == ["activations.000"]
    assert {s.name: s.reason for s in file.skipped} == {
        "w": "Conv has it as float",
        "conv": "the result of this conv is never quantised",
        "sigmoid": "the result of this sigmoid is never quantised",
    }


def test_float_models_have_no_integers(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(InputError, match=r"no tensor of integers to write \(w1: Conv has it as float"):
        extract(toy(tmp_path / "toy.onnx"), tmp_path / "x.npz", images=photos)


def test_without_an_image_for_input_the_weights_remain(tmp_path: Path, photos: Path) -> None:
    make = helper.make_node
    nodes = [
        make("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        make("DequantizeLinear", ["xq", "s", "z"], ["xr"]),
        make("DequantizeLinear", ["w", "s"], ["wr"]),
        make("MatMul", ["xr", "wr"], ["y"], "product"),
    ]
    constants = [constant("s", 0.02), constant("z", 3, np.uint8), constant("w", np.ones((6, 4)), np.int8)]
    file = extract(save(tmp_path / "t.onnx", nodes, constants, ["n", 6]), tmp_path / "x.npz", images=photos)
    assert [(t.key, t.layout) for t in file.tensors.values()] == [("weights.000", "IO")]
    assert (file.layers[0].kind, file.layers[0].macs) == ("matmul", 24)
    assert {s.name: s.reason for s in file.skipped} == {
        "product": "the result of this matmul is never quantised",
        "activations": "the input, x [1, 6], is no image",
    }


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\x08\x08"])
def test_damaged_files(tmp_path: Path, photos: Path, data: bytes) -> None:
    (tmp_path / "bad.onnx").write_bytes(data)
    with pytest.raises(InputError, match=r"bad\.onnx is no ONNX file"):
        extract(tmp_path / "bad.onnx", tmp_path / "x.npz", images=photos)


def test_files_that_do_not_run(tmp_path: Path, photos: Path) -> None:
    path = save(tmp_path / "t.onnx", [helper.make_node("Unheard", ["x"], ["y"])], [], [1, 3, 5, 5])
    with pytest.raises(InputError, match=r"ONNX Runtime cannot run .*t\.onnx"):
        extract(path, tmp_path / "x.npz", images=photos)

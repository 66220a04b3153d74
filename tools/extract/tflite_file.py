"""TensorFlow Lite files: weights as they lie in the file, activations from TFLite's reference kernels.

The reference kernels define what a quantised TFLite network computes; the optimised ones differ from them
in the last bit here and there, and not on every machine alike.
"""

import math
import struct
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tflite  # type: ignore[import-untyped]

from atalanta.golden.errors import InputError
from atalanta.golden.values import Array
from atalanta.tools.extract.catalog import Catalog, unique
from atalanta.tools.extract.draft import Draft, Progress, silent, steps
from atalanta.tools.extract.feeds import SYMMETRIC, Feed, Normalise
from atalanta.tools.extract.images import Photo
from atalanta.tools.extract.info import ImageInfo, LayerInfo, Provenance, TensorInfo, top1
from atalanta.tools.extract.tensors import TensorFile

VIEWS = ("reshape", "squeeze", "expand_dims")
"""Operators that move no value."""
LAYOUTS = {
    "conv_2d": "OHWI",
    "depthwise_conv_2d": "IHWO",
    "transpose_conv": "OHWI",
    "conv_3d": "DHWIO",
    "fully_connected": "OI",
}
"""Layouts of weights, by the operator that has them."""
CLAMPS: dict[int, tuple[float, ...]] = {1: (0.0,), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""Bounds by the number of a fused function: RELU, RELU_N1_TO_1, RELU6."""
SAME = 0
"""The number of that padding; the other one is VALID."""
OPTIONS = {
    "conv_2d": tflite.Conv2DOptions,
    "depthwise_conv_2d": tflite.DepthwiseConv2DOptions,
    "fully_connected": tflite.FullyConnectedOptions,
    "add": tflite.AddOptions,
    "sub": tflite.SubOptions,
    "mul": tflite.MulOptions,
    "concatenation": tflite.ConcatenationOptions,
    "average_pool_2d": tflite.Pool2DOptions,
    "max_pool_2d": tflite.Pool2DOptions,
    "batch_matmul": tflite.BatchMatMulOptions,
}
"""Where operators keep fused functions, windows and transpositions."""
KINDS = {number: name.lower() for name, number in vars(tflite.BuiltinOperator).items() if name[0] != "_"}
TYPES = {number: name.lower() for name, number in vars(tflite.TensorType).items() if name[0] != "_"}
QUANTISER = "as the file came; activations by TFLite's reference kernels"
WHOLE = {"int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int4": 4}
"""Types that hold codes, and their bits."""


@dataclass(frozen=True)
class _Tensor:
    """A tensor of the model. data: of a constant, as it lies in the file; empty for what is computed."""

    name: str
    type: str
    shape: tuple[int, ...]
    data: bytes
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None

    @property
    def codes(self) -> bool:
        """Whether it holds integers with a scale."""
        return self.type in WHOLE and bool(self.scale)

    def values(self) -> Array:
        """The values of a constant."""
        data = np.frombuffer(self.data, np.uint8)
        if self.type == "int4":  # two to a byte, the low half first
            halves = np.stack([data & 15, data >> 4], -1).reshape(-1)[: math.prod(self.shape)]
            return ((halves ^ 8).astype(np.int8) - np.int8(8)).reshape(self.shape)
        little = np.dtype(self.type).newbyteorder("<")
        return data.view(little).astype(self.type).reshape(self.shape)

    def info(self, kind: Any, layer: str, layout: str) -> TensorInfo:
        """What is on record about it, but for its number."""
        return TensorInfo(
            key="",
            kind=kind,
            layer=layer,
            index=0,
            dtype="int8" if self.type == "int4" else self.type,
            shape=self.shape,
            layout=layout if len(layout) == len(self.shape) else "",
            bits=WHOLE[self.type],
            scale=self.scale,
            zero_point=self.zero_point,
            axis=self.axis,
        )


@dataclass(frozen=True)
class _Operator:
    """An operator. inputs, outputs: numbers of tensors. options: its own, None if they are not needed."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any


@dataclass(frozen=True)
class _Model:
    """A TFLite model's main graph. others: how many graphs there are beside it."""

    tensors: tuple[_Tensor, ...]
    operators: tuple[_Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    others: int

    @classmethod
    def parse(cls, data: bytes, path: Path) -> "_Model":
        """Raises InputError if it is no TFLite model."""
        if data[4:8] != b"TFL3":
            raise InputError(f"{path} is no TFLite file: its identifier is {data[4:8]!r}, not b'TFL3'")
        try:
            model = tflite.Model.GetRootAs(data, 0)
            graph = model.Subgraphs(0)
            return cls(
                tuple(_tensor(model, graph.Tensors(i)) for i in range(graph.TensorsLength())),
                tuple(_operator(model, graph.Operators(i)) for i in range(graph.OperatorsLength())),
                tuple(graph.Inputs(i) for i in range(graph.InputsLength())),
                tuple(graph.Outputs(i) for i in range(graph.OutputsLength())),
                model.SubgraphsLength() - 1,
            )
        except (struct.error, IndexError, TypeError, AttributeError, ValueError, KeyError) as error:
            raise InputError(f"{path} is a damaged TFLite file: {error}") from error


def _tensor(model: Any, tensor: Any) -> _Tensor:
    buffer = model.Buffers(tensor.Buffer())
    affine = tensor.Quantization()
    scale = tuple(affine.Scale(i) for i in range(affine.ScaleLength())) if affine else ()
    zero = tuple(affine.ZeroPoint(i) for i in range(affine.ZeroPointLength())) if affine else ()
    return _Tensor(
        tensor.Name().decode("utf-8", "replace").partition(";")[0],
        TYPES[tensor.Type()],
        tuple(tensor.Shape(i) for i in range(tensor.ShapeLength())),
        buffer.DataAsNumpy().tobytes() if buffer.DataLength() else b"",
        scale,
        zero,
        affine.QuantizedDimension() if len(scale) > 1 else None,
    )


def _operator(model: Any, operator: Any) -> _Operator:
    code = model.OperatorCodes(operator.OpcodeIndex())
    kind = KINDS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
    options, table = None, operator.BuiltinOptions()
    if kind in OPTIONS and table is not None:
        options = OPTIONS[kind]()
        options.Init(table.Bytes, table.Pos)
    return _Operator(
        kind,
        tuple(operator.Inputs(i) for i in range(operator.InputsLength())),
        tuple(operator.Outputs(i) for i in range(operator.OutputsLength())),
        options,
    )


def extract_tflite(
    path: Path,
    photos: Sequence[Photo],
    output: Path,
    *,
    normalise: Normalise | None = None,
    provenance: Provenance,
    keep: Collection[str] = (),
    only: Collection[str] = (),
    progress: Progress = silent,
) -> TensorFile:
    """Write the weights of a TFLite model, and its activations for the photos.

    normalise: what the model wants to see; by default pixels as codes if it takes integers, else -1..1.
    keep, only: see Draft.

    Raises InputError for a file that is no TFLite model or does not run, and as Draft does.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    model = _Model.parse(data, path)
    with Draft(output, [p.name for p in photos], keep, only) as draft:
        catalog: Catalog[int] = Catalog(draft)
        _read(model, catalog)
        draft.check()
        feed = _feed(model, normalise)
        images: list[ImageInfo] = []
        if feed is not None:
            images = _run(data, path, model, feed, photos, catalog, draft, progress)
        else:
            draft.drop_activations()
            shapes = ", ".join(str(list(model.tensors[i].shape)) for i in model.inputs)
            catalog.skip("activations", f"the input, {shapes}, is no image")
        provenance = replace(provenance, images=tuple(images), quantiser=QUANTISER)
        return draft.write(provenance, [*catalog.layers.values()], catalog.skipped, progress)


def _read(model: _Model, catalog: Catalog[int]) -> None:
    """Declare every tensor and layer of the model."""
    for i in model.inputs:
        _activation(model, i, "input", catalog)
    for operator in model.operators:
        if operator.kind in VIEWS:
            catalog.alias(operator.outputs[0], operator.inputs[0])
            continue
        name = unique(model.tensors[operator.outputs[0]].name, catalog.layers)
        weights = []
        for i in operator.inputs:
            tensor = model.tensors[i] if i >= 0 else None
            if tensor is None or not tensor.data:
                continue
            if tensor.codes:
                info = tensor.info("weight", name, LAYOUTS.get(operator.kind, ""))
                weights.append(catalog.weight(i, info, tensor.values))
            elif tensor.type.startswith("float") and math.prod(tensor.shape) > 1:
                catalog.skip(tensor.name, f"{operator.kind} has it as {tensor.type}")
        for i in operator.outputs:
            _activation(model, i, name, catalog)
        keys = catalog.activations
        layer = LayerInfo(
            name=name,
            kind=operator.kind,
            macs=_macs(model, operator),
            weight=weights[0] if weights else "",
            inputs=tuple(dict.fromkeys(keys[i] for i in operator.inputs if i in keys)),
            output=keys.get(operator.outputs[0], ""),
            clamp=_clamp(operator),
            bias=_bias(model, operator),
            **_windows(model, operator),
        )
        catalog.layer(layer)
    if model.others:
        catalog.skip("subgraphs", f"{model.others} graphs beside the main one are not read")


def _activation(model: _Model, i: int, layer: str, catalog: Catalog[int]) -> None:
    tensor = model.tensors[i]
    if tensor.codes:
        layout = {4: "NHWC", 2: "NC"}.get(len(tensor.shape), "")
        catalog.activation(i, tensor.info("activation", layer, layout))
    else:
        catalog.skip(tensor.name, f"this activation is {tensor.type}")


def _macs(model: _Model, operator: _Operator) -> int:
    shapes = [model.tensors[i].shape if i >= 0 else () for i in operator.inputs]
    out = math.prod(model.tensors[operator.outputs[0]].shape)
    match operator.kind:
        case "conv_2d" | "fully_connected":
            return out * math.prod(shapes[1][1:])
        case "depthwise_conv_2d":
            return out * math.prod(shapes[1][1:3])
        case "transpose_conv":
            return math.prod(shapes[2]) * math.prod(shapes[1][:3])
        case "batch_matmul":
            return out * shapes[0][-2 if operator.options and operator.options.AdjX() else -1]
    return 0


def _clamp(operator: _Operator) -> tuple[float, ...]:
    fused = getattr(operator.options, "FusedActivationFunction", int)
    return CLAMPS.get(fused(), ())


def _bias(model: _Model, operator: _Operator) -> tuple[int, ...]:
    if operator.kind not in LAYOUTS or len(operator.inputs) < 3 or operator.inputs[2] < 0:
        return ()
    tensor = model.tensors[operator.inputs[2]]
    return tuple(np.frombuffer(tensor.data, "<i4").tolist()) if tensor.type == "int32" else ()


def _windows(model: _Model, operator: _Operator) -> dict[str, Any]:
    """LayerInfo's fields about the windows of a convolution."""
    o = operator.options
    if operator.kind not in ("conv_2d", "depthwise_conv_2d") or o is None:
        return {}
    source, weight = (model.tensors[i].shape for i in operator.inputs[:2])
    out = model.tensors[operator.outputs[0]].shape
    stride, dilation = (o.StrideH(), o.StrideW()), (o.DilationHFactor(), o.DilationWFactor())
    padding: list[int] = []
    for axis in (0, 1):
        reach = (out[1 + axis] - 1) * stride[axis] + (weight[1 + axis] - 1) * dilation[axis] + 1
        added = max(reach - source[1 + axis], 0) if o.Padding() == SAME else 0
        padding += [added // 2, added - added // 2]
    return {
        "kernel": weight[1:3],
        "stride": stride,
        "dilation": dilation,
        "padding": tuple(padding),
        "groups": source[3] if operator.kind == "depthwise_conv_2d" else 1,
    }


def _feed(model: _Model, normalise: Normalise | None) -> Feed | None:
    """How to show a photo to the model; None if it wants no image."""
    if len(model.inputs) != 1:
        return None
    tensor = model.tensors[model.inputs[0]]
    if tensor.type not in ("float32", "int8", "uint8"):
        return None
    if normalise is None and not tensor.codes:
        normalise = SYMMETRIC
    affine = (tensor.scale[0], tensor.zero_point[0]) if tensor.codes else ()
    return Feed.of(tensor.shape, np.dtype(tensor.type), normalise, *affine)


def _run(
    data: bytes,
    path: Path,
    model: _Model,
    feed: Feed,
    photos: Sequence[Photo],
    catalog: Catalog[int],
    draft: Draft,
    progress: Progress,
) -> list[ImageInfo]:
    """Run the model on every photo; what it sees in them."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType  # type: ignore[import-untyped]

    owners = {key: i for i, key in reversed(catalog.activations.items())}
    images = []
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", ".*experimental_preserve_all_tensors"
            )  # as it is meant to be used
            interpreter = Interpreter(
                model_content=data,
                experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
                experimental_preserve_all_tensors=True,
            )
        interpreter.allocate_tensors()
        for photo in steps("run", photos, progress):
            image, x = feed.tensor(photo)
            interpreter.set_tensor(model.inputs[0], x)
            interpreter.invoke()
            for key, i in owners.items():
                draft.add(key, photo.name, interpreter.get_tensor(i))
            images.append(replace(image, top1=top1(interpreter.get_tensor(model.outputs[0]))))
    except (ValueError, RuntimeError) as error:
        raise InputError(f"TFLite cannot run {path}: {' '.join(str(error).split())}") from error
    return images

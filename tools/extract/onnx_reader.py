"""The tensors and layers of an ONNX graph, declared one node after the other."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import onnx

from atalanta.tools.extract.catalog import Catalog, unique
from atalanta.tools.extract.info import LayerInfo, TensorInfo
from atalanta.tools.extract.onnx_graph import CODES, VIEWS, Affine, OnnxGraph, attributes

CLAMPS = ("Relu", "Clip")
LINEAR = ("Gemm", "QGemm", "MatMul", "QLinearMatMul", "MatMulInteger")
CONVOLUTIONS = ("Conv", "QLinearConv", "ConvInteger")
WHOLE = ("int8", "uint8", "int16", "uint16")
"""Types that activations are written in."""


class OnnxReader:
    """Goes through a graph once and declares every tensor and layer."""

    def __init__(
        self,
        graph: OnnxGraph,
        types: dict[str, str],
        shapes: dict[str, tuple[int, ...]],
        catalog: Catalog[str],
    ) -> None:
        self._graph = graph
        self._types = types
        self._shapes = shapes
        self._catalog = catalog
        self._makers: dict[str, str] = {}  # the layer that makes a tensor
        self._layouts: dict[str, str] = {}

    def read(self) -> None:
        """Declare everything."""
        for name in self._graph.inputs:
            self._makers[name] = "input"
            self._layouts[name] = "NCHW" if len(self._shapes.get(name, ())) == 4 else ""
            if self._types[name] in WHOLE:
                self._activation(name, "input")
        for node in self._graph.nodes:
            if node.op_type == "QuantizeLinear":
                self._quantise(node)
            elif node.op_type in VIEWS or node.op_type == "DequantizeLinear":
                self._move(node)
            elif node.op_type in CLAMPS and self._fuses(node):
                self._fuse(node)
            else:
                self._layer(node)
        for layer in self._catalog.layers.values():
            if not layer.output:
                self._catalog.skip(layer.name, f"the result of this {layer.kind} is never quantised")

    def _activation(self, name: str, layer: str) -> str:
        affine = self._graph.affine.get(name, Affine((), ()))
        shape = self._shapes[name]
        layout = self._layouts.get(name, "")
        info = TensorInfo(
            key="",
            kind="activation",
            layer=layer,
            index=0,
            dtype=self._types[name],
            shape=shape,
            layout=layout if len(layout) == len(shape) else "NC" if len(shape) == 2 else "",
            bits=CODES[self._types[name]],
            scale=affine.scale,
            zero_point=affine.zero_point,
            axis=affine.axis,
        )
        return self._catalog.activation(name, info)

    def _origin(self, name: str) -> str | None:
        """The tensor of codes that a tensor consists of, as they are or as real numbers; None if none."""
        while name not in self._catalog.activations:
            node = self._graph.producer.get(name)
            if node is None or not (node.op_type in VIEWS or node.op_type == "DequantizeLinear"):
                return None
            name = node.input[0]
        return name

    def _quantise(self, node: onnx.NodeProto) -> None:
        source, result = node.input[0], node.output[0]
        origin = self._origin(source)
        affine = self._graph.affine
        if origin is not None and affine.get(origin) == affine.get(result):
            self._catalog.alias(result, origin)  # a view, between real numbers
            return
        self._layouts[result] = self._layouts.get(source, "")
        maker = self._makers.get(source) or unique(node.name or result, self._catalog.layers)
        key = self._activation(result, maker)
        layer = self._catalog.layers.get(maker)
        if layer is not None and not layer.output:
            self._catalog.layer(replace(layer, output=key))

    def _move(self, node: onnx.NodeProto) -> None:
        """Results have the values of the input, and its maker."""
        source = node.input[0]
        for name in node.output:
            if self._types[name] in WHOLE:
                self._catalog.alias(name, source)
            if source in self._makers:
                self._makers[name] = self._makers[source]
            if node.op_type == "DequantizeLinear":
                self._layouts[name] = self._layouts.get(source, "")

    def _fuses(self, node: onnx.NodeProto) -> bool:
        """Whether a clamp stands alone behind a layer whose result is not quantised before it."""
        source = node.input[0]
        return (
            self._makers.get(source) in self._catalog.layers
            and self._graph.uses[source] == 1
            and self._origin(source) is None
        )

    def _fuse(self, node: onnx.NodeProto) -> None:
        layer = self._catalog.layers[self._makers[node.input[0]]]
        bounds = [float(self._graph.values(n)) for n in node.input[1:] if self._graph.is_constant(n)]
        self._catalog.layer(replace(layer, clamp=tuple(bounds) if node.op_type == "Clip" else (0.0,)))
        self._makers[node.output[0]] = layer.name
        self._layouts[node.output[0]] = self._layouts.get(node.input[0], "")

    def _layer(self, node: onnx.NodeProto) -> None:
        catalog = self._catalog
        name = unique(node.name or node.output[0], catalog.layers)
        weights = self._weights(node, name)
        origins = [o for n in node.input if n and (o := self._origin(n)) is not None]
        layer = LayerInfo(
            name=name,
            kind=node.op_type.lower(),
            macs=self._macs(node),
            weight=catalog.weights[weights[0]] if weights else "",
            inputs=tuple(dict.fromkeys(catalog.activations[o] for o in origins)),
            bias=self._bias(node, origins, weights),
            **self._windows(node),
        )
        catalog.layer(layer)
        for output in filter(None, node.output):
            self._makers[output] = name
            self._layouts[output] = self._layout(node, output)
            if self._types[output] in WHOLE:
                key = self._activation(output, name)
                catalog.layer(replace(catalog.layers[name], output=key))
        if any(a.type in (a.GRAPH, a.GRAPHS) for a in node.attribute):
            catalog.skip(name, f"the graphs inside this {node.op_type} are not read")

    def _weights(self, node: onnx.NodeProto, layer: str) -> list[str]:
        """Names of the constants with codes that an operator reads.

        Real ones are skipped, but for single numbers and for a bias beside integer weights.
        """
        graph = self._graph
        found = []
        for name in filter(None, node.input):
            constant = graph.codes_of(name)
            if constant is None or constant in graph.parameters:
                continue
            if graph.type(constant) in CODES:
                affine = graph.affine.get(constant, Affine((), ()))
                shape = graph.shape(constant)
                info = TensorInfo(
                    key="",
                    kind="weight",
                    layer=layer,
                    index=0,
                    dtype=graph.type(constant).replace("int4", "int8"),
                    shape=shape,
                    layout=_weight_layout(node, len(shape)),
                    bits=CODES[graph.type(constant)],
                    scale=affine.scale,
                    zero_point=affine.zero_point,
                    axis=affine.axis,
                )
                self._catalog.weight(constant, info, partial(graph.values, constant))
                found.append(constant)
            elif "float" in graph.type(constant) and len(graph.shape(constant)) > bool(found):
                self._catalog.skip(constant, f"{node.op_type} has it as {graph.type(constant)}")
        return found

    def _bias(self, node: onnx.NodeProto, origins: list[str], weights: list[str]) -> tuple[int, ...]:
        """One integer an output channel: int32 as it is, real numbers in units of the sum's scale."""
        graph = self._graph
        if not weights or node.op_type not in (*CONVOLUTIONS, *LINEAR):
            return ()
        for name in filter(None, node.input):
            constant = graph.codes_of(name)
            if constant is None or constant in graph.parameters or len(graph.shape(constant)) != 1:
                continue
            if graph.type(constant) == "int32":
                return tuple(graph.values(constant).tolist())
            if (
                graph.type(constant) == "float"
                and origins
                and {origins[0], weights[0]} <= graph.affine.keys()
            ):
                unit = graph.affine[origins[0]].scale[0] * np.array(graph.affine[weights[0]].scale)
                return tuple(np.rint(graph.values(constant) / unit).astype(int).tolist())
        return ()

    def _operand(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, constant or computed."""
        return self._graph.shape(name) if self._graph.is_constant(name) else self._shapes.get(name, ())

    def _second(self, node: onnx.NodeProto) -> str:
        """The weights of an operator that multiplies: behind scale and zero point, if it has those."""
        return str(node.input[3 if node.op_type.startswith("Q") else 1])

    def _macs(self, node: onnx.NodeProto) -> int:
        out = math.prod(self._shapes.get(node.output[0], (0,)))
        if node.op_type in CONVOLUTIONS:
            return out * math.prod(self._operand(self._second(node))[1:])
        if node.op_type in LINEAR:
            shape = self._operand(node.input[0])
            return out * shape[0 if attributes(node).get("transA") else -1]
        return 0

    def _windows(self, node: onnx.NodeProto) -> dict[str, Any]:
        """LayerInfo's fields about the windows of a convolution."""
        if node.op_type not in CONVOLUTIONS:
            return {}
        a = attributes(node)
        kernel = self._operand(self._second(node))[2:]
        ones = [1] * len(kernel)
        stride, dilation = a.get("strides", ones), a.get("dilations", ones)
        if a.get("auto_pad", b"NOTSET").startswith(b"SAME"):
            sizes = zip(self._operand(node.input[0])[2:], kernel, stride, dilation, strict=True)
            total = [max((math.ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d in sizes]
            low = a["auto_pad"] == b"SAME_LOWER"
            padding = [(t - t // 2, t // 2) if low else (t // 2, t - t // 2) for t in total]
        else:
            pads = a.get("pads", [0] * 2 * len(kernel))
            padding = list(zip(pads[: len(kernel)], pads[len(kernel) :], strict=True))
        return {
            "kernel": kernel,
            "stride": tuple(stride),
            "dilation": tuple(dilation),
            "padding": tuple(p for pair in padding for p in pair),
            "groups": a.get("group", 1),
        }

    def _layout(self, node: onnx.NodeProto, output: str) -> str:
        axes = len(self._shapes.get(output, ()))
        if node.op_type in CONVOLUTIONS:
            return "NC" + "DHW"[5 - axes :]
        kept = (self._layouts.get(name, "") for name in node.input)
        return next((layout for layout in kept if len(layout) == axes), "")


def _weight_layout(node: onnx.NodeProto, axes: int) -> str:
    if node.op_type in CONVOLUTIONS:
        return "OI" + "DHW"[5 - axes :]
    if node.op_type in LINEAR and axes == 2:
        return "OI" if attributes(node).get("transB") else "IO"
    return ""

"""The graph of a quantised ONNX model: which tensors hold codes, what they stand for, who makes them.

Both ways in which ONNX says "quantised" are read: QuantizeLinear and DequantizeLinear around operators on
real numbers, and operators on integers (QLinearConv, ConvInteger and their like). Both name scale and zero
point of a tensor right behind it in a list of inputs, and that is all the reading relies on.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

CODES = {"int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int4": 4, "uint4": 4}
"""Types that hold codes, and their bits."""
VIEWS = {"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Slice", "Split", "Expand"}
"""Operators that move no value, or drop or repeat some."""
PICKERS = VIEWS | {"MaxPool", "GlobalMaxPool"}
"""Operators whose result has the scale of their input."""


@dataclass(frozen=True)
class Affine:
    """real value = scale * (code - zero_point); one of each or one per entry of an axis."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None


class OnnxGraph:
    """What a model's main graph says.

    nodes: in the order of execution. inputs: names of what the model is given. producer: of every tensor.
    affine: of every tensor of codes whose scale is known. parameters: constants that are scales and zero
    points of others.

    types: of all tensors that are not constants.
    """

    def __init__(self, model: onnx.ModelProto, types: Mapping[str, str]) -> None:
        self._types = types
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].HasField("t"):
                self._constants[node.output[0]] = node.attribute[0].t
            elif node.op_type == "QuantizeLinear" and all(self.is_constant(n) for n in node.input):
                self._quantise(node)
            else:
                self.nodes.append(node)
        self.inputs = [value.name for value in model.graph.input if not self.is_constant(value.name)]
        self.outputs = [value.name for value in model.graph.output]
        self.producer = {name: node for node in self.nodes for name in node.output}
        self.uses = Counter(name for node in self.nodes for name in node.input)
        self.affine: dict[str, Affine] = {}
        self.parameters: set[str] = set()
        self._find_affine()

    def is_constant(self, name: str) -> bool:
        """Whether a tensor is part of the file."""
        return name in self._constants

    def type(self, name: str) -> str:
        """The type of a tensor: int8, float, ...; empty if it is not known."""
        if name not in self._constants:
            return self._types.get(name, "")
        return str(onnx.TensorProto.DataType.Name(self._constants[name].data_type)).lower()

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a constant."""
        return tuple(self._constants[name].dims)

    def values(self, name: str) -> NDArray[Any]:
        """The values of a constant; 4-bit integers in 8."""
        values: NDArray[Any] = numpy_helper.to_array(self._constants[name])
        return values.astype(self.type(name).replace("int4", "int8")) if "int4" in self.type(name) else values

    def codes_of(self, name: str) -> str | None:
        """The constant that a tensor is, or is dequantised from; None if it is computed."""
        node = self.producer.get(name)
        if node is not None and node.op_type == "DequantizeLinear":
            name = node.input[0]
        return name if name in self._constants else None

    def _quantise(self, node: onnx.NodeProto) -> None:
        """Weights that the file holds as real numbers with a QuantizeLinear behind them."""
        real, scale = (self.values(name).astype(np.float32) for name in node.input[:2])
        zero = self.values(node.input[2]) if len(node.input) > 2 else np.zeros((), np.uint8)
        if scale.ndim:
            along = [1] * real.ndim
            along[attributes(node).get("axis", 1)] = -1
            scale, zero = scale.reshape(along), zero.reshape(along)
        ends = np.iinfo(zero.dtype)
        codes = (np.rint(real / scale) + zero).clip(ends.min, ends.max).astype(zero.dtype)
        self._constants[node.output[0]] = numpy_helper.from_array(codes, node.output[0])

    def _find_affine(self) -> None:
        for node in self.nodes:
            names = list(node.input)
            if node.op_type.endswith("Integer"):
                self.parameters.update(names[2:4])
            for i in range(len(names) - 1):
                integers = self.type(names[i]) in CODES or node.op_type == "QuantizeLinear"
                if integers and self.is_constant(names[i + 1]) and self.type(names[i + 1]) == "float":
                    zero = names[i + 2] if i + 2 < len(names) else ""
                    self._state(node, names[i], names[i + 1], zero)
        for node in (*self.nodes, *reversed(self.nodes)):
            if node.op_type in PICKERS:
                source, *_ = node.input
                for result in node.output:
                    for known, other in ((source, result), (result, source)):
                        if known in self.affine:
                            self.affine.setdefault(other, self.affine[known])

    def _state(self, node: onnx.NodeProto, name: str, scale: str, zero: str) -> None:
        """Note a scale and zero point that stand behind a tensor."""
        self.parameters.add(scale)
        scales = self.values(scale).reshape(-1)
        zeros = np.zeros(len(scales), np.int64)
        if self.is_constant(zero) and self.type(zero) in CODES:
            self.parameters.add(zero)
            zeros = zeros + self.values(zero).astype(np.int64).reshape(-1)
        axis = attributes(node).get(
            "axis", 1 if node.op_type in ("QuantizeLinear", "DequantizeLinear") else 0
        )
        affine = Affine(
            tuple(map(float, scales)), tuple(map(int, zeros)), int(axis) if len(scales) > 1 else None
        )
        self.affine[node.output[0] if node.op_type == "QuantizeLinear" else name] = affine


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node by name."""
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

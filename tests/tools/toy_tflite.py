"""A small TFLite file, written field by field: convolution, depthwise, reshape, fully connected."""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

TYPES = {
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int32": schema.TensorType.INT32,
    "float32": schema.TensorType.FLOAT32,
}


class Builder:
    """Collects tensors and operators, and packs them."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        scale: float | list[float] | None = None,
        zero: int = 0,
        axis: int = 0,
        values: NDArray[Any] | None = None,
    ) -> int:
        """Add a tensor, a constant if there are values; returns its number."""
        t = schema.TensorT()
        t.name, t.shape, t.type, t.buffer = name.encode(), list(shape), TYPES[dtype], 0
        if scale is not None:
            t.quantization = schema.QuantizationParametersT()
            t.quantization.scale = np.atleast_1d(np.float32(scale)).tolist()
            t.quantization.zeroPoint = [zero] * len(t.quantization.scale)
            t.quantization.quantizedDimension = axis
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.astype(dtype).tobytes(), np.uint8)
            t.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def operator(self, kind: str, inputs: list[int], outputs: list[int], options: Any = None) -> None:
        """Add an operator."""
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        code.version = 3 if kind.endswith("CONV_2D") or kind == "FULLY_CONNECTED" else 1
        self.model.operatorCodes.append(code)
        o = schema.OperatorT()
        o.opcodeIndex = len(self.model.operatorCodes) - 1
        o.inputs, o.outputs = inputs, outputs
        if options is not None:
            o.builtinOptions = options
            o.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.graph.operators.append(o)

    def pack(self, inputs: list[int], outputs: list[int]) -> bytes:
        """The file."""
        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(0)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def options(kind: str, **values: int) -> Any:
    """An operator's options, by their names in the schema."""
    made = getattr(schema, f"{kind}OptionsT")()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def toy(dtype: str = "int8", image: bool = True) -> bytes:
    """dtype: of activations, int8 or float32. image: whether the input is one; else it is 3 axes of noise."""
    rng = np.random.default_rng(5)
    b = Builder()

    def affine(scale: float, zero: int) -> dict[str, Any]:
        return {} if dtype == "float32" else {"scale": scale, "zero": zero}

    def weights(name: str, shape: tuple[int, ...], axis: int, scales: list[float]) -> int:
        if dtype == "float32":
            return b.tensor(name, shape, dtype, values=rng.normal(size=shape))
        codes = rng.integers(-127, 128, shape)
        return b.tensor(name, shape, "int8", scales, axis=axis, values=codes)

    def bias(name: str, count: int) -> int:
        kind = "float32" if dtype == "float32" else "int32"
        return b.tensor(name, (count,), kind, values=rng.integers(-900, 900, count))

    x = b.tensor("x", (1, 8, 9, 3) if image else (1, 8, 9, 4), dtype, **affine(1 / 64, -3))
    w1 = weights("w1", (4, 3, 3, 3 if image else 4), 0, [0.01, 0.02, 0.013, 0.007])
    c1 = b.tensor("c1", (1, 4, 5, 4), dtype, **affine(6 / 255, -128))
    conv = options("Conv2D", padding=0, strideH=2, strideW=2, fusedActivationFunction=3)
    b.operator("CONV_2D", [x, w1, bias("b1", 4)], [c1], conv)
    w2 = weights("w2", (1, 2, 3, 4), 3, [0.02, 0.01, 0.03, 0.02])
    c2 = b.tensor("c2", (1, 3, 3, 4), dtype, **affine(0.05, 7))
    depthwise = options("DepthwiseConv2D", padding=1, strideH=1, strideW=1, depthMultiplier=1)
    b.operator("DEPTHWISE_CONV_2D", [c1, w2, bias("b2", 4)], [c2], depthwise)
    flat = b.tensor("flat", (1, 36), dtype, **affine(0.05, 7))
    shape = b.tensor("shape", (2,), "int32", values=np.array([1, 36]))
    b.operator("RESHAPE", [c2, shape], [flat])
    w3 = weights("w3", (10, 36), 0, [0.004])
    y = b.tensor("y", (1, 10), dtype, **affine(0.2, 5))
    b.operator("FULLY_CONNECTED", [flat, w3, bias("b3", 10)], [y], options("FullyConnected"))
    return b.pack([x], [y])

"""Layers in plain NumPy integers: what the extracted codes, scales and zero points must agree with."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from atalanta.tools.extract.tensors import LayerInfo, TensorFile

Integers = NDArray[np.int64]


def steps(file: TensorFile, key: str) -> Integers:
    """Codes less their zero point."""
    return file.read(key).astype(np.int64) - file.tensors[key].zero_point[0]


def convolution(x: Integers, w: Integers, layer: LayerInfo) -> Integers:
    """x: NCHW, w: OIHW. Every product in int64."""
    top, bottom, left, right = layer.padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    span = tuple((k - 1) * d + 1 for k, d in zip(layer.kernel, layer.dilation, strict=True))
    windows = sliding_window_view(x, span, axis=(2, 3))
    windows = windows[
        :, :, :: layer.stride[0], :: layer.stride[1], :: layer.dilation[0], :: layer.dilation[1]
    ]
    n, c, h, v = windows.shape[:4]
    windows = windows.reshape(n, layer.groups, c // layer.groups, h, v, *layer.kernel)
    w = w.reshape(layer.groups, -1, *w.shape[1:])
    products: Integers = np.einsum("ngchwij,gocij->ngohw", windows, w, optimize=True)
    return products.reshape(n, -1, h, v)


def output_codes(file: TensorFile, layer: LayerInfo) -> Integers:
    """The codes that a layer makes of its input, its weights and its bias."""
    source, target = file.tensors[layer.inputs[0]], file.tensors[layer.output]
    x = steps(file, layer.inputs[0])
    if layer.weight:
        w = file.read(layer.weight).astype(np.int64)
        behind = (1,) * (w.ndim - 2)
        total = x.reshape(len(x), -1) @ w.T if w.ndim == 2 else convolution(x, w, layer)
        if layer.bias:
            total = total + np.array(layer.bias).reshape(-1, *behind)
        real = total * (source.scale[0] * np.array(file.tensors[layer.weight].scale)).reshape(-1, *behind)
    elif layer.kind == "add":
        left, right = (steps(file, key) * file.tensors[key].scale[0] for key in layer.inputs)
        real = left + right
    else:
        raise ValueError(layer.kind)
    if layer.clamp:
        real = np.clip(real, layer.clamp[0], layer.clamp[1] if len(layer.clamp) > 1 else None)
    codes = np.rint(real / target.scale[0]).astype(np.int64) + target.zero_point[0]
    low = -(1 << target.bits - 1) if target.dtype == "int8" else 0
    return codes.clip(low, low + (1 << target.bits) - 1)

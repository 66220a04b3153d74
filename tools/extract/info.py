"""What a file of tensors says about them: frozen records, one JSON object each."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["weight", "activation"]


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """What one tensor is.

    key: its name in the file.
    kind: weight or activation.
    layer: the layer that owns the weights or makes the activation; "input" for the network's input.
    index: its place in the order of execution, counted per kind.
    dtype, shape: of the array.
    layout: one letter an axis, such as OIHW or NCHW; empty if not known.
    bits: bits of a value.
    scale, zero_point: real value = scale * (value - zero_point); one of each, or one per entry of `axis`;
        empty if not known.
    axis: the axis along which scales differ, None if one scale serves all.
    images: names along the first axis of an activation; empty if not known.
    sha256: of the values, C order, little endian; empty for tensors from elsewhere.
    """

    key: str
    kind: Kind
    layer: str
    index: int
    dtype: str
    shape: tuple[int, ...]
    layout: str = ""
    bits: int
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    axis: int | None = None
    images: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """What one layer does, and which tensors it moves: all that a workload needs.

    name: as the network's author named it.
    kind: its operator: conv2d, linear, add, ...
    macs: multiply-accumulates for one image.
    weight: key of its weights, empty if it has none.
    inputs: keys of the activations it reads, whole or in part, and in any order.
    output: key of the activation it makes, empty if that is not in the file's numbering.
    clamp: real bounds (low, high) of a function fused behind it, only (low,) for ReLU; empty if none.
    kernel, stride, dilation: per spatial axis; empty unless it is a convolution.
    padding: before and after, per spatial axis.
    groups: of a convolution.
    bias: one integer an output channel, in units of input scale times weight scale; empty if none.
    """

    name: str
    kind: str
    macs: int = 0
    weight: str = ""
    inputs: tuple[str, ...] = ()
    output: str = ""
    clamp: tuple[float, ...] = ()
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    bias: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    """One input of the network.

    sha256: of the pixels as the network was given them.
    top1, top1_float: the class that the quantised and the float network see in it; None if not known.
    """

    name: str
    source: str = ""
    licence: str = ""
    sha256: str = ""
    top1: int | None = None
    top1_float: int | None = None


def top1(scores: Any) -> int | None:
    """The class a network sees, if what it returns (of NumPy or torch) is one score a class for one image."""
    if getattr(scores, "ndim", 0) == 2 and scores.shape[0] == 1 < scores.shape[1]:
        return int(scores.argmax())
    return None


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """Something that gave no tensor, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where tensors come from.

    model: name of the network.
    source: package, file or address of network and weights.
    versions: of everything that took part in making the integers.
    licence: of the weights.
    command: that makes the same file again.
    quantiser: how real values became integers.
    weights_sha256: of the file that the weights were read from.
    images: all inputs that took part, whether or not their activations are in the file.
    """

    model: str = ""
    source: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    licence: str = ""
    command: str = ""
    quantiser: str = ""
    weights_sha256: str = ""
    images: tuple[ImageInfo, ...] = ()

    @property
    def top1_agreement(self) -> tuple[int, int]:
        """On how many images the quantised network sees what the float one sees, and of how many."""
        known = [i for i in self.images if i.top1 is not None and i.top1_float is not None]
        return sum(i.top1 == i.top1_float for i in known), len(known)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Everything that a file says beside the arrays themselves."""

    provenance: Provenance = field(default_factory=Provenance)
    tensors: tuple[TensorInfo, ...] = ()
    layers: tuple[LayerInfo, ...] = ()
    skipped: tuple[Skipped, ...] = ()

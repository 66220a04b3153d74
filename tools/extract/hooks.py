"""Networks that are quantised already, in torch's own way: what their operators really compute.

Every operator that runs passes through one hook, which sees the integers go in and come out. So it does
not matter how the network is written: modules, functions and what torch.ao made of a float network all
look alike. Module hooks only tell where in the network an operator stands.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.ao.nn.quantized.modules.utils import WeightedQuantizedModule
from torch.utils._python_dispatch import TorchDispatchMode

from atalanta.golden.errors import InputError
from atalanta.golden.values import Array
from atalanta.tools.extract.catalog import unique
from atalanta.tools.extract.draft import Draft, Progress, silent, steps
from atalanta.tools.extract.graph import VIEWS
from atalanta.tools.extract.info import LayerInfo, Provenance, Skipped, TensorInfo, top1
from atalanta.tools.extract.layers import weight_layout
from atalanta.tools.extract.samples import Sample
from atalanta.tools.extract.tensors import TensorFile

HALF = 128
"""Codes from here on are hardly used by a network whose range was reduced to 7 bits, as fbgemm's is."""
CODES = (torch.qint8, torch.quint8)
UNPACK = {
    "conv1d": torch.ops.quantized.conv1d_unpack,
    "conv2d": torch.ops.quantized.conv2d_unpack,
    "conv3d": torch.ops.quantized.conv3d_unpack,
    "linear": torch.ops.quantized.linear_unpack,
    "linear_dynamic": torch.ops.quantized.linear_unpack,
}


def is_quantised(module: nn.Module) -> bool:
    """Whether any layer of a network has integer weights."""
    return any(isinstance(m, WeightedQuantizedModule) for m in module.modules())


def extract_quantised(
    module: nn.Module,
    samples: Sequence[Sample],
    output: Path,
    *,
    provenance: Provenance,
    engine: str = "",
    keep: Collection[str] = (),
    only: Collection[str] = (),
    progress: Progress = silent,
) -> TensorFile:
    """Write the weights and activations of a network that torch has quantised.

    engine: torch's quantised engine to run it on; by default the one that is selected.
    provenance: its quantiser, if given, is completed by what is seen here.
    keep, only: see Draft.

    Raises InputError if other operators run for one input than for another, if a name in `keep` or `only`
    is not there, or if the file cannot be written.
    """
    engine = engine or torch.backends.quantized.engine
    quantiser = provenance.quantiser or "as the network came"
    with Draft(output, [s.info.name for s in samples], keep, only) as draft, _selected(engine):
        recorder = _Recorder(module.eval())
        images = []
        for sample in steps("run", samples, progress):
            images.append(replace(sample.info, top1=recorder.run(sample)))
            for info, codes in zip(recorder.activations, recorder.codes, strict=True):
                draft.add(info.key, sample.info.name, codes)
        for info in recorder.activations:
            draft.activation(replace(info, layout=recorder.layouts.get(info.key, "")))
        for info, values in recorder.weights.values():
            draft.given(info, lambda values=values: values)  # type: ignore[misc]
        return draft.write(
            replace(
                provenance, quantiser=f"{quantiser}; {engine} kernels; {recorder.used}", images=tuple(images)
            ),
            recorder.layers,
            recorder.skipped,
            progress,
        )


@contextmanager
def _selected(engine: str) -> Iterator[None]:
    """Run on one engine, and put the user's back."""
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = engine
    try:
        yield
    finally:
        torch.backends.quantized.engine = before


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operator on quantised tensors; what they are in the first run, values in every run.

    weights: by the name of the layer. activations, layers: in the order of execution. codes: of all
    activations in the last run. layouts: of those activations whose layout is known.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.weights: dict[str, tuple[TensorInfo, Array]] = {}
        self.activations: list[TensorInfo] = []
        self.layers: list[LayerInfo] = []
        self.layouts: dict[str, str] = {}
        self.codes: list[Array] = []
        self._module = module
        self._first = True
        self._inside: list[str] = []
        self._known: dict[int, _Known] = {}  # by the identity of a tensor, which is kept alive
        self._unreadable: dict[str, str] = {}
        self._high = self._count = 0

    @property
    def used(self) -> str:
        """How much of the codes' range activations really use."""
        share = self._high / max(self._count, 1)
        return f"{share:.2%} of unsigned activation codes are {HALF} or more"

    @property
    def skipped(self) -> list[Skipped]:
        """Everything in the network that gave no tensor."""
        reasons = dict(self._unreadable)
        for name, part in self._module.named_modules():
            if isinstance(part, WeightedQuantizedModule) and name not in self.weights:
                reasons.setdefault(name, "this layer does not run")
        for name, _ in self._module.named_parameters():
            reasons[name] = "the network keeps it in floating point"
        return [Skipped(name=name, reason=reason) for name, reason in reasons.items()]

    def run(self, sample: Sample) -> int | None:
        """Run once; returns the class that the network sees. Raises InputError if it runs differently."""
        self.codes, self._known = [], {}
        with ExitStack() as hooks:
            for name, part in self._module.named_modules():
                enter = part.register_forward_pre_hook(lambda *_, name=name: self._inside.append(name))
                leave = part.register_forward_hook(lambda *_: self._leave())
                hooks.callback(enter.remove)
                hooks.callback(leave.remove)
            with torch.no_grad(), self:
                result = self._module(*sample.inputs)
        self._first = False
        if [codes.shape for codes in self.codes] != [info.shape for info in self.activations]:
            raise InputError(f"{sample.info.name} makes the network run otherwise than the first input did")
        return top1(result)

    def _leave(self) -> None:
        self._inside.pop()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        inputs = [self._known[id(t)] for t in _tensors(args) if id(t) in self._known]
        outputs = list(_tensors(result))
        packed = next((a for a in args if isinstance(a, torch.ScriptObject)), None)
        kind = str(func).split(".")[1].strip("_").removeprefix("quantized_")
        sources = tuple(dict.fromkeys(key for known in inputs for key in known.keys))
        if func in VIEWS and inputs:
            self._remember(outputs, sources, inputs[0].kind)
        elif packed is not None or any(_is_codes(t) for t in outputs):
            if kind == "quantize_per_tensor" and inputs:
                kind = inputs[0].kind or "quantize"  # what was done to real numbers in between
            self._note(kind, inputs, sources, [t for t in outputs if _is_codes(t)], packed)
        elif sources:
            self._remember(outputs, sources, "" if kind == "dequantize" else kind)
        return result

    def _remember(self, tensors: Sequence[Tensor], keys: tuple[str, ...], kind: str = "") -> None:
        for tensor in tensors:
            self._known[id(tensor)] = _Known(tensor, keys, kind)

    def _note(
        self,
        kind: str,
        inputs: Sequence["_Known"],
        sources: tuple[str, ...],
        outputs: Sequence[Tensor],
        packed: Any,
    ) -> None:
        kind, fused = kind.removesuffix("_relu"), kind.endswith("_relu")
        place = self._inside[-1] if self._inside else ""
        owner = place if packed is not None and place else ".".join(filter(None, (place, kind)))
        name = unique(owner, [layer.name for layer in self.layers])
        is_input = not inputs and packed is None
        keys = [self._activation("input" if is_input else name, output) for output in outputs]
        if not self._first or is_input:
            return
        layer = LayerInfo(
            name=name,
            kind=kind,
            inputs=sources,
            output=keys[0] if keys else "",
            clamp=(0.0,) if fused else (),
        )
        if packed is not None:
            codes = [known.tensor for known in inputs if _is_codes(known.tensor)]
            layer = self._weighted(layer, owner, codes, outputs, packed)
        self.layers.append(layer)
        self._lay_out(layer, outputs)

    def _activation(self, layer: str, output: Tensor) -> str:
        key = f"activations.{len(self.codes):03d}"
        self._remember([output], (key,))
        codes = output.int_repr().numpy()
        self.codes.append(codes)
        if output.dtype is torch.quint8:
            self._high += int(np.count_nonzero(codes >= HALF))
            self._count += codes.size
        if self._first:
            info = TensorInfo(
                key=key,
                kind="activation",
                layer=layer,
                index=len(self.activations),
                dtype=codes.dtype.name,
                shape=codes.shape,
                bits=8,
                scale=(output.q_scale(),),
                zero_point=(output.q_zero_point(),),
            )
            self.activations.append(info)
        return key

    def _weighted(
        self, layer: LayerInfo, owner: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], packed: Any
    ) -> LayerInfo:
        """The layer with its weights, which become known by the name of their owner."""
        if layer.kind not in UNPACK:
            self._unreadable[owner] = f"weights of {layer.kind} are packed in a way that is not read here"
            return layer
        weight, bias = UNPACK[layer.kind](packed)
        if weight.dtype not in CODES:
            self._unreadable[owner] = f"its weights are {weight.dtype}"
            return layer
        scale, zero, axis = _affine(weight)
        if owner not in self.weights:
            codes = weight.int_repr().numpy()
            info = TensorInfo(
                key=f"weights.{len(self.weights):03d}",
                kind="weight",
                layer=owner,
                index=len(self.weights),
                dtype=codes.dtype.name,
                shape=codes.shape,
                layout=weight_layout(codes.ndim),
                bits=8,
                scale=scale,
                zero_point=zero,
                axis=axis,
            )
            self.weights[owner] = info, codes
        layer = replace(layer, weight=self.weights[owner][0].key)
        if inputs and bias is not None:
            units = bias.detach().double() / (inputs[0].q_scale() * torch.tensor(scale, dtype=torch.float64))
            layer = replace(layer, bias=tuple(int(b) for b in units.round()))
        if outputs:
            layer = replace(layer, macs=outputs[0].numel() * math.prod(weight.shape[1:]))
        return replace(layer, **_windows(packed, weight.dim() - 2)) if weight.dim() > 2 else layer

    def _lay_out(self, layer: LayerInfo, outputs: Sequence[Tensor]) -> None:
        """Convolutions are NC and then space, other operators keep the layout of what they get."""
        for output in outputs:
            if layer.kernel:
                self.layouts[layer.output] = "NC" + "DHW"[5 - output.dim() :]
                self.layouts.setdefault(layer.inputs[0], self.layouts[layer.output])
            else:
                kept = [self.layouts.get(key, "") for key in layer.inputs]
                same = [layout for layout in kept if len(layout) == output.dim()]
                self.layouts[layer.output] = same[0] if same else "NC" if output.dim() == 2 else ""


@dataclass(frozen=True)
class _Known:
    """A tensor that consists of activations, or was computed from some.

    keys: of those activations. kind: the last operator that worked on real numbers in between.
    """

    tensor: Tensor
    keys: tuple[str, ...]
    kind: str


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in what an operator takes or gives."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, Tensor):
        yield value


def _is_codes(tensor: Tensor) -> bool:
    """Whether a tensor holds integers of 8 bits."""
    return tensor.is_quantized and tensor.dtype in CODES


def _affine(weight: Tensor) -> tuple[tuple[float, ...], tuple[int, ...], int | None]:
    """Scales, zero points and their axis."""
    if weight.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return (weight.q_scale(),), (weight.q_zero_point(),), None
    zeros = weight.q_per_channel_zero_points().tolist()
    return (
        tuple(weight.q_per_channel_scales().tolist()),
        tuple(int(z) for z in zeros),
        weight.q_per_channel_axis(),
    )


def _windows(packed: Any, axes: int) -> dict[str, Any]:
    """LayerInfo's fields about the windows of a convolution."""
    kernel = tuple(packed.unpack()[0].shape[-axes:])
    padding = packed.padding()[-axes:]
    return {
        "kernel": kernel,
        "stride": tuple(packed.stride()[-axes:]),
        "dilation": tuple(packed.dilation()[-axes:]),
        "padding": tuple(p for p in padding for _ in range(2)),
        "groups": packed.groups(),
    }

"""Post-training static quantisation, and networks that run on the integers it gives.

Ranges come from torch.ao's observers over sample inputs. Weights are symmetric (zero point 0, codes from
-(2^(b-1)-1) to 2^(b-1)-1), activations affine (codes from 0 to 2^b-1), all of them used: nothing is
reduced to spare a vector unit, which would flatter every compression ratio. The arithmetic is that of
integer hardware:

    sum = Σ (x - x_zero) · w + bias              an integer, the bias in units of x_scale · w_scale
    y   = clamp(round(activation(sum · (x_scale · w_scale)) / y_scale) + y_zero)    round half to even

A channel whose weights are all but zero gets a scale so large that its bias needs no more than 31 bits, as
in TensorFlow Lite; so bias and sum are 32-bit integers for up to 33,000 products of 8 bits. Sums are exact
(integers in float64), and operators without weights compute on real values in float64
before their result is rounded; calibration, too, runs in float64. So the codes do not depend on the
machine, as those of float32 and of most int8 kernels do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx
from torch.ao.quantization.observer import HistogramObserver, MinMaxObserver, PerChannelMinMaxObserver

from atalanta.golden.errors import InputError, require
from atalanta.tools.extract.graph import POOLS, Graph, arguments, doubled, is_view

Record = Callable[[fx.Node, Tensor], None]
BIAS_TOP = 1 << 30
"""Largest bias; the sum of products may take the other half of an int32."""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How to quantise. bits: of weights and activations, 2..8. per_channel: a scale per output channel."""

    bits: int = 8
    per_channel: bool = True

    def __post_init__(self) -> None:
        require(isinstance(self.bits, int) and 2 <= self.bits <= 8, "bits", "from 2 to 8", self.bits)

    @property
    def top(self) -> int:
        """Largest code of an activation."""
        return (1 << self.bits) - 1

    @property
    def weight_top(self) -> int:
        """Largest code of a weight; the smallest is its negative."""
        return (1 << self.bits - 1) - 1

    def __str__(self) -> str:
        return (
            f"post-training static, {self.bits} bits: weights symmetric per "
            f"{'output channel' if self.per_channel else 'tensor'} [{-self.weight_top}, {self.weight_top}] "
            f"(torch.ao min-max), activations affine per tensor [0, {self.top}] (torch.ao histogram; "
            "min-max for the input), full range; batch normalisation folded, clamps fused, integer sums"
        )


@dataclass(frozen=True)
class Affine:
    """real value = scale * (code - zero), codes from 0 to top."""

    scale: float
    zero: int
    top: int

    def steps(self, real: Tensor) -> Tensor:
        """The nearest codes, less the zero point: integers in float64."""
        return real.div(self.scale).round().clamp(-self.zero, self.top - self.zero)


@dataclass(frozen=True)
class Weight:
    """What a layer multiplies with.

    codes: integers in float64, in the layout of the float weights.
    scale: float64, one per output channel, or one in all.
    bias: integers in float64, one per output channel, in units of input scale times weight scale.
    """

    codes: Tensor
    scale: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class Steps:
    """An activation on its way: codes less the zero point, integers in float64."""

    codes: Tensor
    affine: Affine

    @property
    def real(self) -> Tensor:
        """The real values, float64."""
        return self.codes * self.affine.scale


class Calibration(fx.Interpreter):
    """The float network, in float64, with an observer at every site: `observe` samples, then `quantised`."""

    def __init__(self, graph: Graph, scheme: Scheme) -> None:
        super().__init__(graph.module)
        self._network = graph
        self._scheme = scheme
        self._observers: dict[fx.Node, HistogramObserver | MinMaxObserver] = {}
        for site in graph.inputs:
            self._observers[site] = MinMaxObserver(dtype=torch.quint8, quant_min=0, quant_max=scheme.top)
        for layer in graph.layers:
            if layer.node.target not in POOLS:
                observer = HistogramObserver(dtype=torch.quint8, quant_min=0, quant_max=scheme.top)
                observer.dst_nbins = scheme.top + 1  # it assumes 8 bits while it looks for the best range
                self._observers[layer.site] = observer

    def observe(self, inputs: Sequence[Tensor]) -> Any:
        """Run on one sample; returns what the float network returns."""
        with torch.no_grad():
            return self.run(*inputs)

    def run_node(self, n: fx.Node) -> Any:
        if n in self._network.constants:
            return self._network.constants[n]
        result = doubled(super().run_node(n))
        if n in self._observers:
            if not torch.isfinite(result).all():
                raise InputError(f"{n.name} computes values that are not finite")
            self._observers[n](result.float())
        return result

    def quantised(self) -> "Quantised":
        """The network on integers, with the ranges seen so far."""
        graph, scheme = self._network, self._scheme
        affine: dict[fx.Node, Affine] = {}
        for site in graph.inputs:
            affine[site] = self._affine(site)
        for layer in graph.layers:
            pooled = layer.node.target in POOLS
            affine[layer.site] = affine[layer.sources[0]] if pooled else self._affine(layer.site)
        owners = [(layer, layer.weight) for layer in graph.layers if layer.weight is not None]
        units = {layer: affine[layer.sources[0]].scale for layer, _ in owners}
        biases = {layer: graph.constants.get(arguments(layer.node)["bias"]) for layer, _ in owners}
        floors: dict[fx.Node, Tensor] = {}  # weights may serve several layers
        for layer, weight in owners:
            bias = biases[layer]
            if bias is not None:
                least = bias.abs() / (units[layer] * BIAS_TOP)
                floors[weight] = torch.maximum(least, floors.get(weight, least))
        weights = {}
        for layer, weight in owners:
            codes, scale = quantise_weight(graph.constants[weight], floors.get(weight), scheme)
            bias = biases[layer]
            bias = None if bias is None else bias.div(units[layer] * scale).round()
            weights[layer.node] = Weight(codes, scale, bias)
        return Quantised(graph, affine, weights)

    def _affine(self, site: fx.Node) -> Affine:
        scale, zero = self._observers[site].calculate_qparams()
        return Affine(float(scale), int(zero), self._scheme.top)


def quantise_weight(weight: Tensor, floor: Tensor | None, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Codes of weights, integers in float64, and their scales, one in all or one per output channel.

    weight: output channels along axis 0. floor: the least scale of every channel.
    """
    ends = {"dtype": torch.qint8, "quant_min": -scheme.weight_top, "quant_max": scheme.weight_top}
    observer = (
        PerChannelMinMaxObserver(ch_axis=0, qscheme=torch.per_channel_symmetric, **ends)
        if scheme.per_channel
        else MinMaxObserver(qscheme=torch.per_tensor_symmetric, **ends)
    )
    observer(weight.float())
    scale = observer.calculate_qparams()[0].double()
    if floor is not None:
        scale = torch.maximum(scale, floor if scheme.per_channel else floor.max())
    codes = weight.div(scale.reshape(-1, *[1] * (weight.dim() - 1))).round()
    return codes.clamp(-scheme.weight_top, scheme.weight_top), scale


class Quantised:
    """A network that computes on integers.

    affine: how the codes of every site stand for real values.
    weights: by the node of the layer.
    """

    def __init__(self, graph: Graph, affine: dict[fx.Node, Affine], weights: dict[fx.Node, Weight]) -> None:
        self.graph = graph
        self.affine = affine
        self.weights = weights

    def run(self, inputs: Sequence[Tensor], record: Record) -> Any:
        """Run on one input. record: called at every site, in order, with the codes as uint8.

        Returns what the network returns, Steps in place of tensors.
        """
        with torch.no_grad():
            return _Run(self, record).run(*inputs)


class _Run(fx.Interpreter):
    """One run of a quantised network. Real-valued results that are still to be clamped stay tensors."""

    def __init__(self, network: Quantised, record: Record) -> None:
        super().__init__(network.graph.module)
        self._network = network
        self._record = record

    def run_node(self, n: fx.Node) -> Any:
        network = self._network
        if n in network.graph.constants:
            return network.graph.constants[n]
        result = self._call(n) if n.op == "call_function" else super().run_node(n)
        if n in network.affine:
            if not isinstance(result, Steps):
                result = Steps(network.affine[n].steps(doubled(result)), network.affine[n])
            self._record(n, (result.codes + result.affine.zero).to(torch.uint8))
        return result

    def _call(self, n: fx.Node) -> Any:
        if n in self._network.weights:
            return self._integer(n, self._network.weights[n])
        function = cast("Callable[..., Any]", n.target)
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        if is_view(n) or n.target in POOLS:
            found: list[Steps] = []
            result = function(*(_codes(a, found) for a in args), **kwargs)
            return _steps(result, found[0].affine) if found else result
        return function(*map(_real, args), **{name: _real(a) for name, a in kwargs.items()})

    def _integer(self, n: fx.Node, weight: Weight) -> Tensor:
        call = arguments(n)
        x: Steps = self.env[call["input"]]
        call |= {"input": x.codes, "weight": weight.codes, "bias": weight.bias}
        total: Tensor = cast("Callable[..., Tensor]", n.target)(**call)
        behind_channels = weight.codes.dim() - 2
        return total * (x.affine.scale * weight.scale).reshape(-1, *[1] * behind_channels)


def _codes(value: Any, found: list[Steps]) -> Any:
    """The codes of activations, which are noted in `found`; anything else as it is."""
    if isinstance(value, (list, tuple)):
        return [_codes(item, found) for item in value]
    if not isinstance(value, Steps):
        return value
    found.append(value)
    return value.codes


def _steps(codes: Any, affine: Affine) -> Any:
    """One activation, or several, out of codes."""
    return [_steps(c, affine) for c in codes] if isinstance(codes, (list, tuple)) else Steps(codes, affine)


def _real(value: Any) -> Any:
    """The real values of activations; anything else as it is."""
    if isinstance(value, (list, tuple)):
        return [_real(item) for item in value]
    return value.real if isinstance(value, Steps) else value

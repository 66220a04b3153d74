"""From a float network and its inputs to a file of integers: trace, calibrate, run, write."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from atalanta.golden.errors import InputError
from atalanta.tools.extract.draft import Draft, Progress, silent, steps
from atalanta.tools.extract.graph import Graph, clamp_of, kind_of, trace
from atalanta.tools.extract.info import LayerInfo, Provenance, Skipped, TensorInfo, top1
from atalanta.tools.extract.layers import layouts, macs, weight_layout, windows
from atalanta.tools.extract.quantise import Calibration, Quantised, Scheme, Steps
from atalanta.tools.extract.samples import Sample
from atalanta.tools.extract.tensors import TensorFile


@dataclass(frozen=True)
class Keys:
    """Names of all tensors of a network, by the node that holds or makes them."""

    weights: dict[fx.Node, str]
    activations: dict[fx.Node, str]

    @classmethod
    def of(cls, graph: Graph) -> "Keys":
        """Number weights and activations in the order of execution."""
        owned = dict.fromkeys(layer.weight for layer in graph.layers if layer.weight is not None)
        return cls(
            {node: f"weights.{i:03d}" for i, node in enumerate(owned)},
            {node: f"activations.{i:03d}" for i, node in enumerate(graph.sites)},
        )


def extract_module(
    module: nn.Module | ExportedProgram,
    samples: Sequence[Sample],
    output: Path,
    *,
    scheme: Scheme,
    provenance: Provenance,
    keep: Collection[str] = (),
    only: Collection[str] = (),
    progress: Progress = silent,
) -> TensorFile:
    """Quantise a float network over the samples, and write its weights and activations.

    keep, only: see Draft.

    Raises InputError for a network that cannot be followed, samples of unequal shapes, a name in `keep`
    or `only` that is not there, or a file that cannot be written.
    """
    _check(samples)
    with Draft(output, [s.info.name for s in samples], keep, only) as draft:
        progress("trace", 0, 1)
        graph = trace(module, samples[0].inputs)
        keys = Keys.of(graph)
        calibration = Calibration(graph, scheme)
        seen_float = [top1(calibration.observe(s.inputs)) for s in steps("calibrate", samples, progress)]
        network = calibration.quantised()
        _declare(draft, network, keys, scheme)
        draft.check()
        seen = []
        for sample in steps("run", samples, progress):

            def record(site: fx.Node, codes: Tensor, image: str = sample.info.name) -> None:
                draft.add(keys.activations[site], image, codes.numpy())

            result = network.run(sample.inputs, record)
            seen.append(top1(result.codes if isinstance(result, Steps) else result))
        images = (
            replace(s.info, top1=q, top1_float=f) for s, q, f in zip(samples, seen, seen_float, strict=True)
        )
        return draft.write(
            replace(provenance, quantiser=str(scheme), images=tuple(images)),
            [*_layers(network, keys)],
            [Skipped(name=name, reason=reason) for name, reason in graph.skipped],
            progress,
        )


def _check(samples: Sequence[Sample]) -> None:
    if not samples:
        raise InputError("at least one input is needed to find the ranges of activations")
    shapes = [tuple(x.shape) for x in samples[0].inputs]
    for sample in samples:
        if [tuple(x.shape) for x in sample.inputs] != shapes:
            got = [tuple(x.shape) for x in sample.inputs]
            raise InputError(f"{sample.info.name} has the shape {got}, {samples[0].info.name} has {shapes}")


def _declare(draft: Draft, network: Quantised, keys: Keys, scheme: Scheme) -> None:
    """Tell the draft about every tensor of the network."""
    graph = network.graph
    by_weight = {layer.weight: layer for layer in reversed(graph.layers)}  # of those that share, the first
    for index, (node, key) in enumerate(keys.weights.items()):
        layer = by_weight[node]
        weight = network.weights[layer.node]
        info = TensorInfo(
            key=key,
            kind="weight",
            layer=layer.name,
            index=index,
            dtype="int8",
            shape=tuple(weight.codes.shape),
            layout=weight_layout(weight.codes.dim()),
            bits=scheme.bits,
            scale=tuple(weight.scale.tolist()),
            zero_point=(0,) * len(weight.scale),
            axis=0 if len(weight.scale) > 1 else None,
        )
        draft.given(info, lambda codes=weight.codes: codes.numpy().astype(np.int8))  # type: ignore[misc]
    names = dict.fromkeys(graph.inputs, "input") | {layer.site: layer.name for layer in graph.layers}
    layout = layouts(graph)
    for index, (site, key) in enumerate(keys.activations.items()):
        affine = network.affine[site]
        info = TensorInfo(
            key=key,
            kind="activation",
            layer=names[site],
            index=index,
            dtype="uint8",
            shape=graph.shape(site),
            layout=layout[site],
            bits=scheme.bits,
            scale=(affine.scale,),
            zero_point=(affine.zero,),
        )
        draft.activation(info)


def _layers(network: Quantised, keys: Keys) -> Iterator[LayerInfo]:
    graph = network.graph
    for layer in graph.layers:
        weight = network.weights.get(layer.node)
        yield LayerInfo(
            name=layer.name,
            kind=kind_of(layer.node),
            macs=macs(graph, layer),
            weight=keys.weights[layer.weight] if layer.weight is not None else "",
            inputs=tuple(keys.activations[site] for site in layer.sources),
            output=keys.activations[layer.site],
            clamp=clamp_of(layer.site) or () if layer.site is not layer.node else (),
            bias=tuple(int(b) for b in weight.bias) if weight and weight.bias is not None else (),
            **windows(graph, layer),
        )

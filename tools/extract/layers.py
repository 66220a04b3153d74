"""What each layer of a graph does, in numbers: multiply-accumulates and the shape of its windows."""

import math
from itertools import chain
from typing import Any

from torch import fx

from atalanta.tools.extract.graph import (
    CONVOLUTIONS,
    PADS,
    Graph,
    Layer,
    arguments,
    is_view,
    kind_of,
    operator_of,
)


def macs(graph: Graph, layer: Layer) -> int:
    """Multiply-accumulates of one run; 0 for operators that do not multiply matrices."""
    made_by = operator_of(layer.node)
    out = math.prod(graph.shape(layer.node))
    operands: list[fx.Node] = []
    fx.map_arg(made_by.args, operands.append)
    shapes = [graph.shape(n) for n in operands]
    match kind_of(made_by):
        case "linear" | "conv1d" | "conv2d" | "conv3d" | "convolution":
            return out * math.prod(shapes[1][1:])
        case "matmul" | "bmm" | "mm":
            return out * shapes[0][-1]
        case "scaled_dot_product_attention":
            return (math.prod(shapes[0]) + out) * shapes[1][-2]
        case "einsum":
            letters = chain.from_iterable(str(made_by.args[0]).partition("->")[0].split(","))
            return math.prod(dict(zip(letters, chain.from_iterable(shapes), strict=False)).values())
    return 0


def windows(graph: Graph, layer: Layer) -> dict[str, Any]:
    """LayerInfo's fields about the windows of a convolution; nothing for other operators.

    Zero padding that the network writes as an operator of its own counts as the convolution's.
    """
    if layer.node.target not in CONVOLUTIONS:
        return {}
    a = arguments(layer.node)
    kernel = graph.shape(a["weight"])[2:]

    def axes(value: int | list[int]) -> tuple[int, ...]:
        values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        return values * (len(kernel) // len(values))

    dilation = axes(a["dilation"])
    if a["padding"] == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        padding = [(t // 2, t - t // 2) for t in total]
    else:
        padding = [(p, p) for p in axes(0 if a["padding"] == "valid" else a["padding"])]
    source = a["input"]
    while is_view(source):
        if source.target in PADS:
            pairs = list(zip(*[iter(arguments(source)["pad"])] * 2, strict=True))  # the last axis first
            pairs += [(0, 0)] * (len(kernel) - len(pairs))
            padding = [(b + p[0], e + p[1]) for (b, e), p in zip(padding, reversed(pairs), strict=True)]
        source = operator_of(source).args[0]
    return {
        "kernel": kernel,
        "stride": axes(a["stride"]),
        "dilation": dilation,
        "padding": tuple(chain.from_iterable(padding)),
        "groups": a["groups"],
    }


def weight_layout(axes: int) -> str:
    """Output channels, input channels of a group, then space."""
    return "OI" + "DHW"[5 - axes :] if axes > 2 else "OI"


def unpadded(node: fx.Node) -> fx.Node:
    """The node before any padding."""
    while node.target in PADS:
        node = node.all_input_nodes[0]
    return node


def layouts(graph: Graph) -> dict[fx.Node, str]:
    """The layout of every activation as far as the operators tell.

    Convolutions are NC and then space, what works element by element or window by window keeps what it
    gets, two axes are NC.
    """
    found: dict[fx.Node, str] = {}
    for layer in graph.layers:
        axes = len(graph.shape(layer.site))
        direct = [unpadded(n) for n in operator_of(layer.node).all_input_nodes]
        direct = [n for n in direct if n in layer.sources]
        if layer.node.target in CONVOLUTIONS:
            found[layer.site] = "NC" + "DHW"[5 - axes :]
            for source in direct:
                found.setdefault(source, found[layer.site])
        else:
            kept = [found[s] for s in direct if s in found and len(found[s]) == axes]
            found[layer.site] = kept[0] if kept else ("NC" if axes == 2 else "")
    return {site: found.get(site, "") for site in graph.sites}

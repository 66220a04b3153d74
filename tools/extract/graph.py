"""A float network as a graph of tensor operators, brought to the form in which hardware runs it.

torch.export lists the operators; batch normalisation is folded into the convolution before it, a clamp
such as ReLU6 is fused behind the operator that feeds it, and what only reorders values (reshapes, zero
padding) is seen through. What is left are layers: each reads some activations, makes one, and may own
weights. All that is decided here once, without running the network.
"""

import operator
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.nn.utils.fusion import fuse_conv_bn_weights

from atalanta.golden.errors import InputError
from atalanta.tools.extract.catalog import unique

aten = torch.ops.aten

CONVOLUTIONS = {
    aten.conv1d.default, aten.conv1d.padding, aten.conv2d.default, aten.conv2d.padding,
    aten.conv3d.default, aten.conv3d.padding, aten.convolution.default,
}  # fmt: skip
LINEAR = aten.linear.default
BATCH_NORM = aten._native_batch_norm_legit_no_training.default  # noqa: SLF001 - the name torch.export gives it
CHECK = aten._assert_tensor_metadata.default  # noqa: SLF001
FILLS = {
    aten.new_zeros.default, aten.new_ones.default, aten.new_full.default,
    aten.zeros_like.default, aten.ones_like.default, aten.full_like.default,
}  # fmt: skip
"""What takes from its input the shape alone, and so is constant."""
POOLS = {aten.max_pool1d.default, aten.max_pool2d.default, aten.max_pool3d.default}
"""What picks values: a new tensor with the scale of the old one."""
PADS = {aten.pad.default, aten.constant_pad_nd.default}
VIEWS = PADS | {
    aten.view.default, aten._unsafe_view.default, aten.reshape.default, aten.flatten.using_ints,  # noqa: SLF001
    aten.permute.default, aten.transpose.int, aten.t.default, aten.squeeze.default, aten.squeeze.dim,
    aten.squeeze.dims, aten.unsqueeze.default, aten.expand.default, aten.alias.default, aten.clone.default,
    aten.contiguous.default, aten.detach.default, aten.dropout.default, aten.slice.Tensor, aten.roll.default,
    aten.flip.default, aten.repeat.default, aten.pixel_shuffle.default,
    aten.select.int, aten.split.Tensor, aten.split_with_sizes.default, aten.chunk.default, aten.unbind.int,
}  # fmt: skip
"""What only reorders, repeats or drops values, or adds zeros: the codes stay what they are."""


@dataclass(frozen=True)
class Layer:
    """One layer.

    name: its place in the module, such as `blocks.3.conv`.
    node: the operator.
    site: the node at whose result the activation is taken: `node`, or the clamp fused behind it.
    sources: the sites whose activations it reads.
    weight: the node of its weights, if integer arithmetic serves it (convolutions and linear layers).
    """

    name: str
    node: fx.Node
    site: fx.Node
    sources: tuple[fx.Node, ...]
    weight: fx.Node | None


@dataclass(frozen=True)
class Graph:
    """A network, simplified.

    constants: results of all nodes that do not depend on the input, float64 if they are real.
    inputs: nodes of the real-valued inputs.
    layers: in the order of execution.
    skipped: parameters that stay in floating point, and why.
    """

    module: fx.GraphModule
    constants: dict[fx.Node, Any]
    inputs: tuple[fx.Node, ...]
    layers: tuple[Layer, ...]
    skipped: tuple[tuple[str, str], ...]

    @property
    def sites(self) -> tuple[fx.Node, ...]:
        """Nodes whose results are activations: the inputs, then one a layer."""
        return self.inputs + tuple(layer.site for layer in self.layers)

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        """The shape of a node's result."""
        return tuple(self.constants[node].shape if node in self.constants else node.meta["val"].shape)


def trace(module: nn.Module | ExportedProgram, inputs: Sequence[Tensor]) -> Graph:
    """The graph of a network in evaluation mode. inputs: an example of what it will be given.

    Raises InputError if torch.export cannot follow the network.
    """
    traced = _export(module, inputs)
    constants = _Constants(traced).values
    _name_linear(traced.graph, constants)
    _fold_batch_norm(traced.graph, constants)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    layers = tuple(_layers(traced.graph, constants))
    return Graph(
        module=traced,
        constants=constants,
        inputs=tuple(n for n in traced.graph.nodes if n.op == "placeholder" and is_real(n)),
        layers=layers,
        skipped=tuple(_unquantised(layers, constants)),
    )


def is_real(node: fx.Node) -> bool:
    """Whether a node's result is one tensor of real numbers."""
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.is_floating_point()


def arguments(node: fx.Node) -> dict[str, Any]:
    """The arguments of an operator by name, defaults filled in."""
    schema = node.target._schema.arguments  # type: ignore[union-attr] # noqa: SLF001 - no public way
    given = dict(zip((a.name for a in schema), node.args, strict=False)) | node.kwargs
    return {a.name: given.get(a.name, a.default_value) for a in schema}


def _export(module: nn.Module | ExportedProgram, inputs: Sequence[Tensor]) -> fx.GraphModule:
    """Functional operators, nothing decomposed that need not be."""
    with warnings.catch_warnings():
        # torch.export of torch 2.13 trips over a deprecation of its own
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        try:
            if isinstance(module, nn.Module):
                module = torch.export.export(module.eval(), tuple(inputs), strict=False)
            elif module.range_constraints:  # some dimensions are open: here they are those of the inputs
                module = torch.export.export(module.module(), tuple(inputs), strict=False)
            traced = module.run_decompositions({}).module()
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0]
            raise InputError(f"torch.export cannot follow the network: {reason}") from error
    assert isinstance(traced, fx.GraphModule)
    for node in list(traced.graph.nodes):
        if node.op == "call_module" or node.target is CHECK:  # of shapes and dtypes, nothing else
            traced.graph.erase_node(node)
    return traced


def doubled(value: Any) -> Any:
    """A tensor of real numbers in float64; anything else as it is."""
    return value.detach().double() if isinstance(value, Tensor) and value.is_floating_point() else value


class _Constants(fx.Interpreter):
    """Runs what does not depend on the input. values: the results, by node, float64 if they are real."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Any] = {}
        with torch.no_grad():
            for node in module.graph.nodes:
                needs = {n: self.values.get(n) for n in node.all_input_nodes}
                if node.target in FILLS:
                    needs = {n: torch.zeros(n.meta["val"].shape, dtype=n.meta["val"].dtype) for n in needs}
                if node.op in ("get_attr", "call_function") and None not in needs.values():
                    self.env = needs
                    self.values[node] = doubled(self.run_node(node))


def _name_linear(graph: fx.Graph, constants: dict[fx.Node, Any]) -> None:
    """Linear layers by that name, where a program has them as products with a transposed constant."""
    for node in list(graph.nodes):
        if node.target is aten.addmm.default and not node.kwargs:
            bias, x, weight = node.args
        elif node.target is aten.mm.default:
            bias, (x, weight) = None, node.args
        else:
            continue
        if weight in constants and x not in constants:
            with graph.inserting_before(node):
                upright = _constant(graph, constants, weight, constants[weight].T)
                linear = graph.call_function(LINEAR, (x, upright, bias))
            linear.meta = dict(node.meta)
            node.replace_all_uses_with(linear)
            graph.erase_node(node)


def _constant(graph: fx.Graph, constants: dict[fx.Node, Any], like: fx.Node, value: Tensor) -> fx.Node:
    """A node for a new constant, named after the parameter that `like` was computed from."""
    while like.op != "get_attr":
        like = like.all_input_nodes[0]
    node = graph.get_attr(str(like.target))
    constants[node] = doubled(value)
    return node


def _fold_batch_norm(graph: fx.Graph, constants: dict[fx.Node, Any]) -> None:
    """Put every batch normalisation that follows a convolution into its weights and bias."""
    for pick in list(graph.nodes):
        if pick.target is not operator.getitem or pick.args[0].target != BATCH_NORM:
            continue
        conv, gamma, beta, mean, variance, _, epsilon = pick.args[0].args
        if len(conv.users) > 1 or integer_weight(conv, constants) is None:
            continue
        weight, bias = arguments(conv)["weight"], arguments(conv)["bias"]
        of = constants.get
        folded = fuse_conv_bn_weights(
            constants[weight], of(bias), constants[mean], constants[variance], epsilon, of(gamma), of(beta)
        )
        for index, value in enumerate(folded, start=1):
            with graph.inserting_before(conv):
                node = _constant(graph, constants, weight, value)
            conv.args = (*conv.args[:index], node, *conv.args[index + 1 :])
        pick.replace_all_uses_with(conv)


def _layers(graph: fx.Graph, constants: dict[fx.Node, Any]) -> Iterator[Layer]:
    fused: dict[fx.Node, fx.Node] = {}
    taken: set[str] = set()
    for node in graph.nodes:
        made = node.op == "call_function" and node not in constants and is_real(node)
        if not made or is_view(node) or node in fused.values():
            continue
        user = next(iter(node.users))
        if node.target not in POOLS and len(node.users) == 1 and clamp_of(user) is not None:
            fused[node] = user
        weight = integer_weight(node, constants)
        name = _name(node, weight)
        name = unique(name, taken)
        taken.add(name)
        needed = (n for n in operator_of(node).all_input_nodes)
        sources = dict.fromkeys(site for n in needed for site in _sources(n, constants))
        yield Layer(name, node, fused.get(node, node), tuple(sources), weight)


def operator_of(node: fx.Node) -> fx.Node:
    """The node itself or, for one of several results, the node that makes them all."""
    while node.target is operator.getitem:
        node = node.args[0]  # type: ignore[assignment]
    return node


def is_view(node: fx.Node) -> bool:
    """Whether a node's result has the codes of its input, in another order, or zeros."""
    made_by = operator_of(node)
    if made_by.target in PADS:
        a = arguments(made_by)
        return a.get("mode", "constant") != "constant" or not a["value"]
    return made_by.target in VIEWS


def integer_weight(node: fx.Node, constants: dict[fx.Node, Any]) -> fx.Node | None:
    """The weights of an operator that runs on integers; None for all other operators."""
    if node.target not in CONVOLUTIONS and node.target != LINEAR:
        return None
    a = arguments(node)
    constant = a["weight"] in constants and (a["bias"] is None or a["bias"] in constants)
    return a["weight"] if constant and not a.get("transposed") else None


def clamp_of(node: fx.Node) -> tuple[float, ...] | None:
    """The bounds (low, high) that a function applies, only (low,) for ReLU; None if it does more.

    Hardware applies such a function while it rounds a result, so that what is before it never moves.
    """
    kind = kind_of(node) if node.op == "call_function" else ""
    if kind in ("relu", "relu6"):
        return (0.0,) if kind == "relu" else (0.0, 6.0)
    if kind not in ("hardtanh", "clamp", "clamp_min"):
        return None
    bounds = [value for name, value in arguments(node).items() if name.startswith(("min", "max"))]
    if not isinstance(bounds[0], (int, float)):
        return None
    return tuple(float(b) for b in bounds if isinstance(b, (int, float)))


def kind_of(node: fx.Node) -> str:
    """The operator's name without its overload: conv2d, linear, add."""
    target = operator_of(node).target
    return "batch_norm" if target == BATCH_NORM else str(target).removeprefix("aten.").partition(".")[0]


def _name(node: fx.Node, weight: fx.Node | None) -> str:
    """Where in the module the operator stands, and its kind unless the weights say it all."""
    if weight is not None and weight.op == "get_attr":
        return str(weight.target).removesuffix(".weight")
    stack = list(operator_of(node).meta.get("nn_module_stack", {}).values())
    return ".".join(filter(None, (stack[-1][0] if stack else "", kind_of(node))))


def _sources(node: fx.Node, constants: dict[fx.Node, Any]) -> Iterator[fx.Node]:
    """The sites whose values a node's result consists of."""
    if node in constants:
        return
    if is_view(node):
        for needed in operator_of(node).all_input_nodes:
            yield from _sources(needed, constants)
    elif is_real(node):
        yield node


def _unquantised(layers: Sequence[Layer], constants: dict[fx.Node, Any]) -> Iterator[tuple[str, str]]:
    """Parameters that no integer weight tensor stands for."""
    for layer in layers:
        if layer.weight is None:
            for parameter in dict.fromkeys(_parameters(operator_of(layer.node), constants)):
                yield str(parameter.target), f"{kind_of(layer.node)} computes with it in floating point"


def _parameters(node: fx.Node, constants: dict[fx.Node, Any]) -> Iterator[fx.Node]:
    for needed in node.all_input_nodes:
        value = constants.get(needed)
        if needed.op == "get_attr" and isinstance(value, Tensor):
            if value.is_floating_point() and value.numel() > 1:
                yield needed
        elif needed in constants:
            yield from _parameters(needed, constants)

"""Numbers and names for what a model file holds, while its operators are read one after the other."""

from collections.abc import Callable, Container, Hashable
from dataclasses import replace
from itertools import chain, count
from typing import Generic, TypeVar

from atalanta.golden.values import Array
from atalanta.tools.extract.draft import Draft
from atalanta.tools.extract.info import LayerInfo, Skipped, TensorInfo

Name = TypeVar("Name", bound=Hashable)


def unique(name: str, taken: Container[str]) -> str:
    """The name, numbered from 2 if it is taken."""
    numbered = chain((name,), (f"{name}_{i}" for i in count(2)))
    return next(n for n in numbered if n not in taken)


class Catalog(Generic[Name]):
    """All tensors, layers and gaps of a model.

    weights, activations: the keys of tensors, by what the model calls them.
    layers: by their unique names, in the order of execution.
    """

    def __init__(self, draft: Draft) -> None:
        self.weights: dict[Name, str] = {}
        self.activations: dict[Name, str] = {}
        self.layers: dict[str, LayerInfo] = {}
        self._skipped: dict[str, str] = {}
        self._draft = draft

    @property
    def skipped(self) -> list[Skipped]:
        """What gave no tensor, and why."""
        return [Skipped(name=name, reason=reason) for name, reason in self._skipped.items()]

    def weight(self, tensor: Name, info: TensorInfo, values: Callable[[], Array]) -> str:
        """Number weights and declare them, unless another layer has them already; returns their key.

        info: its key and index are filled in.
        """
        if tensor not in self.weights:
            index = len(self.weights)
            self.weights[tensor] = f"weights.{index:03d}"
            self._draft.given(replace(info, key=self.weights[tensor], index=index), values)
        return self.weights[tensor]

    def activation(self, tensor: Name, info: TensorInfo) -> str:
        """Number an activation and declare it; returns its key. info: its key and index are filled in."""
        index = len(set(self.activations.values()))
        self.activations[tensor] = f"activations.{index:03d}"
        self._draft.activation(replace(info, key=self.activations[tensor], index=index))
        return self.activations[tensor]

    def alias(self, tensor: Name, of: Name) -> None:
        """Say that a tensor has the values of another one."""
        if of in self.activations:
            self.activations[tensor] = self.activations[of]

    def layer(self, layer: LayerInfo) -> None:
        """Add a layer; its name must be unique."""
        self.layers[layer.name] = layer

    def skip(self, name: str, reason: str) -> None:
        """Note what gives no tensor."""
        self._skipped.setdefault(name, reason)

"""A network as the memory sees it: layers, what each multiplies, and which tensors it reads and writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from atalanta.golden.errors import require

WEIGHT, ACTIVATION = "weight", "activation"


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A tensor between memory and chip.

    role: WEIGHT or ACTIVATION. nbytes: of its values, uncompressed, as the on-chip buffer holds them.
    parts: of equal size that it can be cut into: output channels of weights, rows of activations.
    """

    name: str
    role: str
    nbytes: int
    parts: int = 1

    def __post_init__(self) -> None:
        require(self.role in (WEIGHT, ACTIVATION), "role", f"{WEIGHT} or {ACTIVATION}", self.role)
        require(self.nbytes >= 0, "nbytes", "bytes from 0 up", self.nbytes)
        require(self.parts >= 1, "parts", "at least 1", self.parts)

    def tile_bytes(self, tiles: int) -> int:
        """Bytes of the largest of so many tiles, each of whole parts."""
        return -(-self.nbytes * -(-self.parts // tiles) // self.parts)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One operator. macs: multiply-accumulates of one run. weight, output: operands, empty for none."""

    name: str
    kind: str = ""
    macs: int = 0
    weight: str = ""
    inputs: tuple[str, ...] = ()
    output: str = ""

    def __post_init__(self) -> None:
        require(self.macs >= 0, f"macs of layer {self.name}", "a number from 0 up", self.macs)
        some = bool(self.weight or self.inputs or self.output)
        require(some, f"layer {self.name}", "one that reads or writes a tensor", "without tensors")

    @property
    def reads(self) -> tuple[str, ...]:
        """The operands it reads, weights first."""
        return ((self.weight,) if self.weight else ()) + self.inputs

    @property
    def operands(self) -> tuple[str, ...]:
        """All operands."""
        return (*self.reads, self.output) if self.output else self.reads


@dataclass(frozen=True)
class Workload:
    """A network: its layers in the order in which they run, and their operands by name."""

    name: str
    layers: tuple[Layer, ...]
    operands: Mapping[str, Operand] = field(repr=False)

    def __post_init__(self) -> None:
        require(bool(self.layers), f"network {self.name}", "one with layers", "without")
        names = [layer.name for layer in self.layers]
        twice = sorted({n for n in names if names.count(n) > 1})
        require(not twice, "names of layers", "different", ", ".join(twice))
        for layer in self.layers:
            for name in layer.operands:
                known = ", ".join(list(self.operands)[:6])
                require(name in self.operands, f"tensor of layer {layer.name}", f"one of {known}, ...", name)
            if layer.weight:
                role = self.operands[layer.weight].role
                require(
                    role == WEIGHT, f"weight of layer {layer.name}", "a weight", f"{layer.weight}, {role}"
                )

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers)

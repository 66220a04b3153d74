"""How a layer is cut into tiles that fit on the chip, and what that makes it fetch again.

A layer runs as `weight_tiles` x `input_tiles` steps: weights are cut by output channel, inputs by row, and
each step makes its part of the output, which is written once. Sums are never cut, so no partial sums move.
The outer operand is fetched once; the inner one once for every outer tile, unless it is a single tile,
which then stays. Rows that neighbouring tiles of a convolution share stay on the chip.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from atalanta.golden.errors import ParameterError
from atalanta.sim.workload import Layer, Operand, Workload


@dataclass(frozen=True)
class Step:
    """What one step fetches before it can run: numbers of weight and input tiles, None for nothing new."""

    weight: int | None
    input: int | None


@dataclass(frozen=True)
class Tiling:
    """A layer's loops. weights_outer: for each tile of weights all inputs go by, otherwise the reverse."""

    weight_tiles: int
    input_tiles: int
    weights_outer: bool

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.weight_tiles * self.input_tiles

    @property
    def weight_fetches(self) -> int:
        """How often the weights are fetched."""
        return 1 if self.weights_outer or self.weight_tiles == 1 else self.input_tiles

    @property
    def input_fetches(self) -> int:
        """How often the inputs are fetched."""
        return self.weight_tiles if self.weights_outer and self.input_tiles > 1 else 1

    def room(self, layer: Layer, workload: Workload) -> tuple[int, int]:
        """Uncompressed bytes that stay on the chip for all steps, and those of one step besides."""
        weights = workload.operands[layer.weight].tile_bytes(self.weight_tiles) if layer.weight else 0
        inputs = sum(workload.operands[name].tile_bytes(self.input_tiles) for name in layer.inputs)
        output = _output_bytes(layer, workload, self.weight_tiles, self.input_tiles)
        if self.steps == 1:
            return 0, weights + inputs + output
        if self.input_tiles == 1:
            return inputs, weights + output
        if self.weight_tiles == 1:
            return weights, inputs + output
        return 0, weights + inputs + output

    def order(self) -> Iterator[Step]:
        """The steps in order."""
        outer, inner = (
            (self.weight_tiles, self.input_tiles)
            if self.weights_outer
            else (self.input_tiles, self.weight_tiles)
        )
        for o in range(outer):
            for i in range(inner):
                first = o if i == 0 else None
                second = i if inner > 1 or o == 0 else None
                yield Step(first, second) if self.weights_outer else Step(second, first)


def _output_bytes(layer: Layer, workload: Workload, weight_tiles: int, input_tiles: int) -> int:
    """Bytes of the output that the largest step makes: its share of the channels times that of the rows."""
    if not layer.output:
        return 0
    _, channels = _sum([workload.operands[layer.weight]] if layer.weight else [])
    _, rows = _sum([workload.operands[name] for name in layer.inputs])
    most = -(-channels // weight_tiles) * -(-rows // input_tiles)
    return -(-workload.operands[layer.output].nbytes * most // (channels * rows))


def _sum(operands: list[Operand]) -> tuple[int, int]:
    """Bytes of all, and the parts that all can be cut into."""
    return sum(o.nbytes for o in operands), min((o.parts for o in operands), default=1)


def choose(layer: Layer, workload: Workload, capacity: int, *, overlap: int, least: int) -> Tiling:
    """The tiling that moves the fewest uncompressed bytes with all three tiles of a step in `capacity` bytes.

    It depends on no codec, so that all are compared on the same schedule. Among equals the fewest steps;
    then, where that fetches nothing again, up to `overlap` tiles of at least `least` bytes, so that
    computing can begin before everything is there.

    Raises ParameterError if even single channels and rows do not fit.
    """
    weight = workload.operands[layer.weight] if layer.weight else None
    inputs = [workload.operands[name] for name in layer.inputs]
    weight_bytes, weight_parts = _sum([weight] if weight else [])
    input_bytes, input_parts = _sum(inputs)

    def fits(rows: int, weights: int) -> bool:
        tile = weight.tile_bytes(weights) if weight else 0
        made = _output_bytes(layer, workload, weights, rows)
        return tile + sum(o.tile_bytes(rows) for o in inputs) + made <= capacity

    best: tuple[int, int, Tiling] | None = None
    for rows in _tile_counts(input_parts):
        weights = _fewest(weight_parts, partial(fits, rows))
        if weights is None:
            continue
        for outer in (True, False):
            tiling = Tiling(weights, rows, outer)
            moved = weight_bytes * tiling.weight_fetches + input_bytes * tiling.input_fetches
            if best is None or (moved, tiling.steps) < best[:2]:
                best = (moved, tiling.steps, tiling)
    if best is None:
        most = ("" if weight is None else f"{weight.tile_bytes(weight_parts):,} of weights, ") + (
            f"{sum(o.tile_bytes(input_parts) for o in inputs):,} of inputs"
        )
        raise ParameterError(
            f"layer {layer.name} does not fit on the chip: its smallest tiles take {most} bytes, "
            f"and {capacity:,} bytes are there for a step"
        )
    return _overlapped(best[2], (weight_bytes, weight_parts), (input_bytes, input_parts), overlap, least)


def _tile_counts(parts: int) -> list[int]:
    """Numbers of tiles that differ in the size of the largest, the fewest of each."""
    return sorted({-(-parts // size) for size in range(1, parts + 1)})


def _fewest(parts: int, fits: Callable[[int], bool]) -> int | None:
    """The least number of tiles that fits; more tiles never take more room."""
    low, high = 1, parts
    if not fits(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle + 1, high)
    return low


def _overlapped(
    tiling: Tiling, weights: tuple[int, int], inputs: tuple[int, int], overlap: int, least: int
) -> Tiling:
    """More tiles of whichever operand's cutting fetches nothing again, the larger one first."""

    def count(operand: tuple[int, int], at_least: int) -> int:
        nbytes, parts = operand
        return max(at_least, min(parts, overlap, nbytes // least))

    if tiling.steps >= overlap:
        return tiling
    one_weight, one_input = tiling.weight_tiles == 1, tiling.input_tiles == 1
    if one_input and (weights[0] >= inputs[0] or not one_weight):
        return Tiling(count(weights, tiling.weight_tiles), 1, weights_outer=True)
    if one_weight:
        return Tiling(1, count(inputs, tiling.input_tiles), weights_outer=False)
    return tiling

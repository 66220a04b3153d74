"""A whole network on an accelerator: cycles, bytes and joules of every layer under one codec.

Layers run one after the other: a layer's inputs are read from memory and its output is written there, in
tiles, which overlap as `accelerator.timeline` says. Reading is simulated with the decoder's recurrence on
the memory model, all of a layer's tiles back to back; where the chip has no room for the next tile yet,
that holds the decoder up and nothing else. Without compression a DMA engine reads at the bus's pace.
What is written goes back as fast as the port takes it, compressed on the way by the codec.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import InputError, require
from atalanta.sim.accelerator import Accelerator, Timeline, Work, timeline
from atalanta.sim.decoder import TensorPlan, simulate
from atalanta.sim.dram_energy import Energy, energy_over
from atalanta.sim.native import ConservationError, DramStats
from atalanta.sim.tiling import Tiling, choose
from atalanta.sim.transfer import Extent, Port, Transfer, place
from atalanta.sim.workload import Layer, Workload


@dataclass(frozen=True)
class Stored:
    """One tile of an operand, or one decoder's piece of it, in memory. plan: None for plain bytes."""

    nbytes: int
    plan: TensorPlan | None = None


@dataclass(frozen=True)
class LayerRun:
    """What a layer came to.

    Cycles are of the chip's clock: all; those in which the multipliers computed; those in which memory was
    busy for reading and for writing; those in which a decoder moved on by a slot, of all decoders. Bytes
    are those of compressed tensors by what they are, and those that memory moved, whole bursts. stats: of
    each port's DRAM, from which its energy follows.
    """

    layer: Layer
    tiling: Tiling
    timeline: Timeline
    cycles: int
    compute_cycles: int
    read_cycles: int
    write_cycles: int
    slot_cycles: int
    weight_bytes: int
    input_bytes: int
    output_bytes: int
    moved_read_bytes: int
    moved_write_bytes: int
    stats: tuple[tuple[DramStats, ...], ...]
    energy: Energy | None

    @property
    def stall_cycles(self) -> int:
        """Cycles in which the multipliers waited for memory."""
        return self.cycles - self.compute_cycles

    @property
    def moved_bytes(self) -> int:
        """Bytes that memory moved."""
        return self.moved_read_bytes + self.moved_write_bytes

    @property
    def tensor_bytes(self) -> int:
        """Bytes of the tensors fetched and written, every fetch counted."""
        return self.weight_bytes + self.input_bytes + self.output_bytes


@dataclass(frozen=True)
class Machine:
    """All that a network runs on: multipliers and buffer, decoders, memory.

    ports: equal decoders side by side, each behind a port and a memory of its own; of every tile each has
    one piece. decoder, port: one of them.
    """

    accelerator: Accelerator
    decoder: DecoderParams
    port: Port
    ports: int = 1

    def __post_init__(self) -> None:
        require(1 <= self.ports <= 64, "ports", "from 1 to 64", self.ports)
        require(self.port.axi_bytes == self.decoder.axi_bytes, "axi_bytes of the port", "the decoder's",
                self.port.axi_bytes)  # fmt: skip
        clock = self.accelerator.clock_mhz
        ok = abs(float(self.port.clock_ps) * clock / 1e6 - 1) < 1e-3
        require(ok, "clock_ps of the port", f"that of {clock} MHz", self.port.clock_ps)

    @property
    def peak_bytes_per_cycle(self) -> float:
        """What all memories, or the buses if that is less, can move in a cycle of the chip."""
        return self.ports * self.port.peak_bytes_per_cycle

    def tilings(self, workload: Workload) -> dict[str, Tiling]:
        """The tiling of every layer. Raises ParameterError if one does not fit on the chip."""
        overlap, least = self.accelerator.tiles
        capacity = self.accelerator.capacity
        return {
            layer.name: choose(layer, workload, capacity, overlap=overlap, least=least)
            for layer in workload.layers
        }


def tiles_of(workload: Workload, tilings: Mapping[str, Tiling]) -> dict[str, int]:
    """In how many tiles each operand is stored: what the layer that reads it in most tiles needs."""
    tiles = dict.fromkeys(workload.operands, 1)
    for layer in workload.layers:
        tiling = tilings[layer.name]
        if layer.weight:
            tiles[layer.weight] = max(tiles[layer.weight], tiling.weight_tiles)
        for name in layer.inputs:
            tiles[name] = max(tiles[name], tiling.input_tiles)
    return tiles


def run_layer(
    layer: Layer,
    workload: Workload,
    tiling: Tiling,
    machine: Machine,
    stored: Mapping[str, Sequence[Sequence[Stored]]],
) -> LayerRun:
    """One layer. stored: each operand's tiles, at least as many as the tiling has, a piece for each port.

    Raises ConservationError if bytes or cycles do not add up.
    """
    fetched: list[tuple[str, int]] = []  # operand and tile, in the order of fetching
    counts = []
    for step in tiling.order():
        before = len(fetched)
        if step.weight is not None and layer.weight:
            fetched += _group(layer.weight, len(stored[layer.weight]), tiling.weight_tiles, step.weight)
        if step.input is not None:
            for name in layer.inputs:
                fetched += _group(name, len(stored[name]), tiling.input_tiles, step.input)
        counts.append(len(fetched) - before)

    sides = []
    for number in range(machine.ports):
        pieces = {name: [tile[number] for tile in stored[name]] for name in layer.operands}
        sides.append(_transfer(layer, machine, fetched, pieces))
    ends = [max(at) for at in zip(*(read.ends for read, _ in sides), strict=True)]
    work = _work(layer, machine.accelerator, counts, ends, max(w.cycles for _, w in sides))
    times = timeline(work, machine.accelerator.depth(*tiling.room(layer, workload)))

    sizes = [(n, sum(piece.nbytes for piece in stored[n][i])) for n, i in fetched]
    output = stored[layer.output] if layer.output else []
    stats = tuple(tuple(t.stats for t in side if t.stats is not None) for side in sides)
    run = LayerRun(
        layer=layer,
        tiling=tiling,
        timeline=times,
        cycles=times.cycles,
        compute_cycles=sum(w.compute for w in work),
        read_cycles=sum(w.read for w in work),
        write_cycles=sum(w.write for w in work),
        slot_cycles=sum(read.slots for read, _ in sides),
        weight_bytes=sum(size for n, size in sizes if n == layer.weight),
        input_bytes=sum(size for n, size in sizes if n != layer.weight),
        output_bytes=sum(piece.nbytes for tile in output for piece in tile),
        moved_read_bytes=sum(read.moved for read, _ in sides),
        moved_write_bytes=sum(written.moved for _, written in sides),
        stats=stats,
        energy=_energy(machine, times.cycles, stats),
    )
    _check(run, machine.port)
    return run


def _transfer(
    layer: Layer, machine: Machine, fetched: Sequence[tuple[str, int]], stored: Mapping[str, Sequence[Stored]]
) -> tuple["_Read", Transfer]:
    """What one port reads and writes of a layer."""
    places = _places(layer, stored, max(machine.port.unit, machine.port.axi_bytes))
    read = _read(machine, [(stored[n][i], places[n][i]) for n, i in fetched])
    return read, machine.port.write(places[layer.output] if layer.output else [])


def _places(layer: Layer, stored: Mapping[str, Sequence[Stored]], unit: int) -> dict[str, list[Extent]]:
    """Where each tile of the layer's operands lies."""
    lengths = {name: [s.nbytes for s in stored[name]] for name in layer.operands}
    extents = iter(place([n for each in lengths.values() for n in each], unit))
    return {name: [next(extents) for _ in each] for name, each in lengths.items()}


def _group(name: str, stored: int, tiles: int, tile: int) -> list[tuple[str, int]]:
    """The stored tiles that make one of fewer tiles."""
    if stored < tiles:
        raise InputError(f"{name} is stored in {stored} tiles, but {tiles} are needed")
    return [(name, i) for i in range(tile * stored // tiles, (tile + 1) * stored // tiles)]


@dataclass(frozen=True)
class _Read:
    ends: Sequence[int]
    moved: int
    slots: int
    stats: DramStats | None


def _read(machine: Machine, tiles: Sequence[tuple[Stored, Extent]]) -> _Read:
    """Fetch tiles back to back, through the decoder if they are compressed."""
    plans = [s.plan for s, _ in tiles if s.plan is not None]
    extents = [e for _, e in tiles]
    if not plans:
        plain = machine.port.read(extents)
        return _Read(plain.ends, plain.moved, 0, plain.stats)
    if len(plans) != len(tiles):
        raise InputError("a layer's tensors are all compressed or all plain")
    with machine.port.open() as memory:
        run = simulate(plans, machine.decoder, memory, addresses=[e.address for e in extents])
        memory.finish()
        axi, dram = memory.stats()
    moved = axi.bytes_read
    if dram is not None and machine.port.dram is not None:
        moved = dram.read_commands * machine.port.dram.burst_bytes
    return _Read([end + 1 for end in run.ends], moved, run.counters["slot"], dram)


def _work(
    layer: Layer, accelerator: Accelerator, counts: Sequence[int], ends: Sequence[int], write_cycles: int
) -> list[Work]:
    """What each step needs: reads by their ends, computing and writing in equal parts."""
    steps = len(counts)
    compute = -(-layer.macs // accelerator.macs_per_cycle)
    work, fetched, read = [], 0, 0
    for k, count in enumerate(counts):
        fetched += count
        end = ends[fetched - 1] if fetched else 0
        work.append(Work(end - read, _share(compute, k, steps), _share(write_cycles, k, steps)))
        read = end
    return work


def _share(total: int, k: int, parts: int) -> int:
    return total * (k + 1) // parts - total * k // parts


def _energy(machine: Machine, cycles: int, stats: Sequence[Sequence[DramStats]]) -> Energy | None:
    """Of all memories over a layer's time; None without currents."""
    dram = machine.port.dram
    if dram is None or dram.power is None:
        return None
    seconds = cycles * machine.port.clock_ps / Fraction(10**12)
    each = [asdict(energy_over(dram, own, seconds)) for own in stats]
    return Energy(**{name: sum(e[name] for e in each) for name in each[0]})


def _check(run: LayerRun, port: Port) -> None:
    """Every law that ties a layer's figures together."""
    moved = run.moved_bytes
    if port.dram is not None:
        commands = sum(s.read_commands + s.write_commands for own in run.stats for s in own)
        if moved != commands * port.dram.burst_bytes:
            raise ConservationError(
                f"conservation law broken: layer {run.layer.name}: bytes moved = the DRAM's bursts"
            )
    if moved < run.tensor_bytes:
        raise ConservationError(f"conservation law broken: layer {run.layer.name}: memory moved all tensors")
    spans = run.timeline
    for name, parts, total in (
        ("reading", spans.reads, run.read_cycles),
        ("computing", spans.computes, run.compute_cycles),
        ("writing", spans.writes, run.write_cycles),
    ):
        if sum(s.end - s.start for s in parts) != total or run.cycles < total:
            raise ConservationError(
                f"conservation law broken: layer {run.layer.name}: cycles of {name} add up"
            )
    if run.read_cycles + run.write_cycles > run.cycles:
        raise ConservationError(
            f"conservation law broken: layer {run.layer.name}: one thing at a time on the bus"
        )

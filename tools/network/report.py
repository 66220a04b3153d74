"""Results of simulated networks as flat rows: units in the names, every fraction with what it is of."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from atalanta.sim.dram_energy import Energy
from atalanta.sim.epochs import epochs
from atalanta.sim.network import LayerRun, Machine
from atalanta.tools.network.run import NetworkRun
from atalanta.tools.network.schema import NONE

SCHEMA = "atalanta.net/1"
"""Name and version of the rows: a column that goes or changes its meaning makes a new version."""

TOTAL = "all"
BASELINES = (NONE, "shapeshifter")
Row = dict[str, Any]

_SUMS = (
    "macs", "steps", "weight_bytes", "input_bytes", "output_bytes", "alignment_bytes", "moved_read_bytes",
    "moved_write_bytes", "cycles", "compute_bound_cycles", "memory_bound_cycles", "read_cycles",
    "write_cycles", "decoder_slot_cycles",
)  # fmt: skip


def _layer_row(run: LayerRun) -> Row:
    """A layer's own figures."""
    row: Row = {
        "layer": run.layer.name,
        "kind": run.layer.kind,
        "macs": run.layer.macs,
        "steps": run.tiling.steps,
        "weight_tiles": run.tiling.weight_tiles,
        "input_tiles": run.tiling.input_tiles,
        "weight_fetches": run.tiling.weight_fetches,
        "input_fetches": run.tiling.input_fetches,
        "weight_bytes": run.weight_bytes,
        "input_bytes": run.input_bytes,
        "output_bytes": run.output_bytes,
        "alignment_bytes": run.moved_bytes - run.tensor_bytes,
        "moved_read_bytes": run.moved_read_bytes,
        "moved_write_bytes": run.moved_write_bytes,
        "cycles": run.cycles,
        "compute_bound_cycles": run.compute_cycles,
        "memory_bound_cycles": run.stall_cycles,
        "read_cycles": run.read_cycles,
        "write_cycles": run.write_cycles,
        "decoder_slot_cycles": run.slot_cycles,
    }
    return row | _energy_columns(None if run.energy is None else asdict(run.energy))


def _energy_columns(energy: Mapping[str, float] | None) -> Row:
    """Joules by cause and in all; None where the memory has no currents."""
    names = [f"dram_{name}" for name in Energy.__dataclass_fields__]
    if energy is None:
        return dict.fromkeys([*names, "dram_energy_j"])
    columns: Row = dict(zip(names, energy.values(), strict=True))
    return columns | {"dram_energy_j": sum(energy.values())}


def _total_row(rows: Sequence[Row]) -> Row:
    """The sum of layers."""
    total: Row = dict.fromkeys(rows[0])
    total |= {"layer": TOTAL, "kind": "", **{name: sum(row[name] for row in rows) for name in _SUMS}}
    for name in (n for n in rows[0] if n.startswith("dram_")):
        total[name] = None if rows[0][name] is None else sum(row[name] for row in rows)
    return total


def _derived(row: Row, machine: Machine) -> Row:
    """What follows from a row's own figures."""
    seconds = row["cycles"] * float(machine.port.clock_ps) * 1e-12
    moved = row["moved_read_bytes"] + row["moved_write_bytes"]
    peak = machine.peak_bytes_per_cycle
    cycles = max(row["cycles"], 1)
    return {
        "time_s": seconds,
        "moved_bytes": moved,
        "bandwidth_bytes_per_s": moved / seconds if seconds else 0.0,
        "peak_bandwidth_bytes_per_s": peak * machine.accelerator.clock_mhz * 1e6,
        "bandwidth_share_of_peak": moved / (cycles * peak),
        "multiplier_share_of_cycles": row["compute_bound_cycles"] / cycles,
        "decoder_share_of_cycles": row["decoder_slot_cycles"] / (machine.ports * cycles),
        "macs_per_byte": row["macs"] / moved if moved else 0.0,
        "macs_per_cycle": row["macs"] / cycles,
        "bound": "compute" if 2 * row["compute_bound_cycles"] > row["cycles"] else "memory",
    }


def rows(network: str, runs: Sequence[NetworkRun], machine: Machine) -> list[Row]:
    """A row for each layer under each codec and, as layer `all`, for the network.

    compute_bound_cycles: the multipliers work; memory_bound_cycles: they wait. peak_bandwidth_*: of the
    memories, or of the buses to them if that is less. dram_*_j: None without
    currents. speedup_over_X: X's cycles over these. dram_energy_saving_over_X: the share of X's joules
    that is saved.
    """
    tables: dict[str, list[Row]] = {}
    for run in runs:
        layers = [_layer_row(layer) for layer in run.layers]
        tables[run.codec] = [
            {"network": network, "codec": run.codec, **row, **_derived(row, machine)}
            for row in (*layers, _total_row(layers))
        ]
    for table in tables.values():
        for number, row in enumerate(table):
            for base in BASELINES:
                other = tables[base][number] if base in tables else None
                row[f"speedup_over_{base}"] = _ratio(other, row, "cycles")
                share = _ratio(row, other, "dram_energy_j")
                row[f"dram_energy_saving_over_{base}"] = None if share is None else 1 - share
    return [row for table in tables.values() for row in table]


def _ratio(above: Row | None, below: Row | None, name: str) -> float | None:
    if above is None or below is None or above[name] is None or not below[name]:
        return None
    return float(above[name] / below[name])


def epoch_rows(network: str, runs: Sequence[NetworkRun], epoch_cycles: int) -> list[Row]:
    """A row for each codec and epoch of so many cycles."""
    found = []
    for run in runs:
        series = epochs(run.layers, epoch_cycles)
        for number, values in enumerate(zip(*series.values(), strict=True)):
            start = {"first_cycle": number * epoch_cycles}
            found.append({"network": network, "codec": run.codec, **start,
                          **dict(zip(series, map(float, values), strict=True))})  # fmt: skip
    return found

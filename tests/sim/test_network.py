"""Layers on a machine: closed formulas, where bytes go, energy by hand, time series that sum up."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from decoder_work import encoded, values

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import InputError, ParameterError
from atalanta.sim.accelerator import Accelerator
from atalanta.sim.decoder import plan, simulate
from atalanta.sim.dram_energy import command_energy, energy, energy_over
from atalanta.sim.dram_presets import preset
from atalanta.sim.epochs import SERIES, epochs
from atalanta.sim.native import run_trace
from atalanta.sim.network import Machine, Stored, run_layer, tiles_of
from atalanta.sim.transfer import Extent, Port, place
from atalanta.sim.workload import ACTIVATION, WEIGHT, Layer, Operand, Workload

CLOCK_PS = Fraction(1250)
DDR4 = preset("ddr4-3200")
LAYER = Layer(name="fc", kind="linear", macs=100_000, weight="w", inputs=("x",), output="y")


def port(dram=None, **changes):
    return Port(**({"dram": dram, "latency": 20, "clock_ps": CLOCK_PS, "axi_bytes": 16} | changes))


def machine(dram=None, *, rate=None, **accelerator):
    sizes = {"clock_mhz": 800, "macs_per_cycle": 100, "buffer_bytes": 1 << 20, "overlap_tiles": 1}
    return Machine(
        Accelerator(**(sizes | accelerator)), DecoderParams(lane_fifo=4), port(dram, bytes_per_cycle=rate)
    )


def network(weights=64_000, inputs=6400, outputs=3200):
    def operand(name, role, nbytes):
        return Operand(name=name, role=role, nbytes=nbytes, parts=100 if nbytes else 1)

    sizes = (("w", WEIGHT, weights), ("x", ACTIVATION, inputs), ("y", ACTIVATION, outputs))
    return Workload("n", (LAYER,), {n: operand(n, role, size) for n, role, size in sizes})


def plain(workload, tiles):
    return {
        n: [[Stored(len(piece))] for piece in np.array_split(np.zeros(o.nbytes), tiles[n])]
        for n, o in workload.operands.items()
    }


def coded(workload, tiles, codec, p):
    stored = {}
    for seed, (name, operand) in enumerate(workload.operands.items()):
        pieces = np.array_split(values(operand.nbytes, seed=seed), tiles[name])
        streams = [encoded(piece, codec) for piece in pieces]
        stored[name] = [[Stored(len(s), plan(s, p))] for s in streams]
    return stored


def layer_of(m, workload=None, codec=None):
    workload = workload or network()
    tilings = m.tilings(workload)
    tiles = tiles_of(workload, tilings)
    stored = plain(workload, tiles) if codec is None else coded(workload, tiles, codec, m.decoder)
    return run_layer(workload.layers[0], workload, tilings["fc"], m, stored)


# ----------------------------------------------------------------------------------------------------
# the port


@pytest.mark.parametrize("rate", [None, Fraction(4), Fraction(7, 3)])
def test_an_ideal_memory_takes_latency_and_bytes_over_rate(rate):
    moved = port(bytes_per_cycle=rate, latency=30).read([Extent(0, 1600), Extent(1600, 16)])
    per_cycle = 16 if rate is None else rate
    assert moved.ends == (30 + -(-1600 // per_cycle), 30 + -(-1616 // per_cycle))
    assert moved.moved == 1616
    assert port(bytes_per_cycle=rate).write([Extent(0, 1600)]).cycles == -(-1600 // per_cycle)


def test_whole_units_are_moved():
    assert port().read([Extent(8, 16)]).moved == 32
    assert port(DDR4).read([Extent(63, 2)]).moved == 128
    assert port(DDR4).read([]).moved == 0
    assert port(DDR4).read([Extent(0, 0)]) == port().read([Extent(0, 0)])


def test_a_read_of_one_burst_takes_the_unloaded_latency():
    cycles = DDR4.unloaded_read_cycles * DDR4.tck_ps / CLOCK_PS + 20
    assert port(DDR4).read([Extent(0, 64)]).cycles == pytest.approx(float(cycles), abs=2)


def test_a_long_read_runs_at_the_pace_of_the_bus_or_of_the_memory():
    nbytes = 1 << 20
    on_bus = port(DDR4).read([Extent(0, nbytes)]).cycles
    assert on_bus == pytest.approx(nbytes / 16, rel=0.01)
    wide = port(DDR4, axi_bytes=64)
    limit = DDR4.refresh_limited_bytes_per_s * float(CLOCK_PS) * 1e-12
    assert wide.read([Extent(0, nbytes)]).cycles == pytest.approx(nbytes / limit, rel=0.03)
    assert wide.write([Extent(0, nbytes)]).cycles == pytest.approx(nbytes / limit, rel=0.03)


def test_places_share_no_unit():
    extents = place([1, 64, 65, 0, 3], 64)
    assert [e.address for e in extents] == [0, 64, 128, 256, 256]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latency": 0}, "latency of an ideal memory must be at least 1"),
        ({"clock_ps": Fraction(0), "dram": DDR4}, "clock_ps must be above zero"),
        ({"bytes_per_cycle": Fraction(-1)}, "bytes_per_cycle must be above zero"),
        ({"bytes_per_cycle": Fraction(1), "dram": DDR4}, "bytes_per_cycle must be left out with a DRAM"),
        ({"outstanding": 0}, "outstanding must be from 1"),
    ],
)
def test_ports_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        port(**changes)


# ----------------------------------------------------------------------------------------------------
# a layer


def test_without_overlap_time_is_reading_and_computing_and_writing():
    run = layer_of(machine())
    assert run.tiling.steps == 1
    assert run.read_cycles == 20 + (64_000 + 6400) // 16
    assert run.compute_cycles == 1000
    assert run.write_cycles == 200
    assert run.cycles == run.read_cycles + run.compute_cycles + run.write_cycles
    assert run.stall_cycles == run.cycles - 1000


def test_overlap_hides_the_shorter_of_memory_and_computing():
    run = layer_of(machine(overlap_tiles=8, least_tile_bytes=1000, macs_per_cycle=10))
    assert run.tiling.weight_tiles == 8
    assert run.compute_cycles == 10_000
    first_read = run.timeline.reads[0].end
    last_write = run.timeline.writes[-1].end - run.timeline.writes[-1].start
    assert run.cycles == first_read + 10_000 + last_write


def test_bytes_by_kind_are_those_of_the_tensors():
    run = layer_of(machine())
    assert (run.weight_bytes, run.input_bytes, run.output_bytes) == (64_000, 6400, 3200)
    assert run.moved_bytes == run.tensor_bytes == 73_600


def test_what_does_not_fit_is_fetched_again():
    run = layer_of(machine(buffer_bytes=40_000), network(weights=64_000, inputs=50_000, outputs=100))
    tiling = run.tiling
    assert tiling.steps > 2
    assert max(tiling.weight_fetches, tiling.input_fetches) > 1
    assert run.weight_bytes == 64_000 * tiling.weight_fetches
    assert run.input_bytes == 50_000 * tiling.input_fetches


@pytest.mark.parametrize("codec", ["atalanta", "shapeshifter"])
def test_reading_is_the_decoders_time_and_bytes_are_those_of_the_streams(codec):
    m = machine(DDR4)
    workload = network()
    stored = coded(workload, dict.fromkeys(workload.operands, 1), codec, m.decoder)
    run = run_layer(LAYER, workload, m.tilings(workload)["fc"], m, stored)
    extents = place([stored[n][0][0].nbytes for n in "wxy"], 64)
    with m.port.open() as memory:
        alone = simulate(
            [stored[n][0][0].plan for n in "wx"],
            m.decoder,
            memory,
            addresses=[e.address for e in extents[:2]],
        )
    assert run.read_cycles == alone.cycles + 1
    assert run.slot_cycles == alone.counters["slot"]
    assert run.tensor_bytes == sum(stored[n][0][0].nbytes for n in "wxy")
    assert 0 <= run.moved_bytes - run.tensor_bytes < 3 * 64


def test_compression_saves_time_where_memory_is_the_limit_and_none_where_it_is_not():
    slow, fast = Fraction(2), None
    assert layer_of(machine(rate=slow), codec="atalanta").cycles < layer_of(machine(rate=slow)).cycles
    assert layer_of(machine(rate=fast), codec="atalanta").cycles > layer_of(machine(rate=fast)).cycles


def test_a_layer_without_weights_or_multiplications_only_moves():
    layer = Layer(name="add", inputs=("x", "w"), output="y")
    operands = {n: replace(o, role=ACTIVATION) for n, o in network().operands.items()}
    m = machine()
    workload = Workload("n", (layer,), operands)
    run = run_layer(
        layer, workload, m.tilings(workload)["add"], m, plain(workload, dict.fromkeys(operands, 1))
    )
    assert run.compute_cycles == run.weight_bytes == 0
    assert run.input_bytes == 70_400


def test_a_layer_that_only_writes_reads_nothing():
    layer = Layer(name="fc", macs=500, output="y")
    m = machine()
    workload = Workload("n", (layer,), network().operands)
    run = run_layer(layer, workload, m.tilings(workload)["fc"], m, plain(workload, dict.fromkeys("wxy", 1)))
    assert (run.read_cycles, run.compute_cycles, run.write_cycles, run.cycles) == (0, 5, 200, 205)


def test_tensors_are_stored_in_the_tiles_of_whoever_needs_most():
    workload = network(weights=64_000, inputs=50_000, outputs=100)
    m = machine(buffer_bytes=40_000)
    tilings = m.tilings(workload)
    tiles = tiles_of(workload, tilings)
    assert tiles["w"] == tilings["fc"].weight_tiles
    assert tiles["x"] == tilings["fc"].input_tiles
    assert tiles["y"] == 1
    finer = {n: 3 * t for n, t in tiles.items()}
    run, same = (run_layer(LAYER, workload, tilings["fc"], m, plain(workload, t)) for t in (tiles, finer))
    assert run.tensor_bytes == same.tensor_bytes
    with pytest.raises(InputError, match="w is stored in 1 tiles, but"):
        run_layer(LAYER, workload, tilings["fc"], m, plain(workload, dict.fromkeys(tiles, 1)))


@pytest.mark.parametrize("codec", [None, "atalanta"])
def test_two_decoders_halve_the_time_and_double_nothing_else(codec):
    one, p = machine(DDR4), machine().decoder
    two = replace(one, ports=2)
    workload = network()
    tiling = one.tilings(workload)["fc"]

    def halves(name, n):
        if codec is None:
            return [Stored(n // 2), Stored(n // 2)]
        streams = [encoded(piece, codec) for piece in np.array_split(values(n, seed=ord(name)), 2)]
        return [Stored(len(s), plan(s, p)) for s in streams]

    pieces = {name: halves(name, o.nbytes) for name, o in workload.operands.items()}
    both = run_layer(LAYER, workload, tiling, two, {name: [each] for name, each in pieces.items()})
    alone = [
        run_layer(LAYER, workload, tiling, one, {name: [[each[i]]] for name, each in pieces.items()})
        for i in range(2)
    ]
    assert both.read_cycles == max(run.read_cycles for run in alone)
    assert both.write_cycles == max(run.write_cycles for run in alone)
    for name in ("weight_bytes", "input_bytes", "output_bytes", "moved_read_bytes", "slot_cycles"):
        assert getattr(both, name) == sum(getattr(run, name) for run in alone), name
    assert both.energy.read_j == pytest.approx(sum(run.energy.read_j for run in alone))
    idle = energy_over(DDR4, [], both.cycles * CLOCK_PS / 10**12)
    assert both.energy.total_j > 2 * idle.total_j
    assert two.peak_bytes_per_cycle == 2 * one.peak_bytes_per_cycle


def test_half_compressed_layers_are_refused():
    m = machine()
    workload = network()
    stored = coded(workload, dict.fromkeys(workload.operands, 1), "raw", m.decoder)
    stored["x"] = [[Stored(6400)]]
    with pytest.raises(InputError, match="all compressed or all plain"):
        run_layer(LAYER, workload, m.tilings(workload)["fc"], m, stored)


def test_a_port_of_another_width_or_clock_is_refused():
    with pytest.raises(ParameterError, match="axi_bytes of the port must be the decoder's, not 32"):
        Machine(Accelerator(clock_mhz=800), DecoderParams(), port(axi_bytes=32))
    with pytest.raises(ParameterError, match="ports must be from 1 to 64, not 0"):
        replace(machine(), ports=0)
    with pytest.raises(ParameterError, match="clock_ps of the port must be that of 500 MHz"):
        Machine(Accelerator(clock_mhz=500), DecoderParams(), port())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": "q"}, "tensor of layer fc must be one of"),
        ({"weight": "x"}, "weight of layer fc must be a weight"),
        ({"weight": "", "inputs": (), "output": ""}, "one that reads or writes a tensor"),
        ({"macs": -1}, "macs of layer fc must be"),
    ],
)
def test_layers_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ParameterError, match=message):
        Workload("n", (replace(LAYER, **change),), network().operands)


def test_two_layers_of_one_name_are_refused():
    with pytest.raises(ParameterError, match="names of layers must be different, not 'fc'"):
        Workload("n", (LAYER, LAYER), network().operands)


# ----------------------------------------------------------------------------------------------------
# energy and time series


def test_energy_over_the_time_of_the_run_alone_is_that_of_the_run():
    n = 20_000
    result = run_trace(DDR4, np.arange(n, dtype=np.uint64) * 64, np.zeros(n, bool), np.zeros(n, np.int64))
    seconds = result.stats.cycles * DDR4.tck_ps / 10**12
    alone, over = energy(DDR4, result.stats), energy_over(DDR4, [result.stats], seconds)
    assert (over.activate_j, over.read_j) == (alone.activate_j, alone.read_j)
    assert over.total_j == pytest.approx(alone.total_j, rel=0.01)


def test_an_idle_memory_costs_standby_and_refresh():
    each = command_energy(DDR4)
    idle = energy_over(DDR4, [], Fraction(1))
    refreshes = 1 / (DDR4.t_refi * 625e-12)
    active = refreshes * DDR4.t_rfc * 625e-12
    assert idle.refresh_j == pytest.approx(each.refresh_j * refreshes)
    assert idle.active_standby_j == pytest.approx(each.active_w * active)
    assert idle.precharged_standby_j == pytest.approx(each.precharged_w * (1 - active))
    assert idle.activate_j == idle.read_j == idle.write_j == 0


def test_time_that_is_shorter_than_the_runs_is_refused():
    result = run_trace(DDR4, np.zeros(1, np.uint64), np.zeros(1, bool), np.zeros(1, np.int64))
    with pytest.raises(ParameterError, match="seconds must be at least"):
        energy_over(DDR4, [result.stats], Fraction(1, 10**12))


def test_energy_of_a_layer_by_hand():
    run = layer_of(machine(DDR4))
    each = command_energy(DDR4)
    assert run.energy.read_j == pytest.approx(each.read_j * (64_000 + 6400) / 64)
    assert run.energy.write_j == pytest.approx(each.write_j * 3200 / 64)
    assert layer_of(machine()).energy is None
    assert layer_of(machine(preset("lpddr4-3200"))).energy is None


@pytest.mark.parametrize("cycles", [1, 7, 1000, 10**6])
def test_epochs_sum_to_the_network(cycles):
    runs = [layer_of(machine(overlap_tiles=4, least_tile_bytes=1000)), layer_of(machine())]
    series = epochs(runs, cycles)
    total = sum(r.cycles for r in runs)
    assert {len(v) for v in series.values()} == {-(-total // cycles)}
    sums = {name: float(series[name].sum()) for name in SERIES}
    assert sums == pytest.approx(
        {
            "macs": 200_000,
            "compute_cycles": sum(r.compute_cycles for r in runs),
            "read_cycles": sum(r.read_cycles for r in runs),
            "write_cycles": sum(r.write_cycles for r in runs),
            "read_bytes": sum(r.moved_read_bytes for r in runs),
            "write_bytes": sum(r.moved_write_bytes for r in runs),
        }
    )
    busy = series["read_cycles"] + series["write_cycles"]
    assert busy.max() <= cycles + 1e-6


def test_epochs_put_things_where_they_happen():
    run = layer_of(machine())
    series = epochs([run, run], run.cycles)
    for name in SERIES:
        assert series[name][0] == pytest.approx(series[name][1])
    fine = epochs([run], 1)
    assert fine["compute_cycles"][run.read_cycles] == pytest.approx(1)
    assert fine["compute_cycles"][run.read_cycles - 1] == 0

"""The model against closed formulas, within 1 %."""

import numpy as np
import pytest
from dram_workloads import arrays

from atalanta.sim.dram_bandwidth import bandwidth as bandwidth_of
from atalanta.sim.dram_presets import PRESETS, preset
from atalanta.sim.native import run_trace

CYCLES = 200_000


def bandwidth(config, addresses, writes=None, cycles=CYCLES):
    """Bytes per second when everything is asked for at once."""
    writes = np.zeros(len(addresses), bool) if writes is None else writes
    result = run_trace(config, addresses, writes, np.zeros(len(addresses), np.int64), until=cycles)
    done = np.count_nonzero((result.complete >= 0) & (result.complete < cycles))
    assert done < len(addresses)  # the trace was long enough to keep the memory busy
    return done * config.burst_bytes / (cycles * float(config.tck_ps) * 1e-12)


@pytest.mark.parametrize("name", PRESETS)
def test_bandwidth_reconciles_with_the_peak(name):
    config = preset(name)
    n = 20_000
    addresses = sequential(config, n)
    writes = np.arange(n) % 5 == 4
    stats = run_trace(config, addresses, writes, np.zeros(n, np.int64)).stats
    b = bandwidth_of(config, stats)
    assert (b.read_bytes, b.write_bytes) == (config.burst_bytes * n * 4 // 5, config.burst_bytes * n // 5)
    assert b.seconds == pytest.approx(stats.cycles * float(config.tck_ps) * 1e-12)
    assert b.bytes_per_s == pytest.approx(config.burst_bytes * n / b.seconds)
    assert b.of_peak == pytest.approx(b.bus_busy)
    assert b.of_peak <= min(1, b.of_refresh_limited)


def sequential(config, n):
    return np.arange(n, dtype=np.uint64) * config.burst_bytes % config.capacity_bytes


@pytest.mark.parametrize("name", PRESETS)
def test_unloaded_latency(name):
    config = preset(name)
    addresses, writes, arrivals = arrays([0], [False], [100])
    result = run_trace(config, addresses, writes, arrivals)
    assert result.complete[0] - result.entered[0] == config.unloaded_read_cycles
    assert result.entered[0] == 100


@pytest.mark.parametrize(
    "name", ["ddr4-2400", "ddr4-2666", "ddr4-3200", "lpddr4-3200", "lpddr5-6400", "hbm2-2000"]
)
def test_sequential_stream_reaches_the_peak_without_refresh(name):
    config = preset(name, refresh="none")
    n = int(1.1 * CYCLES * config.channels / config.burst_cycles)
    assert bandwidth(config, sequential(config, n)) == pytest.approx(config.peak_bytes_per_s, rel=0.01)


@pytest.mark.parametrize("name", ["ddr4-2400", "ddr4-2666", "ddr4-3200", "hbm2-2000"])
def test_refresh_limited_peak(name):
    config = preset(name)
    n = int(1.1 * CYCLES * config.channels / config.burst_cycles)
    reached = bandwidth(config, sequential(config, n))
    assert reached == pytest.approx(config.refresh_limited_bytes_per_s, rel=0.01)
    assert reached < 0.98 * config.peak_bytes_per_s


@pytest.mark.parametrize("name", ["ddr4-2400", "ddr4-3200", "lpddr5-6400"])
def test_same_bank_group_limit(name):
    """Bursts of one row, over and over, follow each other every tCCD_L."""
    config = preset(name, mapping="rochrababgco", refresh="none", channels=1)
    expected = config.peak_bytes_per_s * config.burst_cycles / config.t_ccd_l
    addresses = sequential(config, int(1.1 * CYCLES / config.t_ccd_l)) % np.uint64(config.row_bytes)
    assert bandwidth(config, addresses) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("name", ["ddr4-3200", "lpddr4-3200", "hbm2-2000"])
def test_one_row_miss_per_row_cycle(name):
    """Another row of one bank each time: one burst per max(tRC, tRCD + tRTP + tRP)."""
    config = preset(name, refresh="none", channels=1)
    step = config.burst_bytes << config.native()["pos_row"]
    n = CYCLES // config.t_rc + 100
    addresses = (np.arange(n, dtype=np.uint64) % config.rows) * step
    cycle = max(config.t_rc, config.t_rcd + config.t_rtp + config.t_rp, config.t_ras + config.t_rp)
    expected = config.burst_bytes / (cycle * float(config.tck_ps) * 1e-12)
    assert bandwidth(config, addresses) == pytest.approx(expected, rel=0.01)


def test_four_activates_per_window():
    """Every burst needs its row: four of them per tFAW when banks are free sooner."""
    config = preset("ddr4-3200", refresh="none", t_faw=100)
    pos = config.native()
    n = 4 * CYCLES // config.t_faw + 200
    i = np.arange(n, dtype=np.uint64)
    burst = (
        (i % 4) << pos["pos_group"]
        | (i // 4 % 4) << pos["pos_bank"]
        | (i // 16 % config.rows) << pos["pos_row"]
    )
    expected = 4 * config.burst_bytes / (config.t_faw * float(config.tck_ps) * 1e-12)
    assert bandwidth(config, burst * np.uint64(config.burst_bytes)) == pytest.approx(expected, rel=0.01)


def test_sequential_writes_reach_the_peak():
    config = preset("ddr4-3200", refresh="none")
    n = CYCLES // config.burst_cycles + 1000
    reached = bandwidth(config, sequential(config, n), np.ones(n, bool))
    assert reached == pytest.approx(config.peak_bytes_per_s, rel=0.01)


def test_per_bank_refresh_costs_less_than_all_bank():
    config = preset("lpddr4-3200")
    n = int(1.1 * CYCLES * config.channels / config.burst_cycles)
    per_bank = bandwidth(config, sequential(config, n))
    all_bank = bandwidth(preset("lpddr4-3200", refresh="all-bank"), sequential(config, n))
    assert all_bank < per_bank <= config.peak_bytes_per_s

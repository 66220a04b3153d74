"""Agreement with DRAMsim3 on six reference runs, to the last request."""

import json
from pathlib import Path

import numpy as np
import pytest
from dram_workloads import reference

from atalanta.sim.dram_presets import preset
from atalanta.sim.native import run_trace

RUNS = json.loads((Path(__file__).parent / "data" / "dramsim3_ddr4_3200.json").read_text())


@pytest.mark.parametrize("key", RUNS)
def test_equal_to_dramsim3(key):
    mapping, trace = key.split("/")
    expected = RUNS[key]
    cycles = int(expected["num_cycles"])
    config = preset("dramsim3-ddr4-3200", mapping=mapping)
    addresses, writes, arrivals = reference(trace)
    result = run_trace(config, addresses, writes, arrivals, until=cycles)
    done = (result.complete >= 0) & (result.complete < cycles)
    reads = done & ~writes
    stats = result.stats
    assert np.count_nonzero(reads) == expected["num_reads_done"]
    assert np.count_nonzero(done & writes) == expected["num_writes_done"]
    assert stats.activates == expected["num_act_cmds"]
    assert stats.precharges == expected["num_pre_cmds"]
    assert stats.refreshes == expected["num_ref_cmds"]
    assert stats.read_row_hits == expected["num_read_row_hits"]
    latency = (result.complete - result.entered)[reads].mean()
    assert latency == pytest.approx(expected["average_read_latency"], rel=5e-6)  # printed with six digits
    bandwidth = np.count_nonzero(done) * config.burst_bytes / (cycles * float(config.tck_ps) * 1e-3)
    assert bandwidth == pytest.approx(expected["average_bandwidth"], rel=5e-6)  # GB/s


def test_reference_runs_have_two_ranks():
    """One rank would refresh half as often as those runs did."""
    config = preset("dramsim3-ddr4-3200", ranks=1)
    stats = run_trace(config, *reference("seq16"), until=400_000).stats
    assert stats.refreshes == RUNS["rochrababgco/seq16"]["num_ref_cmds"] / 2

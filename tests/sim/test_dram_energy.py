"""Energy in joules, against arithmetic done by hand."""

from dataclasses import fields

import numpy as np
import pytest
from dram_workloads import arrays

from atalanta.golden.errors import ParameterError
from atalanta.sim.dram_energy import Power, Rail, command_energy, energy
from atalanta.sim.dram_presets import PRESETS, preset
from atalanta.sim.native import DramStats, run_trace


def stats_of(**counts):
    return DramStats(**({f.name: 0 for f in fields(DramStats)} | counts))


def test_energy_of_each_command_by_hand():
    """DDR4-3200, 8 devices, tCK 0.625 ns; VDD 1.2 V, VPP 2.5 V with 3 mA, in refresh 28 mA."""
    each = command_energy(preset("ddr4-3200"))
    # activate: 1.2 V x (57 x 74 - 52 x 52 - 37 x 22) mA cycles = 1.2 x 700 = 840; VPP 3 x (74 - 52 - 22) = 0
    #           840 x 0.625 ns x 8 = 4200 pJ
    assert each.activate_j == pytest.approx(4.2e-9, rel=1e-12)
    # read: 1.2 x (168 - 52) x 4 cycles x 0.625 x 8 = 2784 pJ
    # write: 1.2 x (150 - 52) x 4 x 0.625 x 8 = 2352 pJ
    assert each.read_j == pytest.approx(2.784e-9, rel=1e-12)
    assert each.write_j == pytest.approx(2.352e-9, rel=1e-12)
    # refresh: (1.2 x (250 - 52) + 2.5 x (28 - 3)) x 560 x 0.625 x 8 = 300.1 x 2800 = 840280 pJ
    assert each.refresh_j == pytest.approx(840.28e-9, rel=1e-12)
    # standby: active (1.2 x 52 + 2.5 x 3) x 8 = 559.2 mW; precharged (1.2 x 37 + 7.5) x 8 = 415.2 mW
    assert each.active_w == pytest.approx(0.5592, rel=1e-12)
    assert each.precharged_w == pytest.approx(0.4152, rel=1e-12)


def test_millijoules_of_a_known_workload():
    """A second of DDR4-3200, 5 % of it precharged: 10 GB read, 2 GB written, a row per 128 bursts."""
    reads, writes = 10**10 // 64, 2 * 10**9 // 64  # 156.25e6 and 31.25e6 bursts
    run = stats_of(
        read_commands=reads, write_commands=writes, activates=(reads + writes) // 128, refreshes=128_205,
        cycles=1_600_000_000, active_cycles=1_520_000_000,
    )  # fmt: skip
    spent = energy(preset("ddr4-3200"), run)
    assert spent.read_j * 1e3 == pytest.approx(435.0)  # 156.25e6 x 2.784 nJ
    assert spent.write_j * 1e3 == pytest.approx(73.5)  # 31.25e6 x 2.352 nJ
    assert spent.activate_j * 1e3 == pytest.approx(6.15234, rel=1e-5)  # 1464843 x 4.2 nJ
    assert spent.refresh_j * 1e3 == pytest.approx(107.728, rel=1e-5)  # 128205 x 840.28 nJ
    assert spent.active_standby_j * 1e3 == pytest.approx(531.24)  # 0.95 s x 559.2 mW
    assert spent.precharged_standby_j * 1e3 == pytest.approx(20.76)  # 0.05 s x 415.2 mW
    assert spent.total_j * 1e3 == pytest.approx(1174.38, rel=1e-5)


def test_energy_of_a_run_from_its_own_counts():
    """1000 reads of 1000 rows of one bank: 1000 activates and reads; the rest of the energy is standby."""
    config = preset("ddr4-3200", refresh="none")
    row = config.burst_bytes << config.native()["pos_row"]
    n = 1000
    addresses, writes, arrivals = arrays(
        [row * i for i in range(n)], [False] * n, [200 * i for i in range(n)]
    )
    result = run_trace(config, addresses, writes, arrivals, until=200 * n)
    s = result.stats
    assert (s.activates, s.read_commands, s.refreshes) == (n, n, 0)
    # The bank opens one cycle after the first request entered, and later is closed for tRP at each new row.
    assert s.active_cycles == 200 * n - 1 - (n - 1) * config.t_rp
    spent = energy(config, s)
    assert spent.activate_j == pytest.approx(n * 4.2e-9)
    assert spent.read_j == pytest.approx(n * 2.784e-9)
    assert spent.active_standby_j == pytest.approx(s.active_cycles * 0.625e-9 * 0.5592)
    assert spent.precharged_standby_j == pytest.approx((1 + 999 * 22) * 0.625e-9 * 0.4152)


def test_idle_memory_costs_standby_and_refresh():
    config = preset("ddr4-3200")
    none = np.zeros(0)
    run = run_trace(config, none.astype(np.uint64), none.astype(bool), none.astype(np.int64), until=1_600_000)
    spent = energy(config, run.stats)  # a millisecond: 128 refreshes of 350 ns each
    assert spent.refresh_j == pytest.approx(128 * 840.28e-9)
    assert spent.active_standby_j == pytest.approx(128 * 350e-9 * 0.5592)
    assert spent.precharged_standby_j == pytest.approx((1e-3 - 128 * 350e-9) * 0.4152)
    # What is left is the datasheet's: IDD5B flows during tRFC, IDD2N otherwise.
    idd5b = 8 * (1.2 * 250 + 2.5 * 28) * 1e-3
    assert spent.total_j == pytest.approx(128 * 350e-9 * idd5b + (1e-3 - 128 * 350e-9) * 0.4152)


def test_bank_refresh_is_a_share_of_a_rank_refresh():
    config = preset("lpddr5-6400")
    each = command_energy(config)
    assert each.refresh_bank_j * 8 == pytest.approx(each.refresh_j)  # 16 banks in pairs


@pytest.mark.parametrize("name", [name for name, p in PRESETS.items() if p.power is None])
def test_no_currents_no_energy(name):
    with pytest.raises(ParameterError, match=f"{name} has no currents"):
        command_energy(preset(name))


def test_rails_add_up():
    rail = {"idd0": 50.0, "idd2n": 30.0, "idd3n": 40.0, "idd4r": 150.0, "idd4w": 140.0, "idd5b": 200.0}
    one = preset("ddr4-3200", power=Power((Rail(volts=2.0, **rail),), "made up"))
    two = preset("ddr4-3200", power=Power((Rail(volts=1.5, **rail), Rail(volts=0.5, **rail)), "made up"))
    for field in fields(command_energy(one)):
        assert getattr(command_energy(one), field.name) == pytest.approx(
            getattr(command_energy(two), field.name)
        )

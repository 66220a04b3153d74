"""Every timing rule, from both sides: no command before it, and commands exactly at it."""

from dataclasses import replace
from fractions import Fraction

import pytest
from dram_checker import ViolationError, active_cycles, check_log
from dram_workloads import clumps, random_mix

from atalanta.sim.dram_presets import PRESETS, preset
from atalanta.sim.native import run_trace

EVERYTHING = 1 << 20  # log entries, more than any run here has

# A parameter, a value that makes it the one that decides, and what else must hold for that.
DECISIVE = {
    "t_rcd": ("ddr4-3200", {"t_rcd": 40}),
    "t_rcd_wr": ("ddr4-3200", {"t_rcd_wr": 41}),
    "t_rp": ("ddr4-3200", {"t_rp": 40}),
    "t_ras": ("ddr4-3200", {"t_ras": 90, "t_rc": 112}),
    "t_rc": ("ddr4-3200", {"t_rc": 120}),
    "t_rrd_s": ("ddr4-3200", {"t_rrd_s": 20, "t_rrd_l": 21, "t_faw": 40}),
    "t_rrd_l": ("ddr4-3200", {"t_rrd_l": 20}),
    "t_faw": ("ddr4-3200", {"t_faw": 60}),
    "t_ccd_s": ("ddr4-3200", {"t_ccd_s": 9, "t_ccd_l": 10}),
    "t_ccd_l": ("ddr4-3200", {"t_ccd_l": 15}),
    "t_rtp": ("ddr4-3200", {"t_rtp": 40}),
    "t_wr": ("ddr4-3200", {"t_wr": 50}),
    "t_wtr_s": ("ddr4-3200", {"t_wtr_s": 10}),
    "t_wtr_l": ("ddr4-3200", {"t_wtr_l": 30}),
    "t_rtw": ("ddr4-3200", {"t_rtw": 25}),
    "t_rfc": ("ddr4-3200", {"t_rfc": 300, "t_refi": 1200}),
    "t_rtrs": ("dramsim3-ddr4-3200", {"t_rtrs": 9}),
    "t_wtws": ("dramsim3-ddr4-3200", {"t_wtws": 9}),
    "t_ppd": ("lpddr4-3200", {"t_ppd": 12}),
    "t_rfc_pb": ("lpddr4-3200", {"t_rfc_pb": 160, "t_pbr2pbr": 60}),
    "t_pbr2act": ("lpddr4-3200", {"t_pbr2act": 40}),
}
BASES = {**{name: {} for name in PRESETS}, "lpddr5-6400": {"channels": 2}, "hbm2-2000": {"channels": 2}}


def logged(config, n=3000, seed=1, **kwargs):
    workload = random_mix(config, n, seed, **kwargs)
    return run_trace(config, *workload, log=EVERYTHING)


@pytest.mark.parametrize("page", ["open", "close"])
@pytest.mark.parametrize("name", PRESETS)
def test_logs_of_all_presets_are_legal(name, page):
    config = preset(name, page=page, **BASES[name])
    for seed, kwargs in enumerate(
        [{"rate": 1}, {"rate": 12, "write_share": 0.5}, {"rows": 64}, {"banks": 2}]
    ):
        result = logged(config, 1500, seed, **kwargs)
        check_log(config, result.log)
        assert active_cycles(config, result.log, result.stats.cycles) == result.stats.active_cycles


@pytest.mark.parametrize("parameter", DECISIVE)
def test_parameter_decides_from_both_sides(parameter):
    name, changes = DECISIVE[parameter]
    config = preset(name, **changes)
    result = logged(config)
    binding = check_log(config, result.log)  # nothing comes a cycle too early ...
    assert binding[parameter] >= 3, binding  # ... something comes in the very first legal cycle ...
    stricter = {parameter: getattr(config, parameter) + 1}
    if parameter == "t_ccd_s":
        stricter["t_ccd_l"] = config.t_ccd_l + 1
    with pytest.raises(ViolationError, match=parameter):  # ... and a cycle more would have forbidden that
        check_log(replace(config, **stricter), result.log)


def test_per_bank_refreshes_of_other_banks_keep_their_distance():
    config = preset("lpddr4-3200", t_pbr2pbr=300, t_rfc_pb=100)
    result = logged(config)
    check_log(config, result.log)
    refreshes = result.log[(result.log["command"] == 7) & (result.log["channel"] == 0)]["cycle"]
    assert len(refreshes) > 20
    assert (refreshes[1:] - refreshes[:-1]).min() >= 300


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("page", ["open", "close"])
def test_skipping_idle_cycles_and_serving_row_hits_at_once_change_nothing(name, page):
    config = preset(name, page=page, **BASES[name])
    workloads = [
        random_mix(config, 800, seed, rate=(1, 8, 40)[seed], write_share=(0.1, 0.4, 0.8)[seed])
        for seed in range(3)
    ]
    workloads += [clumps(config, 3000, seed, write_share=(0.0, 0.02, 0.3)[seed]) for seed in range(3)]
    for workload in workloads:
        fast = run_trace(config, *workload, log=EVERYTHING)
        slow = run_trace(config, *workload, log=EVERYTHING, every_cycle=True)
        for channel in range(config.channels):  # each in its order; which channel goes first does not matter
            logs = [run.log[run.log["channel"] == channel] for run in (fast, slow)]
            assert (logs[0] == logs[1]).all()
        assert (fast.complete == slow.complete).all()
        assert (fast.entered == slow.entered).all()
        assert fast.stats == slow.stats


def test_command_bus_carries_one_command_at_a_time():
    config = preset("lpddr4-3200")
    binding = check_log(config, logged(config, rate=1).log)
    assert binding["command bus"] >= 3
    dual = preset("hbm2-2000", channels=1)
    log = logged(dual, rate=1).log
    assert (log["cycle"][1:] == log["cycle"][:-1]).any()  # a row and a column command in one cycle


@pytest.mark.parametrize("tck", [Fraction(1), Fraction(10**6, 1200), Fraction(10**9)])
def test_clock_period_does_not_matter_to_cycles(tck):
    config = preset("ddr4-2400")
    workload = random_mix(config, 500, 3)
    assert (
        run_trace(replace(config, tck_ps=tck), *workload).complete == run_trace(config, *workload).complete
    ).all()

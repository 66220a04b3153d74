"""The controller: order of reads and writes, bounds, determinism, refused input."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from dram_checker import check_log
from dram_workloads import arrays, clumps, random_mix

from atalanta.golden.errors import InputError, ParameterError
from atalanta.sim.dram import DramConfig, split_mapping
from atalanta.sim.dram_presets import PRESETS, preset
from atalanta.sim.native import run_trace

RD, WR = 2, 3


def hot(config, n, seed, *, bursts=6, writes=0.5):
    """Reads and writes of a handful of bursts, so that they meet each other in the queues."""
    source = np.random.default_rng(seed)
    pos = config.native()
    places = (
        source.integers(0, 3, bursts) << pos["pos_row"] | source.integers(0, 4, bursts) << pos["pos_column"]
    )
    addresses = places[source.integers(0, bursts, n)].astype(np.uint64) * np.uint64(config.burst_bytes)
    return (
        addresses,
        source.random(n) < writes,
        np.cumsum(source.choice([0, 1, 3, 60], n, p=[0.3, 0.4, 0.25, 0.05])),
    )


def burst_of(config, entry):
    """The burst that a column command of one rank and channel moves."""
    pos = config.native()
    return (
        int(entry["row"]) << pos["pos_row"]
        | int(entry["column"]) // config.burst_length << pos["pos_column"]
        | int(entry["bank"]) << pos["pos_bank"]
        | int(entry["group"]) << pos["pos_group"]
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("writes", [0.2, 0.6])
def test_reads_see_the_latest_earlier_write(seed, writes):
    """Replays what the device holds at each command: every read gets what the program order says."""
    config = preset("ddr4-3200", write_buffer=8, write_low=4)
    addresses, written, arrivals = hot(config, 3000, seed, writes=writes)
    result = run_trace(config, addresses, written, arrivals, log=1 << 20)
    check_log(config, result.log)
    bursts = addresses // np.uint64(config.burst_bytes)
    stores = defaultdict(list)  # burst -> cycles of its write commands
    for entry in result.log[result.log["command"] == WR]:
        stores[burst_of(config, entry)].append(int(entry["cycle"]))
    forwarded = checked = 0
    for i in np.flatnonzero(~written):
        same = np.flatnonzero(written & (bursts == bursts[i]))
        earlier = same[same < i]
        expected = earlier[-1] if len(earlier) else None
        if result.complete[i] == result.entered[i] + 1:  # answered by the write buffer
            assert expected is not None
            forwarded += 1
            continue
        command = result.complete[i] - config.cl - config.burst_cycles
        stored = max((t for t in stores[int(bursts[i])] if t < command), default=None)
        # A write command carries the latest write that had entered by then.
        seen = None if stored is None else same[result.entered[same] <= stored][-1]
        assert seen == expected, f"read {i}"
        checked += 1
    assert forwarded == result.stats.forwarded > 10
    assert checked > 100
    assert result.stats.merged_reads > 0
    assert result.stats.merged_writes > 0


@pytest.mark.parametrize("name", PRESETS)
def test_everything_that_enters_completes(name):
    config = preset(name)
    workload = random_mix(config, 2000, 5)
    result = run_trace(config, *workload)
    s = result.stats
    assert (result.entered >= workload[2]).all()
    assert (result.complete > result.entered).all()
    assert s.reads + s.writes == len(workload[0])
    assert s.read_commands + s.forwarded + s.merged_reads == s.reads == np.count_nonzero(~workload[1])
    assert s.write_commands + s.merged_writes == s.writes
    assert s.pending_reads == s.pending_writes == 0
    assert s.activates - s.precharges == s.open_banks
    reads = (result.complete - result.entered)[~workload[1]]
    assert s.latency_sum == reads.sum()
    assert s.latency_max == reads.max()
    bins = np.bincount(
        np.minimum(reads // result.bin_cycles, len(result.histogram) - 1), minlength=len(result.histogram)
    )
    assert (result.histogram == bins).all()


def test_a_full_write_buffer_does_not_wait_for_a_read_that_waits_for_it():
    """Here the oldest write is to a burst that a read in the queue still wants as it was."""
    config = preset("dramsim3-ddr4-3200")
    result = run_trace(config, *clumps(config, 2000, 295, write_share=0.3))
    assert (result.complete > 0).all()


def test_requests_enter_in_order_one_a_cycle():
    config = preset("ddr4-3200")
    addresses, writes, arrivals = random_mix(config, 2000, 9, rate=1)
    entered = run_trace(config, addresses, writes, arrivals).entered
    assert (np.diff(entered) >= 1).all()


def test_queues_are_bounded():
    """Reads under way never exceed what the read queue and the bank's queue hold."""
    config = preset("ddr4-3200", read_queue=4, write_buffer=4, write_low=2, bank_queue=2, port=1)
    addresses, writes, arrivals = random_mix(config, 3000, 2, rate=1, banks=1)
    result = run_trace(config, addresses, writes, arrivals)
    reads = np.flatnonzero(~writes)
    moments = sorted([(result.entered[i], 1) for i in reads] + [(result.complete[i], -1) for i in reads])
    most = max(np.cumsum([step for _, step in moments]))
    data = -(-(config.cl + config.burst_cycles) // config.t_ccd_s)  # commands whose data is on its way
    assert most <= 4 + 2 + data + 1 + result.stats.merged_reads


def test_runs_are_reproducible_and_can_be_cut_short():
    config = preset("ddr4-3200")
    workload = random_mix(config, 3000, 11)
    one, two = run_trace(config, *workload), run_trace(config, *workload)
    assert (one.complete == two.complete).all()
    assert one.stats == two.stats
    for until in (0, 1, 1000, 5001):
        cut = run_trace(config, *workload, until=until)
        reads = ~workload[1]
        decided = cut.complete >= 0
        assert (cut.complete[decided] == one.complete[decided]).all()  # no later request changed the past
        in_time = (one.complete < until) & reads
        assert decided[in_time].all()
        assert cut.stats.cycles == until


def test_a_later_request_never_changes_an_earlier_cycle():
    config = preset("ddr4-3200")
    addresses, writes, arrivals = random_mix(config, 1500, 13)
    full = run_trace(config, addresses, writes, arrivals, log=1 << 20).log
    part = run_trace(
        config, addresses[:700], writes[:700], arrivals[:700], until=int(arrivals[700]), log=1 << 20
    ).log
    assert (full[: len(part)] == part).all()


@pytest.mark.parametrize(("addresses", "arrivals", "message"), [
    ([0, 64], [5, 4], "request 1 arrives before its predecessor"),
    ([0, 64], [-1, 4], "before cycle 0"),
    ([0, 8 << 30], [0, 0], "request 1 lies beyond the capacity"),
])  # fmt: skip
def test_bad_requests_are_refused(addresses, arrivals, message):
    with pytest.raises(InputError, match=message):
        run_trace(preset("ddr4-3200"), *arrays(addresses, [False] * 2, arrivals))


def test_arrays_of_different_lengths_are_refused():
    addresses, writes, arrivals = arrays([0, 64], [False, False], [0, 1])
    with pytest.raises(InputError, match="as long as each other"):
        run_trace(preset("ddr4-3200"), addresses, writes[:1], arrivals)


@pytest.mark.parametrize("mapping", ["rochrababgc", "rochrababgxx", "rorochrababg", "", "rochrabg"])
def test_mappings_name_each_field_once(mapping):
    with pytest.raises(
        ParameterError, match="mapping must be the six fields ro ch ra ba bg co in some order, each once"
    ):
        preset("ddr4-3200", mapping=mapping)


def test_mapping_places_bursts():
    assert split_mapping("rochrababgco") == ("ro", "ch", "ra", "ba", "bg", "co")
    config = preset("lpddr5-6400", mapping="chrorababgco", refresh="none")
    widths = {"co": 6, "bg": 2, "ba": 2, "ra": 0, "ro": 15, "ch": 2}
    values = {"co": 41, "bg": 3, "ba": 1, "ra": 0, "ro": 0x5A5A, "ch": 2}
    burst, bit = 0, 0
    for field in reversed(split_mapping(config.mapping)):
        burst |= values[field] << bit
        bit += widths[field]
    log = run_trace(config, *arrays([burst * 32], [False], [0]), log=10).log
    read = log[log["command"] == RD][0]
    assert (read["channel"], read["row"], read["group"], read["bank"]) == (2, 0x5A5A, 3, 1)
    assert read["column"] == 41 * config.burst_length


@pytest.mark.parametrize(("changes", "message"), [
    ({"rows": 3}, "rows must be a power of two"),
    ({"tck_ps": 0}, "tck_ps must be above zero"),
    ({"t_faw": -1}, "t_faw must be cycles from 0 up"),
    ({"t_ccd_s": 3}, "t_ccd_s must be at least burst_cycles"),
    ({"t_ccd_l": 3}, "t_ccd_l must be at least t_ccd_s"),
    ({"write_low": 33}, "write_low must be at most write_buffer"),
    ({"read_queue": 0}, "read_queue must be from 1 to 65536"),
    ({"page": "ajar"}, "page must be one of open, close"),
    ({"refresh": "maybe"}, "refresh must be one of none, all-bank, per-bank"),
    ({"refresh": "per-bank"}, "t_rfc_pb must be above zero"),
    ({"t_rfc": 12480}, "t_refi must be more than t_rfc"),
    ({"device_width": 128}, "device_width must be at most bus_width"),
    ({"al": 23}, "al must be at most t_rcd"),
])  # fmt: skip
def test_impossible_configurations_are_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        preset("ddr4-3200", **changes)


def test_unknown_preset_is_refused():
    with pytest.raises(ParameterError, match="preset must be one of ddr4-2400"):
        preset("ddr5")


@pytest.mark.parametrize("name", PRESETS)
def test_every_figure_has_a_source(name):
    p = PRESETS[name]
    assert p.config.name == name
    assert all(figure.source for figure in p.figures.values())
    timing = {f for f in DramConfig.__dataclass_fields__ if f.startswith("t_") and f not in ("t_ppd",)}
    given = set(p.figures)
    assert timing - given <= {"t_rfc_pb", "t_pbr2pbr", "t_pbr2act"}
    assert p.power is None or p.power.source


PEAKS = {"ddr4-2400": 19.2, "ddr4-2666": 21.3333, "ddr4-3200": 25.6, "lpddr4-3200": 25.6, "lpddr5-6400": 51.2,
         "hbm2-2000": 256.0, "dramsim3-ddr4-3200": 25.3968}  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_peaks_are_those_of_the_standards(name):
    assert preset(name).peak_bytes_per_s * 1e-9 == pytest.approx(PEAKS[name], rel=1e-5)


def test_nanoseconds_become_cycles_as_jedec_does():
    """Against the cycles that data sheets print for these speed bins: tRCD, tRP, tRAS, tRC."""
    for name, cycles in {
        "ddr4-2400": (17, 17, 39, 56),
        "ddr4-2666": (19, 19, 43, 62),
        "ddr4-3200": (22, 22, 52, 74),
    }.items():
        config = preset(name)
        assert (config.t_rcd, config.t_rp, config.t_ras, config.t_rc) == cycles
    assert [preset(n).t_ccd_l for n in ("ddr4-2400", "ddr4-2666", "ddr4-3200")] == [6, 7, 8]


def test_open_rows_hit_and_closed_ones_do_not():
    config = preset("ddr4-3200", refresh="none")
    n = 256
    trace = arrays([64 * i for i in range(n)], [False] * n, [40 * i for i in range(n)])
    opened = run_trace(config, *trace).stats
    assert (opened.row_hits, opened.row_misses, opened.row_conflicts) == (n - 4, 4, 0)  # four bank groups
    closed = run_trace(replace(config, page="close"), *trace).stats
    assert (closed.row_hits, closed.row_misses, closed.activates, closed.precharges) == (0, n, n, n)
    row = config.burst_bytes << config.native()["pos_row"]
    alternating = arrays([row * (i % 2) for i in range(n)], [False] * n, [200 * i for i in range(n)])
    conflicts = run_trace(config, *alternating).stats
    assert (conflicts.row_hits, conflicts.row_misses, conflicts.row_conflicts) == (0, 1, n - 1)

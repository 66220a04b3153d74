"""`atalanta trace`: what is recorded runs again to the same counters, and formats keep what they can."""

import json
from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner

from atalanta.golden import container
from atalanta.golden.decoder import DecoderParams
from atalanta.sim.decoder import plan, simulate
from atalanta.sim.dram_energy import energy
from atalanta.sim.dram_presets import preset
from atalanta.sim.native import Memory, run_trace
from atalanta.sim.trace import FORMATS, read_trace, trace_of
from atalanta.tools.cli import main


def invoke(*arguments):
    result = CliRunner().invoke(main, ["trace", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def stream(tmp_path):
    array = np.random.default_rng(1).laplace(0, 9, 60_000).clip(-128, 127).astype(np.int8)
    path = tmp_path / "w.atl"
    path.write_bytes(container.encode(array, "atalanta"))
    return path


@pytest.mark.parametrize("clock_ps", [Fraction(1250), Fraction(700), Fraction(5000, 3)])
@pytest.mark.parametrize("name", ["ddr4-3200", "lpddr5-6400", "hbm2-2000"])
def test_a_recorded_run_gives_the_dram_the_same_work_at_the_same_times(stream, clock_ps, name):
    p, config = DecoderParams(), preset(name)
    with Memory.dram(config, clock_ps, latency=5, outstanding=64) as memory:
        memory.record()
        simulate([plan(stream.read_bytes(), p)], p, memory)
        memory.finish()
        requests, (_, recorded) = memory.requests(), memory.stats()
    made = trace_of(requests, config, clock_ps)
    replayed = run_trace(config, made.addresses, made.writes, made.arrivals).stats
    # All but the cycle in which either stops counting.
    for field in ("reads", "read_commands", "activates", "row_hits", "latency_sum", "latency_max"):
        assert getattr(replayed, field) == getattr(recorded, field), field


def test_nothing_is_recorded_unless_asked_for(stream):
    p = DecoderParams()
    with Memory.ideal(latency=5) as memory:
        simulate([plan(stream.read_bytes(), p)], p, memory)
        assert len(memory.requests().cycles) == 0


def test_requests_are_those_of_the_axi_port(stream):
    p = DecoderParams(burst_beats=8)
    data = stream.read_bytes()
    with Memory.ideal(latency=5) as memory:
        memory.record()
        run = simulate([plan(data, p)], p, memory, addresses=[0x2000])
        requests = memory.requests()
    assert len(requests.cycles) == run.bursts
    assert requests.nbytes.sum() == run.counters["words"] * 16
    assert requests.addresses[0] == 0x2000
    assert np.array_equal(np.diff(requests.addresses.astype(np.int64)), requests.nbytes[:-1])
    assert not requests.writes.any()
    assert np.all(np.diff(requests.cycles) > 0)


@pytest.mark.parametrize("kind", FORMATS)
def test_record_run_and_convert(stream, tmp_path, kind):
    path = tmp_path / "trace"
    report = json.loads(invoke("record", stream, "-o", path, "--format", kind, "--json"))
    made = read_trace(path, kind)
    assert report["requests"] == len(made) == -(-stream.stat().st_size // 64)
    row = json.loads(invoke("run", path, "--format", kind, "--json"))
    config = preset("ddr4-3200")
    stats = run_trace(config, made.addresses, made.writes, made.arrivals).stats
    assert row["reads"] == len(made)
    assert row["memory_cycles"] == stats.cycles
    assert row["dram_energy_j"] == energy(config, stats).total_j
    assert row["bandwidth_share_of_peak"] == pytest.approx(len(made) * 64 / row["time_s"] / 25.6e9)
    invoke("convert", path, tmp_path / "other", "--from", kind, "--to", "csv")
    other = read_trace(tmp_path / "other", "csv")
    assert np.array_equal(other.addresses, made.addresses)
    assert np.array_equal(other.arrivals, made.arrivals)


def test_tables_are_readable(stream, tmp_path):
    path = tmp_path / "trace.csv"
    assert "requests of 64 bytes, csv" in invoke("record", stream, "-o", path)
    output = invoke("run", path, "--memory", "hbm2-2000")
    assert "bandwidth share of peak" in output
    assert "not known" in output
    assert "requests, ramulator2" in invoke(
        "convert", path, tmp_path / "r2", "--from", "csv", "--to", "ramulator2"
    )


def test_what_cannot_work_is_one_line(stream, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("no,header\n")
    for arguments, message in (
        (["run", bad], "bad.csv:1: the header must be"),
        (["run", tmp_path / "missing"], "No such file"),
        (["record", stream, "-o", tmp_path / "x", "--clock-mhz", 0], "clock-mhz must be above 0"),
    ):
        result = CliRunner().invoke(main, ["trace", *map(str, arguments)])
        assert result.exit_code == 2
        assert message in result.output

"""`atalanta bench sim`: what it times is the same work for both, and a disagreement is an error."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from atalanta.golden.decoder import DecoderParams
from atalanta.sim.decoder import plan, simulate
from atalanta.sim.native import Memory
from atalanta.tools.bench import sim as bench_sim
from atalanta.tools.cli import main
from atalanta.tools.rtl.agreement import MismatchError

P = DecoderParams(lane_fifo=4)


def memory():
    return Memory.ideal(latency=9, outstanding=64)


def arrays():
    random = np.random.default_rng(5)
    return [random.laplace(0, 9, n).clip(-128, 127).astype(np.int8) for n in (5000, 3000, 9000)]


class FakeCore:
    """In the place of the RTL: counts what the simulator counts, and remembers its work."""

    extra = 0
    streams = ()

    def __init__(self, p):
        self.p = p

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def run(self, streams, behind, *, most_values):
        type(self).streams, type(self).most_values = streams, most_values
        run = simulate([plan(s, self.p) for s in streams], self.p, behind)
        return replace(run, cycles=run.cycles + self.extra)


def test_the_rtl_gets_the_part_that_was_asked_for(monkeypatch):
    monkeypatch.setattr(bench_sim, "CompiledCore", FakeCore)
    found = bench_sim.bench(arrays(), P, memory, rtl_values=5001)
    assert len(FakeCore.streams) == 2
    assert FakeCore.most_values == 8000
    assert found.sim.cycles == found.rtl.cycles
    assert found.sim.beats == found.rtl.beats < found.copies[1].beats
    assert found.speedup == found.rtl.seconds / found.sim.seconds


def test_a_difference_is_an_error(monkeypatch):
    monkeypatch.setattr(bench_sim, "CompiledCore", FakeCore)
    monkeypatch.setattr(FakeCore, "extra", 1)
    with pytest.raises(MismatchError, match="the RTL counts"):
        bench_sim.bench(arrays(), P, memory, rtl_values=1)


def test_more_copies_are_more_of_the_same_work():
    found = bench_sim.bench(arrays(), P, memory, rtl_values=0)
    assert found.rtl is found.sim is found.speedup is None
    assert found.values == 17_000
    one, four, sixteen = (found.copies[n] for n in (1, 4, 16))
    assert (four.beats, sixteen.beats) == (4 * one.beats, 16 * one.beats)
    # Back to back, headers are read while the tensor before is decoded, so copies cost a little less.
    assert 3.8 * one.cycles < four.cycles <= 4 * one.cycles
    assert 3.95 * four.cycles < sixteen.cycles <= 4 * four.cycles


def test_the_command_reports_times_and_rates():
    result = CliRunner().invoke(
        main, ["bench", "sim", "--rtl-values", "0", "--json", "--memory", "ddr4-3200"]
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.output)
    assert document["speedup_over_rtl"] is None
    assert [c["copies"] for c in document["copies"]] == [1, 4, 16]
    assert all(c["seconds"] > 0 and c["cycles"] > 0 for c in document["copies"])
    assert document["memory"] == "ddr4-3200 behind a 800 MHz decoder"
    table = CliRunner().invoke(main, ["bench", "sim", "--rtl-values", "0"])
    assert "simulate 16 x" in table.output

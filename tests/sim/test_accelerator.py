"""How steps overlap: against schedules drawn by hand, and against laws."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atalanta.golden.errors import ParameterError
from atalanta.sim.accelerator import Accelerator, Span, Work, timeline

WORK = st.lists(st.builds(Work, st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)), max_size=12)


def test_single_buffering_takes_turns():
    line = timeline([Work(3, 5, 2), Work(4, 1, 1)], 1)
    assert line.reads == (Span(0, 3), Span(10, 14))
    assert line.computes == (Span(3, 8), Span(14, 15))
    assert line.writes == (Span(8, 10), Span(15, 16))
    assert line.cycles == 16


def test_double_buffering_reads_ahead_by_one_step():
    line = timeline([Work(4, 10, 0)] * 3, 2)
    assert line.reads == (
        Span(0, 4),
        Span(4, 8),
        Span(14, 18),
    )  # the third waits for the first to be computed
    assert line.computes == (Span(4, 14), Span(14, 24), Span(24, 34))
    assert line.cycles == 34


def test_memory_bound_steps_run_at_the_pace_of_memory():
    line = timeline([Work(10, 3, 2)] * 4, 2)
    assert line.reads == (Span(0, 10), Span(10, 20), Span(20, 30), Span(32, 42))
    assert line.computes == (Span(10, 13), Span(20, 23), Span(32, 35), Span(44, 47))
    assert line.writes == (Span(30, 32), Span(42, 44), Span(44, 46), Span(47, 49))


def test_a_write_holds_the_bus_until_it_is_done():
    line = timeline([Work(1, 1, 100), Work(1, 1, 1), Work(1, 1, 1)], 2)
    assert line.reads[2] == Span(2, 3)  # could begin when the write could, and goes first
    assert line.writes[0] == Span(3, 103)
    assert line.computes[2] == Span(103, 104)  # its half of the buffer held what was being written


def test_an_empty_layer_takes_no_time():
    assert timeline([], 2).cycles == 0


@given(WORK, st.integers(1, 5))
def test_laws(work, depth):
    line = timeline(work, depth)
    assert len(line.reads) == len(line.computes) == len(line.writes) == len(work)
    for spans, name in ((line.reads, "read"), (line.computes, "compute"), (line.writes, "write")):
        assert [s.end - s.start for s in spans] == [getattr(w, name) for w in work]
    for k, (read, compute, write) in enumerate(zip(line.reads, line.computes, line.writes, strict=True)):
        assert read.end <= compute.start
        assert compute.end <= write.start
        if depth > 1 and k >= depth:
            assert read.start >= line.computes[k - depth].end
            assert compute.start >= line.writes[k - depth].end
        if depth == 1 and k >= 1:
            assert read.start >= line.writes[k - 1].end
    bus = sorted((s for s in (*line.reads, *line.writes) if s.end > s.start), key=lambda s: s.start)
    assert all(a.end <= b.start for a, b in pairwise(bus))
    total = sum(w.read + w.write for w in work), sum(w.compute for w in work)
    assert max(total) <= line.cycles <= sum(total)
    if depth == 1:
        assert line.cycles == sum(total)


def test_a_deeper_buffer_reads_further_ahead():
    line = timeline([Work(2, 10, 0)] * 5, 4)
    assert [s.start for s in line.reads] == [0, 2, 4, 6, 12]  # the fifth waits for the first to be computed


@given(WORK)
def test_a_second_buffer_never_costs_time(work):
    assert timeline(work, 2).cycles <= timeline(work, 1).cycles


def test_the_buffer_holds_as_many_steps_as_fit():
    chip = Accelerator(buffer_bytes=1000)
    assert chip.depth(0, 400) == 2
    assert chip.depth(0, 600) == 2
    assert chip.depth(200, 100) == 8
    assert chip.depth(0, 0) == 1000
    assert Accelerator(buffer_bytes=1000, double_buffering=False).depth(0, 100) == 1


@pytest.mark.parametrize("name", ["macs_per_cycle", "buffer_bytes", "overlap_tiles", "least_tile_bytes"])
def test_zero_is_refused(name):
    with pytest.raises(ParameterError, match=f"{name} must be at least 1, not 0"):
        Accelerator(**{name: 0})


def test_a_clock_must_tick():
    with pytest.raises(ParameterError, match="clock_mhz must be above 0"):
        Accelerator(clock_mhz=0)


def test_half_a_double_buffer_is_for_a_step():
    assert Accelerator(buffer_bytes=1000).capacity == 500
    assert Accelerator(buffer_bytes=1000, double_buffering=False).capacity == 1000
    assert Accelerator(overlap_tiles=4, double_buffering=False).tiles[0] == 1

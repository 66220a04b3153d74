"""A decoder that keeps its pace is not followed beat by beat, and comes to the same as one that is."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from decoder_work import decoder, encoded, values
from hypothesis import given, settings
from hypothesis import strategies as st

from atalanta.sim.decoder import plan, simulate
from atalanta.sim.dram_presets import preset
from atalanta.sim.native import Memory


def followed(tensor):
    """The plan without the runs for which its pace holds."""
    none = np.zeros((0, 2), np.int32)
    return replace(tensor, segments=[replace(s, runs=none) for s in tensor.segments])


def memories(p, seed):
    """Memories that the decoder waits for never, seldom, in between, and often."""
    n = p.outstanding
    return [
        lambda: Memory.ideal(latency=3, outstanding=n),
        lambda: Memory.ideal(latency=20, bytes_per_cycle=Fraction(p.axi_bytes, 2), outstanding=n),
        lambda: Memory.ideal(latency=20, jitter=40, seed=seed, outstanding=n),
        lambda: Memory.dram(preset("ddr4-3200"), Fraction(1250), latency=5, outstanding=n),
        lambda: Memory.dram(preset("lpddr4-3200"), Fraction(700), latency=5, outstanding=n),
        lambda: Memory.dram(preset("hbm2-2000", channels=2), Fraction(4001, 7), outstanding=n),
    ]


def both(plans, p, memory, **options):
    found = []
    for chosen in (plans, [followed(t) for t in plans]):
        with memory() as opened:
            found.append((simulate(chosen, p, opened, **options), opened.stats()))
    return found


@settings(deadline=None, max_examples=40)
@given(
    lanes=st.sampled_from([1, 2, 4, 8, 16, 32, 64]),
    ways=st.sampled_from([2, 4, 7, 8]),
    lane_fifo=st.integers(2, 6),
    axi_bits=st.sampled_from([64, 128, 256, 512]),
    beat_bytes=st.sampled_from([16, 32, 64]),
    prefetch=st.sampled_from([16, 33, 64, 512]),
    outstanding=st.integers(1, 12),
    sizes=st.lists(st.sampled_from([0, 5, 900, 9000, 40_000]), min_size=1, max_size=4),
    scale=st.sampled_from([0.6, 4.0, 30.0, 300.0]),
    which=st.integers(0, 5),
    seed=st.integers(0, 2**16),
)
def test_a_kept_pace_changes_nothing(
    lanes, ways, lane_fifo, axi_bits, beat_bytes, prefetch, outstanding, sizes, scale, which, seed
):
    p = decoder(lanes=lanes, ways=ways, lane_fifo=lane_fifo, axi_bits=axi_bits, beat_bytes=beat_bytes,
                prefetch=prefetch, outstanding=outstanding)  # fmt: skip
    arrays = [values(n, seed=seed + i, scale=scale) for i, n in enumerate(sizes)]
    plans = [plan(encoded(a, "atalanta", lanes=lanes, ways=ways, beat_bytes=beat_bytes), p) for a in arrays]
    fast, slow = both(plans, p, memories(p, seed)[which])
    assert fast == slow


@pytest.mark.parametrize("ready", [[1], [1, 1, 0, 1, 1, 1]])
def test_it_does_not_matter_how_the_output_is_taken(ready):
    p = decoder()
    plans = [plan(encoded(values(30_000), "atalanta"), p)]
    for memory in memories(p, 1):
        fast, slow = both(plans, p, memory, ready=np.array(ready, np.uint8))
        assert fast == slow


def test_most_of_a_large_tensor_is_one_run():
    segment = plan(encoded(values(200_000), "atalanta"), decoder()).segments[0]
    assert (segment.runs[:, 1] - segment.runs[:, 0]).sum() > 0.95 * len(segment.beats)


def test_runs_end_where_slots_wait():
    """32 lanes of short codes need nearly a beat a cycle, so some come after the slot that needs them."""
    p = decoder(lanes=32)
    tensor = plan(encoded(values(200_000, scale=4.0), "atalanta", lanes=32), p)
    assert len(tensor.segments[0].runs) > 1
    for memory in memories(p, 2):
        fast, slow = both([tensor], p, memory)
        assert fast == slow

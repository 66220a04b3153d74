"""The recurrence against closed formulas, and what must hold between runs of one decoder."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from decoder_work import BITS_128, decoder, encoded, runs, values
from hypothesis import given, settings
from hypothesis import strategies as st

from atalanta.golden.container import segments
from atalanta.sim.decoder import plan, simulate
from atalanta.sim.native import Memory

PAGE = 4096


def slots_of(stream):
    """Slots as golden counts them; the unpacker runs four more, see golden.decoder.UNPACKER_STAGES."""
    total = 0
    for segment in segments(stream):
        order = segment.schedule(stream)
        if order is not None:
            total += order.slots
        elif segment.header.count:
            total += len(segment.slot_bits(stream)) + 4
    return total


def bursts_of(address, nbytes, p):
    """Bursts that AXI needs: none longer than burst_beats, none across a page."""
    first, last = address // p.axi_bytes, (address + nbytes - 1) // p.axi_bytes
    bursts, at = 0, first
    while at <= last:
        page_words = PAGE // p.axi_bytes
        at += min(last - at + 1, p.burst_beats, page_words - at % page_words)
        bursts += 1
    return bursts


@pytest.mark.parametrize("codec", ["atalanta", "shapeshifter", "raw"])
@pytest.mark.parametrize("axi_bits", [64, 128, 256, 512])
@pytest.mark.parametrize("address", [0, 0x1000, 0xFF8, 0x1235])
def test_words_bursts_slots_and_values_are_those_of_the_stream(codec, axi_bits, address):
    p = decoder(axi_bits=axi_bits, burst_beats=8)
    array = values(5000, seed=axi_bits + address)
    stream = encoded(array, codec)
    run = runs([stream], p, addresses=[address])
    touched = (address + len(stream) - 1) // p.axi_bytes - address // p.axi_bytes + 1
    assert run.counters["words"] == touched
    assert run.bursts == bursts_of(address, len(stream), p)
    assert run.counters["slot"] == slots_of(stream)
    assert run.counters["values"] == array.size


@pytest.mark.parametrize("codec", ["atalanta", "shapeshifter", "raw"])
def test_latency_is_paid_once_if_the_prefetch_covers_it(codec):
    p = decoder(outstanding=64, prefetch=4096)
    stream = encoded(values(20_000), codec)
    cycles = [runs([stream], p, latency=latency).cycles for latency in (1, 2, 50, 300)]
    assert [c - cycles[0] for c in cycles] == [0, 1, 49, 299]


@pytest.mark.parametrize("latency", [1, 7, 100])
@pytest.mark.parametrize("burst_beats", [1, 4, 16])
def test_one_outstanding_burst_takes_latency_plus_beats_plus_two(latency, burst_beats):
    # A burst's last beat frees its place in the next cycle, a register notes that, and the cycle after it is
    # the handshake: so bursts follow each other every latency + beats + 2 cycles, whatever is behind them.
    p = decoder(burst_beats=burst_beats, outstanding=1, prefetch=4096)
    raw = [encoded(values(n, seed=1), "raw") for n in (4096, 4096 + 64 * BITS_128 * burst_beats)]
    bursts = [bursts_of(0x1000, len(stream), p) for stream in raw]
    cycles = [runs([stream], p, latency=latency).cycles for stream in raw]
    # Only where memory is the limit: 16 values a beat and slot are decoded faster than they come.
    assert cycles[1] - cycles[0] == (bursts[1] - bursts[0]) * (latency + burst_beats + 2)


@pytest.mark.parametrize("rate", [Fraction(1), Fraction(4), Fraction(16, 3)])
def test_a_slow_bus_sets_the_time(rate):
    p = decoder(outstanding=64, prefetch=1024)
    short, long = (encoded(values(n, seed=3), "raw") for n in (16_384, 16_384 + 48_000))
    cycles = [runs([s], p, latency=10, bytes_per_cycle=rate).cycles for s in (short, long)]
    assert cycles[1] - cycles[0] == (len(long) - len(short)) / rate


@pytest.mark.parametrize("period", [2, 3, 10])
def test_a_slow_receiver_sets_the_time(period):
    p = decoder(prefetch=1024)
    ready = np.zeros(period, np.uint8)
    ready[0] = 1
    short, long = (encoded(values(n, seed=3), "raw") for n in (1600, 1600 + 8000))
    one, two = (runs([s], p, ready=ready) for s in (short, long))
    assert two.cycles - one.cycles == period * 8000 // p.out_values
    assert two.counters["output"] - one.counters["output"] == (period - 1) * 8000 // p.out_values


def test_the_receiver_costs_what_it_makes_the_decoder_wait():
    stream = encoded(values(30_000), "atalanta")
    free = runs([stream], decoder())
    ready = np.array([1, 1, 1, 0], np.uint8)
    slowed = runs([stream], decoder(), ready=ready)
    assert free.counters["output"] == 0
    assert slowed.counters["output"] > 0
    assert slowed.counters["slot"] == free.counters["slot"]


def test_tensors_of_one_kind_follow_each_other_evenly():
    p = decoder(outstanding=64, prefetch=4096)
    stream = encoded(values(8000), "atalanta")
    run = runs([stream] * 6, p, addresses=[0x4000] * 6, latency=5)
    gaps = [b - a for a, b in pairwise(run.ends)]
    assert len(set(gaps)) == 1
    assert run.ends[-1] == run.cycles
    assert run.counters["slot"] == 6 * slots_of(stream)


@pytest.mark.parametrize("copies", [4, 16])
def test_counters_grow_with_the_work(copies):
    p = decoder(outstanding=64, prefetch=4096)
    stream = encoded(values(8000), "shapeshifter")
    two, more = (runs([stream] * n, p, addresses=[0x4000] * n, latency=5) for n in (2, 2 * copies))
    for name in ("slot", "words", "values", "output"):
        assert more.counters[name] == copies * two.counters[name]


def test_an_empty_tensor_is_a_header_and_an_empty_packet():
    run = runs([encoded(values(0), "raw")], decoder())
    assert run.counters["values"] == 0
    assert run.counters["slot"] == 0
    assert run.cycles == sum(run.counters[c] for c in ("memory", "router", "setup", "drain"))


def test_what_a_run_leaves_in_the_memory_goes_on():
    p = decoder()
    stream = encoded(values(3000), "raw")
    with Memory.ideal(latency=3, outstanding=8) as memory:
        simulate([plan(stream, p)], p, memory)
        beats = memory.stats()[0].beats_taken
        assert beats == -(-len(stream) // p.axi_bytes)
        assert memory.finish() > 0


KNOBS = st.fixed_dictionaries(
    {
        "latency": st.sampled_from([1, 5, 40, 200]),
        "outstanding": st.sampled_from([1, 2, 4, 16]),
        "prefetch": st.sampled_from([16, 17, 40, 64, 256]),
        "lane_fifo": st.sampled_from([2, 3, 8]),
        "rate": st.sampled_from([4, 8, 16, 32]),
    }
)


@settings(max_examples=60, deadline=None)
@given(knobs=KNOBS, seed=st.integers(0, 5), codec=st.sampled_from(["atalanta", "shapeshifter", "raw"]))
def test_better_never_takes_longer(knobs, seed, codec):
    """The recurrence is of maxima and sums, so with an ideal memory no resource can do harm."""
    stream = encoded(values(4000, seed=seed), codec)

    def cycles(**changes):
        k = knobs | changes
        p = decoder(outstanding=k["outstanding"], prefetch=k["prefetch"], lane_fifo=k["lane_fifo"])
        run = runs([stream] * 2, p, latency=k["latency"], bytes_per_cycle=Fraction(k["rate"]))
        return run.cycles

    base = cycles()
    assert cycles(latency=knobs["latency"] + 30) >= base
    assert cycles(rate=2 * knobs["rate"]) <= base
    assert cycles(outstanding=2 * knobs["outstanding"]) <= base
    assert cycles(prefetch=knobs["prefetch"] + 20) <= base
    assert cycles(lane_fifo=knobs["lane_fifo"] + 1) <= base


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), lanes=st.sampled_from([1, 4, 16]), ways=st.sampled_from([2, 4]))
def test_cycles_never_fall_below_any_single_limit(seed, lanes, ways):
    p = decoder(lanes=lanes, ways=ways)
    stream = encoded(values(3000, seed=seed), "atalanta", lanes=lanes, ways=ways)
    run = runs([stream], p, latency=9)
    assert run.cycles >= run.counters["slot"]
    assert run.cycles >= run.counters["words"] + 9
    assert run.counters["slot"] >= -(-3000 // lanes)


def test_jitter_is_drawn_from_its_seed():
    p = decoder()
    stream = encoded(values(9000), "atalanta")
    first, again, other = (runs([stream], p, latency=9, jitter=30, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first.cycles != other.cycles


@pytest.mark.parametrize("changes", [{}, {"lane_fifo": 5}, {"prefetch": 256}, {"burst_beats": 4}])
def test_values_do_not_matter_but_for_their_lengths(changes):
    """Two streams with the same schedule take the same cycles: nothing is decoded to count them."""
    p = replace(decoder(), **changes)
    stream = bytearray(encoded(values(4000), "raw"))
    tensor = plan(bytes(stream), p)
    one = simulate([tensor], p, Memory.ideal(latency=11))
    mirrored = encoded(values(4000)[::-1].copy(), "raw")
    assert simulate([plan(mirrored, p)], p, Memory.ideal(latency=11)) == one

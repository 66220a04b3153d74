"""The AXI side of memories: exact cycles, and the same for a client of every cycle and one of events."""

import ctypes
import math
import random
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atalanta.golden.errors import InputError, ParameterError
from atalanta.sim.dram_presets import preset
from atalanta.sim.native import NEVER, Memory


@dataclass
class Burst:
    address: int
    beats: int
    beat_bytes: int
    write: bool
    needs: int  # read beats that must have arrived before it is asked for
    gap: int  # cycles after the latest of them


def work(seed, *, n=60, beat_bytes=16, writes=0.25, span=1 << 20):
    """Bursts, some of which wait for data of earlier ones."""
    source = random.Random(seed)
    bursts, beats = [], 0
    for _ in range(n):
        count = source.choice((1, 2, 4, 16, 16, 16))
        size = count * beat_bytes
        address = source.randrange(span // size) * size
        write = source.random() < writes
        needs = source.randrange(max(0, beats - 40), beats + 1) if beats and source.random() < 0.5 else 0
        bursts.append(Burst(address, count, beat_bytes, write, needs, source.choice((1, 1, 1, 5, 200))))
        beats += 0 if write else count
    return bursts


class Client:
    """What both clients share: when the next burst may be asked for, and what was seen."""

    def __init__(self, memory, bursts):
        self.memory, self.bursts = memory, bursts
        self.sent, self.beats, self.responses = [], [], []
        self.total = sum(0 if b.write else b.beats for b in bursts), sum(b.write for b in bursts)

    def done(self):
        return (len(self.sent) == len(self.bursts)
                and (len(self.beats), len(self.responses)) == self.total)  # fmt: skip

    def earliest(self):
        """First cycle in which the next burst may be asked for; None if it waits for data."""
        if len(self.sent) == len(self.bursts):
            return None
        burst = self.bursts[len(self.sent)]
        if burst.needs > len(self.beats):
            return None
        begin = self.beats[burst.needs - 1] + burst.gap if burst.needs else burst.gap
        return max(begin, self.sent[-1] + 1 if self.sent else 0)

    def send(self, cycle):
        b = self.bursts[len(self.sent)]
        assert self.memory.request(cycle, b.address, b.beats, b.beat_bytes, write=b.write)
        self.sent.append(cycle)


def every_cycle(memory, bursts, *, request_first=False):
    client, cycle = Client(memory, bursts), 0

    def ask():
        want = client.earliest()
        if want is not None and cycle >= want and memory.ready(cycle, write=bursts[len(client.sent)].write):
            client.send(cycle)

    while not client.done():
        assert cycle < 200_000
        if request_first:
            ask()
        if memory.beat(cycle):
            client.beats.append(cycle)
        if memory.response(cycle):
            client.responses.append(cycle)
        if not request_first:
            ask()
        cycle += 1
    return client


def events(memory, bursts):
    client = Client(memory, bursts)
    while not client.done():
        want = client.earliest()
        want = NEVER if want is None else memory.next_ready(want, write=bursts[len(client.sent)].write)
        cycle, response = memory.next_event(want)
        if cycle <= want:
            assert cycle != NEVER
            (memory.take_response if response else memory.take_beat)()
            (client.responses if response else client.beats).append(cycle)
        else:
            client.send(want)
    return client


def both(make, bursts):
    with make() as one, make() as two, make() as three:
        a, b, c = (
            every_cycle(one, bursts),
            events(two, bursts),
            every_cycle(three, bursts, request_first=True),
        )
        assert a.sent == b.sent == c.sent
        assert a.beats == b.beats == c.beats
        assert a.responses == b.responses == c.responses
        assert one.finish() == two.finish() == three.finish()
        assert one.stats() == two.stats() == three.stats()
        assert (one.latency_histogram() == two.latency_histogram()).all()
        memory, _ = one.stats()
        assert memory.bytes_read == sum(b.beats * b.beat_bytes for b in bursts if not b.write)
        assert memory.bytes_written == sum(b.beats * b.beat_bytes for b in bursts if b.write)
        return a, one.stats()


CLOCKS = [
    Fraction(625),
    Fraction(1000),
    Fraction(630),
    Fraction(10**6, 333),
    Fraction(7919, 13),
    Fraction(100),
]


@pytest.mark.parametrize("clock_ps", CLOCKS)
@pytest.mark.parametrize(
    ("name", "beat_bytes"), [("ddr4-3200", 16), ("lpddr4-3200", 16), ("hbm2-2000", 64), ("ddr4-2400", 128)]
)
def test_clients_of_cycles_and_of_events_agree_on_dram(name, beat_bytes, clock_ps):
    config = preset(name)
    for seed in range(2):
        bursts = work(seed, beat_bytes=beat_bytes, writes=0.3 * seed)
        _, (memory, dram) = both(lambda: Memory.dram(config, clock_ps, latency=3, outstanding=4), bursts)
        assert dram.reads + dram.writes > 0
        assert dram.read_commands + dram.write_commands <= dram.reads + dram.writes
        transferred = (dram.reads + dram.writes) * config.burst_bytes
        assert transferred >= memory.bytes_read + memory.bytes_written
        assert dram.pending_writes == 0


@settings(max_examples=25, deadline=None)
@given(
    num=st.integers(1, 10**6),
    den=st.integers(1, 10**6),
    seed=st.integers(0, 1000),
    outstanding=st.integers(1, 8),
)
def test_clients_agree_for_any_clock_ratio(num, den, seed, outstanding):
    config = preset("ddr4-3200")
    clock_ps = config.tck_ps * min(max(Fraction(num, den), Fraction(1, 8)), Fraction(50))
    both(lambda: Memory.dram(config, clock_ps, outstanding=outstanding), work(seed, n=12))


@settings(max_examples=25, deadline=None)
@given(
    latency=st.integers(1, 100), bandwidth=st.none() | st.fractions(Fraction(1, 2), 100, max_denominator=999),
    jitter=st.integers(0, 30), seed=st.integers(0, 2**64 - 1), outstanding=st.integers(1, 8),
)  # fmt: skip
def test_clients_agree_on_ideal_memory(latency, bandwidth, jitter, seed, outstanding):
    def make():
        return Memory.ideal(
            latency=latency, bytes_per_cycle=bandwidth, jitter=jitter, seed=seed, outstanding=outstanding
        )

    both(make, work(seed % 1000, n=20))


@settings(max_examples=50, deadline=None)
@given(
    clock_ps=st.fractions(10, 10**5, max_denominator=9999),
    cycle=st.integers(0, 10**6),
    latency=st.integers(0, 50),
)
def test_unloaded_dram_latency_in_accelerator_cycles(clock_ps, cycle, latency):
    config = preset("ddr4-3200", refresh="none")
    ratio = clock_ps / config.tck_ps
    with Memory.dram(config, clock_ps, latency=latency) as memory:
        memory.request(cycle, 0, 4, 16)
        complete = math.ceil(cycle * ratio) + config.unloaded_read_cycles
        first = math.ceil(complete / ratio) + latency
        assert memory.next_beat() == first
        beats = []
        for _ in range(4):
            beats.append(memory.next_beat())
            memory.take_beat()
        assert beats == [first, first + 1, first + 2, first + 3]  # one burst holds all four, one beat a cycle
        assert memory.next_beat() == NEVER


def drain(memory, n):
    beats = []
    for _ in range(n):
        beats.append(memory.next_beat())
        memory.take_beat()
    return beats


def test_ideal_memory_latency_and_bandwidth():
    with Memory.ideal(latency=10) as m:
        m.request(5, 0, 4, 16)
        assert drain(m, 4) == [15, 16, 17, 18]
    with Memory.ideal(latency=10, bytes_per_cycle=Fraction(8)) as m:  # half a beat a cycle
        m.request(5, 0, 3, 16)
        m.request(6, 64, 2, 16)  # waits for the bus
        assert drain(m, 5) == [15, 17, 19, 21, 23]
    with Memory.ideal(latency=1, bytes_per_cycle=Fraction(12)) as m:  # 4/3 cycles a beat
        m.request(0, 0, 7, 16)
        assert drain(m, 7) == [1, 3, 4, 5, 7, 8, 9]
    with Memory.ideal(latency=4, bytes_per_cycle=Fraction(16)) as m:  # writes share the bus
        m.request(0, 0, 4, 16, write=True)
        m.request(0, 0, 2, 16)
        assert (m.next_response(), drain(m, 2)) == (7, [8, 9])


def test_jitter_is_bounded_seeded_and_in_order():
    def run(seed, jitter):
        with Memory.ideal(latency=20, jitter=jitter, seed=seed) as m:
            for i in range(8):
                m.request(40 * i, 256 * i, 16, 16)
            return drain(m, 128)

    assert run(1, 9) == run(1, 9) != run(2, 9)
    plain, jittered = run(0, 0), run(3, 9)
    assert all(a <= b <= a + 9 + 15 for a, b in zip(plain, jittered, strict=True))
    assert all(a < b for a, b in pairwise(jittered))
    assert len({b - a for a, b in zip(plain, jittered, strict=True)}) > 3


@pytest.mark.parametrize("make", [
    lambda: Memory.ideal(latency=10, outstanding=3),
    lambda: Memory.dram(preset("ddr4-3200"), Fraction(1000), outstanding=3),
])  # fmt: skip
def test_places_are_bounded_and_free_a_cycle_after_the_last_beat(make):
    with make() as m:
        for i in range(3):
            assert m.ready(i)
            assert m.request(i, 256 * i, 16, 16)
        assert not m.ready(3)
        assert not m.request(3, 0, 16, 16)  # refused, and nothing happened
        assert m.ready(3, write=True)  # writes have places of their own
        last = drain(m, 16)[-1]
        assert not m.ready(last)
        assert m.ready(last + 1)
        assert m.request(last + 1, 4096, 16, 16)
        assert m.stats()[0].read_bursts == 4


def test_a_compiled_client_needs_only_addresses():
    """What a netlist's harness does: call through plain function pointers."""
    config, clock = preset("ddr4-3200"), Fraction(800)
    with Memory.dram(config, clock) as one, Memory.dram(config, clock) as two:
        table = one.functions()
        handle = ctypes.c_void_p(one.handle)
        i32, i64 = ctypes.c_int32, ctypes.c_int64
        ready = ctypes.CFUNCTYPE(i32, ctypes.c_void_p, i64, i32)(table["ready"])
        request = ctypes.CFUNCTYPE(i32, ctypes.c_void_p, i64, ctypes.c_uint64, i32, i32, i32)(
            table["request"]
        )
        beat = ctypes.CFUNCTYPE(i32, ctypes.c_void_p, i64)(table["beat"])
        seen, sent = [], 0
        for cycle in range(2000):
            if beat(handle, cycle):
                seen.append(cycle)
            if sent < 10 and ready(handle, cycle, 0):
                assert request(handle, cycle, 256 * sent, 16, 16, 0) == 1
                sent += 1
        for i in range(10):
            two.request(i, 256 * i, 16, 16)
        assert seen == drain(two, 160)


def test_promises_are_kept_or_refused():
    with Memory.dram(preset("ddr4-3200"), Fraction(1000)) as m:
        m.request(10, 0, 16, 16)
        assert m.next_beat(20) == NEVER  # not known to come by cycle 20
        with pytest.raises(InputError, match="promised to be past"):
            m.request(19, 256, 16, 16)
        assert m.request(20, 256, 16, 16)
        with pytest.raises(InputError, match="promised"):
            m.request(19, 512, 16, 16)


@pytest.mark.parametrize(("address", "beats", "beat_bytes", "why"), [
    (8, 16, 16, "aligned"), (0, 0, 16, "AXI"), (0, 257, 1, "AXI"), (0, 4, 24, "AXI"), (0, 1, 256, "AXI"),
    (4096 - 64, 16, 16, "4 KiB"), (8 << 30, 1, 16, "beyond the memory"),
    (2**64 - 16, 1, 16, "beyond the memory"),
])  # fmt: skip
def test_illegal_bursts_are_refused(address, beats, beat_bytes, why):
    with Memory.dram(preset("ddr4-3200"), Fraction(1000)) as m:
        with pytest.raises(InputError, match=why):
            m.request(0, address, beats, beat_bytes)
        assert m.stats()[0].read_bursts == 0


def test_bad_parameters_are_refused():
    with pytest.raises(ParameterError, match="latency"):
        Memory.ideal(latency=0)
    with pytest.raises(ParameterError, match="outstanding"):
        Memory.ideal(latency=1, outstanding=0)
    with pytest.raises(ParameterError, match="bytes_per_cycle"):
        Memory.ideal(latency=1, bytes_per_cycle=Fraction(0))
    with pytest.raises(ParameterError, match="jitter"):
        Memory.ideal(latency=1, jitter=-1)
    with pytest.raises(ParameterError, match="ratio"):
        Memory.dram(preset("ddr4-3200"), Fraction(1, 2**40))
    with pytest.raises(ParameterError, match="clock_ps"):
        Memory.dram(preset("ddr4-3200"), Fraction(0))


def test_sequential_stream_through_axi_reaches_the_refresh_limit():
    """256-byte bursts, enough of them under way: the DRAM is the limit, not the port."""
    config = preset("ddr4-3200")
    clock = Fraction(500)  # 2 GHz x 16 bytes: more than the memory gives
    with Memory.dram(config, clock, outstanding=32) as m:
        n, cycle, sent, beats = 8000, 0, 0, []
        while len(beats) < 16 * n:
            want = m.next_ready(cycle) if sent < n else NEVER
            beat = m.next_beat(want)
            if beat <= want:
                m.take_beat()
                beats.append(beat)
            else:
                m.request(want, 256 * sent, 16, 16)
                sent, cycle = sent + 1, want + 1
        reached = 16 * len(beats) / (beats[-1] * float(clock) * 1e-12)
    assert reached == pytest.approx(config.refresh_limited_bytes_per_s, rel=0.02)

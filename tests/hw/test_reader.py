"""Reader against the rules of AXI4 (ARM IHI 0022) and a memory that answers late and in fits."""

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hw_bench import HEAVY, LIGHT, NONE, Bench, Pauses, Transfer, cycles, payloads

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.axi import PAGE_BYTES, Burst, Resp
from atalanta.hw.gearbox import ratio
from atalanta.hw.reader import Reader

AR_LATENCY = 5
"""Cycles from a descriptor to ARVALID."""

R_LATENCY = 3
"""Cycles from R to `o`, without the gearbox's."""


def in_gearbox(p: DecoderParams) -> int:
    """Bus words that the gearbox can hold."""
    if ratio(p) == 1:
        return 0
    return ratio(p) if p.axi_bytes < p.beat_bytes else 1


@dataclass(frozen=True)
class Asked:
    """A burst as AR showed it, and the cycle in which it was taken."""

    cycle: int
    address: int
    beats: int


@dataclass
class AxiMemory:
    """The subordinate: answers bursts in order after `latency` cycles, with pauses between words.

    `byte` says what lies where. It checks every rule that binds the manager of a read.
    """

    dut: Reader
    bench: Bench
    p: DecoderParams
    latency: int = 4
    ready: Pauses = NONE
    words: Pauses = NONE
    error_word: int = -1
    bursts: list[Asked] = field(default_factory=list)
    word_cycles: list[int] = field(default_factory=list)
    held: int = 0

    def __post_init__(self) -> None:
        self._due: deque[tuple[int, int, bool]] = deque()  # cycle, address, last
        self._unanswered = 0
        self.bench.add(self._address_channel, background=True)
        self.bench.add(self._data_channel, background=True)

    @staticmethod
    def byte(address: int) -> int:
        """What the memory holds."""
        return (address * 0x9E3779B1 >> 13) & 255

    async def _address_channel(self, ctx: Any) -> None:
        axi, random, stopped = self.dut.m_axi, Random(3), None
        payload = (axi.araddr, axi.arlen, axi.arsize, axi.arburst, axi.arcache, axi.arprot, axi.arlock,
                   axi.arqos, axi.arid)  # fmt: skip
        gap = 0
        while True:
            ctx.set(axi.arready, gap == 0)
            _, _, valid, ready, *shown = await ctx.tick().sample(axi.arvalid, axi.arready, *payload)
            assert stopped is None or (valid and shown == stopped), "AR changed before ARREADY (A3.2.1)"
            stopped = shown if valid and not ready else None
            gap = max(gap - 1, 0)
            if valid and ready:
                self._accept(*shown)
                gap = self.ready.gap(random)

    def _accept(
        self, address: int, length: int, size: int, burst: Burst, cache: int, prot: int, lock: int, *rest: int
    ) -> None:
        p, beats = self.p, length + 1
        assert burst == Burst.INCR
        assert 1 << size == p.axi_bytes
        assert address % p.axi_bytes == 0
        assert (cache, prot, lock, *rest) == (0b0010, 0b010, 0, 0, 0)
        assert beats <= p.burst_beats
        last_byte = address + beats * p.axi_bytes - 1
        assert address // PAGE_BYTES == last_byte // PAGE_BYTES, "a burst crosses 4 KiB (A3.4.1)"
        assert last_byte < 1 << p.address_bits
        self._unanswered += 1
        assert self._unanswered <= p.outstanding
        self.held += beats
        assert self.held <= p.prefetch + in_gearbox(p), "asked for more than there is room for"
        self.bursts.append(Asked(self.bench.cycle - 1, address, beats))
        for i in range(beats):
            due = self.bench.cycle - 1 + self.latency
            self._due.append((due, address + i * p.axi_bytes, i + 1 == beats))

    async def _data_channel(self, ctx: Any) -> None:
        axi, random, gap, word = self.dut.m_axi, Random(4), 0, 0
        while True:
            answers = bool(self._due) and self._due[0][0] <= self.bench.cycle and not gap
            ctx.set(axi.rvalid, answers)
            gap = max(gap - 1, 0)
            if answers:
                _, address, last = self._due[0]
                data = bytes(self.byte(address + i) for i in range(self.p.axi_bytes))
                ctx.set(axi.rdata, int.from_bytes(data, "little"))
                ctx.set(axi.rlast, last)
                ctx.set(axi.rresp, Resp.SLVERR if word == self.error_word else Resp.OKAY)
            _, _, ready = await ctx.tick().sample(axi.rready)
            if answers:
                assert ready, "every word asked for has its place"
                self._due.popleft()
                self.word_cycles.append(self.bench.cycle - 1)
                self._unanswered -= last
                word += 1
                gap = self.words.gap(random)


@dataclass
class ReaderBench:
    """A reader, its memory, and descriptors offered one after the other."""

    p: DecoderParams
    descriptors: list[tuple[int, int]]
    latency: int = 4
    ready: Pauses = NONE
    words: Pauses = NONE
    take: Pauses = NONE
    offer: Pauses = NONE
    error_word: int = -1
    dut: Reader = field(init=False)
    out: list[Transfer] = field(init=False)
    sent: list[Transfer] = field(init=False)

    def __post_init__(self) -> None:
        p = self.p
        self.dut = Reader(p)
        self.bench = Bench(self.dut)
        self.memory = AxiMemory(
            self.dut, self.bench, p, self.latency, self.ready, self.words, self.error_word
        )
        items = [{"address": address, "length": length} for address, length in self.descriptors]
        self.sent = self.bench.produce(self.dut.i, items, self.offer)
        self.out = self.bench.consume(
            self.dut.o, sum(len(self.beats(*d)) for d in self.descriptors), self.take
        )
        self.bench.watch(self.dut.o)
        self.bench.add(self._give_back, background=True)
        self.idle = self.bench.sample(self.dut.o_idle)

    async def _give_back(self, ctx: Any) -> None:
        """Words whose beats have left have no place in the reader any more."""
        gone: list[int] = []
        for address, length in self.descriptors:
            base, before = address // self.p.axi_bytes * self.p.axi_bytes, gone[-1] if gone else 0
            ends = (beat + self.p.beat_bytes - base for beat in self.beats(address, length))
            words = self.words_of(address, length)
            gone += [before + min(end // self.p.axi_bytes, words) for end in ends]
        left = 0
        async for _, _, valid, ready in ctx.tick().sample(self.dut.o.valid, self.dut.o.ready):
            if valid and ready:
                self.memory.held -= gone[left] - (gone[left - 1] if left else 0)
                left += 1

    def words_of(self, address: int, length: int) -> int:
        """Bus words of a descriptor."""
        return (address + length - 1) // self.p.axi_bytes - address // self.p.axi_bytes + 1

    def beats(self, address: int, length: int) -> list[int]:
        """Addresses of the beats that come out for a descriptor."""
        p = self.p
        end = ((address + length - 1) // p.axi_bytes + 1) * p.axi_bytes
        return list(range(address // p.beat_bytes * p.beat_bytes, end, p.beat_bytes))

    def run(self) -> None:
        """Run, then compare every beat and every burst."""
        self.bench.run()
        p, at = self.p, 0
        for address, length in self.descriptors:
            mine = self.beats(address, length)
            for beat in mine:
                word = self.out[at].payload
                at += 1
                assert word["last"] == (beat == mine[-1])
                low = max(beat, address // p.axi_bytes * p.axi_bytes)
                high = min(
                    beat + p.beat_bytes, (address + length - 1) // p.axi_bytes * p.axi_bytes + p.axi_bytes
                )
                found = word["data"].to_bytes(p.beat_bytes, "little")[low - beat : high - beat]
                assert found == bytes(AxiMemory.byte(a) for a in range(low, high))
        due = [burst for address, length in self.descriptors for burst in self.bursts_of(address, length)]
        assert [(b.address, b.beats) for b in self.memory.bursts] == due
        assert self.idle[-1] == (1,)

    def bursts_of(self, address: int, length: int) -> list[tuple[int, int]]:
        """The bursts that a descriptor takes: as long as the parameter and the page allow."""
        p, at, found = self.p, address // self.p.axi_bytes * self.p.axi_bytes, []
        left = self.words_of(address, length)
        while left:
            beats = min(left, p.burst_beats, (PAGE_BYTES - at % PAGE_BYTES) // p.axi_bytes)
            found.append((at, beats))
            at, left = at + beats * p.axi_bytes, left - beats
        return found


def random_descriptors(random: Random, p: DecoderParams, count: int) -> list[tuple[int, int]]:
    """Any alignment, lengths of one byte and more, some across a page."""
    found = []
    for _ in range(count):
        address = random.randrange(PAGE_BYTES)
        if random.random() < 0.4:
            address = PAGE_BYTES - random.randint(1, 3 * p.axi_bytes)
        length = random.choice([1, 2, p.axi_bytes, random.randint(1, 600), 40 * p.axi_bytes])
        found.append((address + PAGE_BYTES * random.randrange(5), length))
    return found


CONFIGURATIONS = {
    "64-to-128": DecoderParams(axi_bits=64),
    "128": DecoderParams(),
    "128-one-at-a-time": DecoderParams(burst_beats=1, outstanding=1, prefetch=1),
    "128-short-bursts": DecoderParams(burst_beats=3, outstanding=2, prefetch=7),
    "256-to-128": DecoderParams(axi_bits=256, burst_beats=8, prefetch=16),
    "512-to-256": DecoderParams(axi_bits=512, beat_bytes=32, burst_beats=64, prefetch=64),
    "64-to-512": DecoderParams(axi_bits=64, beat_bytes=64, burst_beats=256, prefetch=256),
    "128-long-bursts": DecoderParams(burst_beats=256, prefetch=300, outstanding=3),
}
every_configuration = pytest.mark.parametrize("p", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())


@every_configuration
@pytest.mark.parametrize(
    ("ready", "words", "take"),
    [(NONE, NONE, NONE), (LIGHT, LIGHT, LIGHT), (HEAVY, NONE, NONE), (NONE, HEAVY, NONE),
     (NONE, NONE, HEAVY)],
    ids=lambda p: p.name,
)  # fmt: skip
def test_random_descriptors(p: DecoderParams, ready: Pauses, words: Pauses, take: Pauses) -> None:
    random = Random(p.axi_bits + p.burst_beats)
    ReaderBench(
        p,
        random_descriptors(random, p, 10),
        latency=random.choice([1, 7, 30]),
        ready=ready,
        words=words,
        take=take,
        offer=LIGHT,
    ).run()


def test_every_alignment_across_a_page() -> None:
    p = DecoderParams(burst_beats=4, prefetch=16)
    starts = range(PAGE_BYTES - 2 * p.axi_bytes, PAGE_BYTES + p.axi_bytes)
    ReaderBench(p, [(start, length) for start in starts for length in (1, 17, 33)]).run()


@pytest.mark.parametrize("p", [DecoderParams(), DecoderParams(axi_bits=64)], ids=["128", "64-to-128"])
def test_a_word_per_cycle_over_bursts_and_descriptors(p: DecoderParams) -> None:
    """A memory without gaps is asked without gaps, from one descriptor to the next too."""
    length = 4 * p.burst_beats * p.axi_bytes
    run = ReaderBench(p, [(0x1000, length), (0x2000, length)], latency=6)
    run.run()
    words = run.memory.word_cycles
    assert words == list(range(words[0], words[0] + len(words)))


def test_a_burst_every_other_cycle() -> None:
    p = DecoderParams(burst_beats=1, prefetch=64, outstanding=32)
    run = ReaderBench(p, [(0, 16 * 20), (0x1000, 16 * 5)], latency=40)
    run.run()
    asked = [burst.cycle for burst in run.memory.bursts]
    assert asked[:20] == list(range(asked[0], asked[0] + 40, 2))


@pytest.mark.parametrize("p", CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def test_latencies(p: DecoderParams) -> None:
    run = ReaderBench(p, [(p.beat_bytes - min(p.axi_bytes, p.beat_bytes), 1)], latency=9)
    valid = run.bench.sample(run.dut.m_axi.arvalid)
    run.run()
    first = cycles(run.sent)[0]
    assert [cycle for cycle, (high,) in enumerate(valid) if high] == [first + AR_LATENCY]
    gearbox = 0 if ratio(p) == 1 else 1
    assert cycles(run.out)[0] == run.memory.word_cycles[0] + R_LATENCY + gearbox


@pytest.mark.parametrize("word", [0, 1, 20])
def test_an_error_response_is_told_of_its_beat(word: int) -> None:
    p = DecoderParams()
    run = ReaderBench(p, [(0, 16 * 30)], error_word=word)
    run.run()
    assert [beat["error"] for beat in payloads(run.out)] == [i == word for i in range(30)]


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 5, 8, 13, 30])
@pytest.mark.parametrize("ready", [NONE, HEAVY], ids=lambda p: p.name)
def test_stop(after: int, ready: Pauses) -> None:
    """What was asked for comes; nothing more is asked for; then the reader reads again."""
    p = DecoderParams(burst_beats=2, prefetch=8)
    dut = Reader(p)
    bench = Bench(dut)
    memory = AxiMemory(dut, bench, p, ready=ready)

    async def give_back(ctx: Any) -> None:
        async for _, _, given, taken in ctx.tick().sample(dut.o.valid, dut.o.ready):
            memory.held -= given & taken

    async def stop_and_go(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.payload, {"address": 0x100, "length": 1000})
        ctx.set(dut.i.valid, 1)
        await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        for _ in range(after):
            await ctx.tick()
        ctx.set(dut.i_stop, 1)
        await ctx.tick()
        shown = ctx.get(dut.m_axi.arvalid)
        asked = len(memory.bursts) + shown  # what AR shows may not be taken back
        ctx.set(dut.i.valid, 1)
        while not ctx.get(dut.o_idle):
            assert not ctx.get(dut.i.ready), "a stopped reader takes no descriptor"
            await ctx.tick()
        assert len(memory.bursts) == asked
        assert len(memory.word_cycles) == sum(b.beats for b in memory.bursts)
        await ctx.tick().repeat(5)
        assert len(memory.bursts) == asked
        ctx.set(dut.i_stop, 0)
        ctx.set(dut.i.payload, {"address": 0x2010, "length": 20})
        await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)
        for last in (0, 1):
            data, is_last = await ctx.tick().sample(dut.o.p.data, dut.o.p.last).until(dut.o.valid)
            at = 0x2010 + 16 * last
            assert data == int.from_bytes(bytes(AxiMemory.byte(at + i) for i in range(16)), "little")
            assert is_last == last
        await ctx.tick().repeat(3)
        assert ctx.get(dut.o_idle)

    bench.add(give_back, background=True)
    bench.add(stop_and_go)
    bench.run()

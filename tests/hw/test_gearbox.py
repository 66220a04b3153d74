"""Gearbox: beats hold what the bus words held, for every ratio of widths."""

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hw_bench import NONE, Bench, Pauses, cycles, either_side, payloads

from atalanta.golden.decoder import AXI_BITS, DecoderParams
from atalanta.golden.params import BEAT_BYTES
from atalanta.hw.gearbox import Gearbox, ratio

RATIOS = [
    DecoderParams(axi_bits=axi, beat_bytes=beat, burst_beats=8) for axi in AXI_BITS for beat in BEAT_BYTES
]
every_ratio = pytest.mark.parametrize("p", RATIOS, ids=lambda p: f"{p.axi_bits}-to-{8 * p.beat_bytes}")


@dataclass(frozen=True)
class Descriptor:
    """Bus words of one descriptor, and the beats due: known bytes only, by position in the beat."""

    words: list[dict[str, int]]
    beats: list[tuple[dict[int, int], bool, bool]]


def descriptor(random: Random, p: DecoderParams, start: int, count: int, errors: float = 0.0) -> Descriptor:
    """`count` bus words from byte `start` on, a multiple of the bus width."""
    narrow = min(p.axi_bytes, p.beat_bytes)
    words = []
    memory: dict[int, tuple[int, bool]] = {}
    for i in range(count):
        chunk, error = random.randbytes(p.axi_bytes), random.random() < errors
        place = start // narrow % ratio(p)
        if p.axi_bytes > p.beat_bytes and i == 0:
            place = random.randrange(ratio(p))
            start += place * narrow
        at = start - start % p.axi_bytes + i * p.axi_bytes
        memory |= {at + j: (byte, error) for j, byte in enumerate(chunk)}
        words.append(
            {
                "data": int.from_bytes(chunk, "little"),
                "first": i == 0,
                "last": i + 1 == count,
                "error": error,
                "place": place,
            }
        )
    beats = []
    end = max(memory) + 1
    for at in range(start - start % p.beat_bytes, end, p.beat_bytes):
        here = {i: memory[at + i] for i in range(p.beat_bytes) if at + i in memory}
        known = {i: byte for i, (byte, _) in here.items()}
        beats.append((known, at + p.beat_bytes >= end, any(error for _, error in here.values())))
    return Descriptor(words, beats)


def compare(taken: list[Any], descriptors: list[Descriptor]) -> None:
    """Known bytes, the last beat of each descriptor and errors must agree."""
    due = [beat for d in descriptors for beat in d.beats]
    assert len(taken) == len(due)
    for beat, (known, last, error) in zip(taken, due, strict=True):
        assert {i: beat["data"] >> 8 * i & 255 for i in known} == known
        assert (beat["last"], beat["error"]) == (last, error)


@every_ratio
@either_side
def test_descriptors_of_all_places_and_lengths(p: DecoderParams, give: Pauses, take: Pauses) -> None:
    random = Random(p.axi_bits + p.beat_bytes)
    descriptors = [
        descriptor(random, p, place * p.axi_bytes, count, errors=0.2)
        for place in range(ratio(p))
        for count in (1, 2, ratio(p), ratio(p) + 1, 9)
    ]
    dut = Gearbox(p)
    bench = Bench(dut)
    bench.produce(dut.i, [word for d in descriptors for word in d.words], give)
    out = bench.consume(dut.o, sum(len(d.beats) for d in descriptors), take)
    bench.watch(dut.o)
    bench.run()
    compare(payloads(out), descriptors)


@every_ratio
def test_full_rate_after_the_latency(p: DecoderParams) -> None:
    """A bus word per cycle when joining, a beat per cycle when splitting; not earlier than promised."""
    whole = descriptor(Random(1), p, 0, 4 * ratio(p))
    whole.words[0]["place"] = 0
    dut = Gearbox(p)
    bench = Bench(dut)
    sent = bench.produce(dut.i, whole.words)
    splits = p.axi_bytes > p.beat_bytes
    beats = len(whole.words) * ratio(p) if splits else len(whole.words) // ratio(p)
    out = bench.consume(dut.o, beats)
    bench.run()
    if splits:
        assert cycles(out) == list(range(dut.latency, dut.latency + beats))
    else:
        assert cycles(sent) == list(range(len(whole.words)))
        full = cycles(sent)[ratio(p) - 1 :: ratio(p)]
        assert cycles(out) == [cycle + dut.latency for cycle in full]


@every_ratio
def test_an_error_stays_with_its_beat(p: DecoderParams) -> None:
    """Long gaps between words: nothing of a beat may be left for the next."""
    random = Random(2)
    first, second = descriptor(random, p, 0, ratio(p), errors=1.0), descriptor(random, p, 0, 2 * ratio(p))
    dut = Gearbox(p)
    bench = Bench(dut)
    slow = Pauses("slow", 1.0, 5)
    bench.produce(dut.i, first.words + second.words, slow)
    out = bench.consume(dut.o, len(first.beats) + len(second.beats), NONE)
    bench.run()
    compare(payloads(out), [first, second])

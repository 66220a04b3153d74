"""What is run: decoders as they are built, and random queues of tensors for each of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import atalanta
from atalanta.golden.container import segments
from atalanta.golden.decoder import CAUSES, DecoderParams
from atalanta.golden.errors import ErrorCode
from atalanta.golden.params import LANES
from atalanta.golden.values import Array
from atalanta.sim.decoder import plan, simulate
from atalanta.sim.dram_presets import preset
from atalanta.sim.native import Memory
from atalanta.tools.rtl.core import ALWAYS_READY, BASE, CompiledCore, CoreRun

BUILDS = {
    "sixteen": DecoderParams(),
    "one": DecoderParams(lanes=1, ways=3, rows=32, axi_bits=64, shapeshifter=False, raw=False),
    "four": DecoderParams(
        lanes=4, ways=2, value_bits=16, lane_depth=4, lane_fifo=6, axi_bits=64,
        burst_beats=8, outstanding=2, prefetch=16,
    ),
    "two": DecoderParams(
        lanes=2, ways=8, rows=8, beat_bytes=32, axi_bits=512, burst_beats=4, outstanding=4, prefetch=8
    ),
}  # fmt: skip
"""Few, for each takes its time to compile. Between them: bus narrower than, as wide as and wider than a
beat; 1 to 16 lanes; least and most ways; 8, 16 and 32 rows; 8- and 16-bit values; lanes that hold more
beats than streams count on; a burst that fills the prefetch buffer half or a quarter; a codec alone."""

T = TypeVar("T")

PRESETS = ("ddr4-3200", "lpddr5-6400", "hbm2-2000")
SLOTS_PER_WORD = 400
"""A run may take this many cycles a bus word before it counts as hung: a DRAM row miss and a refresh."""


@dataclass(frozen=True)
class Case:
    """A queue of tensors and everything around the decoder.

    memory: makes a new one, in the same state each time. ready: TREADY by cycle, repeated.
    """

    tensors: Sequence[Array]
    streams: Sequence[bytes]
    addresses: Sequence[int]
    memory: Callable[[], Memory]
    ready: NDArray[np.uint8] = field(default_factory=lambda: ALWAYS_READY)


def stored(
    tensors: Sequence[Array],
    memory: Callable[[], Memory],
    *,
    ready: NDArray[np.uint8] = ALWAYS_READY,
    **coding: Any,
) -> Case:
    """A case of tensors under one coding, one after the other in memory."""
    streams = [atalanta.encode(t, **coding) for t in tensors]
    ends = np.cumsum([0, *map(len, streams)])
    return Case(tensors, streams, [BASE + int(end) for end in ends[:-1]], memory, ready)


def coding_for(p: DecoderParams) -> dict[str, Any]:
    """Options of an Atalanta stream that fills the decoder."""
    names = ("lanes", "ways", "rows", "beat_bytes", "lane_depth")
    return {name: getattr(p, name) for name in names}


def bus_words(address: int, nbytes: int, word_bytes: int) -> int:
    """Words in which these bytes lie."""
    return (address + nbytes - 1) // word_bytes - address // word_bytes + 1


def run_and_compare(core: CompiledCore, case: Case) -> CoreRun:
    """Run a case; values are golden's, cycles and counters the simulator's, sums what they must be."""
    p = core.params
    flat = [t.reshape(-1) for t in case.tensors]
    words = sum(bus_words(a, len(s), p.axi_bytes) for a, s in zip(case.addresses, case.streams, strict=True))
    with case.memory() as memory:
        run = core.run(
            case.streams,
            memory,
            most_values=sum(map(len, flat)),
            signed=lambda i: flat[i].dtype.kind == "i",
            addresses=case.addresses,
            ready=case.ready,
            max_cycles=1000 + (SLOTS_PER_WORD * words + sum(map(len, flat))) * len(case.ready),
        )
    assert run.code is ErrorCode.NONE
    assert len(run.packets) == len(flat)
    for packet, values in zip(run.packets, flat, strict=True):
        assert not packet.bad
        np.testing.assert_array_equal(packet.values, values)
    with case.memory() as memory:
        model = simulate(
            [plan(s, p) for s in case.streams], p, memory, addresses=case.addresses, ready=case.ready
        )
    assert run.counters == model.counters
    assert run.cycles == model.cycles == sum(run.counters[cause] for cause in CAUSES)
    assert run.bursts == model.bursts
    assert [packet.cycle for packet in run.packets] == model.ends
    assert run.counters["values"] == sum(map(len, flat))
    assert run.counters["words"] == words
    return run


def pick(random: Generator, options: Sequence[T]) -> T:
    """One of them."""
    return options[int(random.integers(len(options)))]


def random_tensor(random: Generator, p: DecoderParams) -> tuple[Array, int]:
    """A tensor and its bits per value: empty to a few thousand values, one value only to noise."""
    count = pick(random, [0, 1, 5, 16, 33, 300, 2000, int(random.integers(1, 4000))])
    bits = pick(random, [p.value_bits, min(8, p.value_bits), int(random.integers(2, p.value_bits + 1))])
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if random.random() < 0.6 else (0, (1 << bits) - 1)
    spread = pick(random, [0, 0.01, 0.05, 0.2, 1]) * (1 << bits - 1)
    values = np.clip(np.rint(random.normal(0, spread, count)), low, high)
    kind, size = ("i" if low else "u"), (1 if bits <= 8 and p.value_bits <= 8 else 2)
    return values.astype(f"{kind}{size}").reshape([(count,), (1, count, 1)][random.integers(2)]), bits


def random_stream(random: Generator, p: DecoderParams) -> tuple[Array, bytes]:
    """A tensor and its stream, under a codec and parameters that the decoder takes."""
    built = {"atalanta": p.atalanta, "shapeshifter": p.shapeshifter, "raw": p.raw, "best": p.raw}
    codec = pick(random, [name for name, there in built.items() if there])
    tensor, bits = random_tensor(random, p)
    options: dict[str, Any] = {}
    if codec in ("atalanta", "best"):
        options = coding_for(p) | {
            "lanes": pick(random, [n for n in LANES if n <= p.lanes]),
            "lane_depth": int(random.integers(2, p.lane_depth + 1)),
            "fit": bool(random.random() < 0.3),
        }
    sizes = [64, 512, 1024, 1 << 20]
    stream = atalanta.encode(tensor, codec, bits=bits, segment_values=pick(random, sizes), **options)
    if not p.raw and any(s.codec.name == "raw" for s in segments(stream)):
        return random_stream(random, p)  # did not compress, so was stored raw
    return tensor, stream


def random_memory(random: Generator) -> Callable[[], Memory]:
    """An ideal memory of any latency, bandwidth and jitter, or a DRAM behind some clock."""
    latency, outstanding = int(random.integers(1, 120)), pick(random, [1, 2, 8, 16])
    if random.random() < 0.3:
        dram = preset(pick(random, PRESETS))
        clock_ps = Fraction(pick(random, [625, 1000, 1700, 4000]))
        return lambda: Memory.dram(dram, clock_ps, latency=latency, outstanding=outstanding)
    limits = [None, Fraction(64), Fraction(16), Fraction(8), Fraction(25, 3), Fraction(3, 2)]
    limit = limits[random.integers(len(limits))]
    jitter, seed = pick(random, [0, 0, 5, 40]), int(random.integers(1000))
    return lambda: Memory.ideal(
        latency=latency, bytes_per_cycle=limit, jitter=jitter, seed=seed, outstanding=outstanding
    )


def random_ready(random: Generator) -> NDArray[np.uint8]:
    """TREADY always, or high in some share of the cycles, or in long bursts."""
    kind, period = random.random(), int(random.integers(2, 200))
    if kind < 0.5:
        return ALWAYS_READY
    if kind < 0.8:
        pattern = random.random(period) < pick(random, [0.3, 0.7, 0.9])
    else:
        pattern = np.arange(period) < random.integers(1, period + 1)
    pattern[random.integers(period)] = True
    return np.asarray(pattern, np.uint8)


def random_case(random: Generator, p: DecoderParams) -> Case:
    """One to four tensors, anywhere in memory, close together or apart."""
    found = [random_stream(random, p) for _ in range(random.integers(1, 5))]
    addresses, at = [], int(random.integers(BASE, 3 * BASE))
    for _, stream in found:
        addresses.append(at)
        at += len(stream) + pick(random, [0, 0, 100, 5000])
    return Case(
        [tensor for tensor, _ in found],
        [stream for _, stream in found],
        addresses,
        random_memory(random),
        random_ready(random),
    )

"""No stream, however damaged, hangs the decoder: right values or golden's error code, then it works on."""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from corruption import damaged_stream, too_large
from numpy.typing import NDArray
from rtl_cases import BUILDS, coding_for
from sealing import seal
from verdicts import Due, due

import atalanta
from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.format import BASE
from atalanta.sim.native import Memory
from atalanta.tools.rtl.core import CompiledCore, CoreRun

Cores = Callable[[str], CompiledCore]

STREAMS = int(os.environ.get("ATALANTA_CORRUPTED_STREAMS", "4000"))
"""Damaged streams of a run, over all builds; the environment variable asks for more."""

CHUNKS = 4
COMMON = {
    ErrorCode[name]
    for name in ("NONE", "TRUNCATED", "MAGIC", "HEADER_CRC", "HEADER", "LENGTH", "PAYLOAD_CRC", "LANE")
}
"""Verdicts that no chunk goes without."""

GOOD = np.arange(-50, 50, dtype=np.int8)


def run_one(core: CompiledCore, data: bytes, values: int, random: np.random.Generator) -> CoreRun:
    """A stream at any address, from a memory of any latency, into a receiver that may pause."""
    ready = (random.random(20) < 0.8).astype(np.uint8) if random.random() < 0.3 else np.ones(1, np.uint8)
    ready[0] = 1
    with Memory.ideal(latency=int(random.integers(1, 50)), jitter=int(random.integers(3))) as memory:
        return core.run(
            [data],
            memory,
            most_values=values + 65536,
            addresses=[int(random.integers(0x1000, 0x1100))],
            ready=ready,
            max_cycles=2000 + 50 * (len(data) + values),
        )


def check(run: CoreRun, expected: Due, *, what: str) -> None:
    """Code, TUSER and the values before the error."""
    assert run.code is expected.code, what
    (packet,) = run.packets
    assert packet.bad == (expected.code is not ErrorCode.NONE), what
    shared = min(packet.values.size, expected.values.size)
    if expected.whole:
        assert packet.values.size == expected.values.size, what
    np.testing.assert_array_equal(packet.values[:shared], expected.values[:shared], what)


def golden_code(data: bytes) -> ErrorCode:
    """What software says."""
    try:
        atalanta.decode(data)
    except StreamError as error:
        return error.code
    return ErrorCode.NONE


def good_stream(core: CompiledCore) -> bytes:
    """What a decoder must take after any error."""
    p = core.params
    if p.raw:
        return atalanta.encode(GOOD, "raw")
    return atalanta.encode(GOOD // 8, lanes=p.lanes, ways=p.ways, beat_bytes=p.beat_bytes)


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("build", BUILDS)
def test_every_damage_ends_in_golden_s_verdict(
    cores: Cores, build: str, chunk: int, record_property: Callable[[str, object], None]
) -> None:
    core = cores(build)
    random = np.random.default_rng([chunk, list(BUILDS).index(build)])
    good = good_stream(core)
    good_due = due(good, core.params)
    assert good_due.code is ErrorCode.NONE
    seen: Counter[ErrorCode] = Counter()
    done = 0
    while done < STREAMS // (CHUNKS * len(BUILDS)):
        kind, data = damaged_stream(random, core.params)
        if not data or too_large(data):
            continue
        done += 1
        what = f"stream {done} of chunk {chunk}: {kind}"
        expected = due(data, core.params)
        software = golden_code(data)
        if expected.code not in (ErrorCode.UNSUPPORTED, ErrorCode.CODEC):
            assert software in (expected.code, ErrorCode.SHAPE), what
        check(run_one(core, data, 1 << 17, random), expected, what=what)
        if expected.code is not ErrorCode.NONE:
            check(run_one(core, good, 200, random), good_due, what=f"a good stream after {what}")
        seen[expected.code] += 1
    record_property("codes", {code.name: n for code, n in seen.items()})
    assert seen.keys() >= COMMON


@pytest.mark.parametrize("build", BUILDS)
def test_an_illegal_value_at_the_very_end_comes_before_the_lanes(cores: Cores, build: str) -> None:
    """The last value is found illegal later than lanes that do not end with their bits, and yet counts."""
    core = cores(build)
    random = np.random.default_rng([5, list(BUILDS).index(build)])
    options = coding_for(core.params) | {"fit": False}
    seen: Counter[ErrorCode] = Counter()
    for number in range(400):
        count = int(random.integers(20, 100)) * core.params.lanes
        rare = random.random(count) < 0.3
        values = np.where(rare, random.integers(0, 77, count), random.integers(0, 2, count)).astype(np.int8)
        data = bytearray(atalanta.encode(values, **options))
        end = min(int(random.integers(1, 24)) * core.params.lanes, len(data) // 3)
        data[-end:] = random.bytes(end)
        seal(data, payloads=True)
        expected = due(bytes(data), core.params)
        check(run_one(core, bytes(data), count, random), expected, what=f"stream {number}")
        seen[expected.code] += 1
    assert seen.keys() >= {ErrorCode.VALUE, ErrorCode.LANE}


@pytest.mark.parametrize("codec", ["atalanta", "shapeshifter"])
def test_a_count_far_beyond_the_payload(cores: Cores, codec: str) -> None:
    """The decoder goes on with zeros to the last value, as golden does, and then says LANE."""
    core, random = cores("sixteen"), np.random.default_rng(1)
    options = coding_for(core.params) | {"fit": False} if codec == "atalanta" else {}
    data = bytearray(atalanta.encode(np.arange(4000, dtype=np.int16).astype(np.int8) >> 4, codec, **options))
    count = 1 << 21
    fields = BASE.unpack(bytes(data[: BASE.nbytes])) | {"count": count}
    data[: BASE.nbytes] = BASE.pack(fields)
    seal(data, payloads=True)
    expected = due(bytes(data), core.params)
    assert expected.code in (ErrorCode.LANE, ErrorCode.VALUE)
    check(run_one(core, bytes(data), count, random), expected, what=codec)
    good = good_stream(core)
    check(run_one(core, good, 200, random), due(good, core.params), what="a good stream after it")


def queue_of(core: CompiledCore, random: np.random.Generator) -> tuple[list[NDArray[np.int8]], list[bytes]]:
    """Three good tensors of some segments each; all compress, since one core knows nothing of raw."""
    sizes = 512 * random.integers(1, 6, 3)
    tensors = [np.clip(np.rint(random.normal(0, 9, size)), -128, 127).astype(np.int8) for size in sizes]
    options = coding_for(core.params) | {"fit": False, "segment_values": 512}
    return tensors, [atalanta.encode(tensor, **options) for tensor in tensors]


def check_queue(core: CompiledCore, run: CoreRun, tensors: list[NDArray[np.int8]]) -> None:
    """Packets before the last are right; the last is marked and begins right; the core works on."""
    *whole, last = run.packets
    for packet, tensor in zip(whole, tensors, strict=False):
        assert not packet.bad
        np.testing.assert_array_equal(packet.values.astype(np.int8), tensor)
    assert last.bad
    np.testing.assert_array_equal(last.values.astype(np.int8), tensors[len(whole)][: last.values.size])
    good = good_stream(core)
    check(run_one(core, good, 200, np.random.default_rng(0)), due(good, core.params), what="afterwards")


@pytest.mark.parametrize("build", BUILDS)
def test_a_bus_error_anywhere_in_a_queue(cores: Cores, build: str) -> None:
    core, random = cores(build), np.random.default_rng(2)
    for _ in range(40):
        tensors, streams = queue_of(core, random)
        words = sum(map(len, streams)) // core.params.axi_bytes  # all of them are read
        with Memory.ideal(latency=int(random.integers(1, 60))) as memory:
            run = core.run(
                streams, memory, most_values=9000, signed=True, error_word=int(random.integers(words))
            )
        assert run.code is ErrorCode.BUS
        check_queue(core, run, tensors)


@pytest.mark.parametrize("build", BUILDS)
def test_an_abort_anywhere_in_a_queue(cores: Cores, build: str) -> None:
    core, random = cores(build), np.random.default_rng(3)
    for _ in range(40):
        tensors, streams = queue_of(core, random)
        at = int(random.integers(1, sum(t.size for t in tensors) // core.params.lanes))
        with Memory.ideal(latency=int(random.integers(1, 60))) as memory:
            run = core.run(streams, memory, most_values=9000, signed=True, abort_cycle=at)
        assert run.code is ErrorCode.ABORTED
        check_queue(core, run, tensors)


@pytest.mark.parametrize("build", BUILDS)
def test_a_bad_stream_in_a_queue(cores: Cores, build: str) -> None:
    """What came before it is right; what waits behind it is forgotten."""
    core, random = cores(build), np.random.default_rng(4)
    for damaged in range(20):
        tensors, streams = queue_of(core, random)
        payload = bytearray(streams[1])
        payload[-1 - damaged % 8] ^= 0x10
        streams[1] = bytes(payload)
        with Memory.ideal(latency=10) as memory:
            run = core.run(streams, memory, most_values=9000, signed=True)
        assert run.code is ErrorCode.PAYLOAD_CRC
        assert len(run.packets) == 2
        check_queue(core, run, tensors)


def tampered(core: CompiledCore, codec: str, *, payload: bytes | None = None, **fields: Any) -> bytes:
    """A stream with other fields or another payload, its CRCs right."""
    options = coding_for(core.params) | {"fit": False} if codec == "atalanta" else {}
    stream = atalanta.encode((np.arange(1600) % 7).astype(np.int8), codec, **options)
    head = BASE.unpack(stream[: BASE.nbytes])
    data = bytearray(BASE.pack(head | fields) + stream[BASE.nbytes :])
    if payload is not None:
        data[head["header_bytes"] :] = payload[: head["payload_bytes"]]
    seal(data, payloads=True)
    return bytes(data)


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("codec", ["atalanta", "shapeshifter"])
@pytest.mark.parametrize("build", ["sixteen", "four", "two"])
def test_bytes_without_values(cores: Cores, build: str, codec: str, more: int) -> None:
    """A count of 0 before a payload: nobody would ask for its bytes."""
    core, random = cores(build), np.random.default_rng(5)
    data, good = tampered(core, codec, count=0, more=more), good_stream(core)
    expected = due(data, core.params)
    assert expected.code is ErrorCode.LANE
    check(run_one(core, data, 100, random), expected, what=build)
    check(run_one(core, good, 200, random), due(good, core.params), what="a good stream after it")


@pytest.mark.parametrize("codec", ["atalanta", "shapeshifter"])
@pytest.mark.parametrize("build", ["sixteen", "four", "two"])
def test_a_last_value_that_is_bad_as_the_payload_ends(cores: Cores, build: str, codec: str) -> None:
    """Both may be known in the same cycle: under some back-pressure they are. One packet, marked."""
    core, random = cores(build), np.random.default_rng(6)
    good, seen = good_stream(core), Counter[ErrorCode]()
    for number in range(60):
        changes = {"payload": random.bytes(1 << 12)} if codec == "shapeshifter" else {"count": 1599 - number}
        data = tampered(core, codec, **changes)
        expected = due(data, core.params)
        seen[expected.code] += 1
        check(run_one(core, data, 4000, random), expected, what=f"{build} {number}")
        check(run_one(core, good, 200, random), due(good, core.params), what="a good stream after it")
    assert seen[ErrorCode.LANE] > 30

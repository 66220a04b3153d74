"""No bytes can hurt: whatever becomes of a stream, values or named exceptions, the same in both engines."""

import tracemalloc
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import atalanta
from atalanta.golden import container
from atalanta.golden.archive import Archive, Writer
from atalanta.golden.errors import StreamError
from atalanta.tools.fuzz import check as checks
from atalanta.tools.fuzz.check import OK, TOO_LARGE, FuzzError, Outcome, check, claimed_bytes
from atalanta.tools.fuzz.mutate import mutated, repaired, seed_stream
from atalanta.tools.fuzz.run import PER_SEED, fuzz, stream

EXAMPLES = settings(max_examples=300)


@EXAMPLES
@given(st.randoms(use_true_random=False))
def test_mutated_streams(random: Random) -> None:
    array, data = seed_stream(random)
    whole = check(data)
    assert whole.values is not None
    assert np.array_equal(whole.values, array)
    assert repaired(data) == data
    check(mutated(random, data))


@EXAMPLES
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    check(data)
    check(repaired(data))


@EXAMPLES
@given(st.randoms(use_true_random=False), st.data())
def test_a_change_without_its_checksum_is_seen(random: Random, draw: st.DataObject) -> None:
    """Every flipped bit of a stream is an error: none is decoded to other values."""
    _, data = seed_stream(random)
    at = draw.draw(st.integers(0, 8 * len(data) - 1))
    flipped = data[: at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1 :]
    assert check(flipped).end not in (OK, TOO_LARGE)


@settings(max_examples=60)
@given(st.randoms(use_true_random=False))
def test_mutated_archives(tmp_path_factory: pytest.TempPathFactory, random: Random) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.atn"
    with Writer(path) as writer:
        for name in "abc":
            writer.add(name, seed_stream(random)[0], attributes={"scale": random.random()})
    path.write_bytes(mutated(random, path.read_bytes()))
    try:
        with Archive.open(path) as archive:
            for name in archive:
                archive.read(name)
                for _ in archive.pieces(name):
                    pass
    except StreamError:
        pass


def test_segments_that_need_no_bits_at_all() -> None:
    """The largest tensor for its stream: 16 million values of no bits; it is asked for before it is made."""
    zeros = np.zeros(1 << 24, np.uint8)
    data = atalanta.encode(zeros, segment_values=1 << 24)
    assert len(data) < 300
    assert claimed_bytes(data) == 1 << 24
    more = data + data
    first = bytearray(more)
    first[7] |= 8  # another segment follows
    two = repaired(bytes(first))
    assert claimed_bytes(two) == 2 << 24
    assert check(two).end == OK
    assert check(two + b"x").end == "LENGTH"


def test_parts_of_a_large_segment_take_little_memory() -> None:
    """NumPy's own histogram makes eight bytes of each value."""
    data = atalanta.encode(np.zeros(1 << 22, np.uint8), segment_values=1 << 22)
    (segment,) = container.segments(data)
    tracemalloc.start()
    segment.parts(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_the_runner() -> None:
    """Workers report every stream, under a limit on their memory."""
    done: list[int] = []
    ends, broken = fuzz(seed=3, streams=500, jobs=2, advance=done.append)
    assert sum(ends.values()) == sum(done) == 500
    assert broken == []
    assert len(ends) > 8
    assert stream(3, 17) == stream(3, 17) != stream(3, 18)
    assert stream(3, PER_SEED) != stream(4, PER_SEED)


def test_a_broken_promise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = atalanta.encode(np.arange(64, dtype=np.uint8), "raw")
    real = checks.outcome

    def other_values(data: bytes, engine: str) -> Outcome:
        found = real(data, engine)
        if engine != "native" or found.values is None:
            return found
        return Outcome(found.end, found.values + 1)

    monkeypatch.setattr(checks, "outcome", other_values)
    with pytest.raises(FuzzError):
        check(data)
    monkeypatch.undo()
    monkeypatch.setattr(container.Segment, "parts", lambda *_: {"header": 1})
    with pytest.raises(FuzzError, match="bits by part"):
        check(data)

"""The container: the same bytes, values and errors for any number of threads and either engine."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from golden_strategies import mutations
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native_atalanta import assert_same_order, outcome

import atalanta
from atalanta.golden import container
from atalanta.golden.engine import NATIVE, REFERENCE
from atalanta.golden.errors import ParameterError
from atalanta.golden.parallel import SPARE_BYTES, in_order, workers

DTYPES = [np.int8, np.uint8, np.int16, np.uint16]
CODECS = ["atalanta", "shapeshifter", "raw", "best"]


def tensor(dtype: type[np.integer], count: int, seed: int = 0) -> np.ndarray:
    """Values with a peak, a stretch of zeros and a stretch of noise, so that segments differ."""
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(seed)
    middle = 0 if limits.min else limits.max // 3
    values = rng.laplace(middle, limits.max / 15, count).clip(limits.min, limits.max).astype(dtype)
    values[count // 3 : count // 2] = 0
    noise = slice(count // 2, 2 * count // 3)
    values[noise] = rng.integers(limits.min, limits.max, values[noise].size, dtype, endpoint=True)
    return values


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_engines_write_and_read_the_same(dtype: type[np.integer], codec: str) -> None:
    array = tensor(dtype, 4096 + 3).reshape(1, -1)
    data = atalanta.encode(array, codec, segment_values=1024, engine=NATIVE)
    assert atalanta.encode(array, codec, segment_values=1024, engine=REFERENCE) == data
    for engine in (NATIVE, REFERENCE):
        back = atalanta.decode(data, engine=engine)
        assert back.dtype == array.dtype
        assert back.flags.writeable
        assert np.array_equal(back, array)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("threads", [2, 3, 16])
def test_threads_change_nothing(codec: str, threads: int) -> None:
    array = tensor(np.int8, 300_000)
    data = atalanta.encode(array, codec, segment_values=1 << 15, threads=1)
    assert atalanta.encode(array, codec, segment_values=1 << 15, threads=threads) == data
    assert np.array_equal(atalanta.decode(data, threads=threads), array)


@pytest.mark.usefixtures("library")
@settings(max_examples=150)
@given(st.sampled_from(CODECS), st.sampled_from(DTYPES), st.integers(0, 600), st.data())
def test_mutated_streams_fail_alike(
    codec: str, dtype: type[np.integer], count: int, data: st.DataObject
) -> None:
    """Whatever is wrong, engines and numbers of threads agree on the error and its text."""
    array = tensor(dtype, count)
    stream = atalanta.encode(array, codec, segment_values=128)
    stream = data.draw(mutations(stream)) if data.draw(st.booleans()) else stream
    stream = stream[: data.draw(st.integers(0, len(stream)))] if data.draw(st.booleans()) else stream
    expected = outcome(atalanta.decode, stream, engine=REFERENCE, threads=1)
    assert outcome(atalanta.decode, stream, engine=NATIVE, threads=3) == expected


def test_payload_errors_are_those_of_the_first_segment() -> None:
    stream = bytearray(atalanta.encode(tensor(np.uint8, 4096), segment_values=512))
    found = list(container.segments(stream))
    for segment in found[2:]:
        stream[segment.header.payload_start] ^= 1
    for threads in (1, 4):
        with pytest.raises(atalanta.StreamError, match=f"segment at byte {found[2].header.start}\\b"):
            atalanta.decode(stream, threads=threads)


@pytest.mark.parametrize("codec", CODECS)
def test_encoded_segments_are_the_stream(codec: str, engine: str) -> None:
    array = tensor(np.int8, 2000).reshape(20, 100)
    stream = atalanta.encode(array, codec, segment_values=512, engine=engine)
    coded = list(container.encode_segments(array, codec, segment_values=512, engine=engine, schedule=True))
    assert b"".join(segment.header + segment.body.payload for segment in coded) == stream
    parsed = list(container.segments(stream))
    assert [segment.nbytes for segment in coded] == [s.header.end - s.header.start for s in parsed]
    for segment, other in zip(coded, parsed, strict=True):
        assert type(segment.codec) is other.codec
        assert sum(segment.body.parts.values()) == 8 * len(segment.body.payload)
        found = other.schedule(stream, engine=engine)
        if segment.codec.name == "atalanta":
            assert segment.body.schedule is not None
            assert_same_order(found, segment.body.schedule)
        else:
            assert found is segment.body.schedule is None


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("codec", ["atalanta", "shapeshifter", "raw"])
def test_parts_are_the_same_in_both_engines(codec: str) -> None:
    array = tensor(np.int8, 3000)
    parts = [
        [s.body.parts for s in container.encode_segments(array, codec, segment_values=512, engine=engine)]
        for engine in (NATIVE, REFERENCE)
    ]
    assert parts[0] == parts[1]


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_illegal_threads(threads: object) -> None:
    with pytest.raises(ParameterError, match="threads must be a positive number"):
        atalanta.encode(np.zeros(9, np.int8), threads=threads)  # type: ignore[arg-type]


def test_workers_fit_work_and_memory() -> None:
    assert workers(8, 9, 1, 0) == 8
    assert workers(8, 3, 1, 0) == 3
    assert workers(8, 9, SPARE_BYTES // 2, 0) == 2
    assert workers(8, 9, SPARE_BYTES, SPARE_BYTES) == 2
    assert workers(8, 9, 10 * SPARE_BYTES, 0) == 1


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_no_more_items_at_work_than_threads(threads: int) -> None:
    """Items are taken when there is room for them, so that memory stays bounded."""
    taken = []

    def items() -> Iterator[int]:
        for i in range(20):
            taken.append(i)
            yield i

    done = in_order(lambda i: i * i, items(), threads)
    for i, square in enumerate(done):
        assert square == i * i
        assert len(taken) <= i + 1 + threads


MEMORY = """
import numpy as np, atalanta
from pathlib import Path

def peak():  # ru_maxrss would begin with that of the parent
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in status if line.startswith("VmHWM")).split()[1])

rng = np.random.default_rng(1)
warm = atalanta.encode(rng.integers(0, 200, 1000).astype(np.uint8))
atalanta.decode(warm)
array = np.tile(rng.laplace(0, 9, 1 << 20).astype(np.int8), {millions})  # made without more memory
before = peak()
data = atalanta.encode(array, threads=4, **{options})
encoded = peak()
back = atalanta.decode(data, threads=4)
decoded = peak()
assert np.array_equal(back, array)
print(encoded - before, decoded - before)
"""


@pytest.mark.usefixtures("library")
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("options", [{}, {"segment_values": 1 << 24}])
def test_memory(options: dict[str, int]) -> None:
    """Encoding and decoding stay within twice the input and 64 MB, the result included."""
    millions = 32
    script = MEMORY.format(millions=millions, options=options)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    encoded, decoded = map(int, run.stdout.split())
    most = (2 * millions << 20) + (64 << 20)
    assert encoded < most
    assert decoded < most

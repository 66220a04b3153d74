"""Many tensors at once: the same streams and values as one by one, in order, for any number of threads."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest

import atalanta
from atalanta.golden.archive import Addition, Archive, Writer
from atalanta.golden.batch import AHEAD, Work, decode_all, encode_all
from atalanta.golden.errors import InputError, StreamError
from atalanta.golden.parallel import MAX_IDLE, in_order
from atalanta.golden.values import Array

RNG = np.random.default_rng(5)
ARRAYS: list[Array] = [
    RNG.laplace(0, 9, shape).clip(-128, 127).astype(dtype)
    for shape, dtype in (
        ((7,), np.int8),
        ((3, 700), np.int16),
        ((2, 5000), np.int8),
        ((0, 4), np.uint8),
        ((11, 13), np.uint16),
    )
]
SEGMENTS = {"segment_values": 640}
STREAMS = [atalanta.encode(array, **SEGMENTS) for array in ARRAYS]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_streams_are_those_of_encode(threads: int) -> None:
    works = (Work(array, SEGMENTS) for array in ARRAYS)
    streams = [b"".join(segments) for segments in encode_all(works, threads=threads)]
    assert streams == STREAMS


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_values_come_back(threads: int, engine: str) -> None:
    decoded = decode_all(STREAMS, threads=threads, engine=engine)
    for array, (shape, pieces) in zip(ARRAYS, decoded, strict=True):
        values = np.concatenate(list(pieces))
        assert (values.dtype, shape) == (array.dtype, array.shape)
        assert np.array_equal(values.reshape(shape), array)


def test_options_are_each_tensors_own() -> None:
    works = [Work(ARRAYS[2], {"codec": codec, "lanes": 2}) for codec in ("atalanta", "best")]
    works += [Work(ARRAYS[2], {"codec": "raw"})]
    first, second, third = (b"".join(segments) for segments in encode_all(works, threads=2))
    assert first == atalanta.encode(ARRAYS[2], lanes=2)
    assert second == atalanta.encode(ARRAYS[2], "best", lanes=2)
    assert third == atalanta.encode(ARRAYS[2], "raw")


@pytest.mark.parametrize("threads", [1, 3])
def test_errors_come_where_the_tensor_would(threads: int) -> None:
    works = [Work(ARRAYS[0]), Work(np.zeros(3)), Work(ARRAYS[0])]  # type: ignore[arg-type]
    encoding = encode_all(works, threads=threads)
    assert b"".join(next(encoding)) == atalanta.encode(ARRAYS[0])
    with pytest.raises(InputError, match="not float64"):
        next(encoding)
    damaged = bytearray(STREAMS[2])
    damaged[-1] ^= 1
    decoding = decode_all([STREAMS[0], bytes(damaged), STREAMS[1]], threads=threads)
    shape, pieces = next(decoding)
    assert np.array_equal(np.concatenate(list(pieces)).reshape(shape), ARRAYS[0])
    shape, pieces = next(decoding)
    assert shape == ARRAYS[2].shape
    with pytest.raises(StreamError, match="PAYLOAD_CRC"):
        list(pieces)


def test_no_more_tensors_are_taken_than_have_room() -> None:
    taken = []

    def works() -> Iterator[Work]:
        for number in range(60):
            taken.append(number)
            yield Work(ARRAYS[0])

    threads = 2
    for number, segments in enumerate(encode_all(works(), threads=threads)):
        list(segments)
        assert len(taken) <= number + 3 + threads * (1 + AHEAD)


def test_a_slow_item_does_not_keep_threads_waiting() -> None:
    """While the first item runs, the second thread does the others, as far ahead as it may."""
    others = []
    enough = Event()

    def run(i: int) -> int:
        if i == 0:
            assert enough.wait(60)
        else:
            others.append(i)
            if len(others) == 4:
                enough.set()
        return i

    assert list(in_order(run, range(9), 2, ahead=3)) == list(range(9))


def test_more_pools_than_are_kept() -> None:
    """Each of many calls that overlap has threads of its own."""
    running = [in_order(lambda i: i * i, range(4), 3) for _ in range(MAX_IDLE + 3)]
    found = [[next(one) for one in running] for _ in range(4)]
    assert found == [[i * i] * len(running) for i in range(4)]
    assert [next(one, None) for one in running] == [None] * len(running)


def test_what_is_left_undone_does_not_run_on() -> None:
    ran = []
    results = in_order(ran.append, range(1000), 2, ahead=50)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(ran) <= 53


def test_archive_of_many(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(len(ARRAYS))]
    one, many = tmp_path / "one.atn", tmp_path / "many.atn"
    with Writer(one) as writer:
        for name, array in zip(names, ARRAYS, strict=True):
            writer.add(name, array, attributes={"n": name}, lanes=2)
    with Writer(many) as writer:
        pairs = zip(names, ARRAYS, strict=True)
        writer.add_all((Addition(name, array, {"n": name}, {"lanes": 2}) for name, array in pairs), threads=3)
    assert one.read_bytes() == many.read_bytes()
    with Archive.open(many) as archive:
        found = dict(archive.arrays(reversed(names), threads=2))
        assert list(found) == list(reversed(names))
        for name, array in zip(names, ARRAYS, strict=True):
            assert found[name].dtype == array.dtype
            assert found[name].shape == array.shape
            assert np.array_equal(found[name], array)

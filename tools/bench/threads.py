"""How the codec scales over threads, beside what the machine gives at that moment."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Any

import numpy as np

from atalanta.golden import container
from atalanta.golden.batch import Work, decode_all, encode_all
from atalanta.golden.values import Array

CEILING_SECONDS = 0.05
"""What each thread does at least to find the ceiling."""


@dataclass(frozen=True)
class Scaling:
    """How many times as fast as one thread several are; best wall times, taken by turns.

    encode, decode: all tensors, as `batch.encode_all` and `batch.decode_all` do them.
    encode_largest, decode_largest: the largest tensor by itself, whose segments are at most a million values.
    ceiling: as many independent decoders, which share nothing but the machine. Other programs on the
        machine show here.
    """

    threads: int
    encode: float
    decode: float
    encode_largest: float
    decode_largest: float
    ceiling: float


def scaling(arrays: Sequence[Array], threads: int, repeats: int = 7) -> Scaling:
    """Measure it."""
    largest = max(arrays, key=lambda array: array.nbytes)
    stream = container.encode(largest)
    streams = [container.encode(array) for array in arrays]
    raw = sum(array.nbytes for array in arrays)

    def encode(n: int) -> None:
        for segments in encode_all(map(Work, arrays), threads=n, input_bytes=raw):
            b"".join(segments)

    def decode(n: int) -> None:
        for _, pieces in decode_all(streams, threads=n, input_bytes=raw):
            list(pieces)

    def gain(run: Callable[[int], Any]) -> float:
        return _gain(run, threads, repeats)

    return Scaling(
        threads=threads,
        encode=gain(encode),
        decode=gain(decode),
        encode_largest=gain(lambda n: container.encode(largest, threads=n)),
        decode_largest=gain(lambda n: container.decode(stream, threads=n)),
        ceiling=_ceiling(stream, threads, repeats),
    )


def _gain(run: Callable[[int], Any], threads: int, repeats: int) -> float:
    """The wall time of run(1) over that of run(threads), the best of each, taken by turns."""
    times = {1: [float("inf")], threads: [float("inf")]}
    for _ in range(repeats):
        for n, taken in times.items():
            taken.append(_seconds(lambda n=n: run(n)))  # type: ignore[misc]
    return min(times[1]) / min(times[threads])


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _ceiling(stream: bytes, threads: int, repeats: int) -> float:
    """How many times as much work that many threads do as one, each decoding a segment of its own."""
    segment = next(container.segments(stream))
    payload = memoryview(bytes(stream))
    rooms = [np.empty(segment.header.count, segment.dtype) for _ in range(threads)]
    once = max(_seconds(lambda: segment.decode_into(payload, rooms[0])), 1e-6)
    rounds = max(int(CEILING_SECONDS / once), 1)

    def work(room: Array) -> None:
        for _ in range(rounds):
            segment.decode_into(payload, room)

    def all_of(n: int) -> None:
        running = [Thread(target=work, args=(room,)) for room in rooms[:n]]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    return threads * _gain(all_of, threads, repeats)

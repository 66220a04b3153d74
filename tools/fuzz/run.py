"""Malformed streams by the million: worker processes under a limit on memory, watched from outside."""

import multiprocessing
import resource
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from random import Random

import numpy as np

from atalanta.golden.errors import AtalantaError
from atalanta.tools.fuzz.check import check, claimed_bytes
from atalanta.tools.fuzz.mutate import mutated, seed_stream

PER_SEED = 64
"""Malformed streams that are made of one good stream."""
THOROUGH = 16
"""Of so many streams, one is checked thoroughly, which takes as long as all the others."""
SECONDS = 10.0
SPARE_BYTES = 64 << 20
WARM_UP = 10 * PER_SEED
"""Streams that a worker decodes before its memory counts."""
START_SECONDS = 120.0
"""What a worker may take to start and warm up."""
NOT_YET = -1
"""Where a worker is that has not begun with its first stream."""
REPORT = 200
"""Streams between two reports of a worker."""


class WorkerError(AtalantaError, RuntimeError):
    """Streams cannot be checked at all."""


def stream(seed: int, number: int) -> bytes:
    """The malformed stream of that number."""
    return mutated(Random(f"{seed} {number}"), _good(f"{seed} {number // PER_SEED}"))


@lru_cache(maxsize=4)
def _good(name: str) -> bytes:
    return seed_stream(Random(name))[1]


def _address_space() -> int:
    """Bytes of this process's address space."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


class _Limit:
    """Lets allocations fail beyond what a stream may take."""

    def __init__(self) -> None:
        self._base = _address_space()
        self._hard = resource.getrlimit(resource.RLIMIT_AS)[1]

    def allow(self, claimed: int) -> None:
        """Allow SPARE_BYTES and `claimed` bytes more than there were at first."""
        resource.setrlimit(resource.RLIMIT_AS, (self._base + SPARE_BYTES + claimed, self._hard))


def _work(seed: int, numbers: range, at: "Synchronized[int]", reports: "Connection") -> None:
    """Check streams one by one; `at` shows which, `reports` takes (ends, failures)."""
    warnings.simplefilter("error")
    np.seterr(all="raise")
    for number in range(WARM_UP):
        check(stream(seed, number))
    limit = _Limit()
    ends: Counter[str] = Counter()
    for number in numbers:
        at.value = number
        data = stream(seed, number)
        limit.allow(claimed_bytes(data))
        try:
            ends[check(data, thorough=number % THOROUGH == 0).end] += 1
        except BaseException:  # noqa: BLE001 -- whatever it is, it is what we look for
            reports.send((Counter(), [(number, traceback.format_exc(limit=-3))]))
        if sum(ends.values()) == REPORT:
            reports.send((ends, []))
            ends = Counter()
    reports.send((ends, []))


class _Worker:
    """A process that may crash or hang: then another one carries on behind the stream that did it.

    running: whether there are streams left, or reports of them.
    """

    def __init__(self, seed: int, numbers: range) -> None:
        self._seed = seed
        self._context = multiprocessing.get_context("spawn")
        self._start(numbers)

    def _start(self, numbers: range) -> None:
        self._numbers = numbers
        self._at = self._context.Value("q", NOT_YET)
        self._seen = (NOT_YET, time.monotonic() + START_SECONDS)
        # A pipe and no queue: a queue has a thread in the worker, whose memory would count as well.
        self._reports, sender = self._context.Pipe(duplex=False)
        arguments = (self._seed, numbers, self._at, sender)
        self._process = self._context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        sender.close()
        self.running = True

    def news(self) -> tuple[Counter[str], list[tuple[int, str]]]:
        """How streams ended since the last call, and those that break a promise."""
        ends: Counter[str] = Counter()
        broken: list[tuple[int, str]] = []
        try:
            while self._reports.poll():
                more, wrong = self._reports.recv()
                ends.update(more)
                broken += wrong
        except EOFError:
            self._process.join()
            self.running = False  # unless another one is started now
        return ends, broken + self._watch()

    def _watch(self) -> list[tuple[int, str]]:
        """The stream that ended the process, and how, if one has."""
        at: int = self._at.value
        if at != self._seen[0]:
            self._seen = (at, time.monotonic())
        how = ""
        if self._process.exitcode:
            how = f"the process ended with {self._process.exitcode}"
        elif self.running and time.monotonic() - self._seen[1] > SECONDS:
            self._process.kill()
            self._process.join()
            how = f"still at it after {SECONDS:g} s"
        if not how:
            return []
        if at == NOT_YET:
            raise WorkerError(f"before a worker's first stream: {how}")
        self._start(range(at + self._numbers.step, self._numbers.stop, self._numbers.step))
        return [(at, how)]


def fuzz(
    seed: int, streams: int, jobs: int, advance: Callable[[int], None]
) -> tuple[Counter[str], list[tuple[int, str]]]:
    """How the streams 0 .. streams-1 ended, and those that break a promise. advance(n): n more are done.

    Raises WorkerError if streams cannot be checked at all.
    """
    workers = [_Worker(seed, range(job, streams, jobs)) for job in range(jobs)]
    ends: Counter[str] = Counter()
    broken: list[tuple[int, str]] = []
    while any(worker.running for worker in workers):
        time.sleep(0.1)
        for worker in workers:
            more, wrong = worker.news()
            ends.update(more)
            broken += wrong
            advance(sum(more.values()) + len(wrong))
    return ends, sorted(broken)

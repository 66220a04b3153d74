"""Ratio and speed of coders on the same arrays in one run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from atalanta.golden.errors import AtalantaError
from atalanta.golden.values import Array
from atalanta.tools.bench.coders import CODERS, Coder

BUDGET_SECONDS = 2.0
"""No further repetition of what has taken so long, of one coder on one array in one direction."""


WARM_SECONDS = 0.05
"""What is done in less time is done once more before it is timed."""


class CoderError(AtalantaError):
    """A coder did not give back what it was given."""


@dataclass(frozen=True)
class Work:
    """An array to code. kind: weight or activation."""

    name: str
    kind: str
    array: Array


@dataclass(frozen=True)
class Result:
    """What one coder made of one array. encode_s, decode_s: processor seconds of one thread, medians."""

    coder: str
    work: str
    kind: str
    raw_bytes: int
    nbytes: int
    encode_s: float
    decode_s: float


class _Run:
    """One coder on one array."""

    def __init__(self, coder: Coder, work: Work) -> None:
        self.coder = coder
        self.work = work
        self._prepared = coder.prepare(work.array)
        self._coded = coder.encode(self._prepared)
        found = coder.array(coder.decode(self._coded, self._prepared), work.array)
        same = found.dtype == work.array.dtype and found.shape == work.array.shape
        if not same or not np.array_equal(found, work.array):
            raise CoderError(f"{coder.name} does not give {work.name} back")
        self._encode: list[float] = []
        self._decode: list[float] = []

    def repeat(self) -> None:
        """Time both directions once more, unless they have had their time."""
        _time(self._encode, lambda: self.coder.encode(self._prepared))
        _time(self._decode, lambda: self.coder.decode(self._coded, self._prepared))

    def result(self) -> Result:
        """Medians."""
        array = self.work.array
        return Result(
            coder=self.coder.name,
            work=self.work.name,
            kind=self.work.kind,
            raw_bytes=array.nbytes,
            nbytes=self.coder.nbytes(self._coded, array),
            encode_s=median(self._encode),
            decode_s=median(self._decode),
        )


def _time(times: list[float], what: Callable[[], Any]) -> None:
    """Processor time, which other programs on the machine do not add to."""
    if sum(times) > BUDGET_SECONDS:
        return
    if not times or times[-1] < WARM_SECONDS:
        what()  # the caches are still another coder's
    start = time.process_time()
    what()
    times.append(time.process_time() - start)


def bench(
    works: Sequence[Work],
    *,
    coders: Sequence[type[Coder]] = CODERS,
    repeats: int = 7,
    step: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Every coder that is there on every array it takes. Raises CoderError.

    Coders take turns, so that whatever slows the machine slows all. step: told what comes next.
    """
    made = [coder() for coder in coders if not coder.missing()]
    results = []
    for work in works:
        step(work.name)
        runs = [_Run(coder, work) for coder in made if coder.takes(work.kind, work.array)]
        for _ in range(repeats):
            for run in runs:
                run.repeat()
        results += [run.result() for run in runs]
    return results


def summary(results: Sequence[Result], kind: str) -> list[dict[str, Any]]:
    """A row for each coder over all arrays of a kind: ratio, and MB/s of raw data."""
    rows = []
    for name in dict.fromkeys(result.coder for result in results):
        chosen = [result for result in results if result.coder == name and result.kind == kind]
        if chosen:
            raw = sum(result.raw_bytes for result in chosen)
            size = sum(result.nbytes for result in chosen)
            encode, decode = (sum(getattr(r, way) for r in chosen) for way in ("encode_s", "decode_s"))
            rows.append(
                {
                    "coder": name,
                    "kind": kind,
                    "tensors": len(chosen),
                    "raw_bytes": raw,
                    "bytes": size,
                    "ratio": size / raw,
                    "encode_mb_s": raw / encode / 1e6,
                    "decode_mb_s": raw / decode / 1e6,
                }
            )
    return rows

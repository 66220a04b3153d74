"""How fast the simulator is: against the compiled RTL on the same work, and against more of the same work."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from atalanta.golden import container
from atalanta.golden.decoder import DecoderParams
from atalanta.golden.values import Array
from atalanta.sim.decoder import DecoderRun, TensorPlan, plan, simulate
from atalanta.sim.native import Memory
from atalanta.tools.rtl.agreement import MismatchError, difference
from atalanta.tools.rtl.core import CompiledCore

T = TypeVar("T")
COPIES = (1, 4, 16)
REPEATS = 5


@dataclass(frozen=True)
class Timed:
    """Seconds of one processor, the best of several runs, and what they were for."""

    seconds: float
    cycles: int
    beats: int


@dataclass(frozen=True)
class SimBench:
    """encode_s, plan_s: before simulating, once for each tensor. copies: simulating 1, 4, 16 times the work.

    sim, rtl: the part of the work that the RTL ran as well; None without the RTL.
    """

    values: int
    stream_bytes: int
    encode_s: float
    plan_s: float
    copies: dict[int, Timed]
    sim: Timed | None
    rtl: Timed | None

    @property
    def speedup(self) -> float | None:
        """The RTL's time over the simulator's, on the same work in the same run."""
        return None if self.sim is None or self.rtl is None else self.rtl.seconds / self.sim.seconds


def _timed(what: Callable[[], T], repeats: int = 1) -> tuple[float, T]:
    """Processor seconds of this process, the best of some runs, and the last result."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        result = what()
        best = min(best, time.process_time() - start)
    return best, result


def bench(
    arrays: Sequence[Array],
    p: DecoderParams,
    memory: Callable[[], Memory],
    *,
    rtl_values: int,
    step: Callable[[str], None] = lambda _: None,
) -> SimBench:
    """Encode, plan and simulate arrays back to back, and run the RTL on the first `rtl_values` values or so.

    step: told what comes next. Raises MismatchError if RTL and simulator differ in any counter.
    """
    step("encoding")
    options = {"lanes": p.lanes, "ways": p.ways, "beat_bytes": p.beat_bytes}
    encode_s, streams = _timed(
        lambda: [container.encode(a, "atalanta", threads=1, **options) for a in arrays]
    )
    step("planning")
    plan_s, plans = _timed(lambda: [plan(s, p) for s in streams])

    def run(chosen: Sequence[TensorPlan]) -> DecoderRun:
        with memory() as opened:
            return simulate(chosen, p, opened)

    copies = {}
    for n in COPIES:
        step(f"simulating {n} times")
        seconds, found = _timed(lambda n=n: run(plans * n), REPEATS)  # type: ignore[misc]
        copies[n] = Timed(seconds, found.cycles, n * _beats(plans))
    sim = rtl = None
    part = _part(arrays, rtl_values)
    if part:
        step("compiling the RTL")
        with CompiledCore(p) as core, memory() as opened:
            step("running the RTL")
            most = sum(a.size for a in arrays[:part])
            seconds, real = _timed(lambda: core.run(streams[:part], opened, most_values=most))
        rtl = Timed(seconds, real.cycles, _beats(plans[:part]))
        step("simulating the same")
        seconds, model = _timed(lambda: run(plans[:part]), REPEATS)
        sim = Timed(seconds, model.cycles, rtl.beats)
        if text := difference(real, model):
            raise MismatchError(text)
    return SimBench(
        values=sum(a.size for a in arrays),
        stream_bytes=sum(map(len, streams)),
        encode_s=encode_s,
        plan_s=plan_s,
        copies=copies,
        sim=sim,
        rtl=rtl,
    )


def _beats(plans: Iterable[TensorPlan]) -> int:
    return sum(len(s.beats) for tensor in plans for s in tensor.segments)


def _part(arrays: Sequence[Array], values: int) -> int:
    """How many of the first arrays have about so many values; at least one, unless none are asked for."""
    part = 0
    while part < len(arrays) and values > 0:
        values -= arrays[part].size
        part += 1
    return part

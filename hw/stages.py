"""Pipeline registers that are there or not: the decoder's depth is a parameter, not a discovery."""

from collections.abc import Mapping

from amaranth.hdl import Module, Signal, Value

from atalanta.golden.decoder import DecoderParams


def search_levels(rows: int) -> int:
    """Levels of a binary search among so many rows."""
    return (rows - 1).bit_length()


def cut_order(p: DecoderParams) -> tuple[str, ...]:
    """Where registers go in a way's loop, in the order in which more ways pay for them."""
    if p.search == "parallel":
        return ("renormalise", "multiply", "select", "narrow", "compare", "shift", "lead")
    levels = range(search_levels(p.rows))
    order = [f"search{level}" for level in (*levels[1::2], *reversed(levels[::2]))]
    return (*order, "renormalise", "select", "narrow", "shift")


def cuts(p: DecoderParams) -> frozenset[str]:
    """The cuts of a decoder of W ways.

    The loop always has a register before the search (where a way takes its bits), so these are W - 1.
    """
    return frozenset(cut_order(p)[: p.ways - 1])


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

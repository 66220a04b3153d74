"""Small combinational pieces: leading ones, one-hot selections."""

from collections.abc import Iterable, Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value


def leading_one(bits: Value) -> Value:
    """`bits` with all but its highest one cleared."""
    return Cat(bits[i] & ~bits[i + 1 :].any() for i in range(len(bits)))


def one_hot_mux(select: Iterable[Value], choices: Sequence[Value]) -> Value:
    """The choice whose select bit is high; 0 if none is."""
    result: Value = Const(0)
    for bit, choice in zip(select, choices, strict=True):
        result |= Mux(bit, choice, 0)
    return result


def position_of(one_hot: Value, positions: Sequence[int]) -> Value:
    """The position that goes with the one bit that is high; 0 if none is."""
    return one_hot_mux(one_hot, [Const(p) for p in positions])


def every(conditions: Iterable[Value]) -> Value:
    """Whether all single-bit conditions are high."""
    return Cat(*conditions).all()


def shift_right(m: Module, value: Value, amount: Value, width: int, *, unit: int = 1) -> Value:
    """`width` bits of `value` from bit `amount * unit` on; bits beyond the value read as 0.

    Large shifts first, and after each only the bits that may still be wanted: fewest multiplexers.
    """
    for bit in reversed(range(len(amount))):
        kept = min(width + unit * ((1 << bit) - 1), len(value))
        moved = Signal(kept, name=f"shifted{bit}")
        m.d.comb += moved.eq(Mux(amount[bit], value[unit << bit :], value))
        value = moved
    return value[:width]


def popcount(bits: Value) -> Value:
    """How many bits are high."""
    counts = [bits[i] for i in range(len(bits))]
    while len(counts) > 1:
        pairs = zip(counts[::2], [*counts[1::2], Const(0)], strict=False)
        counts = [low + high for low, high in pairs]
    return counts[0]

"""golden.coder in Amaranth, line by line: what one step of a way is by definition, not how to build it.

Nothing here is taken from hw.coder; loops are unrolled as often as `max_shift` says that they can run,
and `still` says whether one would have run once more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from amaranth.hdl import Const, Module, Mux, Signal, Value

from atalanta.golden.coder import max_shift
from atalanta.golden.params import Precision


@dataclass(frozen=True)
class Step:
    """What `WayDecoder.decode` returns and leaves behind; delta is as before the refill."""

    bounds: list[Signal]
    row: Value
    start: Value
    end: Value
    low: Value
    high: Value
    delta: Value
    shift: Value
    still: Value


def is_window(low: Value, high: Value, precision: Precision) -> Value:
    """Whether the ends are those of a window after renormalisation: neither of its loops would run."""
    top, below = precision.code - 1, precision.code - 2
    return (low[top] != high[top]) & ~(low[below] & ~high[below])


def golden_step(
    m: Module, low: Value, span: Value, delta: Value, cum: Sequence[Value], precision: Precision
) -> Step:
    """`WayDecoder.decode`. span: the window's range. cum: of every row, and the total behind them."""
    code, rows = precision.code, len(cum) - 1

    bounds = [Signal(code + 1, name=f"golden_bound{r}") for r in range(rows + 1)]
    for r in range(rows + 1):
        m.d.comb += bounds[r].eq((span * cum[r]) >> precision.count)
    row, start, end = Signal(range(rows)), Signal(code + 1), Signal(code + 1)
    for r in range(rows):
        with m.If((bounds[r] <= delta) & (cum[r + 1] != cum[r])):
            m.d.comb += [row.eq(r), start.eq(bounds[r]), end.eq(bounds[r + 1])]

    low_now, high_now = Signal(code, name="narrowed_low"), Signal(code, name="narrowed_high")
    m.d.comb += [low_now.eq(low + start), high_now.eq(low + end - 1)]
    top = 1 << code - 1
    mask = 2 * top - 1
    now = _Loop(m, precision, low_now, high_now, Const(0))
    now = now.run(
        lambda low, high: ((low ^ high) & top) == 0,
        lambda low, high: ((low << 1) & mask, ((high << 1) | 1) & mask),
    )
    common_still = now.still
    now = now.run(
        lambda low, high: ((low & (top >> 1)) != 0) & ((high & (top >> 1)) == 0),
        lambda low, high: ((low << 1) & (top - 1), ((high << 1) & mask) | top | 1),
    )
    still = common_still | now.still
    return Step(bounds, row, start, end, now.low, now.high, delta - start, now.shift, still)


@dataclass(frozen=True)
class _Loop:
    """The variables of `renormalise`, before or after one of its loops."""

    m: Module
    precision: Precision
    low: Value
    high: Value
    shift: Value
    still: Value = field(default_factory=lambda: Const(0))

    def run(
        self,
        condition: Callable[[Value, Value], Value],
        body: Callable[[Value, Value], tuple[Value, Value]],
    ) -> "_Loop":
        """After `while condition(low, high): low, high = body(low, high); shift += 1`."""
        low, high, shift = self.low, self.high, self.shift
        runs: Value = Const(1)
        for _ in range(max_shift(self.precision)):
            runs = runs & condition(low, high)
            after = [Signal(len(low)), Signal(len(high)), Signal(range(self.precision.code))]
            next_low, next_high = body(low, high)
            self.m.d.comb += [
                after[0].eq(Mux(runs, next_low, low)),
                after[1].eq(Mux(runs, next_high, high)),
                after[2].eq(Mux(runs, shift + 1, shift)),
            ]
            low, high, shift = after
        return _Loop(self.m, self.precision, low, high, shift, runs & condition(low, high))

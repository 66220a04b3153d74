"""Optimal probability tables, by integer arithmetic alone.

The cost of a table for a histogram is the bits of the coded values, -log2(count/1024) + offset bits
each, plus the bits of the table itself. The best table is found exactly:

1. A price on counts turns the shared budget of 1024 into a cost of each row by itself, so that the
   best row boundaries at that price are a dynamic programme over cut points.
2. Any price gives a lower bound (Lagrange duality), the highest where the counts chosen sum to 1024;
   a few steps find that price. The boundaries met on the way, each with its best counts (marginal
   allocation, exact because -log2 is convex), give tables.
3. Boundaries whose bound is below the best table found are enumerated until none is left. `Found`
   carries the bound, so optimality is a number, not a claim.

Costs are integers in units of 2^-24 bit. No float decides anything, so every machine, and the
compiled search (golden/native/search.cc), finds the same table.
"""

from dataclasses import dataclass
from functools import cache
from heapq import heapify, heapreplace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atalanta.golden import native
from atalanta.golden.engine import AUTO, use_native
from atalanta.golden.errors import require
from atalanta.golden.format import row_record
from atalanta.golden.params import MAX_BITS, MAX_ROWS, Precision
from atalanta.golden.table import PUBLISHED, Table

FRACTION = 24
"""Fractional bits of a cost."""

MAX_CUTS = 256
"""Row boundaries are chosen from at most this many cut points."""

MAX_VISITS = 2000
"""Boundary sets that step 3 tries at most; beyond, `Found.bound` stays below `Found.cost`."""

MAX_PRICES = 12
"""Prices that step 2 tries at most."""

UNIT_PRICE = 23637
"""2^FRACTION * d(log2 c)/dc at c = 1024, rounded: what the last count of a lone row is worth per value."""

_INFINITE = 1 << 61

Int = NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """A table, its cost, and a lower bound on the cost of any table with the same cut points.

    cost, bound: 2^-24 bit, the table's own bits included.
    """

    table: Table
    cost: int
    bound: int


@cache
def log2_table(total: int) -> tuple[int, ...]:
    """floor(2^FRACTION * log2(c)) for c = 0..total, 0 for c = 0; by repeated squaring of integers."""

    def log2(c: int) -> int:
        whole = c.bit_length() - 1
        x = c << 64 - whole
        result = whole
        for _ in range(FRACTION):
            x = x * x >> 64
            carry = x >> 65
            x >>= carry
            result = result << 1 | carry
        return result

    return (0, *(log2(c) for c in range(1, total + 1)))


@cache
def log2_array(total: int) -> Int:
    """`log2_table` as an array; do not write to it."""
    return np.array(log2_table(total), np.int64)


class _Rows:
    """All rows that cut points allow: row (i, j) holds the values cuts[i] .. cuts[j]-1."""

    def __init__(self, histogram: Int, cuts: Int, unseen: bool, row_bits: int, total: int) -> None:
        before = np.concatenate([[0], np.cumsum(histogram)])[cuts]
        self.size = len(cuts) - 1
        self.values = before[None, :] - before[:, None]
        widths = np.maximum(cuts[None, :] - cuts[:, None], 1)
        bits = np.searchsorted(1 << np.arange(MAX_BITS + 1), widths)  # ceil(log2(width))
        logs = log2_array(total)
        self.total = total
        self.logs = logs
        self.gains = logs[2:] - logs[1:-1]
        self.least = np.where(self.values > 0, 1, int(unseen))
        self.fixed = (self.values * (logs[total] + (bits << FRACTION))) + (row_bits << FRACTION)
        self.legal = np.triu(np.ones_like(self.values, bool), 1)
        last_seen = int(before.searchsorted(before[-1]))  # a row of unseen values need not start later
        self.legal[:, last_seen + 1 : self.size] = False

    def counts(self, price: int) -> Int:
        """The best count of each row when a count costs `price`."""
        # A row of n values gains n * gains[c-1] from count c + 1; gains fall, so the count is the
        # number of gains that pay. gains > price / n  <=>  gains > floor(price / n), in integers.
        worth = price // np.maximum(self.values, 1)
        paying = len(self.gains) - np.searchsorted(self.gains[::-1], worth, side="right")
        return np.where(self.values > 0, 1 + paying, self.least)

    def costs(self, price: int) -> Int:
        """The cost of each row when a count costs `price`."""
        counts = self.counts(price)
        cost = self.fixed - self.values * self.logs[counts] + price * counts
        return np.where(self.legal, cost, _INFINITE)


@dataclass(frozen=True)
class _Priced:
    """The dynamic programme at one price: best[k][j] is the cost of covering cut j with k rows."""

    price: int
    costs: Int
    best: Int
    cuts: tuple[int, ...]
    bound: int
    spent: int


def _solve(rows: _Rows, most_rows: int, price: int) -> _Priced:
    costs = rows.costs(price)
    best = np.full((most_rows + 1, rows.size + 1), _INFINITE, np.int64)
    came = np.zeros_like(best)
    best[0, 0] = 0
    for k in range(1, most_rows + 1):
        reach = np.minimum(best[k - 1][:, None] + costs, _INFINITE)
        came[k] = reach.argmin(axis=0)
        best[k] = reach.min(axis=0)
    k, at = int(best[:, -1].argmin()), rows.size
    bound = int(best[k, -1]) - price * rows.total
    cuts = [at]
    while k:
        at = int(came[k, at])
        cuts.append(at)
        k -= 1
    cuts.reverse()
    counts = rows.counts(price)
    spent = sum(int(counts[i, j]) for i, j in pairwise(cuts))
    return _Priced(price, costs, best, tuple(cuts), bound, spent)


def allocate(values: list[int], least: list[int], total: int) -> list[int]:
    """Counts that sum to `total`, at least `least`, with the fewest bits for `values` per row.

    Marginal allocation: each count goes where it saves most; exact because savings only fall.
    """
    logs = log2_table(total)
    counts = list(least)
    if not any(values):
        counts[0] += total - sum(counts)
        return counts
    heap = [
        (-n * (logs[c + 1] - logs[c]), r) for r, (n, c) in enumerate(zip(values, counts, strict=True)) if n
    ]
    heapify(heap)
    for _ in range(total - sum(counts)):
        row = heap[0][1]
        counts[row] += 1
        c = counts[row]
        gain = logs[c + 1] - logs[c] if c < total else 0
        heapreplace(heap, (-values[row] * gain, row))
    return counts


class Best(NamedTuple):
    """The best rows between cut points: indices of the cuts, counts, cost and bound as in `Found`."""

    cuts: tuple[int, ...]
    counts: list[int]
    cost: int
    bound: int


class _Search:
    """Keeps the best boundaries met so far."""

    def __init__(self, rows: _Rows, most_rows: int) -> None:
        self.rows = rows
        self.most_rows = most_rows
        self.cost = _INFINITE
        self.cuts: tuple[int, ...] = ()
        self.counts: list[int] = []
        self.visits = 0

    def offer(self, cuts: tuple[int, ...]) -> int:
        """Take these boundaries, with their best counts, if they are better.

        Returns the price at which those counts are the best and sum to the total: what the next count
        would gain.
        """
        pairs = list(pairwise(cuts))
        values = [int(self.rows.values[i, j]) for i, j in pairs]
        counts = allocate(values, [int(self.rows.least[i, j]) for i, j in pairs], self.rows.total)
        logs = log2_table(self.rows.total)
        cost = sum(
            int(self.rows.fixed[i, j]) - n * logs[c]
            for (i, j), n, c in zip(pairs, values, counts, strict=True)
        )
        if cost < self.cost:
            self.cost, self.cuts, self.counts = cost, cuts, counts
        gains = (*self.rows.gains.tolist(), 0)
        return max(n * int(gains[c - 1]) for n, c in zip(values, counts, strict=True))

    def raise_bound(self, steps: int = MAX_PRICES) -> _Priced:
        """The price with the highest bound.

        Each price is the one that suits the boundaries found at the last; bisection where that leaves
        the bracket. If the same boundaries are the best at it, their cost is the bound.
        """
        total = self.rows.total
        price = max(int(self.rows.values[0, -1]) * UNIT_PRICE, 1)
        low, high = 0, _INFINITE
        best: _Priced | None = None
        for _ in range(steps):
            solved = _solve(self.rows, self.most_rows, price)
            suited = self.offer(solved.cuts)
            if best is None or solved.bound > best.bound:
                best = solved
            if solved.spent == total or best.bound == self.cost:
                break
            if solved.spent > total:
                low = price
            else:
                high = price
            price = suited
            if not low < price < high:
                price = (low + high) // 2 if high < _INFINITE else low + 1
            if price == low:
                break
        assert best is not None
        return best

    def close(self, priced: _Priced) -> int:
        """Try every boundary set whose bound is below the best cost; return the bound that remains."""
        spend = priced.price * self.rows.total
        lowest = _INFINITE

        def visit(k: int, at: int, cost: int, tail: tuple[int, ...]) -> None:
            nonlocal lowest
            if k == 0:
                if self.visits < MAX_VISITS:
                    self.visits += 1
                    self.offer(tail)
                else:
                    lowest = min(lowest, cost - spend)
                return
            reach = priced.best[k - 1] + priced.costs[:, at] + cost
            for i in np.flatnonzero(reach - spend < self.cost).tolist():
                if reach[i] - spend < self.cost:
                    if self.visits < MAX_VISITS:
                        visit(k - 1, i, cost + int(priced.costs[i, at]), (i, *tail))
                    else:
                        lowest = min(lowest, int(reach[i]) - spend)

        for k in range(1, self.most_rows + 1):
            visit(k, self.rows.size, 0, (self.rows.size,))
        return min(lowest, self.cost)


def _best(histogram: Int, cuts: Int, rows: int, unseen: bool, row_bits: int, total: int) -> Best:
    found = _Search(_Rows(histogram, cuts, unseen, row_bits, total), rows)
    bound = found.close(found.raise_bound())
    return Best(found.cuts, found.counts, found.cost, bound)


def _native_best(histogram: Int, cuts: Int, rows: int, unseen: bool, row_bits: int, total: int) -> Best:
    found = native.search(
        histogram,
        cuts,
        rows=rows,
        unseen=unseen,
        row_bits=row_bits,
        logs=log2_array(total),
        max_visits=MAX_VISITS,
    )
    return Best(*found)


@cache
def _all_cuts(values: int) -> Int:
    """Every value; do not write to it."""
    return np.arange(values + 1)


def _first_cuts(histogram: Int) -> Int:
    """At most MAX_CUTS intervals: every value if there are few, else half evenly, half by mass."""
    values = len(histogram)
    if values <= MAX_CUTS:
        return _all_cuts(values)
    even, quarter = MAX_CUTS // 2, MAX_CUTS // 4
    before = np.cumsum(histogram)
    masses = np.searchsorted(before, before[-1] * np.arange(1, quarter) // quarter, side="right")
    return np.unique(
        np.concatenate([masses, np.minimum(masses + 1, values), np.arange(even) * (values // even), [values]])
    )


def _cuts_near(chosen: Int, step: int, values: int) -> Int:
    """Cut points at multiples of `step` around the chosen ones, those included."""
    reach = MAX_CUTS // (2 * MAX_ROWS)
    near = (chosen[1:-1, None] + step * np.arange(-reach, reach)).ravel()
    return np.unique(np.concatenate([chosen, near[(near > 0) & (near < values)]]))


def search(
    histogram: NDArray[np.integer],
    *,
    rows: int = 16,
    unseen: bool = False,
    precision: Precision = PUBLISHED,
    engine: str = AUTO,
) -> Found:
    """The cheapest table of at most `rows` rows.

    histogram: how often each value occurs, shape (2^bits,), bits 1..16; all zero is legal.
    unseen: keep values codable that do not occur (a profiled table meets other tensors): every row
        has a count of 1 or more.
    engine: see golden/engine.py.

    Up to 8 bits every value is a cut point and the table is the best there is. Wider values start
    from MAX_CUTS cut points and refine around the boundaries chosen, to single values.
    """
    seen = np.asarray(histogram, np.int64)
    values = len(seen)
    bits = (values - 1).bit_length()
    whole = values == 1 << bits and 1 <= bits <= MAX_BITS
    require(whole, "histogram length", "a power of two from 2 to 65536", values)
    require(1 <= rows <= MAX_ROWS, "rows", f"from 1 to {MAX_ROWS}", rows)
    row_bits = row_record(bits).width
    find = _native_best if use_native(engine) and seen.sum() <= native.MAX_SEEN else _best
    cuts = _first_cuts(seen)
    best = find(seen, cuts, min(rows, len(cuts) - 1, precision.total), unseen, row_bits, precision.total)
    step = values // MAX_CUTS
    while step > 1:
        step = max(step // 4, 1)
        cuts = _cuts_near(cuts[list(best.cuts)], step, values)
        best = find(seen, cuts, min(rows, len(cuts) - 1, precision.total), unseen, row_bits, precision.total)
    cum = np.concatenate([[0], np.cumsum(best.counts)[:-1]])
    v_min = cuts[list(best.cuts[:-1])]
    table = Table(bits, tuple(v_min.tolist()), tuple(cum.tolist()), precision)
    return Found(table, best.cost, best.bound)

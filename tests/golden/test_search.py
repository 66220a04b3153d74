"""The table search: optimal, proved by brute force, and the same in both engines."""

import math
from collections.abc import Callable
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atalanta.golden.engine import NATIVE, REFERENCE
from atalanta.golden.errors import ParameterError
from atalanta.golden.format import row_record
from atalanta.golden.params import Precision
from atalanta.golden.search import FRACTION, Found, allocate, log2_table, search
from atalanta.golden.table import PUBLISHED, Table

SMALL = Precision(count=6)

# A fixture's choice holds for the whole of a test, so running examples under it is right.
UNDER_FIXTURES = [HealthCheck.function_scoped_fixture]


def table_cost(histogram: list[int], table: Table) -> int:
    """What a table costs, from the definition; infinite if it cannot code a value."""
    logs = log2_table(table.precision.total)
    cost = table.rows * row_record(table.bits).width << FRACTION
    for row in range(table.rows):
        values = sum(histogram[table.v_min[row] : table.v_end(row)])
        if values and not table.count(row):
            return 1 << 62
        offset = table.offset_bits[row] << FRACTION
        cost += values * (offset + logs[-1] - logs[table.count(row)])
    return cost


def best_counts(values: list[int], least: list[int], total: int) -> int:
    """The most that counts summing to `total` can save, by trying all: row by row, every sum."""
    logs = log2_table(total)
    saved = {0: 0}
    for n, lowest in zip(values, least, strict=True):
        rows = {}
        for spent, before in saved.items():
            for count in range(lowest, total - spent + 1):
                if count or not n:
                    now = before + n * logs[count]
                    rows[spent + count] = max(rows.get(spent + count, -1), now)
        saved = rows
    return saved[total]


@given(st.lists(st.integers(0, 300), min_size=1, max_size=5), st.booleans())
def test_allocation_is_optimal(values: list[int], unseen: bool) -> None:
    least = [1 if n else int(unseen) for n in values]
    counts = allocate(values, least, SMALL.total)
    logs = log2_table(SMALL.total)
    assert sum(counts) == SMALL.total
    assert all(count >= lowest for count, lowest in zip(counts, least, strict=True))
    saved = sum(n * logs[count] for n, count in zip(values, counts, strict=True))
    assert saved == best_counts(values, least, SMALL.total)


def brute_force(histogram: list[int], rows: int, unseen: bool, precision: Precision) -> int:
    """The cost of the best table: all boundaries, each with its best counts."""
    bits = (len(histogram) - 1).bit_length()
    costs = []
    for extra in range(min(rows, len(histogram))):
        for cuts in combinations(range(1, len(histogram)), extra):
            v_min = (0, *cuts)
            values = [sum(histogram[a:b]) for a, b in pairwise((*v_min, len(histogram)))]
            least = [1 if n else int(unseen) for n in values]
            counts = allocate(values, least, precision.total)
            cum = tuple(np.concatenate([[0], np.cumsum(counts)[:-1]]).tolist())
            costs.append(table_cost(histogram, Table(bits, v_min, cum, precision)))
    return min(costs)


def check_optimal(found: Found, histogram: list[int], rows: int, unseen: bool) -> None:
    table = found.table
    assert table.rows <= rows
    assert found.bound == found.cost == table_cost(histogram, table)
    assert found.cost == brute_force(histogram, rows, unseen, table.precision)
    if unseen:
        assert all(table.count(row) for row in range(table.rows))


counts_of_values = st.one_of(st.just(0), st.integers(0, 9), st.integers(0, 100_000))


@settings(max_examples=25, suppress_health_check=UNDER_FIXTURES)
@given(st.lists(counts_of_values, min_size=8, max_size=8), st.integers(1, 5), st.booleans())
def test_three_bit_alphabets(engine: str, histogram: list[int], rows: int, unseen: bool) -> None:
    found = search(np.array(histogram), rows=rows, unseen=unseen, engine=engine)
    check_optimal(found, histogram, rows, unseen)


@settings(max_examples=8, suppress_health_check=UNDER_FIXTURES)
@given(st.lists(counts_of_values, min_size=16, max_size=16), st.integers(1, 4), st.booleans())
def test_four_bit_alphabets(engine: str, histogram: list[int], rows: int, unseen: bool) -> None:
    found = search(np.array(histogram), rows=rows, unseen=unseen, precision=SMALL, engine=engine)
    check_optimal(found, histogram, rows, unseen)


def histograms() -> st.SearchStrategy[tuple[int, int, float, int]]:
    """Seed, bits, width of the peak and number of values, for `made`."""
    return st.tuples(
        st.integers(0, 1 << 32), st.integers(1, 16), st.floats(0.001, 0.5), st.integers(0, 200_000)
    )


def made(seed: int, bits: int, spread: float, values: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    codes = rng.laplace(rng.random(), spread, values) * (1 << bits)
    return np.bincount(codes.astype(np.int64).clip(0, (1 << bits) - 1), minlength=1 << bits)


@pytest.mark.usefixtures("vectors")
@settings(max_examples=15, suppress_health_check=UNDER_FIXTURES, deadline=None)
@given(histograms(), st.integers(1, 32), st.booleans())
def test_engines_agree(case: tuple[int, int, float, int], rows: int, unseen: bool) -> None:
    histogram = made(*case)
    found = search(histogram, rows=rows, unseen=unseen, engine=NATIVE)
    assert found == search(histogram, rows=rows, unseen=unseen, engine=REFERENCE)
    assert found.cost == table_cost(histogram.tolist(), found.table)
    assert found.bound <= found.cost


def sparse(rng: np.random.Generator) -> np.ndarray:
    """Most values never, some often."""
    return np.bincount(rng.choice(256, 3000, p=rng.dirichlet(np.full(256, 0.02))), minlength=256)


def one_sided(rng: np.random.Generator) -> np.ndarray:
    """Many zeros, few large values, none beyond some value."""
    return np.bincount(rng.exponential(6, 20_000).astype(int).clip(0, 255), minlength=256)


def bell(rng: np.random.Generator) -> np.ndarray:
    return np.bincount(rng.normal(128, 20, 200_000).astype(int).clip(0, 255), minlength=256)


def few(rng: np.random.Generator) -> np.ndarray:
    """Hardly more values than rows."""
    return np.bincount(rng.integers(0, 256, 40), minlength=256)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("shape", [sparse, one_sided, bell, few])
@pytest.mark.parametrize("rows", [3, 16, 32])
def test_rows_that_are_left_out_do_not_matter(
    shape: Callable[[np.random.Generator], np.ndarray], rows: int
) -> None:
    """The compiled search skips rows that no good table has; the reference tries all."""
    for seed in range(3):
        histogram = shape(np.random.default_rng(seed))
        for unseen in (False, True):
            found = search(histogram, rows=rows, unseen=unseen, engine=NATIVE)
            assert found == search(histogram, rows=rows, unseen=unseen, engine=REFERENCE)
            assert found.bound == found.cost


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("visits", [0, 1, 2])
def test_engines_agree_when_the_search_is_cut_short(visits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With few visits allowed bounds may stay below the cost, at the same value in both engines."""
    monkeypatch.setattr("atalanta.golden.search.MAX_VISITS", visits)
    gaps = 0
    coarse = Precision(count=3)  # where few prices meet the budget
    for seed in range(30, 60):
        histogram = (np.random.default_rng(seed).random(32) ** 3 * 200).astype(np.int64)
        found = search(histogram, rows=8, precision=coarse, engine=NATIVE)
        assert found == search(histogram, rows=8, precision=coarse, engine=REFERENCE)
        gaps += found.bound < found.cost
    assert gaps or visits


def test_wide_values_come_close_to_entropy(engine: str) -> None:
    """16-bit values: 32 rows cost within 1 % of order-0 entropy for a smooth distribution."""
    histogram = made(3, 16, 0.02, 1_000_000)
    smooth = np.convolve(histogram, np.ones(65) / 65, "same")
    share = smooth[histogram > 0] / smooth.sum()
    entropy = -(histogram[histogram > 0] * np.log2(share)).sum()
    found = search(histogram, rows=32, engine=engine)
    assert found.cost / (1 << FRACTION) < 1.01 * entropy


@pytest.mark.parametrize("total", [4, 64, 1024])
def test_logarithms(total: int) -> None:
    logs = log2_table(total)
    assert logs[0] == logs[1] == 0
    for c in range(1, total + 1):
        assert 0 <= math.log2(c) * (1 << FRACTION) - logs[c] < 1.001
    gains = [b - a for a, b in pairwise(logs[1:])]
    assert gains == sorted(gains, reverse=True)  # what marginal allocation relies on


@pytest.mark.parametrize("unseen", [False, True])
def test_nothing_seen(engine: str, unseen: bool) -> None:
    found = search(np.zeros(256, np.int64), unseen=unseen, engine=engine)
    assert found.table == Table(8, (0,), (0,))
    assert found.cost == found.bound == row_record(8).width << FRACTION


def test_one_value_seen(engine: str) -> None:
    histogram = np.zeros(256, np.int64)
    histogram[77] = 50
    table = search(histogram, engine=engine).table
    row = table.row_of(77)
    assert (table.count(row), table.offset_bits[row]) == (PUBLISHED.total, 0)


@pytest.mark.parametrize("length", [0, 1, 3, 255, 1 << 17])
def test_length_of_the_histogram(length: int) -> None:
    with pytest.raises(ParameterError, match="a power of two from 2 to 65536"):
        search(np.zeros(length, np.int64))

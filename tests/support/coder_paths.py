"""Sequences of rows that lead a coder's window into every corner.

Values drawn by their probability hardly ever make a window narrow: shifts of 5 and 6 or of 12 bits and
long underflow runs need many unlikely rows in a row. So every next row is the one whose
renormalisation has been seen least.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random

from atalanta.golden.coder import Window, full_window, max_shift, narrow, renormalise
from atalanta.golden.params import Precision
from atalanta.golden.table import PUBLISHED, Table

SHIFTS = range(max_shift() + 1)
"""Bits by which a renormalisation can shift. 13 to 15 cannot occur: a window holds over 2^14 codes, so
a row of count 1 keeps at least 2^14 * 1 / 2^10 = 16 of them; 12 doublings make that 2^16."""

UNDERFLOWS = SHIFTS
"""Underflow shifts within one renormalisation: all shifts may be of that kind."""

LONGEST_UNDERFLOW = (
    Table(8, tuple(range(15)), (0, 8, 14, 16, 19, 24, 29, 35, 986, 990, 1001, 1002, 1003, 1008, 1009)),
    [9, 6, 13, 0],
)
"""A table and rows of which the third leaves 16 codes, half of them below the middle: 12 underflows.
Steering alone hardly ever gets there; found by random search."""


class Seen:
    """How often renormalisations of each kind have happened."""

    def __init__(self) -> None:
        self.shifts: Counter[int] = Counter()
        self.underflows: Counter[int] = Counter()

    def add(self, common: int, underflow: int) -> None:
        """Count one."""
        self.shifts[common + underflow] += 1
        self.underflows[underflow] += 1

    def rarity(self, common: int, underflow: int) -> int:
        """The lower, the less of its kind has been seen."""
        return min(self.shifts[common + underflow], self.underflows[underflow])

    @property
    def missing(self) -> list[str]:
        """Kinds that have not been seen."""
        return [f"shift {s}" for s in SHIFTS if not self.shifts[s]] + [
            f"underflow {u}" for u in UNDERFLOWS if not self.underflows[u]
        ]


def follow(table: Table, rows: Sequence[int], seen: Seen) -> None:
    """Count the renormalisations of one way that codes `rows`; none follows the last row."""
    window = full_window(table.precision)
    for row in rows[:-1]:
        share = narrow(window, table.cum[row], table.cum_end(row), table.precision)
        window, common, underflow = renormalise(share, table.precision)
        seen.add(common, underflow)


def steered_rows(table: Table, count: int, random: Random, seen: Seen) -> list[int]:
    """`count` rows for one way, coded one after the other."""
    usable = [row for row in range(table.rows) if table.count(row)]
    window, rows = full_window(table.precision), []
    for step in range(count):
        narrows = random.random() < 0.5
        choices: list[tuple[int, float, int, Window, int, int]] = []
        for row in usable:
            share = narrow(window, table.cum[row], table.cum_end(row), table.precision)
            after, common, underflow = renormalise(share, table.precision)
            order = after.range if narrows else random.random()
            choices.append((seen.rarity(common, underflow), order, row, after, common, underflow))
        _, _, row, window, common, underflow = min(choices, key=lambda choice: choice[:3])
        rows.append(row)
        if step + 1 < count:
            seen.add(common, underflow)
    return rows


def steep_table(random: Random, bits: int, rows: int, precision: Precision = PUBLISHED) -> Table:
    """A table with many counts of 1 beside large ones: paths through it are steered best."""
    counts = [random.choice([1, 1, 1, 2, 5, precision.total // 10]) for _ in range(rows - 1)]
    while sum(counts) >= precision.total:
        counts[random.randrange(rows - 1)] = 1
    counts.insert(random.randrange(rows), precision.total - sum(counts))
    cuts = sorted(random.sample(range(1, 1 << bits), rows - 1))
    return Table(bits, (0, *cuts), tuple(sum(counts[:row]) for row in range(rows)), precision)


def codes_of(rows: Iterable[int], table: Table, random: Random) -> list[int]:
    """A value of each row, its first and last one more often than others."""
    return [
        random.choice(
            [table.v_min[row], table.v_end(row) - 1, random.randrange(table.v_min[row], table.v_end(row))]
        )
        for row in rows
    ]

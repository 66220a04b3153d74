"""The probability table: rows that tile the values, counts that sum to 1024."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NoReturn

from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.params import Precision

PUBLISHED = Precision()


def offset_bits(width: int) -> int:
    """Bits of an offset within a row of `width` values: ceil(log2(width))."""
    return (width - 1).bit_length()


@dataclass(frozen=True)
class Table:
    """Row r holds the values v_min[r] .. v_min[r+1]-1 and the counts cum[r] .. cum[r+1]-1.

    The last row ends at 2^bits and at the precision's total. A row without counts holds values that
    never occur. Raises StreamError(TABLE) unless the rows tile both ranges.
    """

    bits: int
    v_min: tuple[int, ...]
    cum: tuple[int, ...]
    precision: Precision = PUBLISHED

    def __post_init__(self) -> None:
        def fail(where: str) -> NoReturn:
            raise StreamError(ErrorCode.TABLE, where)

        if not len(self.v_min) == len(self.cum) > 0:
            fail("a table has rows, each with v_min and cum")
        if self.v_min[0] or self.cum[0]:
            fail("row 0 starts at value 0 and count 0")
        for row, (start, end) in enumerate(pairwise((*self.v_min, 1 << self.bits))):
            if start >= end:
                fail(f"row {row}: v_min does not rise to {end}")
        for row, (start, end) in enumerate(pairwise((*self.cum, self.precision.total))):
            if start > end:
                fail(f"row {row}: cum falls to {end}")

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.v_min)

    def v_end(self, row: int) -> int:
        """The value after the last of `row`."""
        return self.v_min[row + 1] if row + 1 < self.rows else 1 << self.bits

    def cum_end(self, row: int) -> int:
        """The count after the last of `row`."""
        return self.cum[row + 1] if row + 1 < self.rows else self.precision.total

    def width(self, row: int) -> int:
        """Values of `row`."""
        return self.v_end(row) - self.v_min[row]

    def count(self, row: int) -> int:
        """Probability count of `row`, in 1/total."""
        return self.cum_end(row) - self.cum[row]

    @cached_property
    def offset_bits(self) -> tuple[int, ...]:
        """Offset bits of each row."""
        return tuple(offset_bits(self.width(row)) for row in range(self.rows))

    def row_of(self, value: int) -> int:
        """The row that holds `value`."""
        return bisect_right(self.v_min, value) - 1

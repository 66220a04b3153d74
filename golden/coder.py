"""The arithmetic coder of one way: 16-bit window, 10-bit counts, underflow counter.

Witten, Neal and Cleary's coder (CACM 1987) with the precision that Atalanta and APack use. The
window is [low, high]; coding a row narrows it to the row's share, and renormalisation then doubles
it while its ends agree in the top bit (that bit is decided) or straddle the middle closely (the
bit is put off and counted as an underflow).

Three facts the hardware builds on; tests hold them:

- Renormalisation is first `common` shifts, then `underflow` shifts, `max_shift` at most in all: the
  window holds over 2^(code-2) codes, so a row of count 1 keeps at least 2^(code-2-count) of them.
- After it the ends differ in their top bit, so `low` has one bit less than `high`.
- `code - low` shifts left like the window itself, whatever mix of shifts it is.
"""

from dataclasses import dataclass

from atalanta.golden.params import Precision
from atalanta.golden.table import PUBLISHED, Table


@dataclass(frozen=True)
class Window:
    """The coder's interval [low, high], both ends inclusive."""

    low: int
    high: int

    @property
    def range(self) -> int:
        """Codes in the window."""
        return self.high - self.low + 1


def max_shift(precision: Precision = PUBLISHED) -> int:
    """The most bits that one renormalisation can shift."""
    return precision.count + 2


def full_window(precision: Precision = PUBLISHED) -> Window:
    """The window before the first symbol."""
    return Window(0, (1 << precision.code) - 1)


def bound(window: Window, cum: int, precision: Precision = PUBLISHED) -> int:
    """First code, relative to low, of the counts from `cum` on: range * cum / total, rounded down."""
    return window.range * cum >> precision.count


def narrow(window: Window, cum: int, cum_end: int, precision: Precision = PUBLISHED) -> Window:
    """The share of the counts cum .. cum_end-1 in the window."""
    return Window(
        window.low + bound(window, cum, precision),
        window.low + bound(window, cum_end, precision) - 1,
    )


def renormalise(window: Window, precision: Precision = PUBLISHED) -> tuple[Window, int, int]:
    """The doubled window, the number of common shifts and the number of underflow shifts."""
    top = 1 << precision.code - 1
    mask = 2 * top - 1
    low, high, common, underflow = window.low, window.high, 0, 0
    while (low ^ high) & top == 0:
        low, high = low << 1 & mask, (high << 1 | 1) & mask
        common += 1
    while low & top >> 1 and not high & top >> 1:
        low, high = low << 1 & top - 1, high << 1 & mask | top | 1
        underflow += 1
    return Window(low, high), common, underflow


class WayEncoder:
    """Encodes the rows of one way; `finish` returns the code string.

    `shifts[i]` is the number of bits by which the window moved after row i: what the decoder will
    take from the stream between rows i and i + 1.
    """

    def __init__(self, precision: Precision = PUBLISHED) -> None:
        self._precision = precision
        self._window = full_window(precision)
        self._narrowed = self._window
        self._started = False
        self._pending = 0
        self._bits: list[int] = []
        self.shifts: list[int] = []

    def _emit(self, bit: int) -> None:
        """A decided bit, followed by the opposite ones that underflows had put off."""
        self._bits += [bit] + [1 - bit] * self._pending
        self._pending = 0

    def _renormalise(self) -> None:
        code = self._precision.code
        self._window, common, underflow = renormalise(self._narrowed, self._precision)
        for shift in range(common):
            self._emit(self._narrowed.low >> code - 1 - shift & 1)
        self._pending += underflow
        self.shifts.append(common + underflow)

    def encode(self, table: Table, row: int) -> None:
        """Code one row."""
        if self._started:
            self._renormalise()
        self._narrowed = narrow(self._window, table.cum[row], table.cum_end(row), self._precision)
        if self._narrowed.range <= 0:
            raise ValueError(f"row {row} has no counts")
        self._started = True

    def finish(self) -> list[int]:
        """All bits of the code string, first to last: the initial code, then every refill.

        No bit follows the last row's narrowing, so the string ends with the window's own bits, of
        which any code inside will do: the one with the most zeros at its end.
        """
        code = self._precision.code
        value = roundest(self._narrowed)
        self._emit(value >> code - 1)
        self._bits += [value >> bit & 1 for bit in reversed(range(code - 1))]
        return self._bits


def roundest(window: Window) -> int:
    """The code in the window with the most trailing zeros."""
    zeros = 0
    while (window.high >> zeros + 1) << zeros + 1 >= window.low and window.high >> zeros:
        zeros += 1
    return (window.high >> zeros) << zeros


class WayDecoder:
    """Decodes the rows of one way.

    The state is the window and `delta`, the code's distance from low: 0 <= delta < range always,
    whatever the stream, so a malformed stream cannot lead anywhere.
    """

    def __init__(self, code: int, precision: Precision = PUBLISHED) -> None:
        self._precision = precision
        self.window = full_window(precision)
        self.delta = code

    def decode(self, table: Table) -> tuple[int, int]:
        """The next row and the number of bits to `refill` before the one after it."""
        bounds = [bound(self.window, c, self._precision) for c in table.cum]
        row = max(r for r in range(table.rows) if bounds[r] <= self.delta and table.count(r))
        narrowed = narrow(self.window, table.cum[row], table.cum_end(row), self._precision)
        self.delta -= bounds[row]
        self.window, common, underflow = renormalise(narrowed, self._precision)
        return row, common + underflow

    def refill(self, shift: int, value: int) -> None:
        """Shift in `shift` bits of the code string, `value`, most significant first."""
        self.delta = self.delta << shift | value

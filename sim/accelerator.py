"""An accelerator between memory and multipliers, and how its steps overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

from atalanta.golden.errors import require


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """What computes, and what holds its operands.

    macs_per_cycle: multiply-accumulates that it finishes per cycle when it does not wait.
    clock_mhz: of the accelerator, its decoder and its memory port.
    buffer_bytes: on the chip, for weights, inputs and outputs together, uncompressed.
    double_buffering: the buffer holds at least two steps, so that one is read and written back while the
        other is computed on, and more if they are small; without it reading, computing and writing take
        turns.
    overlap_tiles, least_tile_bytes: what fits at once is still cut into up to so many tiles, none smaller,
        so that computing begins before everything is there.
    """

    macs_per_cycle: int = 1024
    clock_mhz: float = 800.0
    buffer_bytes: int = 512 * 1024
    double_buffering: bool = True
    overlap_tiles: int = 16
    least_tile_bytes: int = 16 * 1024

    def __post_init__(self) -> None:
        for name in ("macs_per_cycle", "buffer_bytes", "overlap_tiles", "least_tile_bytes"):
            require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        require(0 < self.clock_mhz <= 1e5, "clock_mhz", "above 0 and at most 100000", self.clock_mhz)

    @property
    def capacity(self) -> int:
        """Bytes that the tiles of one step may take."""
        return self.buffer_bytes // (2 if self.double_buffering else 1)

    def depth(self, kept: int, step: int) -> int:
        """How many steps the buffer holds: `step` bytes each, beside `kept` bytes that stay for all."""
        if not self.double_buffering:
            return 1
        return max(2, (self.buffer_bytes - kept) // max(step, 1))

    @property
    def tiles(self) -> tuple[int, int]:
        """`overlap` and `least` for tiling.choose."""
        return (self.overlap_tiles if self.double_buffering else 1, self.least_tile_bytes)


@dataclass(frozen=True)
class Work:
    """Cycles that a step needs of memory to read, of the multipliers, and of memory to write."""

    read: int
    compute: int
    write: int


@dataclass(frozen=True)
class Span:
    """When something was busy: cycles start .. end-1."""

    start: int
    end: int


@dataclass(frozen=True)
class Timeline:
    """When each step read, computed and wrote. cycles: of all together."""

    reads: tuple[Span, ...]
    computes: tuple[Span, ...]
    writes: tuple[Span, ...]
    cycles: int


def timeline(work: Sequence[Work], depth: int) -> Timeline:
    """Steps through one memory and one array of multipliers, from cycle 0 on.

    Memory serves one step's reads or one step's writes at a time: what can begin first, then what has
    waited longest, then reads. depth: steps that the buffer holds. Step k is read once step k-depth has
    computed, and computes once step k-depth is written; with one, it is read once the one before is written.
    """
    n = len(work)
    reads: list[Span] = []
    computes: list[Span] = []
    writes: list[Span] = []
    memory = 0
    while len(writes) < n:
        k = len(reads)
        can_read = _ready(computes if depth > 1 else writes, k - depth) if k < n else None
        can_write = _ready(computes, len(writes))
        begins = [
            (max(memory, ready), ready, kind)
            for kind, ready in enumerate((can_read, can_write))
            if ready is not None
        ]
        start, _, kind = min(begins)
        if kind == 0:
            span = Span(start, start + work[k].read)
            reads.append(span)
        else:
            span = Span(start, start + work[len(writes)].write)
            writes.append(span)
        memory = span.end
        while len(computes) < len(reads):
            k = len(computes)
            written = _ready(writes, k - depth)
            if written is None:
                break
            start = max(reads[k].end, computes[-1].end if computes else 0, written)
            computes.append(Span(start, start + work[k].compute))
    cycles = max((s.end for s in (*reads, *computes, *writes)), default=0)
    return Timeline(tuple(reads), tuple(computes), tuple(writes), cycles)


def _ready(spans: list[Span], k: int) -> int | None:
    """When the k-th has ended; 0 if there is no such, None if that is not known yet."""
    if k < 0:
        return 0
    return spans[k].end if k < len(spans) else None

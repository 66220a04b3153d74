"""What whole networks cost: bytes beside order-0 entropy, and the time to code, decode and verify them."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

import numpy as np

from atalanta.golden import container, native
from atalanta.golden.search import search
from atalanta.golden.values import Array, Mapping, to_codes
from atalanta.tools.measure import RoundTripError, entropy_bytes

SEARCHES = 5


@dataclass(frozen=True)
class Coded:
    """A network's tensors under one number of lanes. table_bytes: of all probability tables."""

    lanes: int
    nbytes: int
    table_bytes: int
    entropy_bytes: float

    @property
    def excess(self) -> float:
        """Share by which the streams are longer than entropy and tables."""
        return self.nbytes / (self.entropy_bytes + self.table_bytes) - 1


@dataclass(frozen=True)
class NetworkBench:
    """What tensors came to.

    seconds: to encode, decode and compare all, once for each number of lanes, on all processors.
    search_s: the slowest tensor's table search, processor time after the histogram, by bits of a value.
    """

    raw_bytes: int
    coded: tuple[Coded, ...]
    seconds: float
    search_s: dict[int, float]


def _tables(stream: bytes) -> int:
    """Bytes of rows in the headers of a stream."""
    total = 0
    for segment in container.segments(stream):
        table = getattr(segment.layout, "table", None)
        if table is not None:
            total += table.rows * (3 if table.bits <= 8 else 4)
    return total


def _search_seconds(array: Array, rows: int) -> float:
    bits = 8 * array.itemsize
    histogram = native.histogram(to_codes(array, bits, array.dtype.kind == "i", Mapping.OFFSET_BINARY), bits)
    times = []
    for _ in range(SEARCHES):
        start = time.process_time()
        search(histogram, rows=rows)
        times.append(time.process_time() - start)
    return median(times)


def bench(
    arrays: Sequence[Array],
    lanes: Sequence[int] = (1, 16),
    rows: int = 16,
    step: Callable[[], None] = lambda: None,
) -> NetworkBench:
    """Code all tensors, with tables of at most `rows` rows. Raises RoundTripError.

    step: called after each tensor.
    """
    entropies = [entropy_bytes(array) for array in arrays]

    def code(array: Array, count: int) -> tuple[int, int]:
        stream = container.encode(array, lanes=count, rows=rows, threads=1)
        back = container.decode(stream, threads=1)
        if back.dtype != array.dtype or back.shape != array.shape or not np.array_equal(back, array):
            raise RoundTripError(f"a tensor of shape {array.shape} does not come back")
        step()
        return len(stream), _tables(stream)

    start = time.perf_counter()
    coded = []
    with ThreadPoolExecutor() as pool:
        for count in lanes:
            sizes = list(pool.map(lambda array, count=count: code(array, count), arrays))
            streams, tables = (sum(column) for column in zip(*sizes, strict=True))
            coded.append(Coded(count, streams, tables, sum(entropies)))
    seconds = time.perf_counter() - start
    slowest: dict[int, float] = {}
    for array in arrays:
        bits = 8 * array.itemsize
        slowest[bits] = max(slowest.get(bits, 0.0), _search_seconds(array, rows))
    return NetworkBench(sum(array.nbytes for array in arrays), tuple(coded), seconds, slowest)

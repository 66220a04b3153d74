"""Work on several threads, results in order, memory bounded.

The compiled codec and zlib release the interpreter's lock, so threads are enough.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from atalanta.golden.errors import require

Item = TypeVar("Item")
Result = TypeVar("Result")

SPARE_BYTES = 48 << 20
"""Memory that work in progress may take, beside as much as the input itself."""


def workers(threads: int | None, items: int, item_bytes: int, input_bytes: int) -> int:
    """Threads to use: those asked for, or one per processor, as far as there is work and memory.

    item_bytes: memory of one item in progress. Raises ParameterError.
    """
    asked = os.cpu_count() or 1 if threads is None else threads
    require(isinstance(asked, int) and asked >= 1, "threads", "a positive number", threads)
    return max(1, min(asked, items, (SPARE_BYTES + input_bytes) // max(item_bytes, 1)))


def in_order(run: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """run(item) for every item, in order; `threads` of them at a time.

    An item's error comes where its result would have; later items may have run by then.
    """
    if threads == 1:
        yield from map(run, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            if len(waiting) == threads:
                yield waiting.popleft().result()
            waiting.append(pool.submit(run, item))
        while waiting:
            yield waiting.popleft().result()

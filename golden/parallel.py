"""Work on several threads, results in order, memory bounded.

The compiled codec and zlib release the interpreter's lock, so threads are enough.
"""

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from atalanta.golden.errors import AtalantaError, require

Item = TypeVar("Item")
Result = TypeVar("Result")

SPARE_BYTES = 48 << 20
"""Memory that work in progress may take, beside as much as the input itself."""

MAX_IDLE = 4
"""Pools of one size that are kept for later calls, at most."""

_idle: defaultdict[int, list[ThreadPoolExecutor]] = defaultdict(list)
"""Pools that nobody uses, by their number of threads."""

os.register_at_fork(after_in_child=_idle.clear)  # threads do not follow into a child


def workers(threads: int | None, items: int, item_bytes: int, input_bytes: int) -> int:
    """Threads to use: those asked for, or one per processor, as far as there is work and memory.

    item_bytes: memory of one item in progress. Raises ParameterError.
    """
    asked = os.cpu_count() or 1 if threads is None else threads
    require(isinstance(asked, int) and asked >= 1, "threads", "a positive number", threads)
    return max(1, min(asked, items, (SPARE_BYTES + input_bytes) // max(item_bytes, 1)))


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Threads of one's own; they are kept, since starting them takes as long as coding 100 kB."""
    idle = _idle[threads]
    try:
        pool = idle.pop()
    except IndexError:
        pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        if len(idle) < MAX_IDLE:
            idle.append(pool)
        else:
            pool.shutdown()


def in_order(
    run: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int,
    *,
    ahead: int = 0,
) -> Iterator[Result]:
    """run(item) for every item, in order; `threads` of them at a time, of which the caller is one.

    An item's error comes where its result would have, and so does one that `items` raises instead of an
    item; later items may have run by then.

    ahead: results that may wait for an earlier one that takes longer, so that no thread waits for it.
    """
    if threads == 1:
        yield from map(run, items)
        return
    waiting: deque[_Task[Item, Result]] = deque()
    wrong: AtalantaError | None = None
    with _pool(threads - 1) as pool:
        try:
            rest = iter(items)
            while True:
                try:
                    item = next(rest)
                except StopIteration:
                    break
                except AtalantaError as error:  # after the results of the items before
                    wrong = error
                    break
                if len(waiting) == threads + ahead:
                    yield _first(waiting, run)
                waiting.append(_Task(item, pool.submit(run, item)))
            while waiting:
                yield _first(waiting, run)
        finally:
            for task in waiting:
                task.future.cancel()
            wait([task.future for task in waiting])
    if wrong is not None:
        raise wrong


@dataclass
class _Task(Generic[Item, Result]):
    """An item on its way."""

    item: Item
    future: Future[Result]


def _done(run: Callable[[Item], Result], item: Item) -> Future[Result]:
    """run(item), now and here."""
    future: Future[Result] = Future()
    try:
        future.set_result(run(item))
    except Exception as error:  # noqa: BLE001 -- it comes where the result would
        future.set_exception(error)
    return future


def _first(waiting: deque[_Task[Item, Result]], run: Callable[[Item], Result]) -> Result:
    """The first result, taken off. While another thread makes it, the caller does what nobody has begun."""
    first = waiting[0]
    while not first.future.done():
        idle = next((task for task in waiting if task.future.cancel()), None)
        if idle is None:
            break
        idle.future = _done(run, idle.item)
    waiting.popleft()
    return first.future.result()

"""Many tensors at once: threads share the segments of all of them, so that small tensors keep them busy too.

Tensors are taken one by one as there is room for them, and results come in their order, segment by segment,
so that a file of any size passes through memory that is bounded.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from atalanta.golden.container import (
    READ_BYTES,
    SEGMENT_VALUES,
    WORK_BYTES,
    Coding,
    Segment,
    check_end,
    segments,
    tensor_shape,
)
from atalanta.golden.engine import AUTO
from atalanta.golden.parallel import in_order, workers
from atalanta.golden.source import Source
from atalanta.golden.values import Array, Buffer

About = TypeVar("About")
Part = TypeVar("Part")

AHEAD = 4
"""Segments for each thread that may be done and wait for an earlier, larger one."""

_WAITING_BYTES = 2 * AHEAD * SEGMENT_VALUES
_ENDLESS = 1 << 62


@dataclass(frozen=True)
class Work:
    """A tensor to encode. options: codec, lanes and so on, as `container.encode` takes them."""

    array: Array
    options: Mapping[str, Any] = field(default_factory=dict)


def encode_all(
    tensors: Iterable[Work], *, threads: int | None = None, input_bytes: int = 0
) -> Iterator[Iterator[Buffer]]:
    """The stream of each tensor, what `container.encode` makes of it, segment by segment.

    Take all of a tensor's segments before the next tensor.
    threads: at most, by default one per processor.
    input_bytes: of all tensors, if known: more input allows more memory, and so more threads.
    Raises what `container.encode` does, where the tensor's turn comes.
    """

    def items() -> Iterator[tuple[Coding, int]]:
        for work in tensors:
            coding = Coding(work.array, **work.options)
            for i in range(coding.segments):
                yield coding, i

    def run(item: tuple[Coding, int]) -> tuple[Coding, bool, Buffer]:
        coding, i = item
        return coding, i + 1 == coding.segments, coding.draft(i).made()

    at_work = workers(threads, _ENDLESS, WORK_BYTES * SEGMENT_VALUES + _WAITING_BYTES, input_bytes)
    done = in_order(run, items(), at_work, ahead=AHEAD * at_work)
    for _, segments_of_one in _by_tensor(done):
        yield segments_of_one


def decode_all(
    streams: Iterable[Source], *, threads: int | None = None, input_bytes: int = 0, engine: str = AUTO
) -> Iterator[tuple[tuple[int, ...], Iterator[Array]]]:
    """The shape of each stream's tensor, and its values piece by piece, each of shape (count,).

    Take all pieces of a tensor before the next tensor. All headers of a stream are checked before its
    first piece, payloads as their values come. threads, input_bytes: as for `encode_all`.
    Raises StreamError where the stream's turn comes.
    """

    def items() -> Iterator[tuple[tuple[int, ...], bool, Source, Segment]]:
        for data in streams:
            found = list(segments(data))
            shape = tensor_shape(found)
            check_end(found, len(data))
            for segment in found:
                yield shape, segment is found[-1], data, segment

    def run(item: tuple[tuple[int, ...], bool, Source, Segment]) -> tuple[tuple[int, ...], bool, Array]:
        shape, last, data, segment = item
        return shape, last, segment.values(data, engine=engine)

    at_work = workers(threads, _ENDLESS, 2 * READ_BYTES * SEGMENT_VALUES + _WAITING_BYTES, input_bytes)
    done = in_order(run, items(), at_work, ahead=AHEAD * at_work)
    return _by_tensor(done)


def _by_tensor(done: Iterator[tuple[About, bool, Part]]) -> Iterator[tuple[About, Iterator[Part]]]:
    """Parts as they are done, each with what it says about its tensor and whether it is the tensor's last."""

    def parts(first: Part, last: bool) -> Iterator[Part]:
        yield first
        while not last:
            _, last, part = next(done)
            yield part

    for about, last, first in done:
        one = parts(first, last)
        yield about, one
        deque(one, maxlen=0)  # what was not taken

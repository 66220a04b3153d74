"""Many tensors at once: threads share the segments of all of them, so that small tensors keep them busy too.

Tensors are taken one by one as there is room for them, and results come in their order, segment by segment,
so that a file of any size passes through memory that is bounded.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

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

    def items() -> Iterator[tuple[int, Coding, int]]:
        for number, work in enumerate(tensors):
            coding = Coding(work.array, **work.options)
            for i in range(coding.segments):
                yield number, coding, i

    def run(item: tuple[int, Coding, int]) -> tuple[int, Buffer]:
        number, coding, i = item
        return number, coding.draft(i).made()

    at_work = workers(threads, _ENDLESS, WORK_BYTES * SEGMENT_VALUES + _WAITING_BYTES, input_bytes)
    for _, done in groupby(in_order(run, items(), at_work, AHEAD * at_work), key=itemgetter(0)):
        yield (segment for _, segment in done)


def decode_all(
    streams: Iterable[Source], *, threads: int | None = None, input_bytes: int = 0, engine: str = AUTO
) -> Iterator[tuple[tuple[int, ...], Iterator[Array]]]:
    """The shape of each stream's tensor, and its values piece by piece, each of shape (count,).

    Take all pieces of a tensor before the next tensor. All headers of a stream are checked before its
    first piece, payloads as their values come. threads, input_bytes: as for `encode_all`.
    Raises StreamError where the stream's turn comes.
    """

    def items() -> Iterator[tuple[int, tuple[int, ...], Source, Segment]]:
        for number, data in enumerate(streams):
            found = list(segments(data))
            shape = tensor_shape(found)
            check_end(found, len(data))
            for segment in found:
                yield number, shape, data, segment

    def run(item: tuple[int, tuple[int, ...], Source, Segment]) -> tuple[int, tuple[int, ...], Array]:
        number, shape, data, segment = item
        return number, shape, segment.values(data, engine=engine)

    at_work = workers(threads, _ENDLESS, 2 * READ_BYTES * SEGMENT_VALUES + _WAITING_BYTES, input_bytes)
    done = in_order(run, items(), at_work, AHEAD * at_work)
    for (_, shape), pieces in groupby(done, key=itemgetter(0, 1)):
        yield shape, (piece for _, _, piece in pieces)

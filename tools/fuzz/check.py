"""What must hold for any bytes: the named exceptions or the right values, the same in both engines."""

from dataclasses import dataclass

import numpy as np

from atalanta.golden import container
from atalanta.golden.engine import NATIVE, REFERENCE
from atalanta.golden.errors import AtalantaError, InputError, StreamError
from atalanta.golden.values import Array

MOST_BYTES = 32 << 20
QUICK_BYTES = 1 << 20
"""Larger tensors are not decoded, which `decode` is told: when checks are thorough, and when they are not."""

REFERENCE_VALUES = 2000
"""Streams of more values are not given to the reference, which is slow."""

PARTS_VALUES = 1 << 20
"""Of larger segments, bits by part are not asked for: that takes memory as coding does."""

OK = "decoded"
TOO_LARGE = "refused: too large"


class FuzzError(AtalantaError):
    """A promise that does not hold."""


@dataclass(frozen=True)
class Outcome:
    """How a stream ended: `OK`, `TOO_LARGE` or the name of an error code; and its values, if any."""

    end: str
    values: Array | None = None


def outcome(data: bytes, engine: str, most_bytes: int = MOST_BYTES) -> Outcome:
    """Decode; every exception that has no name of ours goes through."""
    try:
        return Outcome(OK, container.decode(data, threads=1, engine=engine, most_bytes=most_bytes))
    except StreamError as error:
        return Outcome(error.code.name)
    except InputError:
        return Outcome(TOO_LARGE)


def claimed_bytes(data: bytes) -> int:
    """Bytes of the segments whose headers and checksums are right, up to the first that is wrong."""
    total = 0
    try:
        for segment in container.segments(data):
            segment.check_payload(data)
            total += segment.header.count * segment.dtype.itemsize
    except StreamError:
        pass
    return total


def _differ(one: Outcome, other: Outcome) -> bool:
    if one.end != other.end or (one.values is None) != (other.values is None):
        return True
    if one.values is None or other.values is None:
        return False
    same = one.values.dtype == other.values.dtype and one.values.shape == other.values.shape
    return not (same and np.array_equal(one.values, other.values))


def check(data: bytes, *, thorough: bool = True) -> Outcome:
    """Decode `data`. Raises FuzzError, or whatever else should not be raised.

    thorough: also decode with the reference, compare, and ask for bits by part and the order of beats.
    """
    if not thorough:
        return outcome(data, NATIVE, QUICK_BYTES)
    found = outcome(data, NATIVE)
    if claimed_bytes(data) <= 2 * REFERENCE_VALUES:
        defined = outcome(data, REFERENCE)
        if _differ(found, defined):
            raise FuzzError(f"native: {found.end}; reference: {defined.end}")
    if found.values is not None:
        for segment in container.segments(data):
            if segment.header.count > PARTS_VALUES:
                continue
            parts = segment.parts(data)
            if (
                sum(parts.values()) != 8 * (segment.header.end - segment.header.start)
                or min(parts.values()) < 0
            ):
                raise FuzzError(f"bits by part: {parts}")
            segment.schedule(data)
    return found

"""What every codec makes of a tensor: bytes, proof of the round trip, cycles."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from atalanta.golden import container
from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import AtalantaError
from atalanta.golden.values import Array
from atalanta.sim.decoder import DecoderRun, plan, simulate
from atalanta.sim.native import Memory
from atalanta.tools.overhead import REASONS, overhead

CODECS = ("atalanta", "shapeshifter", "raw")
"""Codecs of the hardware, in the order of tables."""


class RoundTripError(AtalantaError):
    """A decoded tensor is not the one that was encoded."""


@dataclass(frozen=True)
class Coded:
    """One tensor under one codec.

    stream: the compressed tensor. run: its way through the decoder. bytes_moved: on the memory bus, in
    whole words.
    """

    stream: bytes
    run: DecoderRun
    bytes_moved: int

    @property
    def nbytes(self) -> int:
        """Bytes of the stream, all metadata counted."""
        return len(self.stream)

    @property
    def stall_share(self) -> float:
        """Share of the cycles in which no slot ran."""
        return 1 - self.run.counters["slot"] / self.run.cycles


@dataclass(frozen=True)
class Measured:
    """One tensor under every codec.

    entropy_bytes: order-0 entropy of its values, no table. overhead: of the Atalanta stream, in bytes by
    reason (tools.overhead).
    """

    name: str
    kind: str
    values: int
    bytes_raw: int
    entropy_bytes: float
    signed: bool
    coded: Mapping[str, Coded]
    overhead: Mapping[str, float]


def entropy_bytes(array: Array) -> float:
    """Order-0 entropy of all values, in bytes."""
    counts = np.unique(array, return_counts=True)[1]
    shares = counts / max(array.size, 1)
    return float(-(counts * np.log2(shares)).sum() / 8)


def measure(
    name: str,
    kind: str,
    array: Array,
    options: Mapping[str, Mapping[str, Any]],
    p: DecoderParams,
    memories: Iterator[Memory],
) -> Measured:
    """Encode with every codec, decode, compare, simulate.

    options: by codec, for `container.encode`. memories: a new memory for each run.
    Raises RoundTripError if a codec loses something.
    """
    coded = {}
    for codec in CODECS:
        stream = container.encode(array, codec, **options.get(codec, {}))
        back = container.decode(stream)
        if back.dtype != array.dtype or back.shape != array.shape or not np.array_equal(back, array):
            raise RoundTripError(f"{name}: {codec} does not give back what it was given")
        with next(memories) as memory:
            run = simulate([plan(stream, p)], p, memory)
        coded[codec] = Coded(stream, run, run.counters["words"] * p.axi_bytes)
    least = entropy_bytes(array)
    return Measured(
        name=name,
        kind=kind,
        values=array.size,
        bytes_raw=array.nbytes,
        entropy_bytes=least,
        signed=array.dtype.kind == "i",
        coded=coded,
        overhead=overhead(coded["atalanta"].stream, least),
    )


def _sums(measured: list[Measured], codec: str) -> dict[str, float]:
    coded = [m.coded[codec] for m in measured]
    cycles = sum(c.run.cycles for c in coded)
    slots = sum(c.run.counters["slot"] for c in coded)
    return {
        "bytes": sum(c.nbytes for c in coded),
        "bytes_moved": sum(c.bytes_moved for c in coded),
        "cycles": cycles,
        "stall_share": 1 - slots / cycles if cycles else 0.0,
    }


def summary(name: str, kind: str, measured: Iterable[Measured]) -> dict[str, Any]:
    """A row of results, flat, for one tensor or the sum of several; units in the names.

    tensor_bytes: of the tensors as they are. ratio: stream bytes over those. ratio_to_entropy: stream
    bytes over order-0 entropy. excess: of the Atalanta streams over entropy + tables, as a share of those.
    """
    chosen = list(measured)
    raw = sum(m.bytes_raw for m in chosen)
    entropy = sum(m.entropy_bytes for m in chosen)
    row: dict[str, Any] = {
        "tensor": name,
        "kind": kind,
        "values": sum(m.values for m in chosen),
        "tensor_bytes": raw,
        "entropy_bytes": entropy,
    }
    for codec in CODECS:
        sums = _sums(chosen, codec)
        row |= {
            f"{codec}_bytes": sums["bytes"],
            f"{codec}_bytes_moved": sums["bytes_moved"],
            f"{codec}_ratio": sums["bytes"] / raw if raw else 1.0,
            f"{codec}_ratio_to_entropy": sums["bytes"] / entropy if entropy else float("inf"),
            f"{codec}_cycles": sums["cycles"],
            f"{codec}_stall_share": sums["stall_share"],
        }
    reasons: Counter[str] = Counter()
    for m in chosen:
        reasons.update(m.overhead)
    row |= {f"atalanta_{reason}_bytes": reasons[reason] for reason in REASONS}
    least = entropy + reasons["table"]
    row["atalanta_excess"] = row["atalanta_bytes"] / least - 1 if least else 0.0
    return row

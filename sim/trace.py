"""Request traces, in and out: the project's CSV and the formats of DRAMsim3 and Ramulator.

    csv        header `arrival_cycle,address,operation`, then e.g. `40,0x1000,read`
    dramsim3   `0x1000 READ 40`: address, READ or WRITE, arrival in memory cycles
    ramulator  `0x1000 R`: Ramulator 1's memory trace; no time, so arrivals read as 0
    ramulator2 `LD 0x1000` or `ST 0x1000`: Ramulator 2's LoadStoreTrace; no time either

Times are memory cycles. A trace without times asks for everything at once, as fast as the queues let it.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.errors import InputError, require
from atalanta.sim.dram import DramConfig
from atalanta.sim.native import Requests

FORMATS = ("csv", "dramsim3", "ramulator", "ramulator2")
_HEADER = ["arrival_cycle", "address", "operation"]
_OPERATIONS = {"csv": ("read", "write"), "dramsim3": ("READ", "WRITE"), "ramulator": ("R", "W"),
               "ramulator2": ("LD", "ST")}  # fmt: skip


@dataclass(frozen=True)
class Trace:
    """Requests in order: uint64[n] byte addresses, bool[n] writes, int64[n] arrivals in memory cycles."""

    addresses: NDArray[np.uint64]
    writes: NDArray[np.bool_]
    arrivals: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.addresses)
        if self.writes.shape != (n,) or self.arrivals.shape != (n,):
            raise InputError("addresses, writes and arrivals of a trace must be as long as each other")
        if n and (self.arrivals[0] < 0 or np.any(np.diff(self.arrivals) < 0)):
            raise InputError("arrivals of a trace must not decrease, nor begin below 0")

    def __len__(self) -> int:
        return len(self.addresses)


def trace_of(requests: Requests, config: DramConfig, clock_ps: Fraction) -> Trace:
    """Recorded bursts as the DRAM sees them: one request a DRAM burst, in cycles of the memory's clock.

    clock_ps: period of the clock that the requests were recorded in.
    """
    unit = config.burst_bytes
    first = requests.addresses // unit
    last = (requests.addresses + requests.nbytes.astype(np.uint64) - 1) // unit
    counts = (last - first).astype(np.int64) + 1
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    ratio = clock_ps / config.tck_ps
    arrivals = -(-requests.cycles * ratio.numerator // ratio.denominator)
    return Trace(
        (np.repeat(first, counts) + within.astype(np.uint64)) * np.uint64(unit),
        np.repeat(requests.writes, counts),
        np.repeat(arrivals, counts),
    )


def _fields(line: list[str], kind: str) -> tuple[int, bool, int]:
    """Address, write, arrival of one line."""
    read, write = _OPERATIONS[kind]
    if kind == "csv":
        arrival, address, operation = line
    elif kind == "dramsim3":
        address, operation, arrival = line
    elif kind == "ramulator":
        (address, operation), arrival = line, "0"
    else:
        (operation, address), arrival = line, "0"
    if operation not in (read, write):
        raise ValueError(f"operation must be {read} or {write}, not {operation!r}")
    return int(address, 0), operation == write, int(arrival)


def _lines(path: Path, kind: str) -> Iterator[tuple[int, list[str]]]:
    with path.open(newline="") as file:
        if kind == "csv":
            rows = csv.reader(file)
            if next(rows, []) != _HEADER:
                raise InputError(f"{path}:1: the header must be {','.join(_HEADER)}")
            yield from enumerate(rows, 2)
        else:
            yield from ((number, line.split()) for number, line in enumerate(file, 1) if line.strip())


def read_trace(path: Path, kind: str) -> Trace:
    """Read a trace file.

    Raises:
        ParameterError: `kind` is not one of FORMATS.
        InputError: a line cannot be understood (its number is in the message), or arrivals decrease.
    """
    require(kind in FORMATS, "kind", "one of " + ", ".join(FORMATS), kind)
    requests = []
    for number, line in _lines(path, kind):
        try:
            address, write, arrival = _fields(line, kind)
            if not 0 <= address < 1 << 64 or not 0 <= arrival < 1 << 63:
                raise ValueError("address or arrival out of range")
        except ValueError as error:
            raise InputError(f"{path}:{number}: not a {kind} request: {error}") from error
        requests.append((address, write, arrival))
    addresses, writes, arrivals = zip(*requests, strict=True) if requests else ((), (), ())
    return Trace(np.array(addresses, np.uint64), np.array(writes, np.bool_), np.array(arrivals, np.int64))


def _render(trace: Trace, kind: str) -> Iterable[str]:
    operations = _OPERATIONS[kind]
    for address, write, arrival in zip(trace.addresses, trace.writes, trace.arrivals, strict=True):
        operation = operations[int(write)]
        yield {
            "csv": f"{arrival},{address:#x},{operation}\n",
            "dramsim3": f"{address:#x} {operation} {arrival}\n",
            "ramulator": f"{address:#x} {operation}\n",
            "ramulator2": f"{operation} {address:#x}\n",
        }[kind]


def write_trace(path: Path, trace: Trace, kind: str) -> None:
    """Write a trace file; Ramulator's formats carry no arrival times, so those are lost.

    Raises:
        ParameterError: `kind` is not one of FORMATS.
    """
    require(kind in FORMATS, "kind", "one of " + ", ".join(FORMATS), kind)
    with path.open("w", newline="") as file:
        if kind == "csv":
            file.write(",".join(_HEADER) + "\n")
        file.writelines(_render(trace, kind))

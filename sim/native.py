"""The compiled memory models, called through ctypes.

`run_trace` runs a list of requests; `Memory` is what an AXI manager sees (`native/memory.h` states the
contract) and hands out the addresses another compiled client needs. The library is built with the
package; structures are made from the field lists that the library itself reports.
"""

import ctypes
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import util
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.errors import AtalantaError, InputError, ParameterError
from atalanta.sim.dram import DramConfig

NEVER = (1 << 63) - 1  # "not before the end of time"
COMMANDS = ("ACT", "PRE", "RD", "WR", "RDA", "WRA", "REF", "REFB")
_PLACE = ("command", "channel", "rank", "group", "bank", "row", "column", "reserved")
LOG = np.dtype([("cycle", "<i8"), *((name, "<i4") for name in _PLACE)])
_MESSAGE_BYTES = 256
_REFUSALS = {  # `Accept` in native/memory.h
    -1: "lies before a cycle that was promised to be past",
    -2: "is not an AXI INCR burst of aligned beats within 4 KiB",
    -3: "lies beyond the memory's capacity",
}


class NativeError(AtalantaError, RuntimeError):
    """The compiled library is missing."""


class ConservationError(NativeError):
    """A model lost or invented something: bytes, beats or cycles do not add up. Its figures are void."""


def failure(message: str) -> AtalantaError:
    """The error that a message of the compiled library stands for."""
    if message.startswith("conservation law broken"):
        return ConservationError(message)
    return InputError(message) if message.startswith(("request", "tensor")) else NativeError(message)


@dataclass(frozen=True, kw_only=True)
class DramStats:
    """Counters of a run, summed over channels (`native/dram.h` says what each counts)."""

    reads: int
    writes: int
    forwarded: int
    merged_reads: int
    merged_writes: int
    read_commands: int
    write_commands: int
    activates: int
    precharges: int
    refreshes: int
    bank_refreshes: int
    row_hits: int
    row_misses: int
    row_conflicts: int
    data_cycles: int
    active_cycles: int
    cycles: int
    latency_sum: int
    latency_max: int
    read_row_hits: int
    pending_reads: int
    pending_writes: int
    open_banks: int


@dataclass(frozen=True, kw_only=True)
class MemoryStats:
    """Counters of the AXI side; bytes are those asked for."""

    read_bursts: int
    write_bursts: int
    read_beats: int
    write_beats: int
    beats_taken: int
    responses_taken: int
    bytes_read: int
    bytes_written: int


@dataclass(frozen=True)
class TraceResult:
    """What became of each request, int64[n] memory cycles, -1 where a run that was cut short did not get.

    entered: when it left the port for the read queue or the write buffer.
    complete: when its last beat was on the bus (a write: when the write buffer had it).
    histogram: reads per latency bin of `bin_cycles` cycles; the last bin is open.
    log: the commands, if they were asked for.
    """

    entered: NDArray[np.int64]
    complete: NDArray[np.int64]
    stats: DramStats
    histogram: NDArray[np.int64]
    bin_cycles: int
    log: NDArray[np.void] | None


@cache
def library() -> ctypes.CDLL:
    """The compiled library.

    Raises:
        NativeError: it was not built (no C++ compiler when the package was installed).
    """
    spec = util.find_spec("atalanta.sim._native")
    if spec is None or spec.origin is None:
        raise NativeError(
            "atalanta.sim._native is not built: install a C++17 compiler, then the package again"
        )
    lib = ctypes.CDLL(str(Path(spec.origin)))
    i64, i32, u64, pointer = ctypes.c_int64, ctypes.c_int32, ctypes.c_uint64, ctypes.c_void_p
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "dram_config_fields": (ctypes.c_char_p, []),
        "dram_stats_fields": (ctypes.c_char_p, []),
        "memory_stats_fields": (ctypes.c_char_p, []),
        "dram_latency_bins": (i64, []),
        "dram_latency_bin_cycles": (i64, []),
        "dram_trace": (
            i32,
            [pointer, i64, *[pointer] * 3, i64, *[pointer] * 5, i64, pointer, ctypes.c_char_p, i64],
        ),
        "memory_new_ideal": (pointer, [i64, i64, i64, i64, u64, i64, ctypes.c_char_p, i64]),
        "memory_new_dram": (pointer, [pointer, i64, i64, i64, i64, ctypes.c_char_p, i64]),
        "memory_free": (None, [pointer]),
        "memory_ready": (i32, [pointer, i64, i32]),
        "memory_request": (i32, [pointer, i64, u64, i32, i32, i32]),
        "memory_next_ready": (i64, [pointer, i64, i32]),
        "memory_next_event": (i64, [pointer, i64, pointer]),
        "memory_next_beat": (i64, [pointer, i64]),
        "memory_take_beat": (None, [pointer]),
        "memory_next_response": (i64, [pointer, i64]),
        "memory_take_response": (None, [pointer]),
        "memory_beat": (i32, [pointer, i64]),
        "memory_response": (i32, [pointer, i64]),
        "memory_record": (None, [pointer]),
        "memory_requests": (i64, [pointer]),
        "memory_read_requests": (None, [pointer] * 5),
        "memory_finish": (i64, [pointer]),
        "memory_stats": (i32, [*[pointer] * 3, ctypes.c_char_p, i64]),
        "memory_histogram": (None, [pointer, pointer]),
        "decoder_params_fields": (ctypes.c_char_p, []),
        "decoder_stats_fields": (ctypes.c_char_p, []),
        "decoder_shortest_run": (i64, []),
        "decoder_pace_of": (i64, [pointer, i64, *[pointer] * 3]),
        "decoder_run": (
            i32,
            [pointer, pointer, pointer, i64, pointer, pointer, i64, *[pointer] * 2, ctypes.c_char_p, i64],
        ),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


@cache
def structure(kind: str) -> type[ctypes.Structure]:
    """The C structure `kind`, all int64, whose fields the library names: they are written down once."""
    names = getattr(library(), f"{kind}_fields")().decode().rstrip(",").split(",")
    return type(kind, (ctypes.Structure,), {"_fields_": [(name, ctypes.c_int64) for name in names]})


def _values(structure: ctypes.Structure) -> dict[str, int]:
    return {name: getattr(structure, name) for name, _ in type(structure)._fields_}  # type: ignore[misc]


def _config(config: DramConfig, *, every_cycle: bool = False) -> ctypes.Structure:
    numbers = config.native(every_cycle=every_cycle)
    kind = structure("dram_config")
    return kind(**{name: numbers[name] for name, _ in kind._fields_})  # type: ignore[misc]


def _pointer(array: NDArray[Any]) -> int:
    return int(array.ctypes.data)


def run_trace(
    config: DramConfig,
    addresses: NDArray[np.uint64],
    writes: NDArray[np.bool_],
    arrivals: NDArray[np.int64],
    *,
    until: int | None = None,
    log: int = 0,
    every_cycle: bool = False,
) -> TraceResult:
    """Run requests of one burst each and return when each completed.

    Args:
        config: the memory.
        addresses: uint64[n], byte addresses; the burst that holds the byte is meant.
        writes: bool[n].
        arrivals: int64[n], not decreasing: first memory cycle in which a request may enter. In a channel
            requests enter in order, one a cycle at most, and wait while the queue is full.
        until: stop before this memory cycle; None runs to the end, buffered writes included.
        log: record this many commands at most.
        every_cycle: visit every cycle instead of only those in which something happens; same result.

    Raises:
        InputError: arrays of different lengths, decreasing arrivals, an address beyond the capacity.
        NativeError: the library is missing.
        ConservationError: a conservation law does not hold.
    """
    addresses = np.ascontiguousarray(addresses, np.uint64)
    written = np.ascontiguousarray(writes, np.uint8)
    arrivals = np.ascontiguousarray(arrivals, np.int64)
    n = len(addresses)
    if addresses.ndim != 1 or written.shape != (n,) or arrivals.shape != (n,):
        raise InputError(f"addresses, writes and arrivals must be as long as each other: {n}, "
                         f"{written.shape}, {arrivals.shape}")  # fmt: skip
    if n and arrivals[0] < 0:
        raise InputError(f"request 0 arrives before cycle 0, in {arrivals[0]}")
    lib = library()
    entered, complete = np.empty(n, np.int64), np.empty(n, np.int64)
    histogram = np.zeros(lib.dram_latency_bins(), np.int64)
    stats = structure("dram_stats")()
    entries, count = np.empty(log, LOG), ctypes.c_int64()
    message = ctypes.create_string_buffer(_MESSAGE_BYTES)
    failed = lib.dram_trace(
        ctypes.byref(_config(config, every_cycle=every_cycle)), n, _pointer(addresses), _pointer(written),
        _pointer(arrivals), NEVER if until is None else until, _pointer(entered), _pointer(complete),
        ctypes.byref(stats), _pointer(histogram), _pointer(entries), log, ctypes.byref(count), message,
        _MESSAGE_BYTES,
    )  # fmt: skip
    if failed:
        raise failure(message.value.decode())
    commands = entries[: count.value] if log else None
    bin_cycles = lib.dram_latency_bin_cycles()
    return TraceResult(entered, complete, DramStats(**_values(stats)), histogram, bin_cycles, commands)


@dataclass(frozen=True)
class Requests:
    """Bursts in the order of asking.

    int64[n] cycles of the client's clock, uint64[n] addresses, int64[n] bytes, bool[n] writes.
    """

    cycles: NDArray[np.int64]
    addresses: NDArray[np.uint64]
    nbytes: NDArray[np.int64]
    writes: NDArray[np.bool_]


class Memory:
    """Off-die memory behind an AXI port, in cycles of the accelerator's clock.

    `native/memory.h` states what the calls mean and promise. Use it in a `with` statement, or `close` it.
    """

    ACCEPTED, REFUSED = 1, 0

    def __init__(self, handle: int | None, message: str, config: DramConfig | None) -> None:
        if not handle:
            raise ParameterError(message)
        self._lib, self._handle, self.config = library(), handle, config

    @classmethod
    def ideal(
        cls, *, latency: int, bytes_per_cycle: Fraction | None = None, jitter: int = 0, seed: int = 0,
        outstanding: int = 16,
    ) -> Self:  # fmt: skip
        """A memory with a fixed latency, an optional bandwidth limit and 0..`jitter` more cycles a beat.

        Raises:
            ParameterError: a parameter outside its legal values.
        """
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        num, den = (
            (0, 1) if bytes_per_cycle is None else (bytes_per_cycle.numerator, bytes_per_cycle.denominator)
        )
        if bytes_per_cycle is not None and bytes_per_cycle <= 0:
            raise ParameterError(f"bytes_per_cycle must be above zero, not {bytes_per_cycle}")
        handle = library().memory_new_ideal(
            latency, num, den, jitter, seed, outstanding, message, _MESSAGE_BYTES
        )
        return cls(handle, message.value.decode(), None)

    @classmethod
    def dram(cls, config: DramConfig, clock_ps: Fraction, *, latency: int = 0, outstanding: int = 16) -> Self:
        """A DRAM seen from an accelerator whose clock period is `clock_ps` picoseconds.

        latency: cycles that every beat needs on its way through the chip, besides the DRAM's own.

        Raises:
            ParameterError: a parameter outside its legal values.
        """
        if clock_ps <= 0:
            raise ParameterError(f"clock_ps must be above zero, not {clock_ps}")
        ratio = Fraction(clock_ps) / config.tck_ps  # memory cycles per accelerator cycle
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        handle = library().memory_new_dram(
            ctypes.byref(_config(config)), ratio.numerator, ratio.denominator, latency, outstanding, message,
            _MESSAGE_BYTES,
        )  # fmt: skip
        return cls(handle, message.value.decode(), config)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the model; the object is of no use afterwards."""
        if self._handle:
            self._lib.memory_free(self._handle)
            self._handle = 0

    @property
    def handle(self) -> int:
        """The model's address, the first argument of every C function."""
        return int(self._handle)

    def functions(self) -> dict[str, int]:
        """Addresses of the C functions for a compiled client, by name."""
        names = ("ready", "next_ready", "request", "next_beat", "take_beat", "next_response", "take_response",
                 "next_event", "beat", "response")  # fmt: skip
        pairs = ((name, getattr(self._lib, f"memory_{name}")) for name in names)
        return {name: ctypes.cast(function, ctypes.c_void_p).value or 0 for name, function in pairs}

    def ready(self, cycle: int, *, write: bool = False) -> bool:
        """Would a burst be accepted in this cycle?"""
        return bool(self._lib.memory_ready(self._handle, cycle, write))

    def next_ready(self, cycle: int, *, write: bool = False) -> int:
        """First cycle from `cycle` on in which a burst is accepted; NEVER if that waits for a beat."""
        return int(self._lib.memory_next_ready(self._handle, cycle, write))

    def request(self, cycle: int, address: int, beats: int, beat_bytes: int, *, write: bool = False) -> bool:
        """Ask for a burst; False if there is no place for it in this cycle.

        Raises:
            InputError: not a legal AXI burst, beyond the capacity, or before a cycle promised to be past.
        """
        answer = int(self._lib.memory_request(self._handle, cycle, address, beats, beat_bytes, write))
        if answer < 0:
            burst = f"burst of {beats} x {beat_bytes} bytes at {address:#x} in cycle {cycle}"
            raise InputError(f"{burst} {_REFUSALS[answer]}")
        return bool(answer)

    def next_beat(self, horizon: int = NEVER) -> int:
        """Cycle of the next read beat, NEVER if there is none in any cycle up to `horizon`."""
        return int(self._lib.memory_next_beat(self._handle, horizon))

    def take_beat(self) -> None:
        """Consume that beat."""
        self._lib.memory_take_beat(self._handle)

    def next_response(self, horizon: int = NEVER) -> int:
        """Cycle of the next write response, NEVER if there is none in any cycle up to `horizon`."""
        return int(self._lib.memory_next_response(self._handle, horizon))

    def take_response(self) -> None:
        """Consume that response."""
        self._lib.memory_take_response(self._handle)

    def next_event(self, horizon: int = NEVER) -> tuple[int, bool]:
        """Cycle of the next beat or response, whichever comes first, and whether it is a response."""
        response = ctypes.c_int32()
        cycle = self._lib.memory_next_event(self._handle, horizon, ctypes.byref(response))
        return int(cycle), bool(response.value)

    def beat(self, cycle: int) -> bool:
        """Is there a read beat in this very cycle? Then it is consumed."""
        return bool(self._lib.memory_beat(self._handle, cycle))

    def response(self, cycle: int) -> bool:
        """Is there a write response in this very cycle? Then it is consumed."""
        return bool(self._lib.memory_response(self._handle, cycle))

    def record(self) -> None:
        """Keep every request from now on, for `requests`."""
        self._lib.memory_record(self._handle)

    def requests(self) -> Requests:
        """What was asked for since `record`."""
        n = self._lib.memory_requests(self._handle)
        cycles, addresses, nbytes = np.empty(n, np.int64), np.empty(n, np.uint64), np.empty(n, np.int64)
        writes = np.empty(n, np.uint8)
        self._lib.memory_read_requests(self._handle, *map(_pointer, (cycles, addresses, nbytes, writes)))
        return Requests(cycles, addresses, nbytes, writes.astype(bool))

    def finish(self) -> int:
        """Write out what is buffered; the first cycle in which nothing is under way."""
        return int(self._lib.memory_finish(self._handle))

    def stats(self) -> tuple[MemoryStats, DramStats | None]:
        """Counters of the AXI side and, for a DRAM, of the DRAM.

        Raises:
            ConservationError: a conservation law does not hold.
        """
        memory, dram = structure("memory_stats")(), structure("dram_stats")()
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        failed = self._lib.memory_stats(
            self._handle, ctypes.byref(memory), ctypes.byref(dram), message, _MESSAGE_BYTES
        )
        if failed:
            raise failure(message.value.decode())
        return MemoryStats(**_values(memory)), None if self.config is None else DramStats(**_values(dram))

    def latency_histogram(self) -> NDArray[np.int64]:
        """Reads of a DRAM per bin of latency (`bin_cycles` memory cycles each); zeros for an ideal memory."""
        histogram = np.zeros(self._lib.dram_latency_bins(), np.int64)
        self._lib.memory_histogram(self._handle, _pointer(histogram))
        return histogram

    @property
    def bin_cycles(self) -> int:
        """Memory cycles of one bin of the histogram."""
        return int(self._lib.dram_latency_bin_cycles())

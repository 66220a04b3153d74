"""The compiled core as a Python object: streams in, values and cycle counts out."""

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import AtalantaError, ErrorCode
from atalanta.sim.native import Memory
from atalanta.tools.rtl.build import COUNTERS, build

BASE = 0x1000
"""Where a single stream lies in memory unless the caller says otherwise."""

ALWAYS_READY = np.ones(1, np.uint8)


class _Job(ctypes.Structure):
    _fields_ = [
        ("memory", ctypes.c_void_p),
        ("ready", ctypes.c_void_p),
        ("request", ctypes.c_void_p),
        ("beat", ctypes.c_void_p),
        ("image", ctypes.c_void_p),
        ("image_bytes", ctypes.c_int64),
        ("base", ctypes.c_uint64),
        ("addresses", ctypes.c_void_p),
        ("lengths", ctypes.c_void_p),
        ("descriptors", ctypes.c_int64),
        ("ready_pattern", ctypes.c_void_p),
        ("ready_period", ctypes.c_int64),
        ("error_word", ctypes.c_int64),
        ("abort_cycle", ctypes.c_int64),
        ("max_cycles", ctypes.c_int64),
        ("out", ctypes.c_void_p),
        ("out_bytes", ctypes.c_int64),
        ("packet_end", ctypes.c_void_p),
        ("packet_cycle", ctypes.c_void_p),
        ("packet_bad", ctypes.c_void_p),
    ]


class _Result(ctypes.Structure):
    _fields_ = [
        ("cycles", ctypes.c_int64),
        ("first_cycle", ctypes.c_int64),
        ("bytes", ctypes.c_int64),
        ("packets", ctypes.c_int64),
        ("code", ctypes.c_int64),
        ("finished", ctypes.c_int64),
        ("bursts", ctypes.c_int64),
        ("refused", ctypes.c_int64),
        ("overflow", ctypes.c_int64),
        ("counters", ctypes.c_int64 * len(COUNTERS)),
    ]


class RunError(AtalantaError, RuntimeError):
    """The RTL did something that no decoder may do, or did not finish in the cycles allowed."""


@dataclass(frozen=True)
class Packet:
    """One output packet: its values, the cycle of its last word, whether TUSER marked it bad."""

    values: NDArray[np.integer]
    cycle: int
    bad: bool


@dataclass(frozen=True)
class CoreRun:
    """What a run of the core gave.

    cycles: from the first descriptor's offer to the end of the last packet, inclusive.
    counters: the core's own, by name: cycles by cause, bus words, values.
    """

    packets: list[Packet]
    code: ErrorCode
    cycles: int
    first_cycle: int
    bursts: int
    counters: dict[str, int] = field(default_factory=dict)


class CompiledCore:
    """A core compiled by Verilator. Use it in a `with` statement, or `close` it.

    Runs do not reset it: it keeps what a run leaves behind, as a chip would.
    """

    def __init__(self, p: DecoderParams, library: Path | None = None) -> None:
        self.params = p
        self._lib = ctypes.CDLL(str(library or build(p)))
        self._lib.core_new.restype = ctypes.c_void_p
        self._lib.core_free.argtypes = [ctypes.c_void_p]
        self._lib.core_run.argtypes = [ctypes.c_void_p] * 3
        self._session = self._lib.core_new()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the model; the object is of no use any more."""
        if self._session:
            self._lib.core_free(self._session)
            self._session = None

    def run(
        self,
        streams: Sequence[bytes],
        memory: Memory,
        *,
        most_values: int,
        signed: Callable[[int], bool] | bool = False,
        addresses: Sequence[int] | None = None,
        lengths: Sequence[int] | None = None,
        ready: NDArray[np.uint8] = ALWAYS_READY,
        error_word: int = -1,
        abort_cycle: int = -1,
        max_cycles: int | None = None,
    ) -> CoreRun:
        """Decode streams that lie in memory, one descriptor each.

        memory: its timing; used up by the run, since its cycles go on.
        most_values: room for values in all packets together.
        signed: whether packet i's values are signed.
        addresses: byte address of each stream; by default one after the other from BASE on.
        lengths: bytes that each descriptor claims; by default those of the stream.
        ready: TREADY by cycle, repeated.
        error_word: the bus word of this number answers SLVERR. abort_cycle: when to abort.

        Raises RunError if the core does not finish within max_cycles, puts out too much or asks the
        memory for something illegal.
        """
        where = list(addresses) if addresses is not None else _one_after_the_other(streams)
        claimed = list(lengths) if lengths is not None else [len(s) for s in streams]
        base = min(where, default=BASE)
        image = np.zeros(
            max((a + len(s) for a, s in zip(where, streams, strict=True)), default=0) - base, np.uint8
        )
        for address, stream in zip(where, streams, strict=True):
            image[address - base : address - base + len(stream)] = np.frombuffer(stream, np.uint8)
        value_bytes = self.params.value_bits // 8
        out = np.zeros(most_values * value_bytes, np.uint8)
        ends = np.zeros((2, len(where)), np.int64)
        bad = np.zeros(len(where), np.uint8)
        address_array, length_array = np.array(where, np.uint64), np.array(claimed, np.int64)
        pattern = np.ascontiguousarray(ready, np.uint8)
        limit = max_cycles if max_cycles is not None else 1_000_000 + 1_000 * (len(image) + most_values)
        functions = memory.functions()
        job = _Job(
            memory=memory.handle, ready=functions["ready"], request=functions["request"],
            beat=functions["beat"], image=image.ctypes.data, image_bytes=len(image), base=base,
            addresses=address_array.ctypes.data, lengths=length_array.ctypes.data, descriptors=len(where),
            ready_pattern=pattern.ctypes.data, ready_period=len(pattern), error_word=error_word,
            abort_cycle=abort_cycle, max_cycles=limit, out=out.ctypes.data, out_bytes=len(out),
            packet_end=ends[0].ctypes.data, packet_cycle=ends[1].ctypes.data, packet_bad=bad.ctypes.data,
        )  # fmt: skip
        result = _Result()
        self._lib.core_run(self._session, ctypes.byref(job), ctypes.byref(result))
        if result.refused:
            raise RunError(f"the memory refused a read burst with answer {result.refused}")
        if result.overflow:
            raise RunError(f"more came out than {len(where)} packets of {most_values} values")
        if not result.finished:
            raise RunError(f"not finished after {limit} cycles")
        packets, start = [], 0
        for i in range(result.packets):
            sign = signed(i) if callable(signed) else signed
            dtype = np.dtype(f"{'i' if sign else 'u'}{value_bytes}")
            packets.append(Packet(out[start : ends[0, i]].view(dtype), int(ends[1, i]), bool(bad[i])))
            start = int(ends[0, i])
        counters = dict(zip(COUNTERS, list(result.counters), strict=True))
        return CoreRun(
            packets, ErrorCode(result.code), result.cycles, result.first_cycle, result.bursts, counters
        )


def _one_after_the_other(streams: Sequence[bytes]) -> list[int]:
    addresses, at = [], BASE
    for stream in streams:
        addresses.append(at)
        at += len(stream)
    return addresses

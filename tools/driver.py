"""Driver of the decoder as a device, over anything that reads and writes 32-bit registers."""

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import MEANING, AtalantaError, ErrorCode, require
from atalanta.golden.format import VERSION
from atalanta.golden.registers import (
    ADDRESS_BITS,
    BY_NAME,
    COUNTERS,
    ID,
    INTERRUPTS,
    MAJOR,
    REGISTER_BITS,
    REGISTER_BYTES,
    params_of,
)  # fmt: skip

POLLS = 1_000_000
"""Reads of STATUS after which waiting is given up, unless the caller says otherwise."""


class Bus(Protocol):
    """Access to the device's registers by byte offset: /dev/mem, a debugger, a simulation."""

    def read32(self, offset: int) -> int:
        """The register at this offset."""

    def write32(self, offset: int, value: int) -> None:
        """Set the register at this offset."""


class MappedBus:
    """Registers in a file that can be mapped: /dev/mem, a UIO device. `close` it, or use it in a `with`.

    path: the file. address: where the registers start in it, a multiple of the page size.
    Every access is one of 32 bits, as AXI4-Lite needs it. Raises OSError if the file cannot be mapped.
    """

    def __init__(self, path: str | os.PathLike[str], address: int) -> None:
        with Path(path).open("r+b", buffering=0) as file:
            self._map = mmap.mmap(file.fileno(), 1 << ADDRESS_BITS, offset=address)
        self._words = memoryview(self._map).cast("I")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Unmap the registers."""
        self._words.release()
        self._map.close()

    def read32(self, offset: int) -> int:
        return self._words[offset // REGISTER_BYTES]

    def write32(self, offset: int, value: int) -> None:
        self._words[offset // REGISTER_BYTES] = value


class DriverError(AtalantaError, RuntimeError):
    """The device is not there, does not take what it was asked to do, or does not get done."""


class DeviceError(AtalantaError, RuntimeError):
    """The device has stopped with an error code; `done` descriptors ended well since the last clear."""

    def __init__(self, code: ErrorCode, done: int) -> None:
        super().__init__(f"{code.name}: {MEANING[code]} (descriptor {done})")
        self.code = code
        self.done = done


@dataclass(frozen=True)
class Status:
    """What the device does, as of one read of STATUS.

    done: tensors that ended well since reset, modulo 2^16. space: descriptors that can be pushed.
    """

    done: int
    space: int
    code: ErrorCode
    busy: bool
    halted: bool


class Driver:
    """Drives one device.

    bus: its registers. pause: called between reads of STATUS while waiting, to sleep or to wait for the
    interrupt; by default nothing is done.

    Raises DriverError if there is no such device behind the bus.

    Attributes:
        params: how the decoder was built, as its registers say.
    """

    def __init__(self, bus: Bus, pause: Callable[[], None] = lambda: None) -> None:
        self._bus = bus
        self._pause = pause
        found = self.read("id")["id"]
        if found != ID:
            raise DriverError(f"no decoder here: the ID register holds {found:#010x}, not {ID:#010x}")
        version = self.read("version")
        if (version["major"], version["format"]) != (MAJOR, VERSION):
            raise DriverError(
                f"this driver is for registers {MAJOR}.x and format {VERSION}, "
                f"not {version['major']}.{version['minor']} and {version['format']}"
            )
        self.params: DecoderParams = params_of(
            {r.name: self.read(r.name) for r in BY_NAME.values() if r.built}
        )
        self._done = self.status().done

    def read(self, register: str) -> dict[str, int]:
        """The fields of a register."""
        r = BY_NAME[register]
        return r.unpack(self._bus.read32(r.offset))

    def write(self, register: str, **fields: int) -> None:
        """Set a register; fields that are not given become 0."""
        r = BY_NAME[register]
        self._bus.write32(r.offset, r.pack(fields))

    def status(self) -> Status:
        """What the device does."""
        s = self.read("status")
        return Status(s["done"], s["space"], ErrorCode(s["code"]), bool(s["busy"]), bool(s["halted"]))

    def push(self, address: int, length: int, *, polls: int = POLLS) -> None:
        """Queue the stream of `length` bytes at `address`, waiting for space.

        Raises DeviceError if the device has stopped, DriverError if there was no space in time,
        ParameterError if the device cannot reach such an address.
        """
        top = (1 << self.params.address_bits) - length
        require(0 <= address <= top, "address", f"from 0 to {top:#x}", address)
        require(0 < length < 1 << REGISTER_BITS, "length", "from 1 to 2^32 - 1", length)
        self._wait(lambda status: status.space > 0, "has no space", polls)
        self.write("source_low", address=address & ((1 << REGISTER_BITS) - 1))
        self.write("source_high", address=address >> REGISTER_BITS)
        self.write("length", length=length)
        self.write("control", push=1)

    def wait(self, *, polls: int = POLLS) -> None:
        """Wait until all that was pushed has ended well.

        Raises DeviceError if the device has stopped; DriverError if it was not done in time.
        """
        self._wait(lambda status: not status.busy, "is still busy", polls)

    def abort(self) -> None:
        """Stop what is at work and forget what waits; `clear` then makes the device usable."""
        self.write("control", abort=1)

    def clear(self, *, polls: int = POLLS) -> None:
        """Forget the error, if there is one, once the device has halted.

        Raises DriverError if it does not halt in time: the memory or the receiver of values has stopped.
        """
        self.write("control", clear=1)
        for _ in range(polls):
            status = self.status()
            if status.code is ErrorCode.NONE:
                self._done = status.done
                return
            self._pause()
        raise DriverError(f"the device has not halted after {polls} reads of STATUS")

    def counters(self) -> dict[str, int]:
        """All counters as of one cycle, by name; see golden.registers.COUNTERS."""
        self.write("control", snapshot=1)
        return {
            name: self.read(f"count_{name}_low")["count"]
            | self.read(f"count_{name}_high")["count"] << REGISTER_BITS
            for name in COUNTERS
        }

    def clear_counters(self) -> None:
        """Set all counters to 0."""
        self.write("control", clear_counters=1)

    def enable(self, *interrupts: str) -> None:
        """Let these causes, and no others, raise the interrupt; see golden.registers.INTERRUPTS.

        Raises ParameterError for a cause that does not exist.
        """
        known = tuple(f.name for f in INTERRUPTS)
        for name in interrupts:
            require(name in known, "interrupt", f"one of {', '.join(known)}", name)
        self.write("enable", **dict.fromkeys(interrupts, 1))

    def acknowledge(self) -> set[str]:
        """Clear what is pending and say what it was."""
        pending = self.read("pending")
        self.write("pending", **pending)
        return {name for name, value in pending.items() if value}

    def _wait(self, good: Callable[[Status], bool], otherwise: str, polls: int) -> None:
        for _ in range(polls):
            status = self.status()
            if status.code is not ErrorCode.NONE:
                raise DeviceError(status.code, (status.done - self._done) % (1 << 16))
            if good(status):
                return
            self._pause()
        raise DriverError(f"the device {otherwise} after {polls} reads of STATUS")

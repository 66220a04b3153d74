"""The registers of the decoder as a device, written down once as data.

The AXI4-Lite subordinate is built from the table below, and REGISTERS.md, the C header, the CMSIS-SVD
description and the Python driver derive from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.format import RESERVED, Field, Record
from atalanta.golden.format import VERSION as FORMAT_VERSION

ADDRESS_BITS = 12
"""The map fills 4 KiB, the least that AXI gives to one subordinate (IHI 0022, A3.4.1) and one page of
an MMU."""

REGISTER_BYTES = 4
REGISTER_BITS = 8 * REGISTER_BYTES
ID = int.from_bytes(b"ATLD", "little")
MAJOR, MINOR = 1, 0
"""Version of the map: MAJOR changes when drivers must change, MINOR when something is added."""


class Access(Enum):
    """What a register does when it is read or written. Reading never changes anything."""

    RO = "read only; a write is answered with SLVERR"
    RW = "read and write"
    W1C = "write 1 to clear; what sets a bit in the same cycle wins"
    W1P = "write 1 to do; reads as 0"


@dataclass(frozen=True)
class Register:
    """A 32-bit register.

    offset: byte address. built: its value says how the decoder was built and never changes.
    """

    name: str
    offset: int
    access: Access
    meaning: str
    record: Record
    built: bool = False

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that have a meaning."""
        return tuple(f for f in self.record if f.meaning != RESERVED)

    @property
    def mask(self) -> int:
        """The bits that have a meaning."""
        offsets = self.record.offsets
        return sum(((1 << f.width) - 1) << offsets[f.name] for f in self.fields)

    def pack(self, values: Mapping[str, int]) -> int:
        """The register's value from those of its fields, see `Record.pack`."""
        return int.from_bytes(self.record.pack(values), "little")

    def unpack(self, value: int) -> dict[str, int]:
        """The values of its fields, without reserved ones."""
        found = self.record.unpack(value.to_bytes(REGISTER_BYTES, "little"))
        return {f.name: found[f.name] for f in self.fields}


def _register(
    name: str, offset: int, access: Access, meaning: str, *named: Field, built: bool = False
) -> Register:
    """A register of these fields, from bit 0 on; what is left is reserved."""
    left = REGISTER_BITS - sum(f.width for f in named)
    rest = (Field("reserved", left, RESERVED),) if left else ()
    return Register(name, offset, access, meaning, Record(name, (*named, *rest)), built)


INTERRUPTS = (
    Field("done", 1, "A tensor has ended well."),
    Field("error", 1, "The decoder has stopped after an error or an abort and the bus is idle."),
    Field("idle", 1, "The last descriptor has ended well and none waits."),
    Field("empty", 1, "The last waiting descriptor is at work: time to push the next ones."),
    Field("dropped", 1, "A push found the queue full or the decoder stopped and was ignored."),
)
"""Causes of an interrupt, in the order of their bits in PENDING and ENABLE."""

COUNTERS: dict[str, str] = {
    "cycles": "Cycles in which a descriptor was at work: the sum of the next six.",
    "slot": "Cycles in which lanes or unpacker moved on by a slot.",
    "output": "Cycles in which they could have, but the receiver of the values was not ready.",
    "memory": "Cycles in which somebody waited for bytes that had not come from memory.",
    "router": "Cycles in which they waited for bytes on their way inside the decoder.",
    "setup": "Cycles in which a header was being read or a segment was about to start.",
    "drain": "Cycles in which everything was decoded and the last values were leaving.",
    "words": "Words read from memory, one R transfer each.",
    "bytes": "Bytes read from memory: `words` times the width of the bus.",
    "bursts": "Read bursts asked for.",
    "values": "Values put out, also those of tensors that ended badly.",
    "tensors": "Tensors that ended well.",
}
"""Counters of 48 bits; registers count_<name>_low and count_<name>_high show them."""

FIRST_COUNTER = 0x80


def _counters() -> tuple[Register, ...]:
    found = []
    for number, (name, meaning) in enumerate(COUNTERS.items()):
        at = FIRST_COUNTER + 2 * REGISTER_BYTES * number
        low = Field("count", REGISTER_BITS, "Bits 31..0 as of the last snapshot.")
        high = Field("count", REGISTER_BITS, "Bits 63..32 as of the last snapshot.")
        found.append(_register(f"count_{name}_low", at, Access.RO, meaning, low))
        found.append(
            _register(
                f"count_{name}_high",
                at + REGISTER_BYTES,
                Access.RO,
                f"Upper half of COUNT_{name.upper()}_LOW.",
                high,
            )
        )
    return tuple(found)


REGISTERS = (
    _register(
        "id", 0x00, Access.RO, "Tells that the block is this decoder.",
        Field("id", 32, 'The letters "ATLD", the first in the lowest byte.'), built=True,
    ),
    _register(
        "version", 0x04, Access.RO, "Versions of this map and of the streams that are decoded.",
        Field("minor", 8, "Goes up when something is added to the map."),
        Field("major", 8, "Goes up when a driver has to change."),
        Field("format", 8, "Version of the stream format."), built=True,
    ),
    _register(
        "decoder", 0x08, Access.RO, "Which streams the decoder takes.",
        Field("lanes", 7, "Most lanes of an Atalanta stream, 1..64."),
        Field("ways", 4, "Ways of an Atalanta stream, 2..8."),
        Field("rows", 6, "Most rows of its table: 8, 16 or 32."),
        Field("value_bits", 5, "Bits of a value on the output: 4, 8 or 16."),
        Field("beat_bytes", 7, "Bytes of a beat: 16, 32 or 64."),
        Field("atalanta", 1, "Atalanta streams are decoded."),
        Field("shapeshifter", 1, "ShapeShifter streams are decoded."),
        Field("raw", 1, "Raw streams are decoded."), built=True,
    ),
    _register(
        "memory", 0x0C, Access.RO, "How the decoder reads.",
        Field("axi_bits", 10, "Width of the memory's data bus: 64, 128, 256 or 512."),
        Field("burst_beats", 9, "Longest burst, in bus words, 1..256."),
        Field("address_bits", 7, "Width of an address, 16..64."),
        Field("queue", 6, "Descriptors that the queue holds, 1..32."), built=True,
    ),
    _register(
        "buffers", 0x10, Access.RO, "How much the decoder holds.",
        Field("outstanding", 7, "Most bursts asked for and not yet answered, 1..64."),
        Field("prefetch", 13, "Bus words between memory and decoder, at least one burst."),
        Field("lane_depth", 4, "Most beats that a stream may count on in a lane, 2..8."),
        Field("lane_fifo", 5, "Beats that a lane holds, 2..16."), built=True,
    ),
    _register(
        "control", 0x20, Access.W1P,
        "Commands. A write acts on the state before it; several bits may be written at once.",
        Field("push", 1, "Put SOURCE and LENGTH into the queue. Ignored, and PENDING.dropped set, if "
              "there is no space or the decoder has stopped."),
        Field("abort", 1, "Stop as after an error, with code ABORTED; nothing happens if idle."),
        Field("clear", 1, "Forget the error, as soon as the decoder has halted."),
        Field("clear_counters", 1, "Set all counters to 0; those read change with the next snapshot."),
        Field("snapshot", 1, "Copy all counters, in one cycle, to where they are read."),
    ),
    _register(
        "status", 0x24, Access.RO, "What the decoder does.",
        Field("done", 16, "Tensors that ended well since reset; wraps. Descriptors end in order, so "
              "with this count a driver knows which."),
        Field("space", 8, "Descriptors that can be pushed; 0 from an error until it is cleared."),
        Field("code", 4, "The error, until it is cleared; 0: none. See Errors."),
        Field("busy", 1, "A descriptor waits or is at work, or the decoder is stopping."),
        Field("halted", 1, "The decoder has stopped after an error and the bus is idle."),
    ),
    _register(
        "source_low", 0x28, Access.RW, "Byte address of the next descriptor's stream; any alignment.",
        Field("address", 32, "Bits 31..0."),
    ),
    _register(
        "source_high", 0x2C, Access.RW, "Byte address of the next descriptor's stream.",
        Field("address", 32, "Bits 63..32; those beyond MEMORY.address_bits are not looked at."),
    ),
    _register(
        "length", 0x30, Access.RW,
        "Bytes of the next descriptor's stream.",
        Field("length", 32, "Fewer than the stream has end in the error TRUNCATED, more in LENGTH."),
    ),
    _register("pending", 0x34, Access.W1C, "What has happened since it was last cleared.", *INTERRUPTS),
    _register("enable", 0x38, Access.RW, "The irq line is high while an enabled bit is pending.",
              *INTERRUPTS),
    *_counters(),
)  # fmt: skip
"""All registers, by offset. What is not listed is answered with SLVERR."""

BY_NAME = {r.name: r for r in REGISTERS}


def built(p: DecoderParams) -> dict[str, dict[str, int]]:
    """The fields of all registers that say how a decoder was built, by register and field."""
    known = {"id": ID, "major": MAJOR, "minor": MINOR, "format": FORMAT_VERSION}
    return {
        r.name: {f.name: known[f.name] if f.name in known else int(getattr(p, f.name)) for f in r.fields}
        for r in REGISTERS
        if r.built
    }


UNSEEN = ("search", "precision")
"""Parameters of a decoder that no register tells: they change neither streams nor cycles, or are for
proofs only."""


def params_of(values: Mapping[str, Mapping[str, int]]) -> DecoderParams:
    """The parameters from which a decoder was built, from what `built` gives; defaults for UNSEEN."""
    found = {name: value for register in values.values() for name, value in register.items()}
    chosen: dict[str, Any] = {
        f.name: bool(found[f.name]) if f.type is bool else found[f.name]
        for f in fields(DecoderParams)
        if f.name not in UNSEEN
    }
    return DecoderParams(**chosen)

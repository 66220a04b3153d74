"""One decoder: the frozen parameters from which `hw` builds it and `sim` models it, and its timing."""

from dataclasses import dataclass, field

from atalanta.golden.errors import require
from atalanta.golden.params import (
    BEAT_BYTES,
    LANE_DEPTH,
    LANES,
    WAYS,
    Precision,
    ShapeShifterParams,
    check_choice,
)
from atalanta.golden.table import PUBLISHED

AXI_BITS = (64, 128, 256, 512)
VALUE_BITS = (4, 8, 16)
ROWS = (8, 16, 32)
SEARCHES = ("parallel", "binary")
GROUP_VALUES = ShapeShifterParams().group
"""Values of the group that the ShapeShifter and raw unpacker puts out per cycle."""

LEAD = ShapeShifterParams().lead
"""Groups by which headers lead in the ShapeShifter streams that the hardware takes."""

UNPACKER_STAGES = 4
"""Slots that the unpacker runs besides those of the stream: one before, to learn what the first one
takes, and three behind, for the values on their way to the output."""


@dataclass(frozen=True, kw_only=True)
class DecoderParams:
    """A decoder as it is built.

    lanes: most lanes; streams with fewer are decoded too.
    ways: ways of the streams it takes and depth of its pipeline.
    rows: most rows of a table.
    value_bits: bits of an output value; streams of narrower values are extended.
    beat_bytes: bytes of a beat, in streams and inside.
    lane_depth: most beats that a stream may count on in a lane.
    lane_fifo: beats a lane really holds; more than lane_depth lets the next segment come in early.
    axi_bits: width of the memory's data bus.
    burst_beats: longest AXI burst, in bus words, 1..256 and at most 4 KiB.
    outstanding: most bursts asked for and not yet answered.
    prefetch: bus words that fit between memory and decoder; at least one burst.
    queue: descriptors that may wait behind the registers, besides those the core has taken; device only.
    atalanta, shapeshifter, raw: codecs built in.
    search: how a lane finds the row of a code. parallel: the shares of all rows at once, a multiplier
        each, the shortest path. binary: half the rows a level, a multiplier each, the smallest area. Both
        take the same cycles.
    """

    lanes: int = 16
    ways: int = 4
    rows: int = 16
    value_bits: int = 8
    beat_bytes: int = 16
    lane_depth: int = 2
    lane_fifo: int = 2
    axi_bits: int = 128
    burst_beats: int = 16
    outstanding: int = 8
    prefetch: int = 64
    address_bits: int = 40
    queue: int = 8
    atalanta: bool = True
    shapeshifter: bool = True
    raw: bool = True
    search: str = "parallel"
    precision: Precision = field(default=PUBLISHED)

    def __post_init__(self) -> None:
        check_choice("lanes", self.lanes, LANES)
        check_choice("ways", self.ways, WAYS)
        check_choice("rows", self.rows, ROWS)
        check_choice("value_bits", self.value_bits, VALUE_BITS)
        check_choice("beat_bytes", self.beat_bytes, BEAT_BYTES)
        check_choice("lane_depth", self.lane_depth, LANE_DEPTH)
        check_choice("lane_fifo", self.lane_fifo, range(self.lane_depth, 17))
        check_choice("axi_bits", self.axi_bits, AXI_BITS)
        check_choice("burst_beats", self.burst_beats, range(1, min(256, 4096 // self.axi_bytes) + 1))
        check_choice("outstanding", self.outstanding, range(1, 65))
        check_choice("prefetch", self.prefetch, range(self.burst_beats, 4097))
        check_choice("address_bits", self.address_bits, range(16, 65))
        check_choice("queue", self.queue, range(1, 33))
        require(self.search in SEARCHES, "search", f"one of {', '.join(SEARCHES)}", self.search)
        some = self.atalanta or self.shapeshifter or self.raw
        require(some, "codecs", "at least one of atalanta, shapeshifter, raw", "none")

    @property
    def axi_bytes(self) -> int:
        """Bytes of a bus word."""
        return self.axi_bits // 8

    @property
    def out_values(self) -> int:
        """Values of an output word."""
        groups = self.shapeshifter or self.raw
        return max(self.lanes if self.atalanta else 0, GROUP_VALUES if groups else 0)


CAUSES = ("slot", "output", "memory", "router", "setup", "drain")
"""What a cycle of a busy decoder goes to; the first that applies counts, so they sum to all cycles.

slot: lanes or unpacker moved on by a slot.
output: they could have, but the receiver of the values was not ready.
memory: somebody waited for bytes that had not come from memory.
router: they waited for bytes on their way inside the decoder.
setup: a header was being read, or a segment was about to start.
drain: everything was decoded, the last values were leaving.
"""

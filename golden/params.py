"""Parameters of streams: one frozen, checked object makes the software codec and the hardware."""

from dataclasses import dataclass

from atalanta.golden.errors import require

MIN_BITS, MAX_BITS = 2, 16
LANES = (1, 2, 4, 8, 16, 32, 64)
WAYS = range(2, 9)
BEAT_BYTES = (16, 32, 64)
LANE_DEPTH = range(2, 9)
MAX_ROWS = 32
GROUP = range(8, 257)
LEAD = range(1, 8)
RUN_BITS = range(1, 9)
BLOCK = (4, 8, 16, 32)
MAX_SEGMENT_VALUES = 1 << 24


def _listed(legal: range | tuple[int, ...]) -> str:
    if isinstance(legal, range):
        return f"from {legal.start} to {legal.stop - 1}"
    return "one of " + ", ".join(map(str, legal))


def check_choice(name: str, value: object, legal: range | tuple[int, ...]) -> None:
    """Raise `ParameterError` unless `value` is an integer among the legal ones."""
    ok = isinstance(value, int) and not isinstance(value, bool) and value in legal
    if not ok:  # words cost more than the check
        require(ok, name, _listed(legal), value)


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Widths of the arithmetic coder's window and of a row's probability count, in bits.

    Streams use 16 and 10, as published. Smaller ones exist so that a proof can visit every state.
    """

    code: int = 16
    count: int = 10

    def __post_init__(self) -> None:
        check_choice("precision.count", self.count, range(2, 11))
        check_choice("precision.code", self.code, range(self.count + 3, 17))

    @property
    def total(self) -> int:
        """Sum of all counts of a table."""
        return 1 << self.count


@dataclass(frozen=True, kw_only=True)
class AtalantaParams:
    """How an Atalanta segment is laid out.

    bits: width of a value, 2..16.
    lanes: values decoded per cycle; value i belongs to lane i mod lanes.
    ways: independent coder states a lane visits in turn; the depth of the decoder's pipeline.
    beat_bytes: bytes of one beat, the unit in which lanes are served.
    lane_depth: beats a lane can hold; it asks for one whenever one of these places becomes free.
    rows: rows of the probability table, at most.
    """

    bits: int = 8
    lanes: int = 16
    ways: int = 4
    beat_bytes: int = 16
    lane_depth: int = 2
    rows: int = 16

    def __post_init__(self) -> None:
        check_choice("bits", self.bits, range(MIN_BITS, MAX_BITS + 1))
        check_choice("lanes", self.lanes, LANES)
        check_choice("ways", self.ways, WAYS)
        check_choice("beat_bytes", self.beat_bytes, BEAT_BYTES)
        check_choice("lane_depth", self.lane_depth, LANE_DEPTH)
        check_choice("rows", self.rows, range(1, MAX_ROWS + 1))


@dataclass(frozen=True, kw_only=True)
class ShapeShifterParams:
    """How a ShapeShifter segment is laid out.

    bits: width of a value, 2..16.
    group: values that share one width, 8..256.
    mask: store one bit a value that says whether it is zero, and no zeros.
    zero_width: the width field runs 0..bits (a group of zeros costs no value bits); without it the
        field runs 1..bits and is often a bit shorter.
    lead: a group's width and mask stand this many groups ahead of its values, so that a decoder
        knows how many bits to take before it takes them.
    """

    bits: int = 8
    group: int = 16
    mask: bool = True
    zero_width: bool = False
    lead: int = 4

    def __post_init__(self) -> None:
        check_choice("bits", self.bits, range(MIN_BITS, MAX_BITS + 1))
        check_choice("group", self.group, GROUP)
        check_choice("lead", self.lead, LEAD)

    @property
    def width_bits(self) -> int:
        """Bits of a group's width field."""
        return self.bits.bit_length() if self.zero_width else (self.bits - 1).bit_length()


@dataclass(frozen=True, kw_only=True)
class RawParams:
    """How a raw segment is laid out: values of `bits` bits, one after the other."""

    bits: int = 8

    def __post_init__(self) -> None:
        check_choice("bits", self.bits, range(MIN_BITS, MAX_BITS + 1))


@dataclass(frozen=True, kw_only=True)
class EbpcParams:
    """How an EBPC segment is laid out.

    bits: width of a value, 2..16.
    block: values that are turned into bit planes together.
    run_bits: bits of a run of zeros.
    zero: the code of the value that counts as zero.
    """

    bits: int = 8
    block: int = 8
    run_bits: int = 4
    zero: int = 0

    def __post_init__(self) -> None:
        check_choice("bits", self.bits, range(MIN_BITS, MAX_BITS + 1))
        check_choice("block", self.block, BLOCK)
        check_choice("run_bits", self.run_bits, RUN_BITS)
        check_choice("zero", self.zero, range(1 << self.bits))

    @property
    def position_bits(self) -> int:
        """Bits of a position in a plane."""
        return (self.block - 1).bit_length()

    @property
    def plane_run_bits(self) -> int:
        """Bits of the number of planes without ones."""
        return (self.bits - 1).bit_length()

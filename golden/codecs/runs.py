"""Run-length segments of the container: RLEZ counts zeros, RLE any equal values.

RLEZ, zero run-length: pairs of a run and a value; the run counts the zeros before the value. A longer run
than the field holds is cut, a zero standing as its value. So do EIE (Han et al., "EIE: Efficient Inference
Engine on Compressed Deep Neural Network", ISCA 2016, section III: 4 bits and a padding zero) and Eyeriss
(Chen et al., JSSC 52(1), 2017, section IV: "run-length compression", 5 bits). Their runs have a fixed
width; here it is whatever suits the segment best. What counts as zero is the value that occurs most, as
zero does in the papers' tensors and a zero point in tensors that have one.

RLE: pairs of a value and a run, which counts the values that follow and equal it.

A payload is its pairs, run first, one after the other.
"""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.codec import Body, Codec, Draft, header_check, register, sections_check
from atalanta.golden.engine import AUTO
from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.fields import pack_fields, unpack_fields
from atalanta.golden.format import RESERVED, Field, Record
from atalanta.golden.header import Header
from atalanta.golden.params import RUN_BITS, check_choice
from atalanta.golden.values import Codes, Mapping, code_dtype

Int = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """The runs and values of a segment, shapes (pairs,)."""

    runs: Int
    values: Int


@dataclass(frozen=True)
class Layout:
    """What the header of a run-length segment says."""

    bits: int
    run_bits: int
    zero: int


def most_frequent(codes: Codes, bits: int) -> int:
    """The code that occurs most, the lowest of them; 0 if there are none."""
    return int(np.bincount(codes, minlength=1 << bits).argmax())


class _RunLength(Codec):
    """What both have in common. run_bits: bits of a run, 1..8; None takes the best for each segment."""

    mapping = Mapping.TWOS_COMPLEMENT

    def __init__(self, *, run_bits: int | None = None) -> None:
        if run_bits is not None:
            check_choice("run_bits", run_bits, RUN_BITS)
        self._run_bits = RUN_BITS if run_bits is None else (run_bits,)

    @abstractmethod
    def _zero(self, codes: Codes, bits: int) -> int:
        """The code whose runs count, where only one's do."""

    @classmethod
    @abstractmethod
    def _sizes(cls, codes: Codes, zero: int, run_bits: range | tuple[int, ...]) -> list[int]:
        """Pairs that the codes take with each width of runs."""

    @classmethod
    @abstractmethod
    def _pairs(cls, codes: Codes, layout: Layout) -> Pairs:
        """The pairs of the codes."""

    @classmethod
    @abstractmethod
    def _codes(cls, pairs: Pairs, count: int, layout: Layout) -> Codes:
        """The codes of the pairs, whose runs and one value each make `count`."""

    def encode(self, codes: Codes, bits: int) -> Body:
        return self.draft(codes, bits).body()

    def draft(self, codes: Codes, bits: int, *, schedule: bool = False) -> Draft:
        zero = self._zero(codes, bits)
        sizes = self._sizes(codes, zero, self._run_bits)
        total, run_bits = min(
            (pairs * (width + bits), width) for pairs, width in zip(sizes, self._run_bits, strict=True)
        )

        def body() -> Body:
            pairs = self._pairs(codes, Layout(bits, run_bits, zero))
            payload = pack_fields(pairs.runs | pairs.values << run_bits, run_bits + bits)
            parts = _parts(len(pairs.runs), run_bits, bits, payload)
            params = {"run_bits": run_bits, "zero": zero}
            return Body({n: params[n] for n in params if n in self.record.offsets}, payload, parts=parts)

        return Draft(-(-total // 8), body)

    @classmethod
    def layout(cls, header: Header) -> Layout:
        params = cls.parse_params(header)
        run_bits = params["run_bits"]
        header_check(run_bits in RUN_BITS, ErrorCode.HEADER, f"run_bits {run_bits}", header)
        zero = params.get("zero", 0)
        header_check(zero < 1 << header.bits, ErrorCode.HEADER, f"zero {zero}", header)
        sections_check(0, header)
        header_check(header.lane_bytes == 0, ErrorCode.LENGTH, "lane_bytes without lanes", header)
        return Layout(header.bits, run_bits, zero)

    @classmethod
    def section_bytes(cls, layout: Layout) -> int:
        return 0

    @classmethod
    def decode(cls, layout: Layout, payload: bytes, count: int, *, engine: str = AUTO) -> Codes:
        width = layout.run_bits + layout.bits
        fields = unpack_fields(payload, 8 * len(payload) // width, width).astype(np.int64)
        runs = fields & (1 << layout.run_bits) - 1
        ends = np.cumsum(runs + 1)
        pairs = int(np.searchsorted(ends, count, side="left")) + 1 if count else 0  # the rest is padding
        if -(-pairs * width // 8) != len(payload):
            raise StreamError(
                ErrorCode.LANE, f"{len(payload)} bytes, of which {pairs * width} bits were used"
            )
        if pairs and ends[pairs - 1] != count:
            raise StreamError(ErrorCode.VALUE, f"runs lead to value {ends[pairs - 1]} of {count}")
        return cls._codes(Pairs(runs[:pairs], fields[:pairs] >> layout.run_bits), count, layout)

    @classmethod
    def parts(cls, layout: Layout, codes: Codes, payload: bytes) -> dict[str, int]:
        pairs = cls._sizes(codes, layout.zero, (layout.run_bits,))[0]
        return _parts(pairs, layout.run_bits, layout.bits, payload)


def _parts(pairs: int, run_bits: int, bits: int, payload: bytes) -> dict[str, int]:
    padding = 8 * len(payload) - pairs * (run_bits + bits)
    return {"run": pairs * run_bits, "value": pairs * bits, "padding": padding}


def _gaps(codes: Codes, zero: int) -> tuple[Int, int]:
    """How many zeros stand before each value that is none, and behind the last of them."""
    places = np.concatenate([[-1], np.flatnonzero(codes != zero)])
    return np.diff(places) - 1, len(codes) - 1 - int(places[-1])


@register
class Rlez(_RunLength):
    """Zero run-length: pairs of a number of zeros and the value behind them.

    zero: the value's code that counts as zero; None takes the one that occurs most.
    """

    name = "rlez"
    id = 18
    record = Record(
        "RLEZ parameters",
        (
            Field("run_bits", 4, "Bits of a run: 1..8."),
            Field("zero", 16, "Code of the value whose runs are counted."),
            Field("reserved", 12, RESERVED),
        ),
    )

    def __init__(self, *, run_bits: int | None = None, zero: int | None = None) -> None:
        super().__init__(run_bits=run_bits)
        if zero is not None:
            check_choice("zero", zero, range(1 << 16))
        self._asked_zero = zero

    def _zero(self, codes: Codes, bits: int) -> int:
        if self._asked_zero is None:
            return most_frequent(codes, bits)
        check_choice("zero", self._asked_zero, range(1 << bits))
        return self._asked_zero

    @classmethod
    def _sizes(cls, codes: Codes, zero: int, run_bits: range | tuple[int, ...]) -> list[int]:
        gaps, behind = _gaps(codes, zero)
        often = np.bincount(gaps)
        lengths = np.arange(len(often))
        return [int(often @ ((lengths >> k) + 1)) - (-behind >> k) for k in run_bits]

    @classmethod
    def _pairs(cls, codes: Codes, layout: Layout) -> Pairs:
        gaps, behind = _gaps(codes, layout.zero)
        most = (1 << layout.run_bits) - 1
        last = np.cumsum((gaps >> layout.run_bits) + 1) - 1  # the pair that holds each value
        held = int(last[-1]) + 1 if len(last) else 0
        size = held - (-behind >> layout.run_bits)
        runs = np.full(size, most, np.int64)
        values = np.full(size, layout.zero, np.int64)
        runs[last] = gaps & most
        values[last] = codes[codes != layout.zero]
        if behind:
            runs[-1] = behind - 1 & most
        return Pairs(runs, values)

    @classmethod
    def _codes(cls, pairs: Pairs, count: int, layout: Layout) -> Codes:
        codes = np.full(count, layout.zero, code_dtype(layout.bits > 8))
        codes[np.cumsum(pairs.runs + 1) - 1] = pairs.values
        return codes


@register
class Rle(_RunLength):
    """Run-length: pairs of a value and the number of equal ones that follow it."""

    name = "rle"
    id = 17
    record = Record(
        "RLE parameters",
        (Field("run_bits", 4, "Bits of a run: 1..8."), Field("reserved", 28, RESERVED)),
    )

    def _zero(self, codes: Codes, bits: int) -> int:
        return 0

    @classmethod
    def _sizes(cls, codes: Codes, zero: int, run_bits: range | tuple[int, ...]) -> list[int]:
        lengths, often = np.unique(_equal(codes), return_counts=True)
        return [int(often @ -(-lengths >> k)) for k in run_bits]

    @classmethod
    def _pairs(cls, codes: Codes, layout: Layout) -> Pairs:
        lengths = _equal(codes)
        pairs = -(-lengths >> layout.run_bits)
        most = (1 << layout.run_bits) - 1
        runs = np.full(int(pairs.sum()), most, np.int64)
        runs[np.cumsum(pairs) - 1] = lengths - 1 & most
        values = np.repeat(codes[np.cumsum(lengths) - 1].astype(np.int64), pairs)
        return Pairs(runs, values)

    @classmethod
    def _codes(cls, pairs: Pairs, count: int, layout: Layout) -> Codes:
        return np.repeat(pairs.values.astype(code_dtype(layout.bits > 8)), pairs.runs + 1)


def _equal(codes: Codes) -> Int:
    """The lengths of runs of equal codes."""
    changes = np.flatnonzero(codes[1:] != codes[:-1]) + 1
    return np.diff(np.concatenate([[0], changes, [len(codes)]])) if len(codes) else np.zeros(0, np.int64)

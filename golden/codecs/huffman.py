"""Huffman segments of the container: table and codes in the payload."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atalanta.golden import native, native_others
from atalanta.golden.bits import BitReader, BitWriter
from atalanta.golden.codec import Body, Codec, Draft, header_check, register, sections_check
from atalanta.golden.engine import AUTO, use_native
from atalanta.golden.errors import ErrorCode, require
from atalanta.golden.format import RESERVED, Field, Record
from atalanta.golden.header import Header
from atalanta.golden.reference import huffman as reference
from atalanta.golden.reference.huffman import MAX_LENGTH, Lengths, canonical, check_used, code_lengths
from atalanta.golden.values import Codes, Mapping

_UNSEEN_WEIGHT = 1 << 16
"""A value seen once weighs so much more than one never seen, which gets a code all the same."""


def profiled_lengths(histogram: NDArray[np.integer]) -> Lengths:
    """Code lengths for data like that of the histogram, with a code for every value."""
    return code_lengths(np.asarray(histogram, np.int64) * _UNSEEN_WEIGHT + 1)


@register
class Huffman(Codec):
    """Canonical Huffman codes of at most 16 bits, one table for each segment.

    lengths: code with these code lengths, shape (2^bits,), instead of the segment's own best ones.
    """

    name = "huffman"
    id = 16
    mapping = Mapping.OFFSET_BINARY  # neighbours in the table are neighbours in value
    record = Record("Huffman parameters", (Field("reserved", 32, RESERVED),))

    def __init__(self, *, lengths: Sequence[int] | Lengths | None = None, engine: str = AUTO) -> None:
        self._lengths = None if lengths is None else np.asarray(lengths, np.uint8)
        if self._lengths is not None:
            used = self._lengths[self._lengths > 0].astype(np.int64)
            whole = len(used) > 1 and used.max() <= MAX_LENGTH
            whole = whole and (1 << MAX_LENGTH - used).sum() == 1 << MAX_LENGTH
            require(whole, "lengths", f"those of a complete code of at most {MAX_LENGTH} bits", lengths)
        self._native = use_native(engine)

    def encode(self, codes: Codes, bits: int) -> Body:
        return self.draft(codes, bits).body()

    def draft(self, codes: Codes, bits: int, *, schedule: bool = False) -> Draft:
        if not len(codes):
            return Draft(0, lambda: Body({}, b"", parts=_parts(0, 0, 0)))
        found = native.histogram(codes, bits) if self._native else np.bincount(codes, minlength=1 << bits)
        lengths = code_lengths(found) if self._lengths is None else self._lengths
        require(len(lengths) == 1 << bits, "lengths", f"{1 << bits} numbers", len(lengths))
        missing = np.flatnonzero((found > 0) & (lengths == 0))
        require(not len(missing), "lengths", "above 0 for every value that occurs", missing[:3].tolist())
        table = BitWriter()
        reference.write_table(table, lengths, bits)
        used = _code_bits(found, lengths)
        nbytes = len(table.data) + -(-used // 8)

        def body() -> Body:
            if not self._native:
                payload = reference.encode(codes, lengths, bits)
            elif used:
                by_code = _encoder(lengths, codes.itemsize)
                payload = table.data + native_others.huffman_encode(codes, by_code, nbytes - len(table.data))
            else:
                payload = table.data
            return Body({}, payload, parts=_parts(table.length, used, nbytes))

        return Draft(nbytes, body)

    @classmethod
    def profiled(cls, histogram: NDArray[np.int64], bits: int) -> dict[str, Any]:
        return {"lengths": profiled_lengths(histogram)}

    @classmethod
    def layout(cls, header: Header) -> int:
        cls.parse_params(header)
        sections_check(0, header)
        header_check(header.lane_bytes == 0, ErrorCode.LENGTH, "lane_bytes without lanes", header)
        return header.bits

    @classmethod
    def section_bytes(cls, layout: int) -> int:
        return 0

    @classmethod
    def decode(cls, layout: int, payload: bytes, count: int, *, engine: str = AUTO) -> Codes:
        if not count or not use_native(engine):
            return reference.decode(payload, count, layout)
        table = BitReader(payload)
        lengths = reference.read_table(table, layout)
        if np.count_nonzero(lengths) == 1:
            return reference.decode(payload, count, layout)
        start = table.position // 8
        codes, used = native_others.huffman_decode(payload[start:], count, layout, _decoder(lengths))
        check_used(payload, 8 * start + used)
        return codes

    @classmethod
    def parts(cls, layout: int, codes: Codes, payload: bytes) -> dict[str, int]:
        if not len(codes):
            return _parts(0, 0, 0)
        table = BitReader(payload)
        lengths = reference.read_table(table, layout)
        used = _code_bits(np.bincount(codes, minlength=1 << layout), lengths)
        return _parts(table.position, used, len(payload))


def _code_bits(found: NDArray[np.int64], lengths: Lengths) -> int:
    """Bits of all codes; where all values are equal there are none."""
    return int(found @ lengths.astype(np.int64)) if np.count_nonzero(lengths) > 1 else 0


def _parts(table: int, code: int, nbytes: int) -> dict[str, int]:
    return {"table": table, "code": code, "padding": 8 * nbytes - table - code}


@cache
def _reversed() -> NDArray[np.int64]:
    """Every number of MAX_LENGTH bits with its bits in reverse order."""
    numbers = np.arange(1 << MAX_LENGTH)
    return np.asarray(sum((numbers >> i & 1) << MAX_LENGTH - 1 - i for i in range(MAX_LENGTH)), np.int64)


def _encoder(lengths: Lengths, code_bytes: int) -> NDArray[np.uint32]:
    """The table of native_others.huffman_encode."""
    symbols, starts = canonical(lengths)
    table = np.zeros(1 << 8 * code_bytes, np.uint32)
    table[symbols] = _reversed()[starts] | lengths[symbols].astype(np.int64) << 16
    return table


def _decoder(lengths: Lengths) -> NDArray[np.uint32]:
    """The table of native_others.huffman_decode, as wide as the longest code."""
    symbols, _ = canonical(lengths)
    window = int(lengths.max())
    entries = (symbols | lengths[symbols].astype(np.int64) << 16).astype(np.uint32)
    by_code = np.repeat(entries, 1 << window - lengths[symbols].astype(np.int64))
    by_string: NDArray[np.uint32] = by_code[_reversed()[: 1 << window] >> MAX_LENGTH - window]
    return by_string

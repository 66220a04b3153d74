"""Canonical Huffman codes of at most 16 bits, with their table: the definition.

Code lengths are optimal under the limit: package-merge, Larmore and Hirschberg, "A fast algorithm for
optimal length-limited Huffman codes", JACM 37(3), 1990. Codes follow from the lengths: shorter ones
first, equally long ones by symbol, counting up (Schwartz and Kallick, CACM 7(3), 1964). A code's first
bit is its most significant.

A payload is the table, up to a whole byte, then the codes. Without values it is empty; where all values
are equal the table says everything and there are no codes. The table holds the first and the last symbol
that has a code, and a step from one symbol's length to the next's for all between them:

    0              as long as the length before, the first one as long as a value
    10             one bit longer
    110            one bit shorter
    1110 run       no code for `run` symbols (Elias gamma)
    1111 length-1  any length, in 4 bits
"""

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.bits import BitReader, BitWriter
from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.values import Codes, code_dtype

MAX_LENGTH = 16
"""Longest code, in bits."""

_SAME, _LONGER, _SHORTER, _NONE, _ANY = range(5)

Lengths = NDArray[np.uint8]
"""Bits of each symbol's code, 0 for none; shape (2^bits,)."""


def code_lengths(histogram: NDArray[np.integer]) -> Lengths:
    """The lengths that take the fewest bits for values that occur so often; a lone symbol gets 1.

    histogram: how often each symbol occurs, shape (2^bits,), bits up to MAX_LENGTH.
    """
    lengths = np.zeros(len(histogram), np.uint8)
    seen = np.flatnonzero(histogram)
    if len(seen) < 2:
        lengths[seen] = 1
        return lengths
    order = seen[np.argsort(histogram[seen], kind="stable")]
    leaves = np.asarray(histogram, np.int64)[order]
    # A symbol is a coin in each of MAX_LENGTH levels, and pairs of coins are packed into coins of the
    # next level; a symbol's code is as long as it has coins among the 2n - 2 cheapest of the last.
    items = leaves
    is_leaf = [np.ones(len(leaves), bool)]
    for _ in range(MAX_LENGTH - 1):
        whole = len(items) // 2 * 2
        merged = np.concatenate([leaves, items[0:whole:2] + items[1:whole:2]])
        cheapest = np.argsort(merged, kind="stable")
        items = merged[cheapest]
        is_leaf.append(cheapest < len(leaves))
    taken = 2 * len(leaves) - 2
    for level in reversed(is_leaf):
        coins = int(np.count_nonzero(level[:taken]))
        lengths[order[:coins]] += 1
        taken = 2 * (taken - coins)
    return lengths


def canonical(lengths: Lengths) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The symbols that have codes, in the order of their codes, and their codes moved up to 16 bits."""
    symbols = np.flatnonzero(lengths)
    symbols = symbols[np.argsort(lengths[symbols], kind="stable")]
    size = np.int64(1) << MAX_LENGTH - lengths[symbols].astype(np.int64)
    return symbols, np.cumsum(size) - size


def check_lengths(lengths: Lengths) -> None:
    """StreamError(TABLE) unless the codes use up all bit strings; a lone symbol needs no code."""
    used = lengths[lengths > 0].astype(np.int64)
    total = int((np.int64(1) << MAX_LENGTH - used).sum())
    if total != 1 << MAX_LENGTH and len(used) != 1:
        raise StreamError(ErrorCode.TABLE, f"Huffman codes take {total} of {1 << MAX_LENGTH} bit strings")


def write_table(out: BitWriter, lengths: Lengths, bits: int) -> None:
    """Append the table and zeros up to a whole byte."""
    seen = np.flatnonzero(lengths)
    first, last = int(seen[0]), int(seen[-1])
    out.put("first", first, bits)
    out.put("last", last, bits)
    table = lengths.tolist()
    before, at = bits, first
    while at <= last:
        length = table[at]
        step = {before: _SAME, before + 1: _LONGER, before - 1: _SHORTER}.get(length, _ANY)
        if length == 0:
            end = int(seen[bisect_right(seen, at)])
            _put_step(out, _NONE)
            _put_gamma(out, end - at)
            at = end
            continue
        _put_step(out, step)
        if step == _ANY:
            out.put("length", length - 1, 4)
        before = length
        at += 1
    out.put("padding", 0, -out.length % 8)


def _put_step(out: BitWriter, step: int) -> None:
    out.put("step", (1 << step) - 1, min(step + 1, _ANY))


def _put_gamma(out: BitWriter, number: int) -> None:
    low = number.bit_length() - 1
    out.put("zeros", 1 << low, low + 1)
    out.put("run", number - (1 << low), low)


def read_table(source: BitReader, bits: int) -> Lengths:
    """The lengths, shape (2^bits,). Raises StreamError(TABLE) or StreamError(TRUNCATED)."""
    first, last = source.get("first", bits), source.get("last", bits)
    lengths = np.zeros(1 << bits, np.uint8)
    before, at = bits, first
    while at <= last:
        step = 0
        while step < _ANY and source.get("step", 1):
            step += 1
        if step == _NONE:
            at += _get_gamma(source, bits)
            continue
        before += (step == _LONGER) - (step == _SHORTER)
        if step == _ANY:
            before = source.get("length", 4) + 1
        if not 1 <= before <= MAX_LENGTH:
            raise StreamError(ErrorCode.TABLE, f"Huffman code of {before} bits for symbol {at}")
        lengths[at] = before
        at += 1
    if not lengths[last]:
        raise StreamError(ErrorCode.TABLE, f"last symbol {last} has no Huffman code")
    check_lengths(lengths)
    source.get("padding", -source.position % 8)
    return lengths


def _get_gamma(source: BitReader, bits: int) -> int:
    low = 0
    while not source.get("zeros", 1):
        low += 1
        if low > bits:
            raise StreamError(ErrorCode.TABLE, "a run of symbols without Huffman codes is too long")
    return 1 << low | source.get("run", low)


def encode(codes: Codes, lengths: Lengths, bits: int) -> bytes:
    """The payload. codes: shape (count,), each with a length in `lengths`."""
    out = BitWriter()
    if len(codes):
        write_table(out, lengths, bits)
    if np.count_nonzero(lengths) > 1:
        symbols, starts = canonical(lengths)
        start = dict(zip(symbols.tolist(), starts.tolist(), strict=True))
        for symbol in codes.tolist():
            for bit in range(int(lengths[symbol])):
                out.put("code", start[symbol] >> MAX_LENGTH - 1 - bit & 1, 1)
    return out.data


def decode(payload: bytes, count: int, bits: int) -> Codes:
    """The codes, shape (count,).

    Raises StreamError: TABLE or TRUNCATED for the table, LANE if the payload's length is not that of its
    codes.
    """
    if not count:
        check_used(payload, 0)
        return np.zeros(0, code_dtype(bits > 8))
    table = BitReader(payload)
    lengths = read_table(table, bits)
    symbols, starts = canonical(lengths)
    known = {
        (int(lengths[symbol]), start >> MAX_LENGTH - int(lengths[symbol])): symbol
        for symbol, start in zip(symbols.tolist(), starts.tolist(), strict=True)
    }
    source = BitReader(payload, strict=False)
    source.position = table.position
    found = np.full(count, symbols[0], code_dtype(bits > 8))
    for i in range(count if len(symbols) > 1 else 0):
        length = code = 0
        while (length, code) not in known:
            length += 1
            code = code << 1 | source.get("code", 1)
        found[i] = known[length, code]
    check_used(payload, source.position)
    return found


def check_used(payload: bytes, used: int) -> None:
    """StreamError(LANE) unless `used` bits are what the payload holds."""
    if -(-used // 8) != len(payload):
        raise StreamError(ErrorCode.LANE, f"{len(payload)} bytes, of which {used} bits were used")

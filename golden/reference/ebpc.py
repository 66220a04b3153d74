"""Extended bit-plane compression in plain integers: the definition.

Cavigelli, Rutishauser and Benini, "EBPC: Extended Bit-Plane Compression for Deep Neural Network
Inference and Training Accelerators", IEEE JETCAS 9(4), 2019, arXiv 1908.11645; its bit-plane part is
from Kim, Sullivan, Choukse and Erez, "Bit-Plane Compression", ISCA 2016.

A payload is two strings of bits, one behind the other:

1. Where the zeros are. 1 for a value that is not zero; 0 and a field of `run_bits` bits for 1 to
   2^run_bits zeros in a row.
2. The values that are not zero, in blocks of `block`; the last block is filled up with its last value.
   A block is its first value in `bits` bits and the differences between neighbours, of bits + 1 bits,
   turned into bit planes: a plane holds one bit of each difference. From the most significant plane
   down, each is XORed with the one above it (the first one stays as it is) and coded, DBP being the
   plane itself and DBX what the XOR gives:

    01                 DBX is all zeros
    001 r              r + 2 such planes, r in ceil(log2(bits)) bits
    00000              DBX is all ones
    00001              DBP is all zeros, DBX is not
    00010 position     two ones in a row in DBX, position of the first in ceil(log2(block)) bits
    00011 position     a single one in DBX
    1 plane            any DBX, in block - 1 bits

"Zero" is the value whose code is `zero`: the papers' zero, or a zero point.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.bits import BitReader, BitWriter, Trace
from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.params import EbpcParams
from atalanta.golden.values import Codes, code_dtype

# Bits of the codes above in the order in which they are read, the first one lowest.
ONE_ZERO, ONE_ZERO_BITS = 0b10, 2
ZERO_RUN, ZERO_RUN_BITS = 0b100, 3
ALL_ONES, DBP_ZERO, TWO_ONES, SINGLE_ONE, RARE_BITS = 0b00000, 0b10000, 0b01000, 0b11000, 5


def _planes(values: list[int], p: EbpcParams) -> list[int]:
    """The planes of a block's differences, most significant first; difference i in bit i."""
    differences = [b - a for a, b in pairwise(values)]
    return [
        sum((d >> bit & 1) << i for i, d in enumerate(differences)) for bit in reversed(range(p.bits + 1))
    ]


def _put_zero_planes(out: BitWriter, run: int, p: EbpcParams) -> None:
    if run == 1:
        out.put("plane", ONE_ZERO, ONE_ZERO_BITS)
    elif run > 1:
        out.put("plane", ZERO_RUN, ZERO_RUN_BITS)
        out.put("plane", run - 2, p.plane_run_bits)


def _put_plane(out: BitWriter, dbx: int, dbp: int, p: EbpcParams) -> None:
    lowest = (dbx & -dbx).bit_length() - 1
    if dbx == (1 << p.block - 1) - 1:
        out.put("plane", ALL_ONES, RARE_BITS)
    elif dbp == 0:
        out.put("plane", DBP_ZERO, RARE_BITS)
    elif dbx in (1 << lowest, 3 << lowest):
        out.put("plane", SINGLE_ONE if dbx == 1 << lowest else TWO_ONES, RARE_BITS)
        out.put("plane", lowest, p.position_bits)
    else:
        out.put("plane", 1, 1)
        out.put("plane", dbx, p.block - 1)


def _put_block(out: BitWriter, values: list[int], p: EbpcParams) -> None:
    out.put("base", values[0], p.bits)
    above = run = 0
    for dbp in _planes(values, p):
        dbx = dbp ^ above
        above = dbp
        if dbx:
            _put_zero_planes(out, run, p)
            _put_plane(out, dbx, dbp, p)
            run = 0
        else:
            run += 1
    _put_zero_planes(out, run, p)


def runs_of_zeros(is_zero: NDArray[np.bool_], most: int) -> Iterator[int]:
    """The lengths of runs of zeros, none longer than `most`, and 0 for each value between them."""
    run = 0
    for zero in is_zero.tolist():
        run += zero
        if run == most or (run and not zero):
            yield run
            run = 0
        if not zero:
            yield 0
    if run:
        yield run


def encode(codes: Codes, p: EbpcParams, trace: Trace | None = None) -> bytes:
    """The payload. codes: shape (count,), below 2^bits."""
    out = BitWriter(trace)
    for run in runs_of_zeros(codes == p.zero, 1 << p.run_bits):
        out.put("zeros", int(run == 0), 1)
        if run:
            out.put("zeros", run - 1, p.run_bits)
    values = codes[codes != p.zero].tolist()
    for at in range(0, len(values), p.block):
        block = values[at : at + p.block]
        _put_block(out, block + block[-1:] * (p.block - len(block)), p)
    return out.data


def _get_zeros(source: BitReader, count: int, p: EbpcParams) -> list[bool]:
    """Which values are zero."""
    is_zero: list[bool] = []
    while len(is_zero) < count:
        if source.get("zeros", 1):
            is_zero.append(False)
        else:
            is_zero += [True] * (source.get("zeros", p.run_bits) + 1)
    if len(is_zero) > count:
        raise StreamError(ErrorCode.VALUE, f"zeros run to value {len(is_zero)} of {count}")
    return is_zero


def _get_rare(source: BitReader, above: int, p: EbpcParams) -> int:
    """A DBX plane behind 000."""
    code = source.get("plane", 2) << 3
    if code == ALL_ONES:
        return (1 << p.block - 1) - 1
    if code == DBP_ZERO:
        return above
    ones = 3 if code == TWO_ONES else 1
    dbx = ones << source.get("plane", p.position_bits)
    return dbx & (1 << p.block - 1) - 1


def _get_planes(source: BitReader, p: EbpcParams, block: int) -> list[int]:
    """The planes of a block's differences, most significant first."""
    planes: list[int] = []
    while len(planes) <= p.bits:
        above = planes[-1] if planes else 0
        if source.get("plane", 1):
            planes.append(above ^ source.get("plane", p.block - 1))
        elif source.get("plane", 1):
            planes.append(above)
        elif source.get("plane", 1):
            planes += [above] * (source.get("plane", p.plane_run_bits) + 2)
        else:
            planes.append(above ^ _get_rare(source, above, p))
    if len(planes) > p.bits + 1:
        raise StreamError(ErrorCode.VALUE, f"block {block} has {len(planes)} planes")
    return planes


def _get_block(source: BitReader, p: EbpcParams, block: int) -> list[int]:
    values = [source.get("base", p.bits)]
    planes = _get_planes(source, p, block)
    for i in range(p.block - 1):
        difference = sum((plane >> i & 1) << p.bits - k for k, plane in enumerate(planes))
        difference -= difference >> p.bits << p.bits + 1
        values.append(values[-1] + difference)
        if not 0 <= values[-1] < 1 << p.bits:
            raise StreamError(ErrorCode.VALUE, f"block {block} holds the value {values[-1]}")
    return values


def decode(payload: bytes, count: int, p: EbpcParams) -> Codes:
    """The codes, shape (count,).

    Raises StreamError: VALUE for runs, planes or values that lead too far, LANE if the payload's length
    is not that of its blocks.
    """
    source = BitReader(payload, strict=False)
    is_zero = np.array(_get_zeros(source, count, p), bool)
    left = count - int(np.count_nonzero(is_zero))
    values: list[int] = []
    for block in range(-(-left // p.block)):
        values += _get_block(source, p, block)
    if -(-source.position // 8) != len(payload):
        where = f"{len(payload)} bytes, of which {source.position} bits were used"
        raise StreamError(ErrorCode.LANE, where)
    found = np.full(count, p.zero, code_dtype(p.bits > 8))
    found[~is_zero] = values[:left]
    return found

"""The ShapeShifter codec in plain integers: per-group width, optional zero mask.

"ShapeShifter: Enabling Fine-Grain Data Width Adaptation in Deep Learning", MICRO 2019. A group's
header is its width field and, if used, its zero mask; then follow its values (only the non-zero ones
under a mask) at that width. Signed values come as sign-magnitude codes with the sign lowest.

So that a pipelined decoder knows a group's length before it reaches the group, headers run `lead`
groups ahead: in slot t stand the header of group t and the values of group t - lead.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.bits import BitReader, BitWriter, Trace
from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.params import ShapeShifterParams
from atalanta.golden.values import Codes


class ValueBits(NamedTuple):
    """Bits of all values of a segment, by how groups are stored.

    wide: at the group's width, at least 1. narrow: at the group's width. masked: non-zero values only.
    """

    wide: int
    narrow: int
    masked: int


@dataclass(frozen=True)
class _Group:
    """A group's header: the width of its values and which of them are stored."""

    width: int
    stored: list[bool]


def measure(codes: Codes, group: int) -> ValueBits:
    """The value bits of groups of `group` codes in all modes."""
    wide = narrow = masked = 0
    for at in range(0, len(codes), group):
        values = codes[at : at + group].tolist()
        width = max(values).bit_length()
        wide += len(values) * max(width, 1)
        narrow += len(values) * width
        masked += sum(value > 0 for value in values) * width
    return ValueBits(wide, narrow, masked)


def slots_of(count: int, p: ShapeShifterParams) -> int:
    """Slots that `count` values take."""
    groups = -(-count // p.group)
    return groups + p.lead if groups else 0


def _write_header(out: BitWriter, codes: list[int], p: ShapeShifterParams) -> None:
    width = max(codes).bit_length()
    out.put("width", width if p.zero_width else max(width, 1) - 1, p.width_bits)
    if p.mask:
        out.put("mask", sum((code != 0) << i for i, code in enumerate(codes)), len(codes))


def _read_header(source: BitReader, count: int, p: ShapeShifterParams) -> _Group:
    width = source.get("width", p.width_bits) + (not p.zero_width)
    mask = source.get("mask", count) if p.mask else (1 << count) - 1
    return _Group(width, [bool(mask >> i & 1) for i in range(count)])


def encode(codes: Codes, p: ShapeShifterParams, trace: Trace | None = None) -> bytes:
    """The payload. codes: shape (count,), below 2^bits."""
    groups = [codes[at : at + p.group].tolist() for at in range(0, len(codes), p.group)]
    out = BitWriter(trace)
    for t in range(slots_of(len(codes), p)):
        if t < len(groups):
            _write_header(out, groups[t], p)
        if t >= p.lead:
            group = groups[t - p.lead]
            width = max(group).bit_length() if p.zero_width else max(max(group).bit_length(), 1)
            for code in group:
                if code or not p.mask:
                    out.put("value", code, width)
    return out.data


def decode(
    payload: bytes, count: int, p: ShapeShifterParams, trace: Trace | None = None
) -> tuple[Codes, NDArray[np.int64]]:
    """The codes, shape (count,), and the bits taken in each slot, shape (slots,).

    Raises StreamError(VALUE) for a width beyond `bits`, StreamError(LANE) if the payload's length
    is not that of its groups.
    """
    source = BitReader(payload, strict=False, trace=trace)
    used = np.zeros(slots_of(count, p), np.int64)
    groups: list[_Group] = []
    codes: list[int] = []
    for t in range(len(used)):
        start = source.position
        if t * p.group < count:
            groups.append(_read_header(source, min(p.group, count - t * p.group), p))
            if groups[t].width > p.bits:
                raise StreamError(ErrorCode.VALUE, f"group {t} has width {groups[t].width}")
        if t >= p.lead:
            group = groups[t - p.lead]
            codes += [source.get("value", group.width) if s else 0 for s in group.stored]
        used[t] = source.position - start
    if (source.position + 7) // 8 != len(payload):
        where = f"{len(payload)} bytes, of which {source.position} bits were used"
        raise StreamError(ErrorCode.LANE, where)
    return np.array(codes, np.uint16), used

"""The Atalanta codec in plain integers: the definition that fast code and hardware must equal.

A value is its row, arithmetic-coded, and its offset within the row, verbatim. "Atalanta: A Bit is
Worth a 'Thousand' Tensor Values", ASPLOS 2024; "APack: Off-Chip, Lossless Data Compression for
Efficient Deep Learning Inference", arXiv 2201.08830.

Value i of a segment belongs to lane i mod L. A lane's value k is coded by way k mod W. The lane
runs through slots t = 0, 1, ...: in slot t < W, way t takes its initial code; in slot t >= W, value
k = t - W is finished, by way k mod W: if the way has another value to come, it takes the bits that
renormalisation shifted out (first, since the next value waits for them), then the value's offset bits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.bits import BitReader, BitWriter, Trace
from atalanta.golden.coder import WayDecoder, WayEncoder
from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.lanes import Router, Schedule, interleave, schedule
from atalanta.golden.params import AtalantaParams
from atalanta.golden.table import Table

Codes = NDArray[np.uint16]


@dataclass(frozen=True)
class Coded:
    """An encoded segment: payload, bytes of each lane, bits that carry values, and the order of beats."""

    payload: bytes
    lane_bytes: list[int]
    used_bits: int
    schedule: Schedule


def slots_of(count: int, p: AtalantaParams) -> int:
    """Slots that `count` values take."""
    return -(-count // p.lanes) + p.ways if count else 0


def encode_lane(values: list[int], table: Table, p: AtalantaParams) -> tuple[BitWriter, list[int]]:
    """One lane's bits, and the bits taken in each slot."""
    rows = [table.row_of(value) for value in values]
    ways = [WayEncoder(table.precision) for _ in range(p.ways)]
    for k, row in enumerate(rows):
        ways[k % p.ways].encode(table, row)
    codes = [iter(way.finish()) for way in ways[: len(rows)]]

    def take(way: int, width: int) -> int:
        return int("".join(str(next(codes[way])) for _ in range(width)) or "0", 2)

    lane = BitWriter()
    ends = []
    for way in range(p.ways if values else 0):
        if way < len(values):
            lane.put("code", take(way, table.precision.code), table.precision.code)
        ends.append(lane.length)
    for k, (value, row) in enumerate(zip(values, rows, strict=True)):
        way, step = k % p.ways, k // p.ways
        if k + p.ways < len(values):
            shift = ways[way].shifts[step]
            lane.put("refill", take(way, shift), shift)
        lane.put("offset", value - table.v_min[row], table.offset_bits[row])
        ends.append(lane.length)
    return lane, np.diff([0, *ends]).tolist()


def encode(values: Codes, table: Table, p: AtalantaParams) -> Coded:
    """The payload of a segment. values: unsigned codes, shape (count,)."""
    used = np.zeros((slots_of(len(values), p), p.lanes), np.int64)
    lanes = []
    for lane in range(p.lanes):
        bits, taken = encode_lane(values[lane :: p.lanes].tolist(), table, p)
        used[: len(taken), lane] = taken
        lanes.append(bits.data)
    order = schedule(used, p.beat_bytes, p.lane_depth)
    return Coded(interleave(lanes, order), [len(lane) for lane in lanes], int(used.sum()), order)


class _Lane:
    """One lane of the decoder."""

    def __init__(self, data: bytearray, values: int, table: Table, p: AtalantaParams, trace: Trace | None):
        self._reader = BitReader(data, strict=False, trace=trace)
        self._values = values
        self._table = table
        self._ways: list[WayDecoder] = []
        self._p = p

    def slot(self, t: int) -> int | None:
        """Run slot t; the value it finishes, if any. Raises StreamError(VALUE)."""
        code, ways = self._table.precision.code, self._p.ways
        if t < ways:
            if t < self._values:
                self._ways.append(WayDecoder(self._reader.get("code", code), self._table.precision))
            return None
        k = t - ways
        if k >= self._values:
            return None
        way = self._ways[k % ways]
        row, shift = way.decode(self._table)
        if k + ways < self._values:
            way.refill(shift, self._reader.get("refill", shift))
        value = self._table.v_min[row] + self._reader.get("offset", self._table.offset_bits[row])
        if value >= self._table.v_end(row):
            raise StreamError(ErrorCode.VALUE, f"value {value} in row {row} of slot {t}")
        return value

    @property
    def used(self) -> int:
        """Bits taken so far."""
        return self._reader.position


def decode(
    payload: bytes,
    lane_bytes: list[int],
    count: int,
    table: Table,
    p: AtalantaParams,
    trace: Trace | None = None,
) -> tuple[Codes, NDArray[np.int64]]:
    """The values, shape (count,), and the bits taken in each slot by each lane, (slots, lanes).

    Raises StreamError(VALUE) or, after the last slot, StreamError(LANE).
    """
    router = Router(payload, lane_bytes, p.beat_bytes, p.lane_depth)
    lanes = [_Lane(router.lanes[i], len(range(i, count, p.lanes)), table, p, trace) for i in range(p.lanes)]
    values: list[int] = []
    used = np.zeros((slots_of(count, p), p.lanes), np.int64)
    for t in range(len(used)):
        for i, lane in enumerate(lanes):
            before = lane.used
            value = lane.slot(t)
            used[t, i] = lane.used - before
            router.advance(i, lane.used - before)
            if value is not None:
                values.append(value)
    for i, lane in enumerate(lanes):
        if (lane.used + 7) // 8 != lane_bytes[i]:
            where = f"lane {i} of {lane_bytes[i]} bytes used {lane.used} bits"
            raise StreamError(ErrorCode.LANE, where)
    return np.array(values, np.uint16), used

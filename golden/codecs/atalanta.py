"""Atalanta segments of the container: table and lane lengths in the header, beats in the payload."""

from dataclasses import dataclass, replace

import numpy as np

from atalanta.golden.codec import Body, Codec, header_check, register
from atalanta.golden.errors import ErrorCode, ParameterError, StreamError
from atalanta.golden.format import (
    ATALANTA_PARAMS,
    BLOCK_BYTES,
    LANE_LENGTH,
    CodecId,
    padded,
    round_up,
    row_record,
)
from atalanta.golden.header import Header
from atalanta.golden.params import BEAT_BYTES, LANE_DEPTH, LANES, MAX_ROWS, WAYS, AtalantaParams
from atalanta.golden.reference import atalanta as reference
from atalanta.golden.search import FRACTION, log2_table, search
from atalanta.golden.table import Table
from atalanta.golden.values import Codes, Mapping

LANE_COST_BITS = 24
WAY_COST_BITS = 12
"""What one more lane costs on average (its length, its last byte), and each of its ways (code bits
that no value needs)."""

LANE_BUDGET = 200
"""A lane is added while all lanes' cost stays below 1/LANE_BUDGET of the payload."""


@dataclass(frozen=True)
class Layout:
    """What an Atalanta header says."""

    params: AtalantaParams
    table: Table
    lane_bytes: list[int]


def fit_lanes(payload_bits: int, p: AtalantaParams) -> int:
    """The most lanes, up to p.lanes, that cost little beside a payload of `payload_bits`."""
    cost = LANE_COST_BITS + p.ways * WAY_COST_BITS
    lanes = p.lanes
    while lanes > 1 and lanes * cost * LANE_BUDGET > payload_bits:
        lanes //= 2
    return lanes


@register
class Atalanta(Codec):
    """Arithmetic-coded rows and verbatim offsets over lanes, ways and beats.

    lanes: most lanes; a small tensor uses fewer unless `fit` is False.
    ways, beat_bytes, lane_depth, rows: as in `AtalantaParams`.
    table: code with this table instead of the tensor's own best one.
    """

    name = "atalanta"
    id = CodecId.ATALANTA
    mapping = Mapping.OFFSET_BINARY
    record = ATALANTA_PARAMS
    hardware = True

    def __init__(
        self,
        *,
        lanes: int = 16,
        ways: int = 4,
        beat_bytes: int = 16,
        lane_depth: int = 2,
        rows: int = 16,
        fit: bool = True,
        table: Table | None = None,
    ) -> None:
        self._params = AtalantaParams(
            lanes=lanes, ways=ways, beat_bytes=beat_bytes, lane_depth=lane_depth, rows=rows
        )
        self._fit = fit
        self._table = table

    def encode(self, codes: Codes, bits: int) -> Body:
        histogram = np.bincount(codes, minlength=1 << bits)
        table = self._table or search(histogram, rows=self._params.rows).table
        payload_bits = ideal_bits(histogram, table)
        p = replace(self._params, bits=bits, rows=table.rows)
        if self._fit:
            p = replace(p, lanes=fit_lanes(payload_bits, p))
        coded = reference.encode(codes, table, p)
        while max(coded.lane_bytes) - min(coded.lane_bytes) >> LANE_LENGTH.width:
            p = replace(p, lanes=p.lanes // 2)  # lanes too unequal for the header
            coded = reference.encode(codes, table, p)
        return Body(
            params={
                "lanes_log2": p.lanes.bit_length() - 1,
                "ways": p.ways,
                "beat_log2": p.beat_bytes.bit_length() - 1,
                "lane_depth": p.lane_depth,
                "rows": p.rows,
            },
            payload=coded.payload,
            sections=_pack_table(table) + _pack_lanes(coded.lane_bytes),
            lane_bytes=min(coded.lane_bytes),
            parts=_parts(coded, histogram, table, p),
            schedule=coded.schedule,
        )

    @classmethod
    def layout(cls, header: Header) -> Layout:
        params = cls.parse_params(header)
        p = _params(params, header)
        table_bytes, lanes_bytes = _section_bytes(p)
        need = table_bytes + lanes_bytes
        fits = len(header.sections) >= need if header.shape else len(header.sections) == need
        header_check(fits, ErrorCode.HEADER, f"{len(header.sections)} bytes of sections", header)
        table = _parse_table(header.sections[:table_bytes], p, header)
        lanes = _parse_lanes(header.sections[table_bytes:need], p, header)
        return Layout(p, table, lanes)

    @classmethod
    def section_bytes(cls, layout: Layout) -> int:
        return sum(_section_bytes(layout.params))

    @classmethod
    def decode(cls, layout: Layout, payload: bytes, count: int) -> Codes:
        return reference.decode(payload, layout.lane_bytes, count, layout.table, layout.params)[0]


def ideal_bits(histogram: np.ndarray, table: Table) -> int:
    """Bits that coding costs before padding and flushing, rounded down."""
    logs = log2_table(table.precision.total)
    cost = 0
    for row in range(table.rows):
        values = int(histogram[table.v_min[row] : table.v_end(row)].sum())
        if values and not table.count(row):
            raise ParameterError(f"the table gives no counts to row {row}, which {values} values need")
        fixed = logs[-1] + (table.offset_bits[row] << FRACTION)
        cost += values * (fixed - logs[table.count(row)])
    return cost >> FRACTION


def _parts(coded: reference.Coded, histogram: np.ndarray, table: Table, p: AtalantaParams) -> dict[str, int]:
    """Payload bits by purpose."""
    rows = range(table.rows)
    offset = sum(int(histogram[table.v_min[r] : table.v_end(r)].sum()) * table.offset_bits[r] for r in rows)
    code = min(int(histogram.sum()), p.lanes * p.ways) * table.precision.code
    used = coded.used_bits
    padding = 8 * len(coded.payload) - used
    return {"code": code, "refill": used - code - offset, "offset": offset, "padding": padding}


def _section_bytes(p: AtalantaParams) -> tuple[int, int]:
    """Bytes of the table and of the lane lengths in the header, whole blocks."""
    table = row_record(p.bits).nbytes * p.rows
    lanes = LANE_LENGTH.nbytes * p.lanes if p.lanes > 1 else 0
    return round_up(table, BLOCK_BYTES), round_up(lanes, BLOCK_BYTES)


def _pack_table(table: Table) -> bytes:
    record = row_record(table.bits)
    rows = zip(table.cum, table.v_min, strict=True)
    return padded(b"".join(record.pack({"cum": c, "v_min": v}) for c, v in rows), BLOCK_BYTES)


def _pack_lanes(lane_bytes: list[int]) -> bytes:
    if len(lane_bytes) == 1:
        return b""
    least = min(lane_bytes)
    return b"".join(LANE_LENGTH.pack({"extra_bytes": n - least}) for n in lane_bytes)


def _params(params: dict[str, int], header: Header) -> AtalantaParams:
    legal = (
        ("lanes_log2", range(len(LANES))),
        ("ways", WAYS),
        ("beat_log2", range(BEAT_BYTES[0].bit_length() - 1, BEAT_BYTES[-1].bit_length())),
        ("lane_depth", LANE_DEPTH),
        ("rows", range(1, MAX_ROWS + 1)),
        ("contexts", range(1)),
    )
    for name, values in legal:
        header_check(params[name] in values, ErrorCode.HEADER, f"{name} {params[name]}", header)
    return AtalantaParams(
        bits=header.bits,
        lanes=1 << params["lanes_log2"],
        ways=params["ways"],
        beat_bytes=1 << params["beat_log2"],
        lane_depth=params["lane_depth"],
        rows=params["rows"],
    )


def _parse_table(section: bytes, p: AtalantaParams, header: Header) -> Table:
    record = row_record(p.bits)
    size = record.nbytes
    rows = [record.unpack(section[r * size : (r + 1) * size]) for r in range(p.rows)]
    try:
        return Table(p.bits, tuple(r["v_min"] for r in rows), tuple(r["cum"] for r in rows))
    except StreamError as error:
        raise StreamError(error.code, f"{error.where}, segment at byte {header.start}") from None


def _parse_lanes(section: bytes, p: AtalantaParams, header: Header) -> list[int]:
    size = LANE_LENGTH.nbytes
    extra = (
        [LANE_LENGTH.unpack(section[i * size : (i + 1) * size])["extra_bytes"] for i in range(p.lanes)]
        if p.lanes > 1
        else [0]
    )
    lane_bytes = [header.lane_bytes + e for e in extra]
    what = f"lanes of {sum(lane_bytes)} bytes in a payload of {header.payload_bytes}"
    header_check(sum(lane_bytes) == header.payload_bytes, ErrorCode.LENGTH, what, header)
    return lane_bytes

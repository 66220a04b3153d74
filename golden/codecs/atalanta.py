"""Atalanta segments of the container: table and lane lengths in the header, beats in the payload."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from atalanta.golden import native
from atalanta.golden.codec import Body, Codec, Draft, header_check, register, sections_check, where
from atalanta.golden.engine import AUTO, REFERENCE, use_native
from atalanta.golden.errors import ErrorCode, ParameterError, StreamError, require
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
from atalanta.golden.histogram import histogram
from atalanta.golden.lanes import Int, Schedule
from atalanta.golden.lanes import schedule as order_of_beats
from atalanta.golden.params import BEAT_BYTES, LANE_DEPTH, LANES, MAX_ROWS, WAYS, AtalantaParams
from atalanta.golden.reference import atalanta as reference
from atalanta.golden.search import MAX_VISITS, log2_array, search
from atalanta.golden.table import PUBLISHED, Table
from atalanta.golden.values import Array, Buffer, Codes, Mapping, bias_of, raw_view

LANE_COST_BITS = 24
WAY_COST_BITS = 12
"""What one more lane costs on average (its length, its last byte), and each of its ways (code bits
that no value needs)."""

LANE_BUDGET = 200
"""A lane is added while all lanes' cost stays below 1/LANE_BUDGET of the raw values."""


@dataclass(frozen=True)
class Layout:
    """What an Atalanta header says."""

    params: AtalantaParams
    table: Table
    lane_bytes: list[int]


def fit_lanes(raw_bits: int, p: AtalantaParams) -> int:
    """The most lanes, up to p.lanes, that cost little beside `raw_bits` of values.

    Measured by raw size: what compresses well is not to be decoded slower than it could be read raw.
    """
    cost = LANE_COST_BITS + p.ways * WAY_COST_BITS
    lanes = p.lanes
    while lanes > 1 and lanes * cost * LANE_BUDGET > raw_bits:
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
        engine: str = AUTO,
    ) -> None:
        self._params = AtalantaParams(
            lanes=lanes, ways=ways, beat_bytes=beat_bytes, lane_depth=lane_depth, rows=rows
        )
        ok = table is None or table.precision == PUBLISHED
        require(ok, "table", "of the published precision", table)
        self._fit = fit
        self._table = table
        self._engine = engine
        self._native = use_native(engine)

    def encode(self, codes: Codes, bits: int) -> Body:
        return self.draft(codes, bits, schedule=True).body()

    def draft(self, codes: Codes, bits: int, *, schedule: bool = False) -> Draft:
        return self._draft(codes, bits, 0, schedule)

    def draft_values(self, values: Array, bits: int, signed: bool, *, schedule: bool = False) -> Draft:
        if not self._native:
            return super().draft_values(values, bits, signed, schedule=schedule)
        return self._draft(raw_view(values), bits, bias_of(bits, signed), schedule)

    def _draft(self, codes: Codes, bits: int, bias: int, schedule: bool) -> Draft:
        """codes: with the native engine, also values that lack `bias` to their codes."""
        lanes = fit_lanes(bits * len(codes), self._params) if self._fit else self._params.lanes
        code = native.AtalantaEncoder if self._native else _ReferenceEncoder
        coded: _ReferenceEncoder | native.AtalantaEncoder
        if self._native and self._table is None and codes.itemsize == 1:
            p = self._with(bits, self._params.rows, lanes)
            coded, table, found = _fitted(codes, p, bias)
            p = self._with(bits, table.rows, lanes)
        else:
            found = (
                native.histogram(codes, bits, bias)
                if self._native
                else histogram(codes, bits, engine=REFERENCE)
            )
            table = self._table or search(found, rows=self._params.rows, engine=self._engine).table
            require(table.bits == bits, "table.bits", f"the {bits} of the values", table.bits)
            check_table(_by_row(found, table), table)
            p = self._with(bits, table.rows, lanes)
            coded = code(codes, table, p, bias)
        while max(coded.lane_bytes) - min(coded.lane_bytes) >> LANE_LENGTH.width:
            p = self._with(bits, table.rows, p.lanes // 2)  # lanes too unequal for the header
            coded = code(codes, table, p, bias)

        def made(payload: bytes, parts: dict[str, int], order: Schedule | None = None) -> Body:
            return Body(
                params={
                    "lanes_log2": p.lanes.bit_length() - 1,
                    "ways": p.ways,
                    "beat_log2": p.beat_bytes.bit_length() - 1,
                    "lane_depth": p.lane_depth,
                    "rows": p.rows,
                },
                payload=payload,
                sections=_pack_sections(table, coded.lane_bytes),
                lane_bytes=min(coded.lane_bytes),
                parts=parts,
                schedule=order,
            )

        def body() -> Body:
            payload = coded.write()
            parts = _parts(coded, _by_row(found, table), table, p)
            if not schedule:
                return made(payload, parts)
            layout = Layout(p, table, coded.lane_bytes)
            return made(payload, parts, self.schedule(layout, payload, len(codes), engine=self._engine))

        def into(room: memoryview) -> Body:
            coded.write_into(room)
            return made(b"", {})

        sections = _section_bytes(p)
        size = sections + sum(coded.lane_bytes)
        return Draft(size, body, sections, None if schedule else into)

    def _with(self, bits: int, rows: int, lanes: int) -> AtalantaParams:
        p = self._params
        return AtalantaParams(
            bits=bits, lanes=lanes, ways=p.ways, beat_bytes=p.beat_bytes, lane_depth=p.lane_depth, rows=rows
        )

    @classmethod
    def profiled(cls, histogram: Int, bits: int) -> dict[str, Any]:
        return {"table": search(histogram, unseen=True).table}

    @classmethod
    def layout(cls, header: Header) -> Layout:
        params = cls.parse_params(header)
        p = _params(params, header)
        need = _section_bytes(p)
        sections_check(need, header)
        table = _parse_table(header.sections, p, header)
        lanes = _parse_lanes(header.sections[_lanes_at(p) : need], p, header)
        return Layout(p, table, lanes)

    @classmethod
    def section_bytes(cls, layout: Layout) -> int:
        return _section_bytes(layout.params)

    @classmethod
    def decode(cls, layout: Layout, payload: bytes, count: int, *, engine: str = AUTO) -> Codes:
        if use_native(engine):
            return native.atalanta_decode(payload, layout.lane_bytes, count, layout.table, layout.params)
        return reference.decode(payload, layout.lane_bytes, count, layout.table, layout.params)[0]

    @classmethod
    def decode_values(
        cls, layout: Layout, payload: Buffer, header: Header, out: Array, *, engine: str = AUTO
    ) -> None:
        if not use_native(engine):
            super().decode_values(layout, payload, header, out, engine=engine)
            return
        bias = bias_of(header.bits, header.signed)
        where = (layout.lane_bytes, header.count, layout.table, layout.params)
        native.atalanta_decode(payload, *where, bias=bias, out=raw_view(out))

    @classmethod
    def parts(cls, layout: Layout, codes: Codes, payload: bytes) -> dict[str, int]:
        by_row = _by_row(histogram(codes, layout.params.bits), layout.table)
        code = native.AtalantaEncoder if use_native() else _ReferenceEncoder
        return _parts(code(codes, layout.table, layout.params), by_row, layout.table, layout.params)

    @classmethod
    def schedule(cls, layout: Layout, payload: bytes, count: int, *, engine: str = AUTO) -> Schedule:
        p = layout.params
        if use_native(engine):
            return native.atalanta_schedule(payload, layout.lane_bytes, count, layout.table, p)
        _, used = reference.decode(payload, layout.lane_bytes, count, layout.table, p)
        return order_of_beats(used, p.beat_bytes, p.lane_depth)


class _ReferenceEncoder:
    """The reference in the manner of native.AtalantaEncoder."""

    def __init__(self, codes: Codes, table: Table, p: AtalantaParams, bias: int = 0) -> None:
        if bias:
            raise ValueError("the reference takes codes")
        self._coded = reference.encode(codes.astype(np.uint16, copy=False), table, p)
        self.lane_bytes = self._coded.lane_bytes
        self.used_bits = self._coded.used_bits

    def write(self) -> bytes:
        """The payload."""
        return self._coded.payload

    def write_into(self, room: memoryview) -> None:
        """Put the payload into `room`."""
        room[:] = self._coded.payload


def _fitted(codes: Codes, p: AtalantaParams, bias: int) -> tuple[native.AtalantaEncoder, Table, Int]:
    """What `search` and the encoder lead to, in one call of the library; and the histogram."""
    logs = log2_array(PUBLISHED.total)
    row_bits = row_record(p.bits).width
    coded, rows, found = native.AtalantaEncoder.fit(
        codes, p, bias, row_bits=row_bits, logs=logs, max_visits=MAX_VISITS
    )
    return coded, Table(p.bits, rows.cuts[:-1], (0, *accumulate(rows.counts[:-1]))), found


def _by_row(histogram: Int, table: Table) -> Int:
    """Values of each row."""
    values: Int = np.add.reduceat(histogram, table.v_min)
    return values


def check_table(by_row: Int, table: Table) -> None:
    """ParameterError if a row that values need has no counts. by_row: values of each row."""
    for row, values in enumerate(by_row.tolist()):
        if values and not table.count(row):
            raise ParameterError(f"the table gives no counts to row {row}, which {values} values need")


def _parts(
    coded: _ReferenceEncoder | native.AtalantaEncoder, by_row: Int, table: Table, p: AtalantaParams
) -> dict[str, int]:
    """Payload bits by purpose."""
    offset = int(by_row @ np.array(table.offset_bits))
    code = min(int(by_row.sum()), p.lanes * p.ways) * table.precision.code
    used = coded.used_bits
    padding = 8 * sum(coded.lane_bytes) - used
    return {"code": code, "refill": used - code - offset, "offset": offset, "padding": padding}


def _table_bytes(p: AtalantaParams) -> int:
    """Bytes of the table section, the first of the header's."""
    return row_record(p.bits).nbytes * p.rows


def _lanes_at(p: AtalantaParams) -> int:
    """Where the lane section starts: at the next block, so that hardware finds lanes in place."""
    return round_up(_table_bytes(p), BLOCK_BYTES)


def _section_bytes(p: AtalantaParams) -> int:
    """Bytes of the sections; one lane needs no lane section."""
    return _lanes_at(p) + LANE_LENGTH.nbytes * p.lanes if p.lanes > 1 else _table_bytes(p)


def _pack_sections(table: Table, lane_bytes: list[int]) -> bytes:
    packed = row_record(table.bits).pack_all(table.cum, table.v_min)
    if len(lane_bytes) == 1:
        return packed
    least = min(lane_bytes)
    return padded(packed, BLOCK_BYTES) + LANE_LENGTH.pack_all([n - least for n in lane_bytes])


_LEGAL = {
    "lanes_log2": range(len(LANES)),
    "ways": WAYS,
    "beat_log2": range(BEAT_BYTES[0].bit_length() - 1, BEAT_BYTES[-1].bit_length()),
    "lane_depth": LANE_DEPTH,
    "rows": range(1, MAX_ROWS + 1),
    "contexts": range(1),
}


def _params(params: dict[str, int], header: Header) -> AtalantaParams:
    for name, legal in _LEGAL.items():
        if params[name] not in legal:
            raise StreamError(ErrorCode.HEADER, f"{name} {params[name]}, {where(header)}")
    return AtalantaParams(
        bits=header.bits,
        lanes=1 << params["lanes_log2"],
        ways=params["ways"],
        beat_bytes=1 << params["beat_log2"],
        lane_depth=params["lane_depth"],
        rows=params["rows"],
    )


def _parse_table(section: bytes, p: AtalantaParams, header: Header) -> Table:
    cum, v_min = row_record(p.bits).unpack_all(section[: _table_bytes(p)])
    try:
        return Table(p.bits, v_min, cum)
    except StreamError as error:
        raise StreamError(error.code, f"{error.where}, segment at byte {header.start}") from None


def _parse_lanes(section: bytes, p: AtalantaParams, header: Header) -> list[int]:
    (extra,) = LANE_LENGTH.unpack_all(section) if p.lanes > 1 else ((0,),)
    lane_bytes = [header.lane_bytes + e for e in extra]
    what = f"lanes of {sum(lane_bytes)} bytes in a payload of {header.payload_bytes}"
    header_check(sum(lane_bytes) == header.payload_bytes, ErrorCode.LENGTH, what, header)
    return lane_bytes

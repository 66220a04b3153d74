"""Header against golden.header: verdicts, and what decoders are told of each segment."""

from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from hw_bench import HEAVY, NONE, Bench, Pauses, plain
from sealing import seal
from tables import hardware_rows
from verdicts import checked_segment

import atalanta
from atalanta.golden.container import Segment
from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.format import BASE, BLOCK_BYTES, crc32
from atalanta.golden.table import PUBLISHED
from atalanta.hw.header import Header

CHECKED, CHECKED_SHORT = 8, 6
"""Cycles from a header's first pull until it is accepted, besides one per block; of one without sections."""

PIECE_LATENCY = 2
"""Of the aligner: cycles from a pull to its piece."""


@dataclass
class Verdict:
    """How a descriptor ended, and the segments that were handed over before."""

    code: ErrorCode
    segments: list[dict[str, Any]] = field(default_factory=list)


def told(segment: Segment, p: DecoderParams) -> dict[str, Any]:
    """What decoders have to know of a segment, from golden."""
    head = segment.header
    if segment.codec.name != "atalanta":
        modes = segment.layout
        return {
            "count": head.count, "payload_bytes": head.payload_bytes, "bits": head.bits,
            "signed": head.signed, "more": head.more, "raw": segment.codec.name == "raw",
            **{name: getattr(modes, name) for name in ("mask", "zero_width") if hasattr(modes, name)},
        }  # fmt: skip
    lanes = segment.layout.params.lanes
    return {
        "steps": -(-head.count // lanes),
        "rest": head.count % lanes,
        "lanes_log2": lanes.bit_length() - 1,
        "more": head.more,
        "table": hardware_rows(segment.layout.table, p, signed=head.signed)[: segment.layout.table.rows],
    }


def expected(data: bytes, p: DecoderParams) -> Verdict:
    """Golden's view of all that the parser sees: not of the values."""
    start, found = 0, Verdict(ErrorCode.NONE)
    while True:
        try:
            segment = checked_segment(data, start, p)
        except StreamError as error:
            found.code = error.code
            return found
        found.segments.append(told(segment, p))
        try:
            segment.payload(data)
        except StreamError as error:
            found.code = error.code
            return found
        start = segment.header.end
        if not segment.header.more:
            found.code = ErrorCode.NONE if start == len(data) else ErrorCode.LENGTH
            return found


class HeaderBench:
    """Plays aligner, decoders and payload CRC, which pause now and then.

    found: one verdict for each stream. checks: for each good header its blocks, and the cycles from its
    first pull until it was accepted.
    """

    def __init__(self, p: DecoderParams, streams: list[bytes], pauses: Pauses) -> None:
        self.found: list[Verdict] = []
        self.checks: list[tuple[int, int]] = []
        self._p, self._streams, self._pauses, self._random = p, streams, pauses, Random(1)
        self._dut, self._reset = Header(p), Signal()
        self._bench = Bench(ResetInserter(self._reset)(self._dut), limit=300_000)
        self._bench.add(self._run)
        self._bench.run()

    async def _run(self, ctx: Any) -> None:
        ctx.set(self._dut.i_settled, 1)
        for stream in self._streams:
            self.found.append(await self._descriptor(ctx, stream))

    def _accept(self, ctx: Any, verdict: Verdict, ready: bool) -> None:
        """Decoders take over segments."""
        for offered in (self._dut.o_atalanta, self._dut.o_groups):
            ctx.set(offered.ready, ready)
            if ready and ctx.get(offered.valid):
                verdict.segments.append(plain(ctx.get(offered.payload)))

    async def _descriptor(self, ctx: Any, data: bytes) -> Verdict:
        """One stream from its descriptor to its end, then a reset if it was bad."""
        dut, verdict = self._dut, Verdict(ErrorCode.NONE)
        at = left = first_pull = header_bytes = pause = 0
        pieces, good, ended = deque([b""] * PIECE_LATENCY), True, False
        ctx.set(dut.i.payload, {"offset": 0, "length": len(data)})
        ctx.set(dut.i.valid, 1)
        while not ended:
            piece = pieces.popleft()
            ctx.set(dut.i_valid, bool(piece))
            ctx.set(dut.i_piece, int.from_bytes(piece, "little"))
            ctx.set(dut.i_crc_done, left == 0)
            ctx.set(dut.i_crc_good, good)
            pause = pause - 1 if pause else self._pauses.gap(self._random)
            self._accept(ctx, verdict, not pause)
            if ctx.get(dut.o_payload_start):  # a cycle before it is accepted
                self.checks.append((-(-header_bytes // BLOCK_BYTES), self._bench.cycle + 1 - first_pull))
                left, header_bytes = ctx.get(dut.o_payload_size), 0
                good = crc32(data[at : at + left]) == ctx.get(dut.o_payload_crc)
            # The aligner gives the parser's bytes later; the payload's go to decoders.
            nbytes = 0
            pieces.append(b"")
            if ctx.get(dut.o_payload) and not pause:
                nbytes = min(left, self._p.beat_bytes)
                left -= nbytes
            elif ctx.get(dut.o_pull) and not pause:
                nbytes = ctx.get(dut.o_size_m1) + 1
                pieces[-1] = data[at : at + nbytes]
                first_pull = first_pull if header_bytes else self._bench.cycle
                header_bytes += nbytes
            ctx.set(dut.i_pulled, nbytes != 0)
            ctx.set(dut.i_pulled_m1, max(nbytes - 1, 0))
            at += nbytes
            ended = bool(ctx.get(dut.o_good))
            if ctx.get(dut.o_error):
                verdict.code, ended = ErrorCode(ctx.get(dut.o_code)), True
            await ctx.tick()
            ctx.set(dut.i.valid, 0)
        ctx.set(dut.i_pulled, 0)
        ctx.set(dut.i_valid, 0)
        ctx.set(self._reset, verdict.code is not ErrorCode.NONE)
        await ctx.tick().repeat(2)
        ctx.set(self._reset, 0)
        return verdict


DECODERS = {
    "four": DecoderParams(lanes=4),
    "one": DecoderParams(lanes=1, ways=2, rows=8, shapeshifter=False),
    "wide": DecoderParams(lanes=2, value_bits=16, rows=32, beat_bytes=32, lane_depth=3, lane_fifo=3),
    "groups": DecoderParams(atalanta=False),
}


def good_stream(random: Random, p: DecoderParams) -> bytes:
    """A short tensor of one or more segments under any codec, built in or not."""
    spread, size = random.choice([0, 2, 20]), random.choice([0, 1, 64, 130, 200])
    numbers = np.random.default_rng(random.getrandbits(32)).normal(0, spread, size)
    tensor = np.clip(np.rint(numbers), -128, 127).astype(random.choice(["i1", "i2", "u1"]))
    codec = random.choice(["atalanta", "atalanta", "shapeshifter", "raw"])
    options: dict[str, Any] = {}
    if codec == "atalanta":
        names = ("ways", "beat_bytes", "lane_depth", "rows")
        options = {name: getattr(p, name) for name in names}
        options |= {"lanes": random.choice([n for n in (1, 2, 4) if n <= p.lanes]), "fit": False}
    shape = random.choice([(-1,), (1, -1)])
    return atalanta.encode(tensor.reshape(shape), codec, segment_values=64, **options)


def changed(random: Random, stream: bytes) -> bytes:
    """A bit of the header or a field is another one; the CRCs are right again more often than not."""
    data = bytearray(stream)
    if random.random() < 0.5:
        fields = BASE.unpack(stream[: BASE.nbytes])
        chosen = random.choice([f for f in BASE if f.name != "header_crc"])
        near = [0, 1, fields[chosen.name] - 1, fields[chosen.name] + 1, random.getrandbits(chosen.width)]
        fields[chosen.name] = random.choice(near) % (1 << chosen.width)
        data[: BASE.nbytes] = BASE.pack(fields)
    else:
        at = random.randrange(min(len(data), 100))
        data[at] ^= 1 << random.randrange(8)
    if random.random() < 0.1:
        del data[random.randrange(1, len(data)) :]
    if random.random() < 0.8:
        seal(data, payloads=random.random() < 0.8)
    return bytes(data)


def same(found: Verdict, due: Verdict) -> None:
    """Compare what golden knows of: not a raw segment's modes of groups, nor rows beyond a table's."""
    assert found.code is due.code
    assert len(found.segments) == len(due.segments)
    for one, other in zip(found.segments, due.segments, strict=True):
        table, rows = one.get("table", []), other.pop("table", [])
        assert table[: len(rows)] == rows
        assert all(row["cum"] == PUBLISHED.total for row in table[len(rows) :]), "never reached"
        assert {name: one[name] for name in other} == other


@pytest.mark.parametrize("pauses", [NONE, HEAVY], ids=lambda pauses: pauses.name)
@pytest.mark.parametrize("build", DECODERS)
def test_good_streams(build: str, pauses: Pauses) -> None:
    p, random = DECODERS[build], Random(build)
    streams = [good_stream(random, p) for _ in range(12)]
    due = [expected(stream, p) for stream in streams]
    bench = HeaderBench(p, streams, pauses)
    for one, other in zip(bench.found, due, strict=True):
        same(one, other)
    assert any(one.segments for one in bench.found)
    if pauses is NONE:
        assert bench.checks
        for blocks, cycles in bench.checks:
            assert cycles == blocks + (CHECKED if blocks > BASE.nbytes // BLOCK_BYTES else CHECKED_SHORT)


@pytest.mark.parametrize("build", DECODERS)
def test_changed_streams(build: str) -> None:
    """The first error that applies in golden's order, whatever else is wrong."""
    p, random = DECODERS[build], Random(build)
    streams = [changed(random, good_stream(random, p)) for _ in range(120)]
    streams = [stream for stream in streams if sum(s["payload_bytes"] for s in headers(stream)) < 1 << 14]
    due = [expected(stream, p) for stream in streams]
    bench = HeaderBench(p, streams, NONE)
    for one, other in zip(bench.found, due, strict=True):
        same(one, other)
    assert len(Counter(verdict.code for verdict in due)) >= 7


def headers(stream: bytes) -> list[dict[str, int]]:
    """The base header, if there is a whole one."""
    return [BASE.unpack(stream[: BASE.nbytes])] if len(stream) >= BASE.nbytes else []


def test_every_check_has_been_seen() -> None:
    """Between them, the changed streams meet every verdict that a header can lead to."""
    codes: set[ErrorCode] = set()
    for build, p in DECODERS.items():
        random = Random(build)
        codes |= {expected(changed(random, good_stream(random, p)), p).code for _ in range(120)}
    software_or_values = {ErrorCode.SHAPE, ErrorCode.VALUE, ErrorCode.LANE, ErrorCode.BUS, ErrorCode.ABORTED}
    assert codes == set(ErrorCode) - software_or_values

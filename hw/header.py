"""Parses segment headers: fields checked, table and lane lengths loaded, all by hardware."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.decoder import GROUP_VALUES, LEAD, DecoderParams
from atalanta.golden.errors import ErrorCode
from atalanta.golden.format import (
    ATALANTA_PARAMS,
    BASE,
    BLOCK_BYTES,
    LANE_LENGTH,
    MAGIC,
    RAW_PARAMS,
    SEGMENT_MULTIPLE,
    SHAPESHIFTER_PARAMS,
    VERSION,
    WIDE_ROW,
    CodecId,
)
from atalanta.golden.params import (
    BEAT_BYTES,
    GROUP,
    LANE_DEPTH,
    LANES,
    MAX_BITS,
    MAX_ROWS,
    MAX_SEGMENT_VALUES,
    MIN_BITS,
    WAYS,
)
from atalanta.golden.params import (
    LEAD as LEADS,
)
from atalanta.hw.bitwise import every
from atalanta.hw.crc import CRC_BITS, Crc
from atalanta.hw.lengths import LANES_PER_BLOCK, Lengths
from atalanta.hw.rows import NARROW_BITS, Rows
from atalanta.hw.segment import atalanta_layout, groups_layout, layout_of

LENGTH_BITS = 32
BLOCK_BITS = 8 * BLOCK_BYTES
BASE_BLOCKS = BASE.nbytes // BLOCK_BYTES
CHECK_CYCLES = 4
"""Cycles after a header's last block until its checks have settled."""

FIRST_ERRORS = (ErrorCode.MAGIC, ErrorCode.VERSION, ErrorCode.HEADER, ErrorCode.TRUNCATED)
"""What may be wrong with a header's first block; the first in order counts."""

CODE_BITS = 4
"""Bits of an error code."""


def start_layout(p: DecoderParams) -> data.StructLayout:
    """A descriptor as the parser sees it: byte offset in the first word, and length."""
    return data.StructLayout({"offset": range(p.beat_bytes), "length": LENGTH_BITS})


def within(value: Value, legal: range | tuple[int, ...]) -> Value:
    """Whether a field has a legal value; those of a tuple are taken as its first to its last."""
    return (value >= legal[0]) & (value <= legal[-1])


def log2(n: int) -> int:
    """log2 of a power of two."""
    return n.bit_length() - 1


class Header(wiring.Component):
    """Walks through a descriptor: header, payload, next header, until tensor and descriptor end.

    Latency: a header of B blocks is checked B + 8 cycles after its first pull, B + 6 if it has but two; 1
    block per cycle, and a pause of 3 after the second one, which says how many there are. It
    pulls headers itself and lends the aligner to whoever decodes (`o_payload`) until the payload is
    gone. The next header is parsed while decoders still work; it is handed over when they are done.

    The first error, in the order in which software would meet it, is reported once: errors of a
    header wait until the segments before it are out, errors of values until their payload's CRC is
    known. The component then waits to be reset.

    Attributes:
    ----------
    i: descriptors, in the order of reading.
    o_open, o_offset, o_drop, i_busy, i_bus_error: from and to the aligner.
    o_pull, o_size_m1, i_piece, i_valid: pulls of its own.
    o_payload: decoders may pull now. i_pulled, i_pulled_m1: a pull is noted in this cycle, of so
        many bytes and one.
    o_atalanta, o_groups: segments to decode. i_settled: decoders have put out all they were given.
    o_prime: all lanes ask for a beat, if they have one. o_load, o_beats, o_one, o_tail_m1: see `Lengths`.
    o_payload_start, o_payload_size, o_payload_crc, i_crc_done, i_crc_good: see `PayloadCrc`.
    i_bad, i_bad_code: a decoder met an illegal value or length, for one cycle.
    o_skim: decoders are to be held in reset: their payload is only read to its end.
    o_good: a descriptor has ended well, for one cycle.
    o_error, o_code: an error is final, for one cycle.
    o_idle: no descriptor is at work or waiting.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        self._rows = Rows(p)
        self._lengths = Lengths(p)
        super().__init__(
            {
                "i": In(stream.Signature(start_layout(p))),
                "o_open": Out(1),
                "o_offset": Out(range(p.beat_bytes)),
                "o_drop": Out(1),
                "i_busy": In(1),
                "i_bus_error": In(1),
                "o_pull": Out(1),
                "o_size_m1": Out(range(p.beat_bytes)),
                "i_piece": In(8 * p.beat_bytes),
                "i_valid": In(1),
                "o_payload": Out(1),
                "i_pulled": In(1),
                "i_pulled_m1": In(range(p.beat_bytes)),
                "o_atalanta": Out(stream.Signature(atalanta_layout(p))),
                "o_groups": Out(stream.Signature(groups_layout())),
                "i_settled": In(1),
                "o_prime": Out(1),
                "o_load": Out(p.lanes),
                "o_beats": Out(self._lengths.o_beats.shape()),
                "o_one": Out(1),
                "o_tail_m1": Out(self._lengths.o_tail_m1.shape()),
                "o_payload_start": Out(1),
                "o_payload_size": Out(LENGTH_BITS),
                "o_payload_crc": Out(CRC_BITS),
                "i_crc_done": In(1),
                "i_crc_good": In(1),
                "i_bad": In(1),
                "i_bad_code": In(CODE_BITS),
                "o_skim": Out(1),
                "o_good": Out(1),
                "o_error": Out(1),
                "o_code": Out(CODE_BITS),
                "o_idle": Out(1),
            }
        )

    def _checks(
        self, base: data.View, crc: Value, none: Value, own: Value, raw_bytes: Value
    ) -> list[tuple[Value, ErrorCode]]:
        """(ok, code) for every check that waits for the whole header, in the order of FORMAT.md.

        none: no section follows the base. own: those that do are Atalanta's, or begin with them.
        """
        p = self._p
        rows, lengths = self._rows, self._lengths
        atalanta = data.View(layout_of(ATALANTA_PARAMS), base.params)
        groups = data.View(layout_of(SHAPESHIFTER_PARAMS), base.params)
        raw = data.View(layout_of(RAW_PARAMS), base.params)
        codec = {c: base.codec == c for c in CodecId}
        is_atalanta = codec[CodecId.ATALANTA]
        is_groups = codec[CodecId.SHAPESHIFTER]
        is_raw = codec[CodecId.RAW]
        built = {
            CodecId.ATALANTA: p.atalanta,
            CodecId.SHAPESHIFTER: p.shapeshifter,
            CodecId.RAW: p.raw,
        }
        atalanta_legal = every(
            [
                within(atalanta.lanes_log2, range(len(LANES))),
                within(atalanta.ways, WAYS),
                within(atalanta.beat_log2, (log2(BEAT_BYTES[0]), log2(BEAT_BYTES[-1]))),
                within(atalanta.lane_depth, LANE_DEPTH),
                within(atalanta.rows, range(1, MAX_ROWS + 1)),
                atalanta.contexts == 0,
                atalanta.reserved == 0,
            ]
        )
        groups_legal = every(
            [within(groups.group + 1, GROUP), within(groups.lead, LEADS), groups.reserved == 0]
        )
        atalanta_built = every(
            [
                atalanta.lanes_log2 <= log2(p.lanes),
                atalanta.ways == p.ways,
                atalanta.beat_log2 == log2(p.beat_bytes),
                atalanta.lane_depth <= p.lane_depth,
                atalanta.rows <= p.rows,
            ]
        )
        groups_built = every([groups.group == GROUP_VALUES - 1, groups.lead == LEAD])
        return [
            (crc == base.header_crc, ErrorCode.HEADER_CRC),
            (within(base.bits, range(MIN_BITS, MAX_BITS + 1)), ErrorCode.HEADER),
            ((base.bits <= NARROW_BITS) | base.wide, ErrorCode.HEADER),
            (base.reserved == 0, ErrorCode.HEADER),
            (base.count <= MAX_SEGMENT_VALUES, ErrorCode.HEADER),
            (~base.more | (base.count[: log2(SEGMENT_MULTIPLE)] == 0), ErrorCode.HEADER),
            (is_atalanta | is_groups | is_raw, ErrorCode.CODEC),
            (~is_atalanta | atalanta_legal, ErrorCode.HEADER),
            (~is_groups | groups_legal, ErrorCode.HEADER),
            (~is_raw | (raw.reserved == 0), ErrorCode.HEADER),
            (Mux(is_atalanta, own, none | base.shaped), ErrorCode.HEADER),
            (base.bits <= p.value_bits, ErrorCode.UNSUPPORTED),
            (every(~codec[c] | built[c] for c in CodecId), ErrorCode.UNSUPPORTED),
            (~is_atalanta | atalanta_built, ErrorCode.UNSUPPORTED),
            (~is_groups | groups_built, ErrorCode.UNSUPPORTED),
            (~is_atalanta | rows.o_good, ErrorCode.TABLE),
            (~is_atalanta | lengths.o_good, ErrorCode.LENGTH),
            (is_atalanta | (base.lane_bytes == 0), ErrorCode.LENGTH),
            # Of no account without the unpacker: the codec is unsupported then.
            *([(~is_raw | (base.payload_bytes == raw_bytes), ErrorCode.LENGTH)] if p.raw else []),
        ]

    def elaborate(self, _platform: object) -> Module:
        """One state machine; sections go to components of their own as their blocks come by."""
        p, m = self._p, Module()
        rows, lengths = self._rows, self._lengths
        m.submodules.rows = rows
        m.submodules.lengths = lengths
        m.submodules.crc = crc = Crc(BLOCK_BYTES)

        base = Signal(layout_of(BASE), reset_less=True)
        atalanta = data.View(layout_of(ATALANTA_PARAMS), base.params)
        groups = data.View(layout_of(SHAPESHIFTER_PARAMS), base.params)
        block = self.i_piece[:BLOCK_BITS]
        index = Signal(8)
        last_index = Signal.like(index)
        first_known, first_ok = Signal(), Signal(len(FIRST_ERRORS))  # of the first block, a cycle after it
        # What is yet to be pulled of a header: whole blocks, bytes of the one behind them, and what these
        # two mean for the next pull.
        pull_layout = data.StructLayout(
            {
                "tail": log2(BLOCK_BYTES),
                "blocks": len(base.header_bytes) - log2(BLOCK_BYTES),
                "some": 1,
                "whole": 1,
            }
        )
        pulls, sections = Signal(pull_layout), Signal(pull_layout)
        left, minus = Signal(LENGTH_BITS), Signal(LENGTH_BITS)  # bytes of the descriptor; taken off next
        payload_left = Signal(LENGTH_BITS)
        countdown = Signal(range(max(CHECK_CYCLES, p.lane_depth) + 1))

        # Where the sections lie: known a cycle before the third block comes, and their bytes with it.
        wide_rows = Signal()
        table_bytes = Signal(range(MAX_ROWS * WIDE_ROW.nbytes + 1))
        table_blocks = Signal(range(MAX_ROWS * WIDE_ROW.nbytes // BLOCK_BYTES + 1))
        lane_limit = Signal(range(lengths.blocks + 1))
        own_bytes = Signal.like(base.header_bytes)
        one = atalanta.lanes_log2 == 0
        lanes_bytes = LANE_LENGTH.nbytes << atalanta.lanes_log2
        in_table = (atalanta.rows << 2) - Mux(wide_rows, 0, atalanta.rows)
        in_lanes = ((1 << atalanta.lanes_log2) + (LANES_PER_BLOCK - 1)) >> log2(LANES_PER_BLOCK)
        m.d.sync += [
            wide_rows.eq(base.bits > NARROW_BITS),  # known with the first block
            table_bytes.eq(in_table),
            table_blocks.eq((in_table + BLOCK_BYTES - 1) >> log2(BLOCK_BYTES)),
            own_bytes.eq(Mux(one, table_bytes, (table_blocks << log2(BLOCK_BYTES)) + lanes_bytes)),
            lane_limit.eq(Mux(one, 0, Mux(in_lanes < lengths.blocks, in_lanes, lengths.blocks))),
        ]
        table_index = Signal.like(index)
        lane_index = Signal.like(index)
        in_blocks = Signal()
        in_sections, in_table_section = Signal(), Signal()
        m.d.sync += [
            lane_index.eq(Mux(self.i_valid, lane_index + 1, table_index - table_blocks)),
            in_table_section.eq(
                Mux(
                    self.i_valid,
                    (index >= BASE_BLOCKS - 1) & (index <= table_blocks) & (index <= rows.blocks),
                    in_sections & (table_index < table_blocks) & (table_index < rows.blocks),
                )
            ),
        ]
        m.d.comb += [
            rows.i_block.eq(block),
            rows.i_index.eq(table_index),
            rows.i_rows.eq(atalanta.rows),
            rows.i_bits.eq(base.bits),
            rows.i_signed.eq(base.signed),
            rows.i_write.eq(in_table_section & self.i_valid),
            lengths.i_lanes_log2.eq(atalanta.lanes_log2),
            lengths.i_lane_bytes.eq(base.lane_bytes),
            lengths.i_payload_bytes.eq(base.payload_bytes),
            lengths.i_block.eq(block),
            lengths.i_index.eq(lane_index),
            lengths.i_write.eq(in_sections & self.i_valid & (lane_index < lane_limit)),
        ]
        m.d.sync += lengths.i_base.eq(in_blocks & self.i_valid & (index == 1))
        m.d.comb += [
            self.o_load.eq(lengths.o_load),
            self.o_beats.eq(lengths.o_beats),
            self.o_one.eq(lengths.o_one),
            self.o_tail_m1.eq(lengths.o_tail_m1),
        ]

        # The CRC is taken with its own field 0.
        crc_at = BASE.offsets["header_crc"] - BLOCK_BITS
        m.d.sync += [
            crc.i_data.eq(Mux(index == 1, Cat(block[:crc_at], Const(0, 32)), block)),
            crc.i_valid.eq(in_blocks & self.i_valid),
            crc.i_first.eq(in_blocks & self.i_valid & (index == 0)),
        ]

        # What decoders need to know.
        steps_m1 = Signal(base.count.shape())
        m.d.sync += [
            steps_m1.eq((base.count - 1) >> atalanta.lanes_log2),
            self.o_atalanta.p.steps.eq(Mux(base.count == 0, 0, steps_m1 + 1)),
            self.o_atalanta.p.rest.eq(base.count & ((1 << atalanta.lanes_log2) - 1)),
        ]
        m.d.comb += [
            self.o_atalanta.p.lanes_log2.eq(atalanta.lanes_log2),
            self.o_atalanta.p.more.eq(base.more),
            self.o_atalanta.p.table.eq(rows.o_table),
            self.o_groups.p.count.eq(base.count),
            self.o_groups.p.payload_bytes.eq(base.payload_bytes),
            self.o_groups.p.bits.eq(base.bits),
            self.o_groups.p.signed.eq(base.signed),
            self.o_groups.p.more.eq(base.more),
            self.o_groups.p.raw.eq(base.codec == CodecId.RAW),
            self.o_groups.p.mask.eq(groups.mask),
            self.o_groups.p.zero_width.eq(groups.zero_width),
        ]

        # Checks settle in two registers: each by itself, then the first that fails.
        raw_bits, raw_bytes = Signal(LENGTH_BITS + 3), Signal(LENGTH_BITS)
        m.d.sync += [raw_bits.eq(base.count * base.bits), raw_bytes.eq((raw_bits + 7) >> 3)]
        fits = base.payload_bytes <= left
        sections_bytes = Cat(sections.tail, sections.blocks)
        same, longer = Signal(), Signal()
        m.d.sync += [same.eq(sections_bytes == own_bytes), longer.eq(sections_bytes > own_bytes)]
        own = sections.some & (same | (base.shaped & longer))
        checks = self._checks(base, crc.o_crc, ~sections.some, own, raw_bytes)
        verdict, refused = Signal(CODE_BITS), Signal()
        checked = Signal()  # these two have settled
        m.d.sync += checked.eq(0)
        all_ok: list[Value] = []
        found: Value = Const(ErrorCode.NONE, CODE_BITS)
        for number, (ok, code) in reversed(list(enumerate([*checks, (fits, ErrorCode.TRUNCATED)]))):
            settled = Signal(name=f"ok{number}_{code.name.lower()}")
            m.d.sync += settled.eq(ok)
            found = Mux(settled, found, code)
            all_ok.append(settled)
        m.d.sync += [verdict.eq(found), refused.eq(~every(all_ok))]

        offer = Signal()
        is_atalanta = Signal()
        m.d.sync += is_atalanta.eq(base.codec == CodecId.ATALANTA)
        m.d.comb += [
            self.o_atalanta.valid.eq(offer & is_atalanta),
            self.o_groups.valid.eq(offer & ~is_atalanta),
            self.o_payload_size.eq(base.payload_bytes),
            self.o_payload_crc.eq(base.payload_crc),
        ]
        offer_taken = Mux(is_atalanta, self.o_atalanta.ready, self.o_groups.ready)
        with m.If(offer_taken):
            m.d.sync += offer.eq(0)

        pending = Signal(CODE_BITS)
        ends, final = Signal(), Signal()  # with this segment, which says so; settled when a payload is out
        short = Signal()  # ... or has too little behind it
        too_short = Signal()  # for any header; known with its first pull
        m.d.sync += too_short.eq(self.i.ready & (self.i.p.length < BASE.nbytes))
        m.d.sync += [
            self.o_error.eq(0),
            first_known.eq(0),
            minus.eq(0),
            left.eq(left - minus),
            ends.eq(left == 0),
            final.eq((left == 0) & ~base.more),
            short.eq(left < BASE.nbytes),
        ]

        def stop_pulling() -> None:
            """Neither the parser nor decoders pull from the next cycle on."""
            m.d.sync += [pulls.some.eq(0), self.o_payload.eq(0)]

        def finish(code: Value) -> None:
            """Report the error; nothing more happens until reset."""
            m.d.sync += [self.o_error.eq(1), self.o_code.eq(code)]
            stop_pulling()
            m.next = "STOPPED"

        def header_error(code: Value | ErrorCode) -> None:
            """An error that counts once the segments before are out."""
            m.d.sync += pending.eq(code)
            stop_pulling()
            m.next = "SETTLE"

        def interrupts() -> None:
            """Errors that count at once: of the bus, and of values whose payload was good."""
            with m.If(self.i_bus_error):
                finish(Const(ErrorCode.BUS, CODE_BITS))
            with m.Elif(self.i_bad):
                finish(self.i_bad_code)

        def payload_interrupts() -> None:
            """While a payload comes in, bad values may be its segment's: see what its CRC says."""
            with m.If(self.i_bus_error):
                finish(Const(ErrorCode.BUS, CODE_BITS))
            with m.Elif(self.i_bad):
                with m.If(offer):
                    finish(self.i_bad_code)
                with m.Else():
                    m.d.sync += [pending.eq(self.i_bad_code), self.o_skim.eq(1)]
                    stop_pulling()
                    m.next = "SKIM"

        def before_header() -> None:
            """In every cycle that may be the last one before a header: enables would come late."""
            m.d.sync += [
                index.eq(0),
                in_sections.eq(0),
                pulls.tail.eq(0),
                pulls.blocks.eq(BASE_BLOCKS),
                pulls.whole.eq(1),
            ]

        def next_header() -> None:
            m.d.sync += [pulls.some.eq(1), self.o_payload.eq(0)]
            m.next = "BLOCKS"

        # Bytes of a pull are taken off a cycle later: to look them up and subtract them is too long.
        taken = Signal(range(p.beat_bytes + 1))
        gone, empty = Signal(), Signal()  # nothing of the payload is left; there is none
        over = Signal()  # ... and a decoder has taken its segment
        skim_size_m1 = Signal(range(p.beat_bytes))
        skim_known = Signal()
        m.d.sync += [
            taken.eq(Mux(self.i_pulled, self.i_pulled_m1 + 1, 0)),
            payload_left.eq(payload_left - taken),
            gone.eq(payload_left == taken),
            over.eq((payload_left == taken) & (~offer | offer_taken)),
            empty.eq(base.payload_bytes == 0),
            skim_size_m1.eq(Mux(payload_left < p.beat_bytes, payload_left - 1, p.beat_bytes - 1)),
            skim_known.eq(~self.i_pulled & (taken == 0)),
        ]
        # What a tensor's payload leaves of its last word is nobody's.
        with m.If(self.o_payload & final & (payload_left == taken)):
            m.d.sync += self.o_drop.eq(1)
        block_size_m1 = Mux(pulls.whole, BLOCK_BYTES - 1, pulls.tail - 1)
        m.d.comb += [
            self.o_pull.eq(pulls.some | (self.o_skim & ~gone & skim_known)),
            self.o_size_m1.eq(Mux(self.o_skim, skim_size_m1, block_size_m1)),
        ]

        with m.FSM(name="state"):
            with m.State("IDLE"):
                m.d.comb += [
                    self.i.ready.eq(~self.i_busy),
                    self.o_idle.eq(~self.i_busy & ~self.i.valid),
                ]
                before_header()
                with m.If(self.i.valid & self.i.ready):
                    m.d.comb += [self.o_open.eq(1), self.o_offset.eq(self.i.p.offset)]
                    m.d.sync += [left.eq(self.i.p.length), self.o_drop.eq(0)]
                    next_header()
                interrupts()

            with m.State("BLOCKS"):
                m.d.comb += in_blocks.eq(1)
                with m.If(self.i_pulled):
                    m.d.sync += [
                        pulls.blocks.eq(pulls.blocks - 1),
                        pulls.some.eq(pulls.whole & ((pulls.blocks != 1) | (pulls.tail != 0))),
                        pulls.whole.eq(pulls.blocks > 1),
                    ]
                with m.If(self.i_valid):
                    m.d.sync += [
                        index.eq(index + 1),
                        table_index.eq(index - (BASE_BLOCKS - 1)),
                        in_sections.eq(index >= BASE_BLOCKS - 1),
                    ]
                    with m.If(index == 0):
                        first = data.View(layout_of(BASE), Cat(block, Const(0, BLOCK_BITS)))
                        m.d.sync += [
                            base.as_value()[:BLOCK_BITS].eq(block),
                            last_index.eq((first.header_bytes - 1) >> log2(BLOCK_BYTES)),
                            Cat(sections.tail, sections.blocks).eq(first.header_bytes - BASE.nbytes),
                            sections.some.eq(first.header_bytes != BASE.nbytes),
                            sections.whole.eq(first.header_bytes >= BASE.nbytes + BLOCK_BYTES),
                            first_ok.eq(
                                Cat(
                                    first.magic == MAGIC,
                                    first.version == VERSION,
                                    first.header_bytes >= BASE.nbytes,
                                    left >= first.header_bytes,
                                )
                            ),
                            first_known.eq(1),
                        ]
                    with m.If(index == 1):
                        m.d.sync += [base.as_value()[BLOCK_BITS:].eq(block), pulls.eq(sections)]
                    with m.If((index != 0) & (index == last_index)):
                        m.d.sync += countdown.eq(CHECK_CYCLES)
                        m.next = "CHECK"
                with m.If(too_short):
                    header_error(ErrorCode.TRUNCATED)
                with m.If(first_known):
                    m.d.sync += minus.eq(base.header_bytes)
                    for ok, code in reversed(list(zip(first_ok, FIRST_ERRORS, strict=True))):
                        with m.If(~ok):
                            header_error(code)
                interrupts()

            with m.State("CHECK"):
                m.d.sync += [countdown.eq(countdown - 1), checked.eq(countdown == 1)]
                m.d.comb += self.o_payload_start.eq(countdown == 1)  # of no account if it is refused
                with m.If(checked):
                    with m.If(refused):
                        header_error(verdict)
                    with m.Else():
                        m.d.sync += [
                            payload_left.eq(base.payload_bytes),
                            gone.eq(empty),
                            over.eq(0),
                            minus.eq(base.payload_bytes),
                            countdown.eq(atalanta.lane_depth),
                            offer.eq(1),
                            self.o_payload.eq(1),
                        ]
                        m.next = "PAYLOAD"
                        with m.If(is_atalanta):
                            m.next = "PRIME"
                interrupts()

            with m.State("PRIME"):
                m.d.comb += self.o_prime.eq(1)
                m.d.sync += countdown.eq(countdown - 1)
                with m.If(countdown == 1):
                    m.next = "PAYLOAD"
                payload_interrupts()

            with m.State("PAYLOAD"):
                before_header()
                # In the cycle in which a value turns out to be bad, the segment has not ended well.
                with m.If(over & self.i_crc_done & ~self.i_bad):
                    with m.If(~self.i_crc_good):
                        finish(Const(ErrorCode.PAYLOAD_CRC, CODE_BITS))
                    with m.Elif(~base.more & ~ends):
                        header_error(ErrorCode.LENGTH)
                    with m.Elif(~base.more):
                        m.d.comb += self.o_good.eq(1)
                        stop_pulling()
                        m.next = "IDLE"
                    with m.Elif(short):
                        header_error(ErrorCode.TRUNCATED)
                    with m.Else():
                        next_header()
                payload_interrupts()

            with m.State("SKIM"):
                with m.If(self.i_bus_error):
                    finish(Const(ErrorCode.BUS, CODE_BITS))
                with m.Elif(gone & self.i_crc_done):
                    finish(Mux(self.i_crc_good, pending, ErrorCode.PAYLOAD_CRC))

            with m.State("SETTLE"):
                with m.If(self.i_settled):
                    finish(pending)
                interrupts()

            with m.State("STOPPED"):
                pass
        return m

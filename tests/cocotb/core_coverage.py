"""The coverage points of the decoder, and how to tell from golden what a tensor exercises."""

import numpy as np
from coder_paths import SHIFTS, UNDERFLOWS, Seen, follow
from functional_coverage import Coverage

from atalanta.golden.container import Segment, segments
from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import ErrorCode
from atalanta.golden.params import LANES
from atalanta.golden.values import Array, Mapping, to_codes
from atalanta.hw.core import DESCRIPTORS
from atalanta.hw.unpacker import QUEUE_BEATS

HARDWARE_ERRORS = [code.name for code in ErrorCode if code not in (ErrorCode.NONE, ErrorCode.SHAPE)]
WAITS = ("0", "1 to 3", "4 to 15", "16 or more")


def fifos(p: DecoderParams) -> dict[str, tuple[str, int]]:
    """Places in the hierarchy and depths of the FIFOs whose levels are sampled."""
    return {
        "descriptors": ("queue", p.queue),
        "starts": ("core.starts", DESCRIPTORS),
        "prefetch": ("core.reader.prefetch", p.prefetch),
        "lane 0": ("core.lanes.lane0.fifo", p.lane_fifo),
        "unpacker": ("core.unpacker.queue", QUEUE_BEATS),
    }


def wait_bin(cycles: int) -> str:
    """The bin of a number of cycles waited."""
    return WAITS[sum(cycles >= least for least in (1, 4, 16))]


def make_coverage(p: DecoderParams) -> Coverage:
    """All points. Shifts of 13 to 15 and longer underflow runs cannot occur: see coder_paths."""
    return Coverage(
        {
            "renormalisation shift": SHIFTS,
            "underflow run": UNDERFLOWS,
            "table row": range(p.rows),
            "lanes of the stream": [n for n in LANES if n <= p.lanes],
            "group width": [
                f"{width} {mode}" for mode in ("mask", "plain") for width in range(p.value_bits + 1)
            ],
            "codec": ["atalanta", "shapeshifter", "raw"],
            "segments": ["1", "several"],
            "values": ["none", "few", "many"],
            "signed": [False, True],
            "first byte in its bus word": ["0", "other"],
            "burst words": ["1", "some", "most"],
            "burst ends": ["at 4 KiB", "elsewhere"],
            "bursts outstanding": ["0", "some", "most"],
            "cycles ARREADY is late": WAITS,
            "cycles between read words": WAITS,
            "cycles TREADY is late": WAITS,
            "cycles TVALID is late": WAITS,
            "full FIFO": fifos(p),
            "empty FIFO": fifos(p),
            "error": HARDWARE_ERRORS,
            "good tensor after an error": HARDWARE_ERRORS,
        }
    )


def cover_tensor(coverage: Coverage, values: Array, stream: bytes) -> None:
    """Count what the decoder went through to put out `values`, now known to be right."""
    found = list(segments(stream))
    coverage.hit("segments", "1" if len(found) == 1 else "several")
    coverage.hit("values", "none" if not values.size else "few" if values.size < 100 else "many")
    coverage.hit("signed", values.dtype.kind == "i")
    flat, at = values.reshape(-1), 0
    for segment in found:
        part = flat[at : at + segment.header.count]
        at += segment.header.count
        coverage.hit("codec", segment.codec.name)
        if segment.codec.name == "atalanta":
            cover_coder(coverage, part, segment)
        elif segment.codec.name == "shapeshifter":
            cover_groups(coverage, part, segment)


def cover_coder(coverage: Coverage, values: Array, segment: Segment) -> None:
    """Rows, renormalisations: every way of every lane codes its own sequence of rows."""
    table, p = segment.layout.table, segment.layout.params
    codes = to_codes(values, segment.header.bits, segment.header.signed, Mapping.OFFSET_BINARY)
    rows = np.searchsorted(table.v_min, codes, side="right") - 1
    coverage.hit("lanes of the stream", p.lanes)
    coverage.hit_all("table row", np.unique(rows))
    seen = Seen()
    for lane in range(p.lanes):
        for way in range(p.ways):
            follow(table, rows[lane :: p.lanes][way :: p.ways].tolist(), seen)
    coverage.hit_all("renormalisation shift", seen.shifts)
    coverage.hit_all("underflow run", seen.underflows)


def cover_groups(coverage: Coverage, values: Array, segment: Segment) -> None:
    """The width of each group, and whether zeros are masked out of it."""
    p = segment.layout
    codes = to_codes(values, segment.header.bits, segment.header.signed, Mapping.SIGN_MAGNITUDE)
    least = 0 if p.zero_width else 1
    for start in range(0, len(codes), p.group):
        width = max(int(codes[start : start + p.group].max()).bit_length(), least)
        coverage.hit("group width", f"{width} {'mask' if p.mask else 'plain'}")

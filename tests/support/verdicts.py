"""What the hardware must say of a stream: golden's verdict, but for what only one of them looks at."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atalanta.golden import header
from atalanta.golden.codec import codec_numbered
from atalanta.golden.container import Segment
from atalanta.golden.decoder import GROUP_VALUES, LEAD, DecoderParams
from atalanta.golden.errors import ErrorCode, StreamError


@dataclass(frozen=True)
class Due:
    """What a decoder must say of a stream.

    values: of the segments before the error, all if there is none. whole: they all come out, and
    nothing behind them.
    """

    code: ErrorCode
    values: NDArray[np.integer]
    whole: bool


def _built_for(p: DecoderParams, head: header.Header, codec: str) -> bool:
    """Whether the decoder was built for a segment with this header, whose fields are legal."""
    built = {"atalanta": p.atalanta, "shapeshifter": p.shapeshifter, "raw": p.raw}
    if head.bits > p.value_bits or not built[codec]:
        return False
    fields = codec_numbered(head).record.unpack(head.params.to_bytes(4, "little"))
    if codec == "atalanta":
        return (
            1 << fields["lanes_log2"] <= p.lanes
            and fields["ways"] == p.ways
            and 1 << fields["beat_log2"] == p.beat_bytes
            and fields["lane_depth"] <= p.lane_depth
            and fields["rows"] <= p.rows
        )
    return codec == "raw" or (fields["group"] == GROUP_VALUES - 1 and fields["lead"] == LEAD)


def checked_segment(data: bytes, start: int, p: DecoderParams) -> Segment:
    """The segment at byte `start`, its header checked. Raises StreamError as the hardware must.

    Hardware knows fewer codecs, and refuses what it was not built for as soon as the header's fields
    are known to be legal: before it looks at tables and lengths.
    """
    head = header.parse(data, start)
    kind = codec_numbered(head)
    if not kind.hardware:
        raise StreamError(ErrorCode.CODEC, kind.name)
    refused, layout = None, None
    try:
        layout = kind.layout(head)
    except StreamError as error:
        refused = error
    if refused and refused.code is ErrorCode.HEADER:
        raise refused
    if not _built_for(p, head, kind.name):
        raise StreamError(ErrorCode.UNSUPPORTED, kind.name)
    if refused:
        raise refused
    if len(data) < head.end:
        raise StreamError(ErrorCode.TRUNCATED, "payload")
    return Segment(head, kind, layout)


def due(data: bytes, p: DecoderParams) -> Due:
    """Golden's verdict, segment by segment; hardware does not look at shapes."""
    start, dtype = 0, np.dtype(f"u{p.value_bits // 8}")
    found = [np.zeros(0, dtype)]
    while True:
        try:
            segment = checked_segment(data, start, p)
        except StreamError as error:
            return Due(error.code, np.concatenate(found), whole=True)
        try:
            found.append(segment.values(data).astype(dtype))
        except StreamError as error:
            return Due(error.code, np.concatenate(found), whole=False)
        start = segment.header.end
        if not segment.header.more:
            ends = start == len(data)  # otherwise the last vector waits for a verdict that is not good
            code = ErrorCode.NONE if ends else ErrorCode.LENGTH
            return Due(code, np.concatenate(found), whole=ends)

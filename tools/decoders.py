"""Which decoder can take a stream."""

from collections.abc import Iterable

from atalanta.golden.container import Segment, segments
from atalanta.golden.errors import ParameterError


def decoder_needs(streams: Iterable[bytes]) -> dict[str, int]:
    """The decoder parameters that the streams need: those of the largest, ways and beats of all.

    Raises ParameterError if no one decoder takes them all, StreamError for a malformed stream.
    """
    needs = {"lanes": 1, "ways": 0, "rows": 8, "value_bits": 4, "beat_bytes": 0, "lane_depth": 2}
    for stream in streams:
        for segment in segments(stream):
            _add(needs, segment)
    needs["ways"] = needs["ways"] or 4
    needs["beat_bytes"] = needs["beat_bytes"] or 16
    return needs


def _add(needs: dict[str, int], segment: Segment) -> None:
    bits = segment.header.bits
    needs["value_bits"] = max(needs["value_bits"], next(b for b in (4, 8, 16) if bits <= b))
    if segment.codec.name != "atalanta":
        if not segment.codec.hardware:
            raise ParameterError(f"the hardware does not know codec {segment.codec.name}")
        return
    p = segment.layout.params
    needs["lanes"] = max(needs["lanes"], p.lanes)
    needs["rows"] = max(needs["rows"], next(r for r in (8, 16, 32) if p.rows <= r))
    needs["lane_depth"] = max(needs["lane_depth"], p.lane_depth)
    for name in ("ways", "beat_bytes"):
        value = getattr(p, name)
        if needs[name] not in (0, value):
            raise ParameterError(
                f"one decoder has one number of {name}, the streams have {needs[name]} and {value}"
            )
        needs[name] = value

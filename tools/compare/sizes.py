"""Bytes of one tensor in one line of a comparison, proven by decoding."""

from collections import Counter
from typing import Any

import numpy as np

from atalanta.golden import container
from atalanta.golden.codec import CODECS
from atalanta.golden.codecs.atalanta import Layout as AtalantaLayout
from atalanta.golden.values import Array, Mapping, to_codes
from atalanta.tools.compare.lines import ENTROPY, Line
from atalanta.tools.compare.pieces import Pieces
from atalanta.tools.measure import RoundTripError, entropy_bytes

ZSTD_LEVEL = 19
MOST_BARS = 256
"""Bars of a histogram; wider values share them."""

PUBLISHED_GROUP = 16
"""Values of a group in the published comparison."""


def _check(back: Array, piece: Array, pieces: Pieces, line: Line) -> None:
    same = back.dtype == piece.dtype and back.shape == piece.shape and np.array_equal(back, piece)
    if not same:
        raise RoundTripError(f"{pieces.info.key}: {line.title} does not give back what it was given")


def _options(pieces: Pieces, line: Line) -> dict[str, Any]:
    """The line's options and, where a sample is at hand, what the codec learns from it."""
    codec, options = CODECS[line.codec], dict(line.options)
    if pieces.sample is None or line.own:
        return options
    bits, sample = pieces.info.bits, pieces.sample.reshape(-1)
    codes = to_codes(sample, bits, pieces.signed, codec.mapping)
    return options | dict(codec.profiled(np.bincount(codes, minlength=1 << bits), bits) or {})


def fairest(pieces: Pieces, line: Line) -> Pieces:
    """The pieces; for codecs of small magnitudes, relative to the zero point if that takes less."""
    if not (line.magnitudes and pieces.has_zero_point):
        return pieces
    choices = [pieces, pieces.relative(signed=True), pieces.relative(signed=False)]
    return min(choices, key=lambda choice: sum(map(len, encode(choice, line))))


def encode(pieces: Pieces, line: Line) -> list[bytes]:
    """The streams of all pieces."""
    options = _options(pieces, line)
    return [
        container.encode(piece, line.codec, bits=pieces.info.bits, threads=1, **options)
        for piece in pieces.coded
    ]


def _codec_size(pieces: Pieces, line: Line) -> dict[str, Any]:
    pieces = fairest(pieces, line)
    options = _options(pieces, line)
    bits: Counter[str] = Counter()
    nbytes = stored_raw = 0
    for piece in pieces.coded:
        stream = b""
        for segment in container.encode_segments(
            piece, line.codec, bits=pieces.info.bits, threads=1, **options
        ):
            tables = 8 * len(segment.body.sections)
            bits.update({"header": 8 * len(segment.header) - tables, "tables": tables})
            bits.update(segment.body.parts)
            stored_raw += segment.codec.name != line.codec
            stream += segment.header + segment.body.payload
        _check(container.decode(stream, threads=1), piece, pieces, line)
        nbytes += len(stream)
    if bits.total() != 8 * nbytes:
        raise RoundTripError(
            f"{pieces.info.key}: {line.title} tells the use of {bits.total()} of {8 * nbytes} bits"
        )
    return {
        "bytes": nbytes,
        "bits": {part: count for part, count in bits.items() if count},
        "stored_raw": stored_raw,
    }


def _zstd_size(pieces: Pieces, line: Line) -> dict[str, Any]:
    import zstandard

    nbytes = 0
    for piece in pieces.coded:
        packed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(piece.tobytes())
        back = np.frombuffer(zstandard.ZstdDecompressor().decompress(packed), piece.dtype)
        _check(back.reshape(piece.shape), piece, pieces, line)
        nbytes += len(packed)
    return {"bytes": nbytes, "bits": {"payload": 8 * nbytes}, "stored_raw": 0}


def size(pieces: Pieces, line: Line) -> dict[str, Any]:
    """What a tensor takes.

    bytes: of all streams, all metadata counted. bits: by part, which sum to them. stored_raw: segments that
    the codec would have made larger. Raises RoundTripError.
    """
    if line.codec:
        return _codec_size(pieces, line)
    if line.name == ENTROPY:
        nbytes = sum(entropy_bytes(piece) for piece in pieces.coded)
        return {"bytes": nbytes, "bits": {"entropy": 8 * nbytes}, "stored_raw": 0}
    return _zstd_size(pieces, line)


def _rows(pieces: Pieces, line: Line) -> dict[str, Any]:
    """The rows of the table that codes the first segment, in values, and how many segments there are."""
    found = list(container.segments(encode(pieces, line)[0]))
    rows: list[dict[str, int]] = []
    if isinstance(found[0].layout, AtalantaLayout):
        table, low = found[0].layout.table, -(1 << pieces.info.bits - 1) if pieces.signed else 0
        rows = [
            {
                "first": table.v_min[row] + low,
                "last": table.v_end(row) - 1 + low,
                "count": table.count(row),
                "offset_bits": table.offset_bits[row],
            }
            for row in range(table.rows)
        ]
    return {"rows": rows, "segments": len(found)}


def counted_as_published(pieces: Pieces) -> int:
    """Bits of ShapeShifter as the published comparison counts them.

    Groups of 16 values at the width of the largest; signed values moved up by half their range, no sign,
    no width field, no mask. tools/compare/published.py names the source.
    """
    total = 0
    for piece in pieces.coded:
        codes = to_codes(piece.reshape(-1), pieces.info.bits, pieces.signed, Mapping.OFFSET_BINARY)
        starts = np.arange(0, codes.size, PUBLISHED_GROUP)
        largest = np.maximum.reduceat(codes, starts) if codes.size else codes
        widths = np.ceil(np.log2(largest.astype(np.float64) + 1)).astype(np.int64)
        total += int(widths @ np.diff(np.append(starts, codes.size))) if codes.size else 0
    return total


def facts(pieces: Pieces, line: Line) -> dict[str, Any]:
    """What is drawn of a tensor: the histogram of its values and the rows of the table. line: Atalanta."""
    found = pieces.histogram(pieces.coded)
    step = max(1, len(found) // MOST_BARS)
    low = -(len(found) // 2) if pieces.signed else 0
    return {
        "histogram": {"first": low, "step": step, "counts": found.reshape(-1, step).sum(axis=1).tolist()},
        **_rows(pieces, line),
        "published_shapeshifter_bits": counted_as_published(pieces),
    }

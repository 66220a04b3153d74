"""Segments under the Atalanta codec even where `encode` would store the values raw."""

from typing import Any

from atalanta.golden import header
from atalanta.golden.codecs.atalanta import Atalanta
from atalanta.golden.format import crc32
from atalanta.golden.values import Array, to_codes


def atalanta_segment(values: Array, *, more: bool = False, **options: Any) -> bytes:
    """The stream of one segment of 8-bit values. more: say that others follow. options: the codec's."""
    signed = values.dtype.kind == "i"
    codes = to_codes(values, 8, signed, Atalanta.mapping)
    body = Atalanta(fit=False, **options).encode(codes, 8)
    fields = {
        "codec": Atalanta.id,
        "bits": 8,
        "signed": signed,
        "wide": 0,
        "more": more,
        "shaped": 0,
        "params": int.from_bytes(Atalanta.record.pack(body.params), "little"),
        "count": values.size,
        "payload_bytes": len(body.payload),
        "lane_bytes": body.lane_bytes,
        "payload_crc": crc32(body.payload),
    }
    return header.pack(fields, body.sections) + body.payload

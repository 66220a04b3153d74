"""Zero-value compression: a mask that says which values are zero, and the values that are not.

Rhu, O'Connor, Chatterjee, Pool, Kwon and Keckler, "Compressing DMA Engine: Leveraging Activation Sparsity
for Training Deep Neural Networks", HPCA 2018, section V: a mask of 32 bits before the non-zero ones of
every 32 values. Here all masks come first and then all values, which takes the same bits.

What counts as zero is the value that occurs most, which is zero in the paper's tensors and the zero point
in tensors that have one; any other choice takes more bits.
"""

from dataclasses import dataclass

import numpy as np

from atalanta.golden.codec import Body, Codec, Draft, header_check, register, sections_check
from atalanta.golden.codecs.runs import most_frequent
from atalanta.golden.engine import AUTO
from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.fields import pack_fields, unpack_fields
from atalanta.golden.format import RESERVED, Field, Record
from atalanta.golden.header import Header
from atalanta.golden.params import check_choice
from atalanta.golden.values import Codes, Mapping, code_dtype


@dataclass(frozen=True)
class Layout:
    """What the header of a ZVC segment says."""

    bits: int
    zero: int


@register
class Zvc(Codec):
    """Zero mask and non-zero values.

    zero: the value's code that counts as zero; None takes the one that occurs most.
    """

    name = "zvc"
    id = 19
    mapping = Mapping.TWOS_COMPLEMENT
    record = Record(
        "ZVC parameters",
        (Field("zero", 16, "Code of the value that is left out."), Field("reserved", 16, RESERVED)),
    )

    def __init__(self, *, zero: int | None = None) -> None:
        if zero is not None:
            check_choice("zero", zero, range(1 << 16))
        self._zero = zero

    def encode(self, codes: Codes, bits: int) -> Body:
        return self.draft(codes, bits).body()

    def draft(self, codes: Codes, bits: int, *, schedule: bool = False) -> Draft:
        zero = most_frequent(codes, bits) if self._zero is None else self._zero
        check_choice("zero", zero, range(1 << bits))
        mask = codes != zero
        stored = int(np.count_nonzero(mask))

        def body() -> Body:
            payload = np.packbits(mask, bitorder="little").tobytes() + pack_fields(codes[mask], bits)
            return Body({"zero": zero}, payload, parts=_parts(len(codes), stored, bits, payload))

        return Draft(-(-len(codes) // 8) + -(-stored * bits // 8), body)

    @classmethod
    def layout(cls, header: Header) -> Layout:
        params = cls.parse_params(header)
        header_check(params["zero"] < 1 << header.bits, ErrorCode.HEADER, f"zero {params['zero']}", header)
        sections_check(0, header)
        header_check(header.lane_bytes == 0, ErrorCode.LENGTH, "lane_bytes without lanes", header)
        return Layout(header.bits, params["zero"])

    @classmethod
    def section_bytes(cls, layout: Layout) -> int:
        return 0

    @classmethod
    def decode(cls, layout: Layout, payload: bytes, count: int, *, engine: str = AUTO) -> Codes:
        masks = -(-count // 8)
        bits = np.unpackbits(np.frombuffer(payload, np.uint8)[:masks], bitorder="little")
        mask = np.zeros(count, bool)
        mask[: len(bits)] = bits[:count]
        stored = int(np.count_nonzero(mask))
        expected = masks + -(-stored * layout.bits // 8)
        if expected != len(payload):
            raise StreamError(ErrorCode.LANE, f"{len(payload)} bytes where {expected} are due")
        codes = np.full(count, layout.zero, code_dtype(layout.bits > 8))
        codes[mask] = unpack_fields(payload[masks:], stored, layout.bits)
        return codes

    @classmethod
    def parts(cls, layout: Layout, codes: Codes, payload: bytes) -> dict[str, int]:
        return _parts(len(codes), int(np.count_nonzero(codes != layout.zero)), layout.bits, payload)


def _parts(count: int, stored: int, bits: int, payload: bytes) -> dict[str, int]:
    return {"mask": count, "value": stored * bits, "padding": 8 * len(payload) - count - stored * bits}

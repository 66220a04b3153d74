"""Raw segments of the container."""

from atalanta.golden.codec import Body, Codec, header_check, register
from atalanta.golden.errors import ErrorCode
from atalanta.golden.format import RAW_PARAMS, CodecId
from atalanta.golden.header import Header
from atalanta.golden.params import RawParams
from atalanta.golden.reference import raw as reference
from atalanta.golden.values import Codes, Mapping


@register
class Raw(Codec):
    """Values of n bits, packed."""

    name = "raw"
    id = CodecId.RAW
    mapping = Mapping.TWOS_COMPLEMENT
    record = RAW_PARAMS
    hardware = True

    def encode(self, codes: Codes, bits: int) -> Body:
        payload = reference.encode(codes, RawParams(bits=bits))
        used = len(codes) * bits
        return Body({}, payload, parts={"value": used, "padding": 8 * len(payload) - used})

    @classmethod
    def layout(cls, header: Header) -> RawParams:
        cls.parse_params(header)
        p = RawParams(bits=header.bits)
        expected = reference.payload_bytes(header.count, p)
        ok = header.payload_bytes == expected and header.lane_bytes == 0
        what = f"payload of {header.payload_bytes} bytes where {expected} are due"
        header_check(ok, ErrorCode.LENGTH, what, header)
        return p

    @classmethod
    def section_bytes(cls, layout: RawParams) -> int:
        return 0

    @classmethod
    def decode(cls, layout: RawParams, payload: bytes, count: int) -> Codes:
        return reference.decode(payload, count, layout)

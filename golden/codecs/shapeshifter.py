"""ShapeShifter segments of the container."""

from collections import Counter

from atalanta.golden.codec import Body, Codec, header_check, register
from atalanta.golden.errors import ErrorCode
from atalanta.golden.format import SHAPESHIFTER_PARAMS, CodecId
from atalanta.golden.header import Header
from atalanta.golden.params import GROUP, LEAD, ShapeShifterParams
from atalanta.golden.reference import shapeshifter as reference
from atalanta.golden.values import Codes, Mapping


@register
class ShapeShifter(Codec):
    """Per-group width, with or without a zero mask.

    group: values of a group, 8..256. mask, zero_width: None takes whichever is smaller.
    """

    name = "shapeshifter"
    id = CodecId.SHAPESHIFTER
    mapping = Mapping.SIGN_MAGNITUDE
    record = SHAPESHIFTER_PARAMS
    hardware = True

    def __init__(
        self, *, group: int = 16, mask: bool | None = None, zero_width: bool | None = None, lead: int = 4
    ) -> None:
        self._modes = [
            ShapeShifterParams(group=group, mask=m, zero_width=z, lead=lead)
            for m in ([True, False] if mask is None else [mask])
            for z in ([True, False] if zero_width is None else [zero_width])
        ]

    def encode(self, codes: Codes, bits: int) -> Body:
        bodies = [_encode(codes, _with_bits(mode, bits)) for mode in self._modes]
        return min(bodies, key=lambda body: body.nbytes)

    @classmethod
    def layout(cls, header: Header) -> ShapeShifterParams:
        params = cls.parse_params(header)
        header_check(params["group"] + 1 in GROUP, ErrorCode.HEADER, f"group {params['group']}", header)
        header_check(params["lead"] in LEAD, ErrorCode.HEADER, f"lead {params['lead']}", header)
        header_check(header.lane_bytes == 0, ErrorCode.LENGTH, "lane_bytes without lanes", header)
        return ShapeShifterParams(
            bits=header.bits,
            group=params["group"] + 1,
            mask=bool(params["mask"]),
            zero_width=bool(params["zero_width"]),
            lead=params["lead"],
        )

    @classmethod
    def section_bytes(cls, layout: ShapeShifterParams) -> int:
        return 0

    @classmethod
    def decode(cls, layout: ShapeShifterParams, payload: bytes, count: int) -> Codes:
        return reference.decode(payload, count, layout)[0]


def _with_bits(mode: ShapeShifterParams, bits: int) -> ShapeShifterParams:
    return ShapeShifterParams(
        bits=bits, group=mode.group, mask=mode.mask, zero_width=mode.zero_width, lead=mode.lead
    )


def _encode(codes: Codes, p: ShapeShifterParams) -> Body:
    parts: Counter[str] = Counter()
    payload = reference.encode(codes, p, lambda name, width, _: parts.update({name: width}))
    parts["padding"] = 8 * len(payload) - parts.total()
    params = {"group": p.group - 1, "mask": p.mask, "zero_width": p.zero_width, "lead": p.lead}
    return Body(params, payload, parts=dict(parts))

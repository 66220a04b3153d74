"""ShapeShifter segments of the container."""

from collections import Counter
from dataclasses import dataclass, replace

from atalanta.golden import native
from atalanta.golden.codec import Body, Codec, Draft, header_check, register, sections_check
from atalanta.golden.engine import AUTO, use_native
from atalanta.golden.errors import ErrorCode
from atalanta.golden.format import SHAPESHIFTER_PARAMS, CodecId
from atalanta.golden.header import Header
from atalanta.golden.lanes import Int
from atalanta.golden.params import GROUP, LEAD, ShapeShifterParams
from atalanta.golden.reference import shapeshifter as reference
from atalanta.golden.values import Codes, Mapping


@dataclass(frozen=True)
class _Coded:
    """A mode and the bits it takes, by what they are for."""

    params: ShapeShifterParams
    parts: dict[str, int]

    @property
    def nbytes(self) -> int:
        return -(-sum(self.parts.values()) // 8)

    def body(self, payload: bytes) -> Body:
        p = self.params
        params = {"group": p.group - 1, "mask": p.mask, "zero_width": p.zero_width, "lead": p.lead}
        padding = 8 * len(payload) - sum(self.parts.values())
        return Body(params, payload, parts={**self.parts, "padding": padding})


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
        self,
        *,
        group: int = 16,
        mask: bool | None = None,
        zero_width: bool | None = None,
        lead: int = 4,
        engine: str = AUTO,
    ) -> None:
        self._modes = [
            ShapeShifterParams(group=group, mask=m, zero_width=z, lead=lead)
            for m in ([True, False] if mask is None else [mask])
            for z in ([True, False] if zero_width is None else [zero_width])
        ]
        self._native = use_native(engine)

    def encode(self, codes: Codes, bits: int) -> Body:
        return self.draft(codes, bits).body()

    def draft(self, codes: Codes, bits: int, *, schedule: bool = False) -> Draft:
        modes = [replace(mode, bits=bits) for mode in self._modes]
        if not self._native:
            bodies = [_reference_encode(codes, mode) for mode in modes]
            best = min(bodies, key=lambda body: body.nbytes)
            return Draft(best.nbytes, lambda: best)
        coded = min(_measure(codes, modes), key=lambda coded: coded.nbytes)
        nbytes = coded.nbytes
        return Draft(
            nbytes,
            lambda: coded.body(native.shapeshifter_encode(codes, coded.params, nbytes)),
        )

    @classmethod
    def layout(cls, header: Header) -> ShapeShifterParams:
        params = cls.parse_params(header)
        header_check(params["group"] + 1 in GROUP, ErrorCode.HEADER, f"group {params['group']}", header)
        header_check(params["lead"] in LEAD, ErrorCode.HEADER, f"lead {params['lead']}", header)
        sections_check(0, header)
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
    def decode(cls, layout: ShapeShifterParams, payload: bytes, count: int, *, engine: str = AUTO) -> Codes:
        decode = native.shapeshifter_decode if use_native(engine) else reference.decode
        return decode(payload, count, layout)[0]

    @classmethod
    def slot_bits(cls, layout: ShapeShifterParams, payload: bytes, count: int, *, engine: str = AUTO) -> Int:
        decode = native.shapeshifter_decode if use_native(engine) else reference.decode
        return decode(payload, count, layout)[1]

    @classmethod
    def parts(cls, layout: ShapeShifterParams, codes: Codes, payload: bytes) -> dict[str, int]:
        if use_native():
            return _measure(codes, [layout])[0].parts
        return dict(_reference_encode(codes, layout).parts)


def _measure(codes: Codes, modes: list[ShapeShifterParams]) -> list[_Coded]:
    """The modes, of one group size, with their bits."""
    count, group = len(codes), modes[0].group
    found = native.shapeshifter_measure(codes, group)
    coded = []
    for p in modes:
        parts = {"width": -(-count // group) * p.width_bits}
        if p.mask:
            parts |= {"mask": count, "value": found.masked}
        else:
            parts["value"] = found.narrow if p.zero_width else found.wide
        coded.append(_Coded(p, parts))
    return coded


def _reference_encode(codes: Codes, p: ShapeShifterParams) -> Body:
    parts = Counter(width=0, value=0, **({"mask": 0} if p.mask else {}))
    payload = reference.encode(codes, p, lambda name, width, _: parts.update({name: width}))
    return _Coded(p, dict(parts)).body(payload)

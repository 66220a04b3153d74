"""ShapeShifter segments of the container."""

from dataclasses import dataclass, replace
from itertools import product

from atalanta.golden import native_others
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
        return Body(
            params, payload, parts={**self.parts, "padding": 8 * self.nbytes - sum(self.parts.values())}
        )


@register
class ShapeShifter(Codec):
    """Per-group width, with or without a zero mask.

    group: values of a group, 8..256; None takes the best of all (the hardware takes its own size only).
    mask, zero_width: None takes whichever is smaller.
    """

    name = "shapeshifter"
    id = CodecId.SHAPESHIFTER
    mapping = Mapping.SIGN_MAGNITUDE
    record = SHAPESHIFTER_PARAMS
    hardware = True

    def __init__(
        self,
        *,
        group: int | None = 16,
        mask: bool | None = None,
        zero_width: bool | None = None,
        lead: int = 4,
        engine: str = AUTO,
    ) -> None:
        self._modes = [
            ShapeShifterParams(group=g, mask=m, zero_width=z, lead=lead)
            for g, m, z in product(
                GROUP if group is None else [group],
                [True, False] if mask is None else [mask],
                [True, False] if zero_width is None else [zero_width],
            )
        ]
        self._native = use_native(engine)

    def encode(self, codes: Codes, bits: int) -> Body:
        return self.draft(codes, bits).body()

    def draft(self, codes: Codes, bits: int, *, schedule: bool = False) -> Draft:
        modes = [replace(mode, bits=bits) for mode in self._modes]
        coded = min(_measure(codes, modes, by_library=self._native), key=lambda coded: coded.nbytes)
        nbytes = coded.nbytes

        def body() -> Body:
            if self._native:
                return coded.body(native_others.shapeshifter_encode(codes, coded.params, nbytes))
            return coded.body(reference.encode(codes, coded.params))

        return Draft(nbytes, body)

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
        decode = native_others.shapeshifter_decode if use_native(engine) else reference.decode
        return decode(payload, count, layout)[0]

    @classmethod
    def slot_bits(cls, layout: ShapeShifterParams, payload: bytes, count: int, *, engine: str = AUTO) -> Int:
        decode = native_others.shapeshifter_decode if use_native(engine) else reference.decode
        return decode(payload, count, layout)[1]

    @classmethod
    def parts(cls, layout: ShapeShifterParams, codes: Codes, payload: bytes) -> dict[str, int]:
        used = int(cls.slot_bits(layout, payload, len(codes)).sum())
        parts = {"width": -(-len(codes) // layout.group) * layout.width_bits}
        if layout.mask:
            parts["mask"] = len(codes)
        # Not measured: another encoder may have taken wider widths than it needed.
        parts["value"] = used - sum(parts.values())
        return parts | {"padding": 8 * len(payload) - used}


def _measure(codes: Codes, modes: list[ShapeShifterParams], *, by_library: bool) -> list[_Coded]:
    """The modes with the bits that they take."""
    measure = native_others.shapeshifter_measure if by_library else reference.measure
    found = {group: measure(codes, group) for group in {p.group for p in modes}}
    coded = []
    for p in modes:
        bits = found[p.group]
        parts = {"width": -(-len(codes) // p.group) * p.width_bits}
        if p.mask:
            parts |= {"mask": len(codes), "value": bits.masked}
        else:
            parts["value"] = bits.narrow if p.zero_width else bits.wide
        coded.append(_Coded(p, parts))
    return coded

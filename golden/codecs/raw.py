"""Raw segments of the container."""

import numpy as np

from atalanta.golden import native_others
from atalanta.golden.codec import Body, Codec, Draft, header_check, register, sections_check
from atalanta.golden.decoder import GROUP_VALUES, LEAD
from atalanta.golden.engine import AUTO, use_native
from atalanta.golden.errors import ErrorCode
from atalanta.golden.format import RAW_PARAMS, CodecId
from atalanta.golden.header import Header
from atalanta.golden.lanes import Int
from atalanta.golden.params import RawParams
from atalanta.golden.reference import raw as reference
from atalanta.golden.values import Array, Buffer, Codes, Mapping


@register
class Raw(Codec):
    """Values of n bits, packed."""

    name = "raw"
    id = CodecId.RAW
    mapping = Mapping.TWOS_COMPLEMENT
    record = RAW_PARAMS
    hardware = True

    def __init__(self, *, engine: str = AUTO) -> None:
        self._native = use_native(engine)

    def draft(self, codes: Codes, bits: int, *, schedule: bool = False) -> Draft:
        payload_bytes = reference.payload_bytes(len(codes), RawParams(bits=bits))
        return Draft(payload_bytes, lambda: self.encode(codes, bits))

    def encode(self, codes: Codes, bits: int) -> Body:
        p = RawParams(bits=bits)
        encode = native_others.raw_encode if self._native else reference.encode
        payload = encode(codes, p)
        return Body({}, payload, parts=self.parts(p, codes, payload))

    def draft_values(self, values: Array, bits: int, signed: bool, *, schedule: bool = False) -> Draft:
        if bits != 8 * values.itemsize:
            return super().draft_values(values, bits, signed, schedule=schedule)
        memory = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).view(np.uint8).data

        def body() -> Body:
            return Body({}, bytes(memory), parts={"value": values.size * bits, "padding": 0})

        def into(room: memoryview) -> Body:
            room[:] = memory
            return Body({}, b"")

        return Draft(len(memory), body, into=into)

    @classmethod
    def layout(cls, header: Header) -> RawParams:
        cls.parse_params(header)
        sections_check(0, header)
        p = RawParams(bits=header.bits)
        expected = reference.payload_bytes(header.count, p)
        ok = header.payload_bytes == expected and header.lane_bytes == 0
        what = f"payload of {header.payload_bytes} bytes where {expected} are due"
        header_check(ok, ErrorCode.LENGTH, what, header)
        return p

    @classmethod
    def decode_values(
        cls, layout: RawParams, payload: Buffer, header: Header, out: Array, *, engine: str = AUTO
    ) -> None:
        if layout.bits == 8 * out.itemsize:
            out[:] = np.frombuffer(payload, out.dtype.newbyteorder("<"))
        else:
            super().decode_values(layout, payload, header, out, engine=engine)

    @classmethod
    def section_bytes(cls, layout: RawParams) -> int:
        return 0

    @classmethod
    def decode(cls, layout: RawParams, payload: bytes, count: int, *, engine: str = AUTO) -> Codes:
        decode = native_others.raw_decode if use_native(engine) else reference.decode
        return decode(payload, count, layout)

    @classmethod
    def parts(cls, layout: RawParams, codes: Codes, payload: bytes) -> dict[str, int]:
        used = len(codes) * layout.bits
        return {"value": used, "padding": 8 * len(payload) - used}

    @classmethod
    def slot_bits(cls, layout: RawParams, payload: bytes, count: int, *, engine: str = AUTO) -> Int:
        starts = np.arange(0, count, GROUP_VALUES)
        values = np.concatenate([np.zeros(LEAD, np.int64), np.minimum(count - starts, GROUP_VALUES)])
        return values * layout.bits if count else np.zeros(0, np.int64)

"""Extended bit-plane compression segments of the container; golden/reference/ebpc.py says what it is."""

from collections import Counter
from dataclasses import replace

import numpy as np

from atalanta.golden import native_others
from atalanta.golden.codec import Body, Codec, Draft, header_check, register, sections_check
from atalanta.golden.codecs.runs import most_frequent
from atalanta.golden.engine import AUTO, use_native
from atalanta.golden.errors import ErrorCode
from atalanta.golden.format import RESERVED, Field, Record
from atalanta.golden.header import Header
from atalanta.golden.params import BLOCK, RUN_BITS, EbpcParams, check_choice
from atalanta.golden.reference import ebpc as reference
from atalanta.golden.values import Codes, Mapping


@register
class Ebpc(Codec):
    """Extended bit-plane compression: runs of zeros and bit planes of differences.

    The paper's hardware has blocks of 8 and runs of 4 bits; None takes what suits the segment best.

    block: values of a block: 4, 8, 16 or 32. run_bits: bits of a run of zeros, 1..8.
    zero: the value's code that counts as zero; None takes the one that occurs most.
    """

    name = "ebpc"
    id = 20
    mapping = Mapping.OFFSET_BINARY  # neighbours in value differ little, whatever their signs
    record = Record(
        "EBPC parameters",
        (
            Field("block_log2", 3, "log2 of the values of a block: 2..5."),
            Field("run_bits", 4, "Bits of a run of zeros: 1..8."),
            Field("zero", 16, "Code of the value that counts as zero."),
            Field("reserved", 9, RESERVED),
        ),
    )

    def __init__(
        self,
        *,
        block: int | None = None,
        run_bits: int | None = None,
        zero: int | None = None,
        engine: str = AUTO,
    ) -> None:
        if block is not None:
            check_choice("block", block, BLOCK)
        if run_bits is not None:
            check_choice("run_bits", run_bits, RUN_BITS)
        if zero is not None:
            check_choice("zero", zero, range(1 << 16))
        self._blocks = BLOCK if block is None else (block,)
        self._run_bits = RUN_BITS if run_bits is None else (run_bits,)
        self._zero = zero
        self._native = use_native(engine)

    def encode(self, codes: Codes, bits: int) -> Body:
        return self.draft(codes, bits).body()

    def draft(self, codes: Codes, bits: int, *, schedule: bool = False) -> Draft:
        zero = most_frequent(codes, bits) if self._zero is None else self._zero
        any_params = EbpcParams(bits=bits, zero=zero)
        measured = [(_block_bits(codes, replace(any_params, block=b), self._native), b) for b in self._blocks]
        found = _runs(codes, zero)
        p = replace(
            any_params,
            block=min(measured)[1],
            run_bits=min(self._run_bits, key=lambda width: _zero_bits(found, width)),
        )
        parts = _parts(codes, p, min(measured)[0])
        nbytes = sum(parts.values()) // 8

        def body() -> Body:
            payload = (
                native_others.ebpc_encode(codes, p, nbytes) if self._native else reference.encode(codes, p)
            )
            params = {"block_log2": p.block.bit_length() - 1, "run_bits": p.run_bits, "zero": p.zero}
            return Body(params, payload, parts=parts)

        return Draft(nbytes, body)

    @classmethod
    def layout(cls, header: Header) -> EbpcParams:
        params = cls.parse_params(header)
        block = 1 << params["block_log2"]
        header_check(block in BLOCK, ErrorCode.HEADER, f"block {block}", header)
        run_bits = params["run_bits"]
        header_check(run_bits in RUN_BITS, ErrorCode.HEADER, f"run_bits {run_bits}", header)
        header_check(params["zero"] < 1 << header.bits, ErrorCode.HEADER, f"zero {params['zero']}", header)
        sections_check(0, header)
        header_check(header.lane_bytes == 0, ErrorCode.LENGTH, "lane_bytes without lanes", header)
        return EbpcParams(bits=header.bits, block=block, run_bits=run_bits, zero=params["zero"])

    @classmethod
    def section_bytes(cls, layout: EbpcParams) -> int:
        return 0

    @classmethod
    def decode(cls, layout: EbpcParams, payload: bytes, count: int, *, engine: str = AUTO) -> Codes:
        decode = native_others.ebpc_decode if use_native(engine) else reference.decode
        return decode(payload, count, layout)

    @classmethod
    def parts(cls, layout: EbpcParams, codes: Codes, payload: bytes) -> dict[str, int]:
        return _parts(codes, layout, _block_bits(codes, layout, use_native()))


def _runs(codes: Codes, zero: int) -> tuple[Counter[int], int]:
    """How often there are runs of zeros of each length, and how many other values there are."""
    places = np.concatenate([[-1], np.flatnonzero(codes != zero), [len(codes)]])
    lengths, often = np.unique(np.diff(places) - 1, return_counts=True)
    return Counter(dict(zip(lengths.tolist(), often.tolist(), strict=True))), len(places) - 2


def _zero_bits(found: tuple[Counter[int], int], run_bits: int) -> int:
    """Bits that tell where the zeros are."""
    runs, others = found
    return others + sum(-(-length >> run_bits) * (1 + run_bits) * often for length, often in runs.items())


def _block_bits(codes: Codes, p: EbpcParams, by_library: bool) -> int:
    """Bits of all blocks."""
    if by_library:
        return native_others.ebpc_measure(codes, p)
    bits: Counter[str] = Counter()
    reference.encode(codes, p, lambda name, width, _: bits.update({name: width}))
    return bits["base"] + bits["plane"]


def _parts(codes: Codes, p: EbpcParams, block_bits: int) -> dict[str, int]:
    """Bits of a payload by what they are for."""
    found = _runs(codes, p.zero)
    zeros = _zero_bits(found, p.run_bits)
    base = -(-found[1] // p.block) * p.bits
    padding = -(zeros + block_bits) % 8
    return {"zeros": zeros, "base": base, "plane": block_bits - base, "padding": padding}

"""CRC-32 of whole blocks, one per cycle."""

from functools import cache

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.format import crc32

CRC_BITS = 32
ONES = (1 << CRC_BITS) - 1


@cache
def _effects(nbytes: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What each state bit and each data bit does to the state after `nbytes` bytes.

    The register holds the complement of zlib's value, which makes a block's effect linear: these
    columns, found by asking the software, are all there is to know about the polynomial.
    """

    def after(state: int, data: int) -> int:
        return crc32(data.to_bytes(nbytes, "little"), state ^ ONES) ^ ONES

    zero = after(0, 0)
    return (
        tuple(after(1 << i, 0) ^ zero for i in range(CRC_BITS)),
        tuple(after(0, 1 << i) ^ zero for i in range(8 * nbytes)),
    )


def advance(state: Value, data: Value) -> Value:
    """The state after the bytes of `data`, lowest first."""
    columns = [c for part in _effects(len(data) // 8) for c in part]
    inputs = Cat(state, data)
    masks = (sum((c >> bit & 1) << i for i, c in enumerate(columns)) for bit in range(CRC_BITS))
    return Cat((inputs & Const(mask, len(inputs))).xor() for mask in masks)


class Crc(wiring.Component):
    """CRC-32 (as zlib) of blocks.

    Latency 1 cycle from a block to `o_crc`; 1 block per cycle.

    Attributes:
    ----------
    i_data, i_valid: a block. i_first: it is the first one.
    o_crc: the CRC of the blocks so far.
    """

    def __init__(self, nbytes: int) -> None:
        super().__init__(
            {
                "i_data": In(8 * nbytes),
                "i_valid": In(1),
                "i_first": In(1),
                "o_crc": Out(CRC_BITS),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Parities of masked words: the tools find what they share."""
        m = Module()
        state = Signal(CRC_BITS)
        m.d.comb += self.o_crc.eq(~state)
        with m.If(self.i_valid):
            m.d.sync += state.eq(advance(Mux(self.i_first, ONES, state), self.i_data))
        return m

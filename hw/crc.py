"""CRC-32 of whole blocks, one per cycle."""

from collections.abc import Sequence
from functools import cache, reduce
from operator import xor

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


def _sum(columns: Sequence[int], bits: Value) -> Value:
    """The columns of the bits that are high, added up modulo 2."""
    masks = (sum((c >> row & 1) << i for i, c in enumerate(columns)) for row in range(CRC_BITS))
    return Cat((bits & Const(mask, len(bits))).xor() for mask in masks)


def advance(state: Value, nbytes: int) -> Value:
    """The state after so many bytes of zeros; what other bytes add to it is their `effects`."""
    return _sum(_effects(nbytes)[0], state)


PART_BYTES = 4
"""Bytes whose effect is found in one cycle: those of more would be too long a sum."""


def effects(m: Module, data: Value) -> list[Value]:
    """What the bytes of `data`, lowest first, add to the state, by parts, each in a register."""
    columns = _effects(len(data) // 8)[1]
    found: list[Value] = []
    for first in range(0, len(data), 8 * PART_BYTES):
        part = slice(first, first + 8 * PART_BYTES)
        found.append(Signal(CRC_BITS, name=f"effect{first // 8}", reset_less=True))
        m.d.sync += found[-1].eq(_sum(columns[part], data[part]))
    return found


class Crc(wiring.Component):
    """CRC-32 (as zlib) of blocks.

    Latency 2 cycles from a block to `o_crc`; 1 block per cycle.

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
        """What a block adds does not depend on the state, so that half of the parities has a register."""
        m = Module()
        valid, first = Signal(), Signal()
        state = Signal(CRC_BITS)
        added = effects(m, self.i_data)
        m.d.comb += self.o_crc.eq(~state)
        m.d.sync += [
            valid.eq(self.i_valid),
            first.eq(self.i_first),
        ]
        with m.If(valid):
            after = advance(Mux(first, ONES, state), len(self.i_data) // 8)
            m.d.sync += state.eq(reduce(xor, added, after))
        return m

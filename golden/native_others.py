"""The compiled ShapeShifter, raw, Huffman and EBPC codecs; like `native`."""

from ctypes import byref, c_int64

import numpy as np
from numpy.typing import NDArray

from atalanta.golden import compiled
from atalanta.golden.compiled import SLACK, Ebpc, Groups, checked, done, room
from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.lanes import Int
from atalanta.golden.params import EbpcParams, RawParams, ShapeShifterParams
from atalanta.golden.reference.shapeshifter import ValueBits
from atalanta.golden.values import Codes


def _groups(p: ShapeShifterParams) -> Groups:
    return Groups(p.bits, p.group, p.mask, p.zero_width, p.lead, p.width_bits)


def shapeshifter_measure(codes: Codes, group: int) -> ValueBits:
    """The value bits in all modes."""
    codes = checked(codes, 8 * codes.itemsize)
    bits = np.zeros(3, np.int64)
    library = compiled.loaded()
    done(
        library.atalanta_shapeshifter_measure(
            codes.ctypes.data, codes.itemsize, codes.size, group, bits.ctypes.data
        )
    )
    return ValueBits(*bits.tolist())


def shapeshifter_encode(codes: Codes, p: ShapeShifterParams, nbytes: int) -> bytes:
    """The payload. nbytes: its length, as `shapeshifter_measure` leads to."""
    codes = checked(codes, p.bits)
    payload = np.empty(nbytes + SLACK, np.uint8)
    library = compiled.loaded()
    done(
        library.atalanta_shapeshifter_encode(
            byref(_groups(p)), codes.ctypes.data, codes.itemsize, codes.size, payload.ctypes.data
        )
    )
    return payload[:nbytes].tobytes()


def shapeshifter_decode(payload: bytes, count: int, p: ShapeShifterParams) -> tuple[Codes, Int]:
    """The codes, shape (count,), and the bits taken in each slot, shape (slots,).

    Raises StreamError(VALUE) or StreamError(LANE).
    """
    data = np.frombuffer(payload, np.uint8)
    codes = room(count, p.bits)
    used = np.empty(-(-count // p.group) + p.lead if count else 0, np.int64)
    where = np.zeros(2, np.int64)
    status = compiled.loaded().atalanta_shapeshifter_decode(
        byref(_groups(p)), data.ctypes.data, data.size, count, codes.ctypes.data, codes.itemsize,
        used.ctypes.data, where.ctypes.data,
    )  # fmt: skip
    if status == ErrorCode.VALUE:
        raise StreamError(ErrorCode.VALUE, f"group {where[0]} has width {where[1]}")
    if status == ErrorCode.LANE:
        what = f"{len(payload)} bytes, of which {where[0]} bits were used"
        raise StreamError(ErrorCode.LANE, what)
    done(status)
    return codes, used


def raw_encode(codes: Codes, p: RawParams) -> bytes:
    """The payload."""
    codes = checked(codes, p.bits)
    nbytes = -(-codes.size * p.bits // 8)
    payload = np.empty(nbytes + SLACK, np.uint8)
    library = compiled.loaded()
    done(
        library.atalanta_raw_encode(
            codes.ctypes.data, codes.itemsize, codes.size, p.bits, payload.ctypes.data
        )
    )
    return payload[:nbytes].tobytes()


def raw_decode(payload: bytes, count: int, p: RawParams) -> Codes:
    """The codes, shape (count,)."""
    data = np.frombuffer(payload, np.uint8)
    codes = room(count, p.bits)
    library = compiled.loaded()
    done(
        library.atalanta_raw_decode(
            data.ctypes.data, data.size, count, p.bits, codes.ctypes.data, codes.itemsize
        )
    )
    return codes


def huffman_encode(codes: Codes, table: NDArray[np.uint32], nbytes: int) -> bytes:
    """The Huffman codes of a segment, `nbytes` in all.

    table: for each value of the codes' dtype, the code's bits, its first bit lowest, and from bit 16 on
        its length.
    """
    codes = checked(codes, 8 * codes.itemsize)
    entries = np.ascontiguousarray(table, np.uint32)
    if len(entries) < 1 << 8 * codes.itemsize:
        raise ValueError(f"a table of {len(entries)} entries for {codes.dtype}")
    payload = np.empty(nbytes + SLACK, np.uint8)
    done(
        compiled.loaded().atalanta_huffman_encode(
            codes.ctypes.data, codes.itemsize, codes.size, entries.ctypes.data, payload.ctypes.data
        )
    )
    return payload[:nbytes].tobytes()


def huffman_decode(payload: bytes, count: int, bits: int, table: NDArray[np.uint32]) -> tuple[Codes, int]:
    """The codes, shape (count,), and the bits they take, which may be more than the payload has.

    table: for each string of bits, its first bit lowest, the symbol it begins with, and from bit 16 on
        the length of that symbol's code.
    """
    data = np.frombuffer(payload, np.uint8)
    entries = np.ascontiguousarray(table, np.uint32)
    codes = room(count, bits)
    used = c_int64()
    window_bits = len(entries).bit_length() - 1
    done(
        compiled.loaded().atalanta_huffman_decode(
            data.ctypes.data, data.size, count, entries.ctypes.data, window_bits, codes.ctypes.data,
            codes.itemsize, byref(used),
        )
    )  # fmt: skip
    return codes, used.value


def _ebpc(p: EbpcParams) -> Ebpc:
    return Ebpc(p.bits, p.block, p.run_bits, p.zero)


def ebpc_measure(codes: Codes, p: EbpcParams) -> int:
    """Bits of a segment's blocks."""
    codes = checked(codes, p.bits)
    bits = c_int64()
    done(
        compiled.loaded().atalanta_ebpc_measure(
            byref(_ebpc(p)), codes.ctypes.data, codes.itemsize, codes.size, byref(bits)
        )
    )
    return bits.value


def ebpc_encode(codes: Codes, p: EbpcParams, nbytes: int) -> bytes:
    """The payload. nbytes: its length, as `ebpc_measure` and the runs of zeros lead to."""
    codes = checked(codes, p.bits)
    payload = np.empty(nbytes + SLACK, np.uint8)
    done(
        compiled.loaded().atalanta_ebpc_encode(
            byref(_ebpc(p)), codes.ctypes.data, codes.itemsize, codes.size, payload.ctypes.data
        )
    )
    return payload[:nbytes].tobytes()


def ebpc_decode(payload: bytes, count: int, p: EbpcParams) -> Codes:
    """The codes, shape (count,). Raises StreamError(VALUE) or StreamError(LANE)."""
    data = np.frombuffer(payload, np.uint8)
    codes = room(count, p.bits)
    where = np.zeros(3, np.int64)
    status = compiled.loaded().atalanta_ebpc_decode(
        byref(_ebpc(p)), data.ctypes.data, data.size, count, codes.ctypes.data, codes.itemsize,
        where.ctypes.data,
    )  # fmt: skip
    what, number, value = where.tolist()
    if status == ErrorCode.VALUE:
        raise StreamError(
            ErrorCode.VALUE,
            (
                f"zeros run to value {number} of {count}",
                f"block {number} has {value} planes",
                f"block {number} holds the value {value}",
            )[what],
        )
    if status == ErrorCode.LANE:
        raise StreamError(ErrorCode.LANE, f"{len(payload)} bytes, of which {what} bits were used")
    done(status)
    return codes

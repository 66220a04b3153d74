"""Huffman codes of one tile of small values, with everything a testbench needs as text.

The case of 4-bit activations (VGG in the literature): a tile of a feature map, canonical codes for its
values, and three text files as Verilog's `$readmemb` takes them, one word a line:

- `tile.mem`: the values, `bits` binary digits each, in C order.
- `code_table.mem`: for each value 0 to 2^bits - 1 its code's length in 5 digits, then its code in 16, the
  code's last bit rightmost. Length 0: the value does not occur.
- `coded.mem`: the codes behind one another, 8 bits a line, the first bit leftmost; the last line is filled up
  with zeros.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.errors import InputError, require
from atalanta.golden.reference.huffman import MAX_LENGTH, Lengths, canonical, code_lengths

LENGTH_DIGITS = 5
BITS = range(2, 9)


@dataclass(frozen=True)
class HuffmanTile:
    """A tile and its codes.

    tile: values below 2^bits. lengths: bits of each value's code, 0 for none, shape (2^bits,). codes: the
    codes themselves, as numbers whose highest bit comes first, same shape.
    """

    tile: NDArray[np.uint8]
    bits: int
    lengths: Lengths
    codes: NDArray[np.int64]

    @property
    def coded(self) -> str:
        """All codes behind one another, as binary digits; none if all values are equal."""
        if np.count_nonzero(self.lengths) < 2:
            return ""
        digits = [f"{c:0{n}b}" for c, n in zip(self.codes.tolist(), self.lengths.tolist(), strict=True)]
        return "".join(digits[value] for value in self.tile.reshape(-1).tolist())

    @property
    def bits_by_part(self) -> dict[str, int]:
        """Bits of the codes, and of the lengths from which a decoder can make them again."""
        return {"code": len(self.coded), "lengths": LENGTH_DIGITS << self.bits}

    def files(self) -> dict[str, str]:
        """The three text files, by name."""
        coded = self.coded
        padded = coded + "0" * (-len(coded) % 8)
        entries = zip(self.lengths.tolist(), self.codes.tolist(), strict=True)
        lines = {
            "tile.mem": [f"{value:0{self.bits}b}" for value in self.tile.reshape(-1).tolist()],
            "code_table.mem": [f"{n:0{LENGTH_DIGITS}b}_{code:0{MAX_LENGTH}b}" for n, code in entries],
            "coded.mem": [padded[at : at + 8] for at in range(0, len(padded), 8)],
        }
        return {name: "".join(f"{line}\n" for line in found) for name, found in lines.items()}


def huffman_tile(tile: NDArray[np.integer], bits: int = 4) -> HuffmanTile:
    """The codes of a tile.

    tile: any shape, values from 0 to 2^bits - 1, at least one. Raises InputError.
    """
    require(bits in BITS, "bits", f"from {BITS.start} to {BITS.stop - 1}", bits)
    values = np.asarray(tile)
    if not values.size or values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= 1 << bits:
        raise InputError(f"a tile holds integers from 0 to {(1 << bits) - 1}, at least one")
    lengths = code_lengths(np.bincount(values.reshape(-1), minlength=1 << bits))
    codes = np.zeros(1 << bits, np.int64)
    symbols, starts = canonical(lengths)
    codes[symbols] = starts >> MAX_LENGTH - lengths[symbols].astype(np.int64)
    return HuffmanTile(values.astype(np.uint8), bits, lengths, codes)


def decode_files(files: dict[str, str], count: int) -> NDArray[np.uint8]:
    """The values that table and coded text alone give back, shape (count,). Raises InputError."""
    known: dict[str, int] = {}
    for value, line in enumerate(files["code_table.mem"].split()):
        length, code = line.split("_")
        if int(length, 2):
            known[code[MAX_LENGTH - int(length, 2) :]] = value
    if len(known) == 1:
        return np.full(count, next(iter(known.values())), np.uint8)
    digits = "".join(files["coded.mem"].split())
    found: list[int] = []
    start = 0
    for end in range(1, len(digits) + 1):
        if len(found) < count and digits[start:end] in known:
            found.append(known[digits[start:end]])
            start = end
    if len(found) != count:
        raise InputError(f"the coded text holds {len(found)} of {count} values")
    return np.array(found, np.uint8)


def cut_tile(
    array: NDArray[np.integer], bits: int, zero_point: int, shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """The first rows and columns of the first feature map, in `bits` bits.

    array: an activation, the last two axes its rows and columns; one image or several.
    zero_point: the value that means zero. Values below it are clipped (what a ReLU does), the rest is scaled
    so that the largest of the map just fits. The tile is smaller where the map is.
    """
    if array.ndim < 2:
        raise InputError(f"a tile is cut from rows and columns, not from shape {array.shape}")
    plane = array.reshape(-1, *array.shape[-2:])[0].astype(np.int64)
    above = np.maximum(plane - zero_point, 0)
    top = max(int(above.max(initial=0)), 1)
    scaled = (above * ((1 << bits) - 1) + top // 2) // top
    tile: NDArray[np.uint8] = scaled[: shape[0], : shape[1]].astype(np.uint8)
    return tile

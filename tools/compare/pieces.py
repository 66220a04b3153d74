"""What of a tensor is coded: weights whole; activations image by image, their tables from other images."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.values import Array, Mapping, to_codes
from atalanta.tools.extract.info import TensorInfo
from atalanta.tools.extract.tensors import tensor_hash


def _hash(*what: object) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()


@dataclass(frozen=True)
class Pieces:
    """A tensor as it is measured.

    coded: the arrays that are coded, each a stream of its own. sample: the images that tables are profiled
    on, None for weights and where there is but one image. images: all there are, 0 for weights.
    """

    info: TensorInfo
    coded: tuple[Array, ...]
    sample: Array | None
    images: int

    @property
    def values(self) -> int:
        """Values that are coded."""
        return sum(piece.size for piece in self.coded)

    @property
    def raw_bytes(self) -> int:
        """Bytes of the values uncompressed, packed if they have fewer bits than their dtype."""
        return sum(-(-piece.size * self.info.bits // 8) for piece in self.coded)

    @property
    def signed(self) -> bool:
        """Whether the values are signed."""
        return self.coded[0].dtype.kind == "i"

    def histogram(self, arrays: tuple[Array, ...]) -> NDArray[np.int64]:
        """How often each code (offset binary, so in the order of values) occurs, shape (2^bits,)."""
        bits = self.info.bits
        found = np.zeros(1 << bits, np.int64)
        for array in arrays:
            codes = to_codes(array.reshape(-1), bits, self.signed, Mapping.OFFSET_BINARY)
            found += np.bincount(codes, minlength=1 << bits)
        return found

    @cached_property
    def _hashes(self) -> list[str]:
        """Of every array."""
        return [tensor_hash(array) for array in self._arrays]

    @property
    def _arrays(self) -> list[Array]:
        return [*self.coded, *([] if self.sample is None else [self.sample])]

    @property
    def content(self) -> str:
        """A hash of all that a result can depend on."""
        shapes = [f"{array.dtype}{array.shape}" for array in self._arrays]
        return _hash(self.info.kind, self.info.bits, self.sample is None, shapes, self._hashes)

    @property
    def values_hash(self) -> str:
        """A hash of the values alone."""
        return _hash(self.info.dtype, self._hashes)


def cut(info: TensorInfo, array: Array, profile_images: int | None = None) -> Pieces:
    """The pieces of a tensor.

    profile_images: how many images, from the first on, tables are profiled on; the rest is coded. None
        means half. At least one image is always coded; where there is no other, tables are its own.
    """
    array = np.ascontiguousarray(array)
    if info.kind == "weight" or array.ndim < 2:
        return Pieces(info, (array,), None, 0 if info.kind == "weight" else 1)
    images = len(array)
    asked = images // 2 if profile_images is None else profile_images
    sample = min(asked, images - 1)
    return Pieces(info, tuple(array[sample:]), array[:sample] if sample else None, images)

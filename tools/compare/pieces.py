"""What of a tensor is coded: weights whole; activations image by image, their tables from other images."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

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

    def relative(self, *, signed: bool) -> Self:
        """The same tensor less its zero point, modulo 2^bits, as signed or unsigned values.

        Nothing is lost: who knows the zero point knows the values.
        """
        bits = self.info.bits
        top = 1 << bits - 1 if signed else 0
        dtype = np.dtype(f"{'i' if signed else 'u'}{self.coded[0].dtype.itemsize}")

        def less(array: Array, axis: int | None) -> Array:
            zero = np.array(self.info.zero_point, np.int64)
            if axis is not None:
                zero = zero.reshape([-1 if i == axis else 1 for i in range(array.ndim)])
            below = array.astype(np.int64) - zero & (1 << bits) - 1
            moved: Array = ((below ^ top) - top).astype(dtype)
            return moved

        sample = None if self.sample is None else less(self.sample, None)
        return replace(self, coded=tuple(less(piece, self.info.axis) for piece in self.coded), sample=sample)

    @property
    def has_zero_point(self) -> bool:
        """Whether zero is known to be another value than 0. One zero point serves a whole activation."""
        known = len(self.info.zero_point) == 1 or (self.info.axis is not None and not self.images)
        return known and any(self.info.zero_point)

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
        info = self.info
        shapes = [f"{array.dtype}{array.shape}" for array in self._arrays]
        known = (info.kind, info.bits, info.zero_point, info.axis, self.sample is None)
        return _hash(known, shapes, self._hashes)

    @property
    def values_hash(self) -> str:
        """A hash of the values alone."""
        return _hash(self.info.dtype, self._hashes)


def cut(info: TensorInfo, array: Array, profile_images: int | None = None) -> Pieces:
    """The pieces of a tensor.

    profile_images: how many images, from the first on, tables are profiled on; the rest is coded. None
        means half. At least one image is always coded; where there is no other, tables are its own.
    """
    array = np.asarray(array, order="C")  # which leaves a scalar one
    if info.kind == "weight" or array.ndim < 2:
        return Pieces(info, (array,), None, 0 if info.kind == "weight" else 1)
    images = len(array)
    asked = images // 2 if profile_images is None else profile_images
    sample = min(asked, images - 1)
    return Pieces(info, tuple(array[sample:]), array[:sample] if sample else None, images)

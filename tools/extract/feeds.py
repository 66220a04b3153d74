"""Photos as the input tensor of a model file, whose shape and dtype say most of what is wanted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atalanta.tools.extract.images import Photo, Pixels, fit
from atalanta.tools.extract.info import ImageInfo

DEFAULT_SIZE = 224
"""Height and width of an input that leaves them open."""


@dataclass(frozen=True, kw_only=True)
class Normalise:
    """What a network sees is (pixel - mean) / std, per channel, pixels 0..255."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET = Normalise(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
"""As torchvision's networks were trained."""
SYMMETRIC = Normalise(mean=(127.5,), std=(127.5,))
"""-1..1, as TensorFlow's networks were trained."""


@dataclass(frozen=True, kw_only=True)
class Feed:
    """How photos become one input tensor.

    size: height and width. channels: 1 or 3. last: whether channels are the last axis.
    dtype: of the tensor. normalise: None to feed pixels as they are (less 128 if the dtype is signed).
    scale, zero_point: of an integer input, to which normalised pixels are rounded.
    """

    size: tuple[int, int]
    channels: int
    last: bool
    dtype: np.dtype[Any]
    normalise: Normalise | None
    scale: float = 1.0
    zero_point: int = 0

    @classmethod
    def of(
        cls,
        shape: tuple[int | None, ...],
        dtype: np.dtype[Any],
        normalise: Normalise | None,
        scale: float = 1.0,
        zero_point: int = 0,
    ) -> "Feed | None":
        """The feed for an input of that shape; None if it is no image. Open dimensions are None."""
        if len(shape) != 4 or shape[0] not in (1, None):
            return None
        last = shape[1] not in (1, 3) and shape[3] in (1, 3)
        channels, height, width = (shape[3], *shape[1:3]) if last else shape[1:]
        if channels not in (1, 3):
            return None
        size = (height or DEFAULT_SIZE, width or DEFAULT_SIZE)
        return cls(
            size=size,
            channels=channels,
            last=last,
            dtype=dtype,
            normalise=normalise,
            scale=scale,
            zero_point=zero_point,
        )

    def tensor(self, photo: Photo) -> tuple[ImageInfo, NDArray[Any]]:
        """The input tensor for a photo, shape (1, ...), and what is on record about it."""
        fitted = fit(photo.pixels, self.size)
        values = self._values(fitted if self.channels == 3 else _grey(fitted))
        return photo.info(fitted), np.ascontiguousarray(
            (values if self.last else values.transpose(2, 0, 1))[None]
        )

    def _values(self, pixels: Pixels) -> NDArray[Any]:
        if self.normalise is None:
            signed = self.dtype.kind == "i"
            return np.asarray(pixels.astype(np.int64) - 128 * signed, self.dtype)
        real = (pixels - np.array(self.normalise.mean)) / np.array(self.normalise.std)
        if self.dtype.kind == "f":
            return np.asarray(real, self.dtype)
        ends = np.iinfo(self.dtype)
        codes = np.rint(real / self.scale + self.zero_point).clip(ends.min, ends.max)
        return np.asarray(codes, self.dtype)


def _grey(pixels: Pixels) -> Pixels:
    """Luma (ITU-R BT.601), shape (height, width, 1)."""
    luma = np.rint(pixels @ np.array([0.299, 0.587, 0.114]))
    return np.asarray(luma, np.uint8)[..., None]

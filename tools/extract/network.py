"""A float network with its weights, and what it wants to see."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from atalanta.tools.extract.images import CROP, Pixels, fit


@dataclass(frozen=True, kw_only=True)
class Network:
    """A classifier of images, ready to run.

    size: height and width of its input.
    crop: share of a picture's shorter side that it is to see.
    mean, std: of pixels 0..255, per channel; the network sees (pixel - mean) / std, NCHW.
    source, licence, weights_sha256, packages: for the provenance; packages are those it came from.
    quantiser, engine: of a network that is quantised already, how, and torch's engine to run it on.
    """

    name: str
    module: nn.Module
    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str
    licence: str
    weights_sha256: str
    packages: tuple[str, ...]
    crop: float = CROP
    quantiser: str = ""
    engine: str = ""

    def fit(self, pixels: Pixels) -> Pixels:
        """A picture of any size, cut and resized to what the network takes."""
        return fit(pixels, self.size, self.crop)

    def input(self, fitted: Pixels) -> Tensor:
        """float32, shape (1, 3, height, width)."""
        real = (fitted.astype(np.float64) - self.mean) / self.std
        return torch.from_numpy(real.astype(np.float32).transpose(2, 0, 1)[None].copy())

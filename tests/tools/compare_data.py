"""A small network's tensors for the comparison's tests."""

from pathlib import Path

import numpy as np

from atalanta.golden.values import Array


def weights(seed: int = 1) -> Array:
    return np.random.default_rng(seed).laplace(0, 9, (40, 30)).round().clip(-128, 127).astype(np.int8)


def activations(images: int = 4, seed: int = 2) -> Array:
    rng = np.random.default_rng(seed)
    values = rng.exponential(12, (images, 8, 9, 10)) * (rng.random((images, 8, 9, 10)) < 0.6)
    return values.clip(0, 255).astype(np.uint8)


def write(path: Path, **tensors: Array) -> Path:
    """A `.npz`; without tensors, one of each kind."""
    found = tensors or {"weights_000": weights(), "activations_000": activations()}
    np.savez(path, **{name.replace("_", "."): array for name, array in found.items()})
    return path

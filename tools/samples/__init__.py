"""Tensors that come with the package: a few layers of EfficientNet-Lite0, 8 bits, on two photos.

`manifest.json` says where they come from; `python -m atalanta.tools.samples` makes both files again.
"""

from importlib import resources
from pathlib import Path

NAME = "efficientnet_lite0.npz"


def sample_path() -> Path:
    """The file of sample tensors, for TensorFile.open."""
    return Path(str(resources.files(__name__) / NAME))


def manifest_path() -> Path:
    """The JSON file that says what the sample tensors are, their licences and hashes."""
    return Path(str(resources.files(__name__) / "manifest.json"))

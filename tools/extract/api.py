"""Extraction by the name of a network; what the command `atalanta extract` does, from Python."""

import hashlib
import os
import shlex
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

import atalanta
from atalanta.golden.errors import ParameterError
from atalanta.tools.extract.draft import Progress, silent
from atalanta.tools.extract.extras import extra
from atalanta.tools.extract.images import Photo, folder_photos, sample_photos
from atalanta.tools.extract.tensors import ImageInfo, Provenance, TensorFile

if TYPE_CHECKING:
    from atalanta.tools.extract.network import Network


def _efficientnet_lite0() -> "Network":
    from atalanta.tools.extract.efficientnet import efficientnet_lite0

    return efficientnet_lite0()


MODELS: dict[str, Callable[[], "Network"]] = {"efficientnet_lite0": _efficientnet_lite0}
"""Float networks that are quantised here, by name."""


def extract(
    model: str,
    output: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    bits: int = 8,
    per_channel: bool = True,
    keep: Collection[str] = (),
    only: Collection[str] = (),
    progress: Progress = silent,
) -> TensorFile:
    """Quantise a network and write its weights and activations to one file.

    model: a name in MODELS.
    output: the `.npz` to write.
    images: a folder of images to calibrate on and to run; by default the photos that come with
        scikit-image and scikit-learn.
    bits: of weights and activations, 2..8.
    per_channel: one weight scale per output channel, not one in all.
    keep: names of the images whose activations are written; all of them if empty.
    only: keys of the tensors that are written, `*` allowed; all of them if empty.
    progress: called with what is being done, how much of it is done, and of how much.

    Raises ParameterError for an unknown model or illegal bits, MissingExtraError if packages are missing,
    and InputError for images that cannot be read or a file that cannot be written.
    """
    if model not in MODELS:
        raise ParameterError(f"model must be one of {', '.join(MODELS)}, not {model!r}")
    output = Path(output)
    try:
        from atalanta.tools.extract.network import versions
        from atalanta.tools.extract.pipeline import Sample, extract_module
        from atalanta.tools.extract.quantise import Scheme
    except ModuleNotFoundError as error:
        raise extra("models", error.name or "torch") from error
    scheme = Scheme(bits=bits, per_channel=per_channel)
    photos = sample_photos() if images is None else folder_photos(images)
    network = MODELS[model]()
    packages = ("numpy", "Pillow", "torch", *network.packages)
    if images is None:
        packages += ("scikit-image", "scikit-learn")
    samples = []
    for photo in photos:
        fitted = network.fit(photo.pixels)
        info = _image_info(photo, fitted.tobytes())
        samples.append(Sample(info, (network.input(fitted),)))
    provenance = Provenance(
        model=model,
        source=network.source,
        versions={"atalanta": atalanta.__version__, **versions(packages)},
        licence=network.licence,
        weights_sha256=network.weights_sha256,
        command=_command(model, output, images, scheme.bits, scheme.per_channel, keep, only),
    )
    return extract_module(
        network.module,
        samples,
        output,
        scheme=scheme,
        provenance=provenance,
        keep=keep,
        only=only,
        progress=progress,
    )


def _image_info(photo: Photo, fitted: bytes) -> ImageInfo:
    sha256 = hashlib.sha256(fitted).hexdigest()
    return ImageInfo(name=photo.name, source=photo.source, licence=photo.licence, sha256=sha256)


def _command(
    model: str,
    output: Path,
    images: str | os.PathLike[str] | None,
    bits: int,
    per_channel: bool,
    keep: Collection[str],
    only: Collection[str],
) -> str:
    """The command line that does the same; folders by their last name, for they differ between machines."""
    words: list[str] = ["atalanta", "extract", model, "-o", output.name]
    if images is not None:
        words += ["--images", Path(images).name]
    if bits != 8:
        words += ["--bits", str(bits)]
    if not per_channel:
        words += ["--per-tensor"]
    if keep:
        words += ["--keep", ",".join(keep)]
    if only:
        words += ["--only", ",".join(only)]
    return shlex.join(words)

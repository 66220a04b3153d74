"""Photos for a network to look at: a folder of the user's, or those inside scikit-image and scikit-learn."""

import hashlib
import importlib.util
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atalanta.golden.errors import InputError
from atalanta.tools.extract.extras import extra
from atalanta.tools.extract.info import ImageInfo, Skipped

Pixels = NDArray[np.uint8]

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
CIFAR10 = "test_batch.bin"
"""The file of test images in CIFAR-10's binary version."""
CROP = 0.875
"""Share of the shorter side that the network sees, as in the evaluation of ImageNet networks (224/256)."""

PUBLIC = "public domain"
SAMPLES: dict[str, tuple[str, str, str]] = {
    "astronaut": ("skimage", "data/astronaut.png", PUBLIC),
    "brick": ("skimage", "data/brick.png", "CC0-1.0"),
    "camera": ("skimage", "data/camera.png", "CC0-1.0"),
    "cell": ("skimage", "data/cell.png", "CC0-1.0"),
    "chelsea": ("skimage", "data/chelsea.png", "CC0-1.0"),
    "china": ("sklearn", "datasets/images/china.jpg", "CC-BY-2.0, danielbuechele"),
    "clock": ("skimage", "data/clock_motion.png", PUBLIC),
    "coffee": ("skimage", "data/coffee.png", "CC0-1.0"),
    "coins": ("skimage", "data/coins.png", "no known restrictions"),
    "flower": ("sklearn", "datasets/images/flower.jpg", "CC-BY-2.0, vultilion"),
    "grass": ("skimage", "data/grass.png", "CC0-1.0"),
    "gravel": ("skimage", "data/gravel.png", "CC0-1.0"),
    "hubble": ("skimage", "data/hubble_deep_field.jpg", PUBLIC),
    "ihc": ("skimage", "data/ihc.png", "no known restrictions"),
    "microaneurysms": ("skimage", "data/microaneurysms.png", "CC0-1.0"),
    "retina": ("skimage", "data/retina.jpg", "CC0-1.0"),
    "rocket": ("skimage", "data/rocket.jpg", PUBLIC),
}
"""Photos that come with other packages: package, file in it, licence as that package states it. Pictures
that are drawings or whose licence is not stated are left out."""


@dataclass(frozen=True)
class Photo:
    """A picture. pixels: shape (height, width, 3), RGB."""

    name: str
    source: str
    licence: str
    pixels: Pixels

    def info(self, fitted: Pixels) -> ImageInfo:
        """What goes on record. fitted: the picture as a network is shown it."""
        sha256 = hashlib.sha256(fitted.tobytes()).hexdigest()
        return ImageInfo(name=self.name, source=self.source, licence=self.licence, sha256=sha256)


def sample_photos() -> list[Photo]:
    """The photos inside scikit-image and scikit-learn. Raises MissingExtraError if either is missing."""
    photos = []
    for name, (package, file, licence) in SAMPLES.items():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise extra("models", package)
        photos.append(Photo(name, f"{package}/{file}", licence, read_image(Path(spec.origin).parent / file)))
    return photos


def folder_photos(folder: str | os.PathLike[str]) -> list[Photo]:
    """Every image of a folder, by name, or the first ten test images of CIFAR-10's binary version.

    Raises InputError if there is none or one cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    if (folder / CIFAR10).is_file():
        return cifar10_photos(folder / CIFAR10)
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{folder} holds no image ({', '.join(SUFFIXES)})")
    return [Photo(f.name, f"{folder.name}/{f.name}", "", read_image(f)) for f in files]


def other_files(folder: str | os.PathLike[str]) -> list[Skipped]:
    """What lies in a folder of images and is not taken for one."""
    folder = Path(folder)
    if not folder.is_dir() or (folder / CIFAR10).is_file():
        return []
    reason = f"no image by its name ({', '.join(SUFFIXES)})"
    files = sorted(f.name for f in folder.iterdir() if f.is_file() and f.suffix.lower() not in SUFFIXES)
    return [Skipped(name=name, reason=reason) for name in files]


def cifar10_photos(path: Path, count: int = 10) -> list[Photo]:
    """The first images of a batch of CIFAR-10's binary version: a label, then 32x32 red, green and blue.

    Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version". Raises InputError.
    """
    record = 1 + 3 * 32 * 32
    try:
        with path.open("rb") as stream:
            data = np.frombuffer(stream.read(count * record), np.uint8)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if data.size != count * record:
        raise InputError(f"{path} does not hold {count} images of CIFAR-10")
    pictures = data.reshape(count, record)[:, 1:].reshape(count, 3, 32, 32).transpose(0, 2, 3, 1)
    return [Photo(f"{path.stem}.{i}", path.name, "", np.ascontiguousarray(p)) for i, p in enumerate(pictures)]


def read_image(path: Path) -> Pixels:
    """An image of any kind as RGB, shape (height, width, 3).

    Grey becomes three equal channels, 16-bit is scaled to 8, transparent parts are laid on white, and a
    camera's note about rotation is obeyed. Of several frames the first counts. Raises InputError.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise extra("models", "Pillow") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)  # remarks on broken metadata
            with Image.open(path) as opened:
                image: Image.Image = ImageOps.exif_transpose(opened)
                if image.mode.startswith(("I", "F")):
                    image = Image.fromarray(_eight_bits(np.asarray(image)))
                if image.has_transparency_data:
                    image = image.convert("RGBA")
                    white = Image.new("RGBA", image.size, "white")
                    image = Image.alpha_composite(white, image)
                return np.array(image.convert("RGB"))
    except (
        OSError,
        ValueError,
        SyntaxError,  # Pillow's PNG reader, for broken chunks
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read the image {path}: {reason}") from error


def _eight_bits(grey: NDArray[np.generic]) -> Pixels:
    """Wide grey values to 8 bits, white being the end of the range they seem to use."""
    values = np.nan_to_num(grey.astype(np.float64)).clip(min=0)
    peak = values.max(initial=0)
    if grey.dtype == np.uint16:
        white = 65535.0
    elif grey.dtype.kind in "ui":
        white = next(w for w in (255, 65535, peak) if peak <= w)
    else:
        white = max(peak, 1.0)
    return np.rint(values * (255 / white)).astype(np.uint8)


def fit(pixels: Pixels, size: tuple[int, int], crop: float = CROP) -> Pixels:
    """The centre of a picture at the size of the network's input, shape (height, width, 3).

    Cut first, then resized (bicubic), so that no shape of picture, however long, needs more memory.
    """
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = crop * min(height / size[0], width / size[1])
    half_h, half_w = scale * size[0] / 2, scale * size[1] / 2
    box = (width / 2 - half_w, height / 2 - half_h, width / 2 + half_w, height / 2 + half_h)
    resized = Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BICUBIC, box=box)
    return np.array(resized)

"""What can be asked of an extraction."""

import os
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path

from atalanta.golden.errors import ParameterError
from atalanta.tools.extract.images import Photo, folder_photos, sample_photos


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of extraction. No source of tensors takes all, and each refuses those it does not take.

    images: a folder of images to calibrate on and to run; by default the photos that come with
        scikit-image and scikit-learn.
    bits: of weights and activations of a float network, 2..8; 8 by default.
    per_tensor: one weight scale for each layer of a float network, instead of one per output channel.
    weights: of a torchvision network: a name that torchvision has for them, or a file.
    random_weights: a torchvision network with random numbers for weights.
    mean, std: what a model file wants to see is (pixel - mean) / std, pixels 0..255; 1 or 3 numbers each.
    keep: names of the images whose activations are written; all of them if empty.
    """

    images: str | os.PathLike[str] | None = None
    bits: int | None = None
    per_tensor: bool = False
    weights: str | None = None
    random_weights: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("mean", "std", "keep"):  # any collection will do
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.weights is not None and self.random_weights:
            raise ParameterError("weights and random_weights exclude each other")
        if len(self.mean) != len(self.std) or len(self.mean) not in (0, 1, 3) or 0 in self.std:
            given = f"{list(self.mean)} and {list(self.std)}"
            raise ParameterError(f"mean and std must be 1 or 3 numbers each, and std not 0, not {given}")

    def refuse(self, what: str, *, but: Collection[str]) -> None:
        """ParameterError if any option was given but those in `but`."""
        for name in self.given():
            if name not in but:
                raise ParameterError(f"the option {name} means nothing for {what}")

    def given(self) -> dict[str, object]:
        """Those options that differ from their defaults."""
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}

    def photos(self) -> list[Photo]:
        """The images, read. Raises InputError, MissingExtraError."""
        return sample_photos() if self.images is None else folder_photos(self.images)

    def words(self) -> list[str]:
        """The options on a command line; files by their last name, for paths differ everywhere."""
        words = []
        for name, value in self.given().items():
            words.append("--" + name.replace("_", "-"))
            if isinstance(value, tuple):
                words.append(",".join(map(str, value)))
            elif name in ("images", "weights"):
                words.append(Path(str(value)).name)
            elif value is not True:
                words.append(str(value))
        return words

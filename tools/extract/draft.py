"""A file of tensors in the making: what a source of tensors declares and hands over, one image at a time."""

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np

from atalanta.golden.errors import InputError
from atalanta.golden.values import Array
from atalanta.tools.extract.info import LayerInfo, Provenance, Skipped, TensorInfo
from atalanta.tools.extract.tensors import TensorFile, check_output, write_tensors

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody wants to see."""


def steps(what: str, items: Sequence[T], progress: Progress) -> Iterator[T]:
    """The items, with progress after each."""
    progress(what, 0, len(items))
    for i, item in enumerate(items, start=1):
        yield item
        progress(what, i, len(items))


class Draft:
    """Tensors on their way to a file. Use as a context manager.

    Activations wait on disk, beside the file to be, until all images have run: however many there are,
    one layer of one image is in memory.

    output: the file to write.
    images: names of all inputs, in the order in which they will run.
    keep: names of those whose activations are written; all of them if empty.
    only: keys of the tensors that are written, `*` allowed; all of them if empty.
    """

    def __init__(
        self, output: Path, images: Sequence[str], keep: Collection[str] = (), only: Collection[str] = ()
    ) -> None:
        for name in keep:
            if name not in images:
                raise InputError(f"there is no image {name}; there are {', '.join(images)}")
        check_output(output)
        self._output = output
        self._images = tuple(name for name in images if not keep or name in keep)
        self._only = tuple(only)
        self._given: dict[str, tuple[TensorInfo, Callable[[], Array]]] = {}
        self._activations: dict[str, TensorInfo] = {}
        try:
            self._folder = tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.")
        except OSError as error:
            raise InputError(f"cannot write {output}: {error.strerror}") from error

    def __enter__(self) -> "Draft":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def given(self, info: TensorInfo, values: Callable[[], Array]) -> None:
        """Declare a tensor that is there as a whole, such as weights. values: called when it is written."""
        self._given[info.key] = info, values

    def activation(self, info: TensorInfo) -> None:
        """Declare an activation that comes image by image; `add` brings its values."""
        self._activations[info.key] = info

    def drop_activations(self) -> None:
        """Take back all activations that were declared: there is no input to run on."""
        self._activations.clear()

    def add(self, key: str, image: str, values: Array) -> None:
        """An activation of one image: dtype and all axes but the first alike for all images."""
        if not self._wanted(key) or image not in self._images:
            return
        try:
            with self._file(key).open("ab") as out:
                np.ascontiguousarray(values).tofile(out)
        except OSError as error:
            raise InputError(f"cannot write {self._output}: {error.strerror or error}") from error

    def check(self) -> None:
        """InputError if `only` asks for something that has not been declared."""
        declared = (*self._given, *self._activations)
        for pattern in self._only:
            if not any(fnmatchcase(key, pattern) for key in declared):
                raise InputError(f"there is no tensor {pattern}; there are {', '.join(declared)}")

    def write(
        self,
        provenance: Provenance,
        layers: Sequence[LayerInfo] = (),
        skipped: Sequence[Skipped] = (),
        progress: Progress = silent,
    ) -> TensorFile:
        """Write the file and open it. Of `layers`, those with a tensor in the file. Raises InputError."""
        self.check()
        infos = [info for info, _ in self._given.values() if self._wanted(info.key)]
        infos += [info for info in self._activations.values() if self._wanted(info.key)]
        if not infos:
            reasons = "; ".join(f"{s.name}: {s.reason}" for s in skipped[:3])
            raise InputError(f"there is no tensor of integers to write ({reasons or 'nothing is there'})")
        written = {info.key for info in infos}
        write_tensors(
            self._output,
            (self._filled(info) for info in steps("write", infos, progress)),
            provenance=provenance,
            layers=[layer for layer in layers if written & {layer.weight, layer.output, *layer.inputs}],
            skipped=skipped,
        )
        return TensorFile.open(self._output)

    def _filled(self, info: TensorInfo) -> tuple[TensorInfo, Array]:
        if info.key in self._given:
            return info, self._given[info.key][1]()
        values = np.fromfile(self._file(info.key), info.dtype).reshape(-1, *info.shape[1:])
        return replace(info, images=self._images), values

    def _wanted(self, key: str) -> bool:
        return not self._only or any(fnmatchcase(key, pattern) for pattern in self._only)

    def _file(self, key: str) -> Path:
        return Path(self._folder.name) / key

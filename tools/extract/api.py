"""Extraction from whatever holds a network; what the command `atalanta extract` does, from Python."""

import hashlib
import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atalanta.golden.errors import ParameterError
from atalanta.tools.extract.draft import Draft, Progress, silent
from atalanta.tools.extract.extras import extra
from atalanta.tools.extract.feeds import Normalise
from atalanta.tools.extract.options import Options
from atalanta.tools.extract.tensors import ImageInfo, Provenance, TensorFile
from atalanta.tools.extract.versions import file_hash, versions

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from atalanta.tools.extract.network import Network
    from atalanta.tools.extract.samples import Sample


def _efficientnet_lite0() -> "Network":
    from atalanta.tools.extract.efficientnet import efficientnet_lite0

    return efficientnet_lite0()


MODELS: dict[str, Callable[[], "Network"]] = {"efficientnet_lite0": _efficientnet_lite0}
"""Networks that come with their weights, by name; torchvision's are known beside them."""
MODEL_FILES = (".tflite", ".onnx")
TENSOR_FILES = (".npz", ".npy", ".safetensors")


def model_names() -> list[str]:
    """Names of all networks that `extract` knows. Raises MissingExtraError."""
    return [*MODELS, *_torchvision().names()]


def extract(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    only: Collection[str] = (),
    progress: Progress = silent,
    **options: Any,
) -> TensorFile:
    """Write weights and activations of a network to one file.

    model: one of `model_names()`, or a file: `.tflite`, `.onnx`, `.npz`, `.npy` or `.safetensors`.
    output: the `.npz` or `.safetensors` to write.
    only: keys of the tensors that are written, `*` allowed; all of them if empty.
    progress: called with what is being done, how much of it is done, and of how much.
    options: see `Options`.

    Raises ParameterError for an unknown model or an option that is illegal or means nothing for it,
    MissingExtraError if packages are missing, and InputError for files that cannot be read, understood or
    written.
    """
    job = _Job(Path(output), Options(**options), tuple(only), progress)
    suffix = Path(model).suffix
    if suffix in MODEL_FILES:
        return job.model_file(Path(model))
    if suffix in TENSOR_FILES:
        return job.tensor_file(Path(model))
    return job.named(str(model))


def extract_torch(
    module: "nn.Module | ExportedProgram",
    inputs: Mapping[str, "Tensor | tuple[Tensor, ...]"],
    output: str | os.PathLike[str],
    *,
    provenance: Provenance | None = None,
    only: Collection[str] = (),
    progress: Progress = silent,
    **options: Any,
) -> TensorFile:
    """Write weights and activations of a network of your own.

    module: a float network, which is quantised over the inputs as named networks are; or one that torch.ao
        has quantised, which is taken as it is. It is left in evaluation mode.
    inputs: what the network is called with, each by a name of your choice.
    provenance: where the network comes from, if that is to be on record.
    output, only, progress: as for `extract`.
    options: bits and per_tensor for a float network, keep for the names of inputs; see `Options`.

    Raises what `extract` raises.
    """
    from atalanta.tools.extract.samples import Sample

    samples = []
    for name, given in inputs.items():
        tensors = given if isinstance(given, tuple) else (given,)
        data = b"".join(t.detach().cpu().contiguous().numpy().tobytes() for t in tensors)
        samples.append(Sample(ImageInfo(name=name, sha256=hashlib.sha256(data).hexdigest()), tensors))
    chosen = Options(**options)
    chosen.refuse("a network of your own", but=("bits", "per_tensor", "keep"))
    job = _Job(Path(output), chosen, tuple(only), progress)
    return job.module(module, samples, provenance or Provenance(versions=versions("numpy", "torch")))


def _torchvision() -> Any:
    """The module that knows torchvision's networks. Raises MissingExtraError."""
    try:
        from atalanta.tools.extract import torchvision_models
    except ModuleNotFoundError as error:
        raise extra("models", error.name or "torch") from error
    return torchvision_models


@dataclass(frozen=True)
class _Job:
    """What one call of `extract` asks for, but for the model."""

    output: Path
    options: Options
    only: tuple[str, ...]
    progress: Progress

    def named(self, name: str) -> TensorFile:
        """Extract from a network with a name."""
        known = _torchvision()
        taken = ("images", "bits", "per_tensor", "keep")
        if name in MODELS:
            self.options.refuse(name, but=taken)
            network = MODELS[name]()
        elif name in known.names():
            self.options.refuse(name, but=(*taken, "weights", "random_weights"))
            network = known.build(name, self.options.weights, self.options.random_weights)
        else:
            legal = f"a file ({', '.join(MODEL_FILES + TENSOR_FILES)}) or one of {', '.join(model_names())}"
            raise ParameterError(f"model must be {legal}, not {name!r}")
        from atalanta.tools.extract.samples import Sample

        samples = []
        for photo in self.options.photos():
            fitted = network.fit(photo.pixels)
            samples.append(Sample(photo.info(fitted), (network.input(fitted),)))
        provenance = Provenance(
            model=name,
            source=network.source,
            versions=versions(*self._packages("torch", *network.packages)),
            licence=network.licence,
            weights_sha256=network.weights_sha256,
            command=self._command(name),
            quantiser=network.quantiser,
        )
        return self.module(network.module, samples, provenance, network.engine)

    def module(
        self,
        module: "nn.Module | ExportedProgram",
        samples: "Sequence[Sample]",
        provenance: Provenance,
        engine: str = "",
    ) -> TensorFile:
        """Extract from a torch network: as it is if it is quantised, else quantised here."""
        from torch import nn

        from atalanta.tools.extract.hooks import extract_quantised, is_quantised
        from atalanta.tools.extract.pipeline import extract_module
        from atalanta.tools.extract.quantise import Scheme

        keep, only, progress = self.options.keep, self.only, self.progress
        if isinstance(module, nn.Module) and is_quantised(module):
            self.options.refuse(
                "a network that is quantised already", but=("images", "keep", "weights", "random_weights")
            )
            return extract_quantised(
                module,
                samples,
                self.output,
                provenance=provenance,
                engine=engine,
                keep=keep,
                only=only,
                progress=progress,
            )
        bits = 8 if self.options.bits is None else self.options.bits
        scheme = Scheme(bits=bits, per_channel=not self.options.per_tensor)
        return extract_module(
            module,
            samples,
            self.output,
            scheme=scheme,
            provenance=provenance,
            keep=keep,
            only=only,
            progress=progress,
        )

    def model_file(self, path: Path) -> TensorFile:
        """Extract from a file of a quantised model."""
        self.options.refuse(f"a {path.suffix} file", but=("images", "mean", "std", "keep"))
        run: Callable[..., TensorFile]
        try:
            if path.suffix == ".tflite":
                from atalanta.tools.extract.tflite_file import extract_tflite as run

                packages = ("tflite", "ai-edge-litert")
            else:
                from atalanta.tools.extract.onnx_file import extract_onnx as run

                packages = ("onnx", "onnxruntime")
        except ModuleNotFoundError as error:
            raise extra("formats", error.name or path.suffix) from error
        mean, std = self.options.mean, self.options.std
        return run(
            path,
            self.options.photos(),
            self.output,
            normalise=Normalise(mean=mean, std=std) if mean else None,
            provenance=self._of_file(path, *self._packages(*packages)),
            keep=self.options.keep,
            only=self.only,
            progress=self.progress,
        )

    def tensor_file(self, path: Path) -> TensorFile:
        """Take over the integer tensors of a file of arrays."""
        self.options.refuse(f"a {path.suffix} file", but=())
        source = TensorFile.open(path)
        provenance = source.provenance if source.provenance.model else self._of_file(path, "numpy")
        with Draft(self.output, (), (), self.only) as draft:
            for key, info in source.tensors.items():
                draft.given(info, lambda key=key: source.read(key))  # type: ignore[misc]
            return draft.write(provenance, source.layers, source.skipped, self.progress)

    def _of_file(self, path: Path, *packages: str) -> Provenance:
        return Provenance(
            model=path.stem,
            source=path.name,
            versions=versions(*packages),
            weights_sha256=file_hash(path),
            command=self._command(path.name),
        )

    def _packages(self, *packages: str) -> tuple[str, ...]:
        """Everything that takes part, photos included."""
        photos = () if self.options.images else ("scikit-image", "scikit-learn")
        return ("numpy", "Pillow", *packages, *photos)

    def _command(self, model: str) -> str:
        words = ["atalanta", "extract", model, "-o", self.output.name, *self.options.words()]
        return shlex.join([*words, "--only", ",".join(self.only)] if self.only else words)

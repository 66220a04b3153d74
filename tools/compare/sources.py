"""What is compared: files of tensors as they are; models are extracted first, and the result is kept."""

import hashlib
from pathlib import Path

import atalanta.tools.extract
from atalanta.golden.errors import InputError
from atalanta.tools.code_hash import package_hash
from atalanta.tools.extract import api
from atalanta.tools.extract.draft import Progress
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.extract.versions import file_hash, versions
from atalanta.tools.rtl.build import cache_folder
from atalanta.tools.samples import sample_path

SAMPLES = "samples"
"""The name of the tensors that come with the package."""


def open_source(source: str, progress: Progress) -> TensorFile:
    """The tensors of a file, a model's file or a network that `atalanta extract` knows by name.

    progress: told how far extraction is, if there is any.
    Raises InputError for files that are missing or unreadable, ParameterError for unknown networks.
    """
    if source == SAMPLES:
        return TensorFile.open(sample_path())
    path = Path(source)
    if path.suffix in api.TENSOR_FILES:
        return TensorFile.open(path)
    if path.suffix in api.MODEL_FILES:
        if not path.is_file():
            raise InputError(f"cannot read {path}: no such file")
        return _extracted(source, f"{path.stem} {file_hash(path)}", path.stem, progress)
    if path.exists():
        legal = ", ".join(api.TENSOR_FILES + api.MODEL_FILES)
        raise InputError(f"cannot read {path}: a file of tensors or a model ends in one of {legal}")
    return _extracted(source, source, source, progress)


def _extracted(source: str, content: str, stem: str, progress: Progress) -> TensorFile:
    """What `atalanta extract` makes of it, made once."""
    packages = versions("torch", "torchvision", "numpy", "ai-edge-litert", "onnxruntime")
    text = f"{content} {package_hash(atalanta.tools.extract.__name__)} {packages}"
    folder = cache_folder() / "extract"
    output = folder / f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    if not output.exists():
        folder.mkdir(parents=True, exist_ok=True)
        api.extract(source, output, progress=progress)
    return TensorFile.open(output)


def network_name(file: TensorFile) -> str:
    """What to call the network."""
    return file.provenance.model or file.path.stem

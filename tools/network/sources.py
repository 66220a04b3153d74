"""Workloads with their tensors: from a file of `atalanta extract`, from a YAML's own sections, or both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from atalanta.golden.errors import InputError
from atalanta.golden.values import Array
from atalanta.sim.workload import ACTIVATION, WEIGHT, Layer, Operand, Workload
from atalanta.tools.extract.info import LayerInfo
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.network.schema import SAMPLES, Config, LayerSection, NetworkSection, TensorSection
from atalanta.tools.samples import sample_path


@dataclass(frozen=True)
class Source:
    """A network and where its values come from.

    rows: by operand, a function that gives its values as rows that it may be cut between, shape (parts, n).
    skipped: layers of the file that cannot be simulated, and why. wide: some values have more than 8 bits.
    """

    workload: Workload
    rows: Mapping[str, Callable[[], Array]]
    skipped: Mapping[str, str]
    wide: bool


@dataclass(frozen=True)
class _Tensor:
    """A tensor that is not read yet. batch: its first axis counts images, of which one run takes some."""

    dtype: str
    shape: tuple[int, ...]
    layout: str
    read: Callable[[], Array]
    batch: bool = False


def open_source(config: Config, folder: Path) -> Source:
    """The network of a configuration. folder: what its file names are relative to.

    Raises InputError for files that are missing or malformed, and for layers that do not fit together.
    """
    section = config.network
    tensors: dict[str, _Tensor] = {}
    layers: tuple[LayerInfo | LayerSection, ...] = tuple(section.layers)
    name = section.name
    if section.file:
        path = sample_path() if section.file == SAMPLES else folder / section.file
        file = TensorFile.open(path)
        for key, info in file.tensors.items():
            batch = info.kind == ACTIVATION
            tensors[key] = _Tensor(info.dtype, info.shape, info.layout, partial(file.read, key), batch)
        layers = layers or file.layers
        name = name or file.provenance.model or path.stem
    for number, (key, tensor) in enumerate(section.tensors.items()):
        tensors[key] = _described(key, tensor, folder, [config.seed, number])
    if not layers:
        raise InputError("the network has no layers: give network.layers, or a file that names them")
    return _source(name or "network", section, layers, tensors)


def _described(key: str, section: TensorSection, folder: Path, seed: list[int]) -> _Tensor:
    """A tensor of the YAML."""
    if (section.file is None) == (section.shape is None):
        raise InputError(f"network.tensors.{key} needs either file or shape")
    if section.file is not None:
        file = TensorFile.open(folder / section.file)
        if len(file.tensors) != 1:
            raise InputError(
                f"network.tensors.{key}: {section.file} must hold one tensor, not {len(file.tensors)}"
            )
        (info,) = file.tensors.values()
        return _Tensor(info.dtype, info.shape, section.layout, partial(file.read, info.key))
    shape = tuple(section.shape or ())
    if not shape or min(shape) < 1:
        raise InputError(f"network.tensors.{key}: shape must be of sizes from 1 up, not {list(shape)}")
    return _Tensor(section.dtype, shape, section.layout, partial(_draw, section, shape, seed))


def _draw(section: TensorSection, shape: tuple[int, ...], seed: list[int]) -> Array:
    """Values as the section describes them."""
    random = np.random.default_rng(seed)
    limits = np.iinfo(section.dtype)
    values = section.values
    if values.distribution == "laplace":
        drawn = np.rint(random.laplace(0, values.scale, shape))
        drawn = np.abs(drawn) if limits.min == 0 else drawn
    else:
        drawn = random.integers(limits.min, limits.max, shape, endpoint=True).astype(np.float64)
    drawn[random.random(shape) < values.zero_share] = 0
    return np.asarray(drawn.clip(limits.min, limits.max).astype(section.dtype))


def _source(
    name: str,
    section: NetworkSection,
    layers: tuple[LayerInfo | LayerSection, ...],
    tensors: Mapping[str, _Tensor],
) -> Source:
    taken, skipped = [], {}
    for layer in layers:
        names = [n for n in (layer.weight, *layer.inputs, layer.output) if n]
        missing = [n for n in names if n not in tensors]
        if missing and isinstance(layer, LayerSection):
            raise InputError(f"layer {layer.name} needs {', '.join(missing)}, which nothing describes")
        if missing or not names:
            skipped[layer.name] = f"not in the file: {', '.join(missing)}" if missing else "moves no tensors"
            continue
        batch = section.images if isinstance(layer, LayerInfo) else 1
        taken.append(
            Layer(name=layer.name, kind=layer.kind, macs=layer.macs * batch, weight=layer.weight,
                  inputs=tuple(layer.inputs), output=layer.output)
        )  # fmt: skip
    if not taken:
        raise InputError(f"network {name}: no layer has all its tensors")
    weights = {layer.weight for layer in taken}
    used = {n for layer in taken for n in layer.operands}
    operands, rows = {}, {}
    for key in (k for k in tensors if k in used):
        tensor = tensors[key]
        role = WEIGHT if key in weights else ACTIVATION
        if tensor.batch and section.images > tensor.shape[0]:
            raise InputError(f"network.images is {section.images}, but {key} is of {tensor.shape[0]} images")
        shape = (section.images, *tensor.shape[1:]) if tensor.batch else tensor.shape
        axes = _row_axes(role, tensor.layout, len(shape))
        parts = int(np.prod([shape[a] for a in axes], dtype=np.int64)) if axes else 1
        nbytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(tensor.dtype).itemsize
        operands[key] = Operand(name=key, role=role, nbytes=nbytes, parts=max(parts, 1))
        rows[key] = partial(_rows, tensor, section.images, axes, max(parts, 1))
    wide = any(tensors[k].dtype.endswith("16") for k in operands)
    return Source(Workload(name, tuple(taken), operands), rows, skipped, wide)


def _row_axes(role: str, layout: str, axes: int) -> tuple[int, ...]:
    """The axes that a tensor may be cut along: output channels of weights; images, rows of activations."""
    if axes == 0:
        return ()
    if role == WEIGHT or axes == 1:
        return (0,)
    if "H" in layout:
        return tuple(sorted({0, layout.index("H")}))
    return (0, 2) if axes == 4 else (0, 1) if axes == 3 else (0,)


def _rows(tensor: _Tensor, images: int, axes: tuple[int, ...], parts: int) -> Array:
    array = tensor.read()
    if tensor.batch:
        array = array[:images]
    return np.moveaxis(array, axes, range(len(axes))).reshape(parts, -1)

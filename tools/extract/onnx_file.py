"""ONNX files of quantised networks.

Every 8- or 16-bit integer tensor with a scale is a weight if it is a constant, and an activation if it is
computed. ONNX Runtime computes them, without optimisations, so that they are what the file asks for.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state  # type: ignore[import-untyped]

from atalanta.golden.errors import InputError
from atalanta.tools.extract.catalog import Catalog
from atalanta.tools.extract.draft import Draft, Progress, silent, steps
from atalanta.tools.extract.feeds import IMAGENET, Feed, Normalise
from atalanta.tools.extract.images import Photo
from atalanta.tools.extract.info import ImageInfo, Provenance, top1
from atalanta.tools.extract.onnx_graph import Affine, OnnxGraph
from atalanta.tools.extract.onnx_reader import OnnxReader
from atalanta.tools.extract.tensors import TensorFile

QUANTISER = "as the file came; activations by ONNX Runtime, not optimised"
FAILURES = tuple(
    kind for kind in vars(onnxruntime_pybind11_state).values()
    if isinstance(kind, type) and issubclass(kind, Exception)
)  # fmt: skip
"""What ONNX Runtime raises; it gives them no base class of their own."""

Values = dict[str, NDArray[Any]]


class _Runner:
    """An ONNX model that shows every tensor it computes. types: of all of them, by name."""

    def __init__(self, model: onnx.ModelProto, path: Path) -> None:
        shown = {value.name for value in model.graph.output}
        for node in model.graph.node:
            for name in node.output:
                if name and name not in shown:
                    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others need the cores, too
        self._path = path
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except FAILURES as error:
            raise InputError(f"ONNX Runtime cannot run {path}: {_first_line(error)}") from error
        values = [*self._session.get_inputs(), *self._session.get_outputs()]
        self.types = {value.name: value.type.removeprefix("tensor(").removesuffix(")") for value in values}
        self.open_shapes: dict[str, tuple[int | None, ...]] = {
            value.name: tuple(n if isinstance(n, int) else None for n in value.shape) for value in values
        }
        self._results = [value.name for value in self._session.get_outputs()]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes as far as the file says, of one input; what is open counts as 1."""
        return {name: tuple(n or 1 for n in shape) for name, shape in self.open_shapes.items()}

    def run(self, name: str, x: NDArray[Any], wanted: Sequence[str] | None = None) -> Values:
        """The wanted tensors, or all, for one input."""
        computed = [n for n in wanted or self._results if n != name]
        try:
            results = self._session.run(computed, {name: x})
        except FAILURES as error:
            raise InputError(f"ONNX Runtime cannot run {self._path}: {_first_line(error)}") from error
        return {name: x, **dict(zip(computed, results, strict=True))}


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def extract_onnx(
    path: Path,
    photos: Sequence[Photo],
    output: Path,
    *,
    normalise: Normalise | None = None,
    provenance: Provenance,
    keep: Collection[str] = (),
    only: Collection[str] = (),
    progress: Progress = silent,
) -> TensorFile:
    """Write the weights of a quantised ONNX model, and its activations for the photos.

    normalise: what the model wants to see; by default pixels as codes if it takes integers, else as
        torchvision's networks were trained.
    keep, only: see Draft.

    Raises InputError for a file that is no ONNX model or does not run, and as Draft does.
    """
    try:
        model = onnx.load(str(path))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (DecodeError, ValueError, onnx.checker.ValidationError) as error:
        raise InputError(f"{path} is no ONNX file: {_first_line(error)}") from error
    if not model.graph.node:
        raise InputError(f"{path} is no ONNX file: it holds no graph")
    runner = _Runner(model, path)
    graph = OnnxGraph(model, runner.types)
    feed = _feed(graph, runner, normalise)
    with Draft(output, [p.name for p in photos], keep, only) as draft:
        catalog: Catalog[str] = Catalog(draft)
        shapes = dict(runner.shapes)
        if feed is not None:
            first = runner.run(graph.inputs[0], feed.tensor(photos[0])[1])
            shapes = {name: values.shape for name, values in first.items()}
        OnnxReader(graph, runner.types, shapes, catalog).read()
        draft.check()
        if feed is None:
            draft.drop_activations()
            what = ", ".join(f"{name} {list(runner.shapes[name])}" for name in graph.inputs)
            catalog.skip("activations", f"the input, {what}, is no image")
        owners = {key: name for name, key in reversed(catalog.activations.items())}
        images: list[ImageInfo] = []
        for photo in steps("run", photos if feed is not None else (), progress):
            assert feed is not None
            image, x = feed.tensor(photo)
            values = runner.run(graph.inputs[0], x, [graph.outputs[0], *owners.values()])
            for key, name in owners.items():
                draft.add(key, photo.name, values[name])
            images.append(replace(image, top1=top1(values[graph.outputs[0]])))
        provenance = replace(provenance, images=tuple(images), quantiser=QUANTISER)
        return draft.write(provenance, [*catalog.layers.values()], catalog.skipped, progress)


def _feed(graph: OnnxGraph, runner: _Runner, normalise: Normalise | None) -> Feed | None:
    """How to show a photo to the model; None if it wants no image."""
    if len(graph.inputs) != 1:
        return None
    name = graph.inputs[0]
    dtype = {"float": "float32", "uint8": "uint8", "int8": "int8"}.get(runner.types[name])
    if dtype is None:
        return None
    affine = graph.affine.get(name, Affine((1.0,), (0,)))
    if normalise is None and dtype == "float32":
        normalise = IMAGENET
    return Feed.of(
        runner.open_shapes[name], np.dtype(dtype), normalise, affine.scale[0], affine.zero_point[0]
    )

"""The tensors that ship with the package are what its own extractor makes, and what the manifest says."""

import json

import numpy as np

from atalanta.tools.extract.tensors import TensorFile, tensor_hash
from atalanta.tools.samples import manifest_path, sample_path
from atalanta.tools.samples.__main__ import IMAGES, KEYS, manifest


def test_manifest() -> None:
    sample = TensorFile.open(sample_path())
    said = json.loads(manifest_path().read_text())
    assert said == json.loads(json.dumps(manifest(sample)))
    assert said["licence"] == "Apache-2.0"
    assert set(said["tensors"]) == set(KEYS)
    for key, tensor in said["tensors"].items():
        array = sample.read(key)
        assert tensor["sha256"] == tensor_hash(array)
        assert (tensor["dtype"], tuple(tensor["shape"])) == (array.dtype.name, array.shape)


def test_the_photos_may_be_passed_on() -> None:
    sample = TensorFile.open(sample_path())
    licences = {image.name: image.licence for image in sample.provenance.images}
    assert {licences[name] for name in IMAGES} == {"CC0-1.0"}
    assert {a.images for a in sample.of_kind("activation")} == {IMAGES}


def test_it_is_small_and_representative() -> None:
    assert sample_path().stat().st_size < 3_000_000
    sample = TensorFile.open(sample_path())
    assert sum(w.size >= 1 << 16 for w in sample.of_kind("weight")) >= 3
    whole = [
        layer
        for layer in sample.layers
        if {layer.weight, layer.output, *layer.inputs} - {""} <= sample.tensors.keys()
    ]
    assert [layer.name for layer in whole] == [
        "_conv_stem", "_blocks.6._expand_conv", "_blocks.6._depthwise_conv", "_blocks.6._project_conv",
        "_blocks.6.add", "_blocks.15._expand_conv", "_conv_head", "_avg_pooling.adaptive_avg_pool2d", "_fc",
    ]  # fmt: skip


def test_the_extractor_makes_the_same(lite0: TensorFile) -> None:
    sample = TensorFile.open(sample_path())
    for weight in sample.of_kind("weight"):
        assert weight.sha256 == lite0.tensors[weight.key].sha256
        assert (weight.scale, weight.layer) == (
            lite0.tensors[weight.key].scale,
            lite0.tensors[weight.key].layer,
        )
    for activation in sample.of_kind("activation"):
        coffee = sample.read(activation.key)[activation.images.index("coffee")]
        np.testing.assert_array_equal(coffee, lite0.read(activation.key)[0])
    assert set(sample.layers) <= set(lite0.layers)

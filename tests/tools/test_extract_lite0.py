"""EfficientNet-Lite0 out of the box: everything is there, and the integers are the network's."""

import numpy as np
import pytest
import torch
from integer_layers import output_codes
from torch.utils.flop_counter import FlopCounterMode

from atalanta.tools.extract.efficientnet import efficientnet_lite0
from atalanta.tools.extract.images import sample_photos
from atalanta.tools.extract.network import Network
from atalanta.tools.extract.tensors import TensorFile


@pytest.fixture(scope="module")
def network() -> Network:
    return efficientnet_lite0()


def test_every_layer_is_there(lite0: TensorFile) -> None:
    weights, activations = lite0.of_kind("weight"), lite0.of_kind("activation")
    kinds = [layer.kind for layer in lite0.layers]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "conv2d": 49, "add": 9, "adaptive_avg_pool2d": 1, "linear": 1,
    }  # fmt: skip
    assert (len(weights), sum(w.size for w in weights)) == (50, 4_608_992)
    assert (len(activations), sum(a.size for a in activations)) == (61, 7_100_616)
    assert lite0.skipped == ()
    assert [w.key for w in weights] == [f"weights.{i:03d}" for i in range(50)]
    assert [a.key for a in activations] == [f"activations.{i:03d}" for i in range(61)]
    assert {w.layout for w in weights} == {"OIHW", "OI"}
    assert {a.layout for a in activations} == {"NCHW", "NC"}


def test_every_parameter_of_convolutions_and_linear_layers_is_there(
    lite0: TensorFile, network: Network
) -> None:
    owners = {
        name: tuple(module.weight.shape)
        for name, module in network.module.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
    }
    assert {w.layer: w.shape for w in lite0.of_kind("weight")} == owners


def test_multiply_accumulates_agree_with_torch(lite0: TensorFile, network: Network) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.module(torch.zeros(1, 3, 224, 224))
    assert 2 * sum(layer.macs for layer in lite0.layers) == counter.get_total_flops()


@pytest.mark.parametrize(
    "name",
    [
        "_conv_stem",  # zero padding on two sides only, ReLU6
        "_blocks.3._depthwise_conv",  # 5x5, stride 2
        "_blocks.8._expand_conv",
        "_blocks.15._project_conv",  # no clamp
        "_fc",
        "_blocks.9.add",
    ],
)
def test_integers_of_a_layer_make_the_integers_of_the_next(lite0: TensorFile, name: str) -> None:
    layer = next(layer for layer in lite0.layers if layer.name == name)
    np.testing.assert_array_equal(output_codes(lite0, layer), lite0.read(layer.output))


@pytest.mark.parametrize(
    ("conv", "norm"), [("_conv_stem", "_bn0"), ("_blocks.8._depthwise_conv", "_blocks.8._bn1")]
)
def test_weights_are_the_networks_with_batch_norm_folded(
    lite0: TensorFile, network: Network, conv: str, norm: str
) -> None:
    info = next(w for w in lite0.of_kind("weight") if w.layer == conv)
    state = {name: value.double().numpy() for name, value in network.module.state_dict().items()}
    gain = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + 1e-3)
    exact = state[f"{conv}.weight"] * gain.reshape(-1, 1, 1, 1)
    scale = np.array(info.scale).reshape(-1, 1, 1, 1)
    assert (np.abs(lite0.read(info.key) * scale - exact) <= scale / 1.99).all()


def test_input_codes_are_the_pixels(lite0: TensorFile, network: Network) -> None:
    coffee = next(p for p in sample_photos() if p.name == "coffee")
    info = lite0.tensors["activations.000"]
    assert (info.scale, info.zero_point, info.images) == ((1 / 128,), (127,), ("coffee",))
    np.testing.assert_array_equal(lite0.read(info.key)[0], network.fit(coffee.pixels).transpose(2, 0, 1))


def test_no_range_is_reduced(lite0: TensorFile) -> None:
    bias = {layer.weight: np.abs(layer.bias) for layer in lite0.layers if layer.weight}
    for info in lite0.of_kind("weight"):
        codes = np.abs(lite0.read(info.key).astype(int)).reshape(info.shape[0], -1).max(axis=1)
        empty = (np.array(info.scale) == 2**-23) | (bias[info.key] == 1 << 30)  # torch.ao's floor, and ours
        assert (codes[~empty] == 127).all()
        assert empty.mean() < 0.5
    assert max(lite0.read(a.key).max() for a in lite0.of_kind("activation")) == 255


def test_sums_fit_32_bits(lite0: TensorFile) -> None:
    for layer in lite0.layers:
        if layer.weight:
            weights = np.abs(lite0.read(layer.weight).astype(int))
            most = weights.reshape(len(weights), -1).sum(axis=1) * 255 + np.abs(layer.bias)
            assert most.max() < 1 << 31


def test_top1_agreement(lite0: TensorFile, network: Network) -> None:
    assert lite0.provenance.top1_agreement == (14, 17)
    images = {image.name: image for image in lite0.provenance.images}
    assert images["coffee"].top1 == 967  # espresso
    assert lite0.read("activations.060").argmax() == 967
    photo = next(p for p in sample_photos() if p.name == "hubble")
    with torch.no_grad():
        untouched = network.module(network.input(network.fit(photo.pixels)))
    assert images["hubble"].top1_float == untouched.argmax()


def test_provenance_is_complete(lite0: TensorFile) -> None:
    provenance = lite0.provenance
    assert provenance.command == "atalanta extract efficientnet_lite0 -o lite0.npz --keep coffee"
    assert provenance.licence == "Apache-2.0"
    assert provenance.source.endswith("/efficientnet-lite0-57934424.pth")  # named after its hash
    assert provenance.weights_sha256.startswith("57934424")
    assert {"atalanta", "torch", "efficientnet-lite-pytorch", "scikit-image"} <= provenance.versions.keys()
    assert len(provenance.images) == 17
    assert all(image.licence and image.source and len(image.sha256) == 64 for image in provenance.images)

"""torchvision's classifiers, quantised there or here: complete, and computed as the integers say."""

import warnings
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from integer_layers import output_codes
from PIL import Image
from torch import Tensor, nn
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx
from torch.utils.flop_counter import FlopCounterMode

from atalanta.golden.errors import InputError, ParameterError
from atalanta.tools.extract import torchvision_models
from atalanta.tools.extract.api import extract, extract_torch, model_names
from atalanta.tools.extract.tensors import TensorFile

SMALL = "quantized_shufflenet_v2_x0_5"

# convolutions, their weights; linear layers, their weights
COUNTS = {
    "quantized_googlenet": (57, 5_585_344, 1, 1_024_000),
    "quantized_inception_v3": (94, 21_751_136, 1, 2_048_000),
    "quantized_mobilenet_v2": (52, 2_189_760, 1, 1_280_000),
    "quantized_mobilenet_v3_large": (62, 2_942_472, 2, 2_508_800),
    "quantized_resnet18": (20, 11_166_912, 1, 512_000),
    "quantized_resnet50": (53, 23_454_912, 1, 2_048_000),
    "quantized_shufflenet_v2_x0_5": (56, 333_840, 1, 1_024_000),
    "quantized_shufflenet_v2_x1_0": (56, 1_237_424, 1, 1_024_000),
    "quantized_shufflenet_v2_x1_5": (56, 2_455_184, 1, 1_024_000),
    "quantized_shufflenet_v2_x2_0": (56, 5_311_280, 1, 2_048_000),
}
LARGE = {
    "quantized_resnext101_32x8d": (104, 86_539_456, 1, 2_048_000),
    "quantized_resnext101_64x4d": (104, 81_203_392, 1, 2_048_000),
}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(6)
    noise = Image.fromarray(rng.integers(0, 256, (9, 11, 3), np.uint8))
    noise.resize((300, 280), Image.Resampling.BICUBIC).save(folder / "clouds.png")
    return folder


def test_all_quantised_models_are_covered() -> None:
    assert {name for name in model_names() if name.startswith("quantized_")} == {*COUNTS, *LARGE}
    assert {"efficientnet_lite0", "resnet50", "vit_b_16"} <= set(model_names())


@pytest.mark.parametrize(
    ("name", "counts"),
    [*COUNTS.items(), *(pytest.param(*item, marks=pytest.mark.slow) for item in LARGE.items())],
)
def test_every_layer_is_there(name: str, counts: tuple[int, ...], tmp_path: Path, photos: Path) -> None:
    file = extract(name, tmp_path / "x.npz", images=photos, random_weights=True, only=["weights.*"])
    of_layout = {
        layout: [w.size for w in file.of_kind("weight") if w.layout == layout] for layout in ("OIHW", "OI")
    }
    assert (
        len(of_layout["OIHW"]), sum(of_layout["OIHW"]), len(of_layout["OI"]), sum(of_layout["OI"])
    ) == counts  # fmt: skip
    assert {w.dtype for w in file.of_kind("weight")} == {"int8"}
    assert file.skipped == ()
    assert file.provenance.source == "random numbers, seed 0"


@pytest.fixture
def small(tmp_path: Path, photos: Path) -> TensorFile:
    return extract(SMALL, tmp_path / "small.npz", images=photos, random_weights=True)


def test_activations_of_every_layer(small: TensorFile) -> None:
    activations = small.of_kind("activation")
    assert activations[0].layer == "input"
    assert [a.layer for a in activations[1:]] == [layer.name for layer in small.layers]
    known = {a.key for a in activations}
    assert all(layer.inputs and {*layer.inputs, layer.output} <= known for layer in small.layers)
    shuffled = next(layer for layer in small.layers if layer.name == "stage2.1.branch2.0")
    halved = next(layer for layer in small.layers if layer.name == "stage2.0.cat")
    assert shuffled.inputs == (halved.output,)  # through a shuffle of channels and a split


def test_integers_agree_with_numpy(tmp_path: Path, photos: Path) -> None:
    # its engine, qnnpack, adds exactly on every machine; fbgemm's sums of 16 bits may overflow on some
    file = extract("quantized_mobilenet_v2", tmp_path / "x.npz", images=photos, random_weights=True)
    for name in ("features.0.0", "features.4.conv.1.0", "features.18.0", "classifier.1"):
        layer = next(layer for layer in file.layers if layer.name == name)
        difference = np.abs(output_codes(file, layer) - file.read(layer.output))
        assert difference.max() <= 1  # torch scales its sums in float32
        assert (difference == 0).mean() > 0.99


def test_multiply_accumulates_agree_with_torch(small: TensorFile) -> None:
    module = torchvision_models.build("shufflenet_v2_x0_5", random=True).module
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros(1, 3, 224, 224))
    assert 2 * sum(layer.macs for layer in small.layers) == counter.get_total_flops()


def test_the_range_is_told(small: TensorFile) -> None:
    text = small.provenance.quantiser
    assert text.startswith("by torchvision for fbgemm; fbgemm kernels; ")
    high = sum(np.count_nonzero(small.read(a.key) >= 128) for a in small.of_kind("activation"))
    share = high / sum(a.size for a in small.of_kind("activation"))
    assert text.endswith(f"{share:.2%} of unsigned activation codes are 128 or more")


def test_the_users_engine_stays(small: TensorFile) -> None:
    assert torch.backends.quantized.engine == "x86"
    assert "fbgemm" in small.provenance.quantiser


def equal(left: TensorFile, right: TensorFile) -> bool:
    return {k: t.sha256 for k, t in left.tensors.items()} == {k: t.sha256 for k, t in right.tensors.items()}


@pytest.fixture
def weights_file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    torch.save(torchvision_models.build(SMALL, random=True).module.state_dict(), path)
    return path


def test_weights_from_a_file(small: TensorFile, weights_file: Path, tmp_path: Path, photos: Path) -> None:
    file = extract(SMALL, tmp_path / "x.npz", images=photos, weights=str(weights_file))
    assert equal(file, small)
    assert file.provenance.source == "weights.pth"
    assert len(file.provenance.weights_sha256) == 64
    assert (
        file.provenance.command == f"atalanta extract {SMALL} -o x.npz --images photos --weights weights.pth"
    )


def test_weights_from_torch_home(
    small: TensorFile, weights_file: Path, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    place = tmp_path / "hub" / "checkpoints" / "shufflenetv2_x0.5_fbgemm-00845098.pth"
    place.parent.mkdir(parents=True)
    weights_file.rename(place)
    file = extract(SMALL, tmp_path / "x.npz", images=photos)
    assert equal(file, small)
    assert file.provenance.source.endswith("/quantized/shufflenetv2_x0.5_fbgemm-00845098.pth")
    assert file.provenance.licence == "BSD-3-Clause"


def test_no_network(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(InputError, match=r"cannot download https://.*: fetch it to .*/checkpoints/shuffle"):
        extract(SMALL, tmp_path / "x.npz", images=photos)


class Trap:
    """Unpickling it is a failure."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("code in a file of weights was run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read .*w.pth: No such file"),
        (b"rubbish", "w.pth is no file of tensors"),
        ({"weight": Trap()}, "w.pth is no file of tensors"),
        ({"conv1.weight": torch.zeros(3)}, f"w.pth does not hold weights of {SMALL}: "),
    ],
)
def test_bad_weights(tmp_path: Path, photos: Path, content: Any, message: str) -> None:
    path = tmp_path / "w.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=message):
        extract(SMALL, tmp_path / "x.npz", images=photos, weights=str(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 4}, "the option bits means nothing for a network that is quantised already"),
        ({"per_tensor": True}, "the option per_tensor means nothing"),
        ({"mean": (1,), "std": (2,)}, f"the option mean means nothing for {SMALL}"),
        ({"weights": "w.pth"}, "weights and random_weights exclude each other"),
    ],
)
def test_options_that_mean_nothing(
    tmp_path: Path, photos: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        extract(SMALL, tmp_path / "x.npz", images=photos, random_weights=True, **options)


def test_float_networks_are_quantised_here(tmp_path: Path, photos: Path) -> None:
    file = extract("resnet18", tmp_path / "x.npz", images=photos, random_weights=True, bits=4)
    assert (
        sum(w.size for w in file.of_kind("weight") if w.layout == "OIHW") == COUNTS["quantized_resnet18"][1]
    )
    layer = next(layer for layer in file.layers if layer.name == "layer3.0.conv2")
    np.testing.assert_array_equal(output_codes(file, layer), file.read(layer.output))
    assert max(file.read(a.key).max() for a in file.of_kind("activation")) == 15


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(torch.relu(self.conv(x)) + x).flatten(1)  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated", "ignore:.*quantize_per_tensor")
@pytest.mark.filterwarnings("ignore:Please use quant_min and quant_max")
def test_what_torch_ao_made_of_a_network_of_ones_own(tmp_path: Path) -> None:
    torch.manual_seed(4)
    x = torch.randn(1, 3, 8, 8)
    prepared = prepare_fx(Residual().eval(), get_default_qconfig_mapping("fbgemm"), (x,))
    prepared(x)
    module = convert_fx(prepared)
    file = extract_torch(module, {"noise": x}, tmp_path / "x.npz")
    # torch.ao takes the ReLU, which is no module, to real numbers and back
    assert [(layer.name, layer.kind, layer.inputs) for layer in file.layers] == [
        ("conv", "conv2d", ("activations.000",)),
        ("relu", "relu", ("activations.001",)),
        ("add", "add", ("activations.002", "activations.000")),
        ("pool.max_pool2d", "max_pool2d", ("activations.003",)),
    ]
    assert file.provenance.images[0].name == "noise"
    last = file.tensors[file.layers[-1].output]
    real = (file.read(last.key).astype(np.float32) - last.zero_point[0]) * np.float32(last.scale[0])
    np.testing.assert_allclose(real.reshape(1, -1), module(x).numpy(), rtol=1e-6)


def test_a_network_of_ones_own(tmp_path: Path) -> None:
    inputs = {f"x{i}": torch.randn(1, 3, 8, 8) for i in range(3)}
    file = extract_torch(Residual(), inputs, tmp_path / "x.npz", bits=5, keep=["x1"])
    assert file.tensors["activations.000"].images == ("x1",)
    assert {t.bits for t in file.tensors.values()} == {5}
    with pytest.raises(ParameterError, match="the option images means nothing for a network of your own"):
        extract_torch(Residual(), inputs, tmp_path / "x.npz", images=tmp_path)


def test_networks_that_run_differently(tmp_path: Path) -> None:
    base = torchvision_models.build(SMALL, random=True)
    inputs = {"a": torch.zeros(1, 3, 64, 64), "b": torch.zeros(1, 3, 96, 96)}
    with pytest.raises(InputError, match="b makes the network run otherwise than the first input did"):
        extract_torch(base.module, inputs, tmp_path / "x.npz")


def test_no_warnings_reach_the_user(tmp_path: Path, photos: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        extract(SMALL, tmp_path / "x.npz", images=photos, random_weights=True)
    assert [str(w.message) for w in caught] == []

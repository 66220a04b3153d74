"""Quantisation of small networks of every make: the integers agree with NumPy's, and nothing is left out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from integer_layers import output_codes
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export
from torch.utils.flop_counter import FlopCounterMode

from atalanta.golden.errors import InputError, ParameterError
from atalanta.tools.extract.graph import trace
from atalanta.tools.extract.info import ImageInfo, Provenance
from atalanta.tools.extract.layers import macs
from atalanta.tools.extract.pipeline import Sample, extract_module
from atalanta.tools.extract.quantise import Scheme
from atalanta.tools.extract.tensors import TensorFile

# torch tells once a process that it copies the input of such a convolution
SAME_PADDING = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

MAKES: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: nn.Conv2d(3, 5, 3),
    "no bias": lambda: nn.Conv2d(3, 5, 3, bias=False),
    "batch norm": lambda: nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU6()),
    "in place": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
    "same padding, dilated": lambda: nn.Conv2d(3, 4, (2, 3), padding="same", dilation=(1, 2)),
    "stride, groups": lambda: nn.Conv2d(3, 6, 3, stride=(2, 1), padding=(1, 2), groups=3),
    "zero pad": lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 2, 3)), nn.Conv2d(3, 4, 3, padding=1)),
    "hardtanh away from zero": lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Hardtanh(0.1, 0.3)),
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 9 * 8, 7), nn.ReLU()),
}  # fmt: skip


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A network with weights and batch statistics that are neither 0 nor 1."""
    torch.manual_seed(1)
    module = make()
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.bias)
        for name, value in (("running_mean", torch.randn(8)), ("running_var", 0.5 + torch.rand(8))):
            norm.register_buffer(name, value[: norm.num_features])
    return module.eval()


def samples(shape: tuple[int, ...] = (1, 3, 9, 8), count: int = 3) -> list[Sample]:
    torch.manual_seed(2)
    return [Sample(ImageInfo(name=f"image {i}"), (torch.randn(shape),)) for i in range(count)]


def run(
    module: nn.Module | ExportedProgram, folder: Path, inputs: list[Sample] | None = None, **scheme: Any
) -> TensorFile:
    out = folder / "out.npz"
    inputs = samples() if inputs is None else inputs
    return extract_module(module, inputs, out, scheme=Scheme(**scheme), provenance=Provenance())


@SAME_PADDING
@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
@pytest.mark.parametrize("scheme", [{}, {"bits": 4}, {"bits": 2}, {"per_channel": False}], ids=str)
def test_integers_agree_with_numpy(
    make: Callable[[], nn.Module], scheme: dict[str, Any], tmp_path: Path
) -> None:
    file = run(seeded(make), tmp_path, **scheme)
    bits = scheme.get("bits", 8)
    (layer,) = file.layers
    np.testing.assert_array_equal(output_codes(file, layer), file.read(layer.output))
    weights = file.read("weights.000")
    assert weights.dtype == np.int8
    assert np.abs(weights).max() == (1 << bits - 1) - 1
    assert file.read(layer.output).max() <= (1 << bits) - 1
    assert len(file.tensors["weights.000"].scale) == (len(weights) if scheme.get("per_channel", True) else 1)
    assert {info.bits for info in file.tensors.values()} == {bits}


@SAME_PADDING
@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_eight_bits_come_close_to_the_float_network(make: Callable[[], nn.Module], tmp_path: Path) -> None:
    module = seeded(make)
    file = run(module, tmp_path)
    info = file.tensors["activations.001"]
    with torch.no_grad():
        exact = torch.cat([module(s.inputs[0]) for s in samples()]).numpy()
    real = (file.read(info.key).astype(float) - info.zero_point[0]) * info.scale[0]
    assert np.sqrt(np.mean((real - exact) ** 2)) < 0.02 * np.abs(exact).max()


class Branches(nn.Module):
    """What is not one layer behind the other."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.twice = nn.Conv2d(4, 4, 1)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 2, 2)
        self.fc = nn.Linear(2, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x))
        left, right = self.twice(x), self.twice(torch.max_pool2d(x, 3, 1, 1))
        x = torch.cat([left.relu(), right], 1)
        x = self.norm(x).reshape(-1, 2, 4, 9, 8).transpose(1, 2).reshape(-1, 8, 9, 8)
        first, second = x.chunk(2, 1)
        x = torch.cat([second, torch.sigmoid(first)], 1)
        scores: Tensor = self.fc(self.up(x).mean((2, 3)))
        return scores


def test_branches(tmp_path: Path) -> None:
    file = run(seeded(Branches), tmp_path)
    assert [(layer.name, layer.inputs, layer.output[-3:]) for layer in file.layers] == [
        ("conv", ("activations.000",), "001"),
        ("twice", ("activations.001",), "002"),
        ("max_pool2d", ("activations.001",), "003"),
        ("twice_2", ("activations.003",), "004"),
        ("cat", ("activations.002", "activations.004"), "005"),
        ("norm.batch_norm", ("activations.005",), "006"),
        ("sigmoid", ("activations.006",), "007"),
        ("cat_2", ("activations.006", "activations.007"), "008"),
        ("up.conv_transpose2d", ("activations.008",), "009"),
        ("mean", ("activations.009",), "010"),
        ("fc", ("activations.010",), "011"),
    ]
    assert [w.layer for w in file.of_kind("weight")] == ["conv", "twice", "fc"]
    assert [layer.weight for layer in file.layers if layer.name.startswith("twice")] == ["weights.001"] * 2
    names = [s.name for s in file.skipped]
    assert names == [
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "up.weight",
        "up.bias",
    ]
    assert "floating point" in file.skipped[-1].reason
    for layer in file.layers:
        if layer.weight:
            np.testing.assert_array_equal(output_codes(file, layer), file.read(layer.output))
    pooled = file.read("activations.003")
    assert file.tensors["activations.003"].scale == file.tensors["activations.001"].scale
    before = torch.from_numpy(file.read("activations.001")).float()
    np.testing.assert_array_equal(pooled, torch.max_pool2d(before, 3, 1, 1).numpy())


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # torch's own, in run_decompositions
@pytest.mark.parametrize("decomposed", [False, True])
def test_exported_program(tmp_path: Path, decomposed: bool) -> None:
    module = seeded(
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(168, 5)
        )
    )
    program = export(module, samples()[0].inputs)
    if decomposed:
        program = program.run_decompositions()
    file = run(program, tmp_path)
    same = run(module, tmp_path)
    for key in same.tensors:
        np.testing.assert_array_equal(file.read(key), same.read(key))


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_exported_program_with_open_dimensions(tmp_path: Path) -> None:
    module = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    dims = {0: Dim("batch", min=1, max=8), 2: Dim("height", min=4, max=64)}
    program = export(module, (torch.zeros(2, 3, 16, 8),), dynamic_shapes=(dims,))
    file, same = run(program, tmp_path), run(module, tmp_path)
    assert file.tensors["activations.001"].shape == (3, 4, 7, 6)
    assert [layer.macs for layer in file.layers] == [layer.macs for layer in same.layers] == [4 * 7 * 6 * 27]


def test_a_bias_fits_where_weights_are_next_to_nothing(tmp_path: Path) -> None:
    module = seeded(lambda: nn.Conv2d(3, 4, 1))
    with torch.no_grad():
        module.weight[1] *= 1e-12  # type: ignore[operator, index]
        module.bias[1] = 5  # type: ignore[operator, index]
    for per_channel in (True, False):
        file = run(module, tmp_path, per_channel=per_channel)
        (layer,) = file.layers
        assert max(map(abs, layer.bias)) <= 1 << 30
        np.testing.assert_array_equal(output_codes(file, layer), file.read(layer.output))
        target = file.tensors[layer.output]
        real = (file.read(layer.output)[:, 1].astype(float) - target.zero_point[0]) * target.scale[0]
        np.testing.assert_allclose(real, 5, atol=target.scale[0])


def test_attention_and_sequences(tmp_path: Path) -> None:
    module = seeded(lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True))
    file = run(module, tmp_path, samples((1, 5, 8)))
    weights = {w.layer: w.shape for w in file.of_kind("weight")}
    assert weights == {
        "self_attn.in_proj_weight": (24, 8),
        "self_attn.out_proj": (8, 8),
        "linear1": (16, 8),
        "linear2": (8, 16),
    }
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.train()(samples((1, 5, 8))[0].inputs[0])
    assert sum(layer.macs for layer in file.layers) * 2 == counter.get_total_flops()


def test_what_depends_on_shapes_alone_is_no_activation(tmp_path: Path) -> None:
    class Masked(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mask = torch.zeros_like(x)
            mask[..., 0] = 1
            return x * mask

    file = run(Masked(), tmp_path)
    assert [layer.kind for layer in file.layers] == ["mul"]


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda x: x if x.sum() > 0 else -x, "torch.export cannot follow the network"),
        (lambda x: torch.log(x * 0 - 1), "not finite"),
    ],
)
def test_networks_that_cannot_be_quantised(
    forward: Callable[[Tensor], Tensor], message: str, tmp_path: Path
) -> None:
    class Network(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return forward(x)

    with pytest.raises(InputError, match=message):
        run(Network(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_inputs_must_be_alike_and_there(tmp_path: Path) -> None:
    unequal = [*samples(), *samples((1, 3, 8, 8), 1)]
    with pytest.raises(InputError, match=r"image 0 has the shape \[\(1, 3, 8, 8\)\]"):
        run(seeded(MAKES["plain"]), tmp_path, unequal)
    with pytest.raises(InputError, match="at least one input"):
        run(seeded(MAKES["plain"]), tmp_path, [])


@pytest.mark.parametrize("bits", [1, 9, 2.5])
def test_bits_are_checked(bits: int) -> None:
    with pytest.raises(ParameterError, match="bits must be from 2 to 8"):
        Scheme(bits=bits)


def test_macs_of_einsum_and_matmul() -> None:
    class Products(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.einsum("bij,bkj->bik", x, x) @ x

    x = torch.zeros(2, 5, 3)
    graph = trace(Products(), (x,))
    assert [macs(graph, layer) for layer in graph.layers] == [2 * 5 * 5 * 3, 2 * 5 * 3 * 5]

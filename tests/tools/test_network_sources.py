"""Workloads from files and YAML: which values go where, and along which axes a tensor may be cut."""

from pathlib import Path

import numpy as np
import pytest

from atalanta.golden.errors import InputError
from atalanta.tools.extract.info import LayerInfo, Provenance, TensorInfo
from atalanta.tools.extract.tensors import write_tensors
from atalanta.tools.network.config import resolve
from atalanta.tools.network.run import run_network, ticks
from atalanta.tools.network.sources import open_source


def source_of(network, folder=Path()):
    return open_source(resolve({"network": network}, "x"), folder)


def tensor(**section):
    return {"tensors": {"x": section}, "layers": [{"name": "a", "inputs": ["x"]}]}


@pytest.mark.parametrize(
    ("shape", "layout", "parts"),
    [
        ([2, 3, 5, 7], "NCHW", 10),
        ([2, 5, 7, 3], "NHWC", 10),
        ([2, 3, 5, 7], "", 10),  # as NCHW
        ([2, 9, 16], "", 18),  # tokens
        ([2, 16], "NC", 2),
        ([16], "", 16),
    ],
)
def test_activations_are_cut_by_image_and_row(shape, layout, parts):
    source = source_of(tensor(shape=shape, layout=layout))
    operand = source.workload.operands["x"]
    assert (operand.role, operand.parts, operand.nbytes) == ("activation", parts, np.prod(shape))
    assert source.rows["x"]().shape == (parts, np.prod(shape) // parts)


def test_a_row_of_pixels_holds_all_its_channels(tmp_path):
    array = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    np.save(tmp_path / "x.npy", array)
    rows = source_of(tensor(file="x.npy", layout="NCHW"), tmp_path).rows["x"]()
    assert np.array_equal(rows[4 + 2], array[1, :, 2, :].ravel())


def test_weights_are_cut_by_output_channel():
    network = {"tensors": {"w": {"shape": [6, 4, 3, 3]}}, "layers": [{"name": "a", "weight": "w"}]}
    source = source_of(network)
    assert source.workload.operands["w"].parts == 6
    assert source.rows["w"]().shape == (6, 36)


def test_drawn_values_are_as_described():
    values = {"distribution": "laplace", "scale": 6.0, "zero_share": 0.5}
    rows = source_of(tensor(shape=[100, 1000], dtype="uint8", values=values)).rows["x"]
    drawn = rows()
    assert drawn.dtype == np.uint8
    assert np.mean(drawn == 0) == pytest.approx(0.5 + 0.5 * (1 - np.exp(-0.5 / 6)), abs=0.01)
    assert drawn[drawn > 0].mean() == pytest.approx(6.5, abs=0.3)
    assert np.array_equal(drawn, rows())
    uniform = source_of(tensor(shape=[100, 1000], values={"distribution": "uniform"})).rows["x"]()
    assert (uniform.min(), uniform.max()) == (-128, 127)


def extracted(path, *, images=2):
    """A file as `atalanta extract` writes it: one layer whole, one without its output."""

    def info(key, kind, layout):
        return TensorInfo(key=key, kind=kind, layer="l", index=0, dtype="", shape=(), layout=layout, bits=8)

    def values(*shape, dtype=np.uint8):
        return np.random.default_rng(0).integers(0, 9, shape).astype(dtype)

    write_tensors(
        path,
        [
            (info("weights.000", "weight", "OIHW"), values(4, 3, 1, 1, dtype=np.int8)),
            (info("activations.000", "activation", "NCHW"), values(images, 3, 4, 4)),
            (info("activations.001", "activation", "NCHW"), values(images, 4, 4, 4)),
        ],
        provenance=Provenance(model="two layers"),
        layers=[
            LayerInfo(name="conv", kind="conv2d", macs=192, weight="weights.000", inputs=("activations.000",),
                      output="activations.001"),
            LayerInfo(name="pool", kind="mean", inputs=("activations.001",), output="activations.002"),
            LayerInfo(name="view", kind="view"),
        ],
    )  # fmt: skip
    return path


def test_an_extracted_file_brings_its_layers(tmp_path):
    extracted(tmp_path / "net.npz")
    source = source_of({"file": "net.npz"}, tmp_path)
    assert source.workload.name == "two layers"
    assert [layer.name for layer in source.workload.layers] == ["conv"]
    assert source.skipped == {"pool": "not in the file: activations.002", "view": "moves no tensors"}
    assert source.workload.operands["activations.000"].nbytes == 3 * 4 * 4
    assert not source.wide


def test_images_multiply_work_and_activations_only(tmp_path):
    extracted(tmp_path / "net.npz")
    source = source_of({"file": "net.npz", "images": 2}, tmp_path)
    (layer,) = source.workload.layers
    assert layer.macs == 2 * 192
    sizes = {name: (o.nbytes, o.parts) for name, o in source.workload.operands.items()}
    assert sizes == {"weights.000": (12, 4), "activations.000": (96, 8), "activations.001": (128, 8)}


def test_layers_may_be_given_for_a_file_that_has_none(tmp_path):
    np.savez(tmp_path / "w.npz", w=np.ones((8, 8), np.int8))
    layers = [{"name": "a", "macs": 64, "weight": "w", "inputs": ["x"]}]
    source = source_of({"file": "w.npz", "layers": layers, "tensors": {"x": {"shape": [1, 8]}}}, tmp_path)
    assert source.workload.macs == 64
    assert source.workload.name == "w"
    with pytest.raises(InputError, match="the network has no layers"):
        source_of({"file": "w.npz"}, tmp_path)


def test_a_file_without_a_whole_layer_is_refused(tmp_path):
    layers = [LayerInfo(name="a", kind="linear", weight="weights.009")]
    array = np.ones((3, 3), np.int8)
    info = TensorInfo(key="weights.000", kind="weight", layer="a", index=0, dtype="", shape=(), bits=8)
    write_tensors(tmp_path / "net.npz", [(info, array)], provenance=Provenance(), layers=layers)
    with pytest.raises(InputError, match="no layer has all its tensors"):
        source_of({"file": "net.npz"}, tmp_path)


def test_a_tensor_file_must_hold_one_tensor(tmp_path):
    np.savez(tmp_path / "two.npz", a=np.ones(3, np.int8), b=np.ones(3, np.int8))
    with pytest.raises(InputError, match=r"two.npz must hold one tensor, not 2"):
        source_of(tensor(file="two.npz"), tmp_path)


def test_sixteen_bits_make_a_wide_decoder():
    config = resolve({"network": tensor(shape=[1, 4000], dtype="int16", values={"scale": 300.0})}, "x")
    source = open_source(config, Path())
    assert source.wide
    runs = run_network(config, source, config.machine(value_bits=16))
    bytes_read = {run.codec: run.layers[0].input_bytes for run in runs}
    assert bytes_read["none"] == 8000
    assert bytes_read["atalanta"] < 8000


def test_fewer_lanes_for_small_tiles_save_bytes_and_cost_cycles():
    found = {}
    for fit in (False, True):
        section = tensor(shape=[1, 3000], values={"scale": 6.0})
        data = {"network": section, "coding": {"fit_lanes": fit}, "codecs": ["atalanta"]}
        config = resolve(data, "x")
        source = open_source(config, Path())
        found[fit] = run_network(config, source, config.machine())[1].layers[0]
    assert found[True].input_bytes < found[False].input_bytes
    assert found[True].slot_cycles > 2 * found[False].slot_cycles


def test_ticks_are_counted_beforehand():
    config = resolve({"network": tensor(shape=[1, 300])}, "x")
    source = open_source(config, Path())
    counted = []
    runs = run_network(config, source, config.machine(), lambda: counted.append(1), threads=1)
    assert len(counted) == ticks(config, source) == 1 + 3
    assert [run.codec for run in runs] == ["none", "shapeshifter", "atalanta"]
    assert runs[0].stored_bytes == {"x": 300}

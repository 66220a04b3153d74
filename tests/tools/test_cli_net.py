"""`atalanta net` end to end: on the tensors that ship, on files and on YAML's own tensors."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from atalanta.golden import container
from atalanta.tools import network
from atalanta.tools.cli import main
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.samples import sample_path

EXAMPLES = Path(network.__file__).parent / "examples"
TOY = """
preset: edge
network:
  name: toy
  tensors:
    w: {shape: [64, 32, 3, 3], values: {scale: 8.0}}
    x: {shape: [1, 32, 28, 28], dtype: uint8, layout: NCHW, values: {scale: 20.0, zero_share: 0.4}}
    y: {shape: [1, 64, 28, 28], dtype: uint8, layout: NCHW, values: {scale: 20.0, zero_share: 0.5}}
  layers:
    - {name: conv, kind: conv2d, macs: 14450688, weight: w, inputs: [x], output: y}
"""


def invoke(*arguments):
    return CliRunner().invoke(main, ["net", *map(str, arguments)])


def run(tmp_path, *arguments):
    result = invoke("-o", tmp_path / "out", "--json", "--no-plots", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def rows_of(document, codec, layer="all"):
    (row,) = [r for r in document["layers"] if r["codec"] == codec and r["layer"] == layer]
    return row


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("net")
    result = invoke("-o", folder, "--json", "-s", "epoch_cycles=50000")
    assert result.exit_code == 0, result.output
    return folder, json.loads(result.output)


def test_the_samples_run_without_anything_given(sample):
    folder, document = sample
    assert document["schema"] == "atalanta.net/1"
    layers = {r["layer"] for r in document["layers"]}
    assert {"_conv_stem", "_conv_head", "_fc", "all"} <= layers
    assert "_blocks.0._depthwise_conv" in document["skipped_layers"]
    assert {p.name for p in folder.iterdir()} == {
        "net.json", "net.csv", "net_epochs.csv", "config.yaml", "roofline.png", "timeline.png"
    }  # fmt: skip
    for chart in folder.glob("*.png"):
        assert chart.read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "net.json").read_text()) == document


def test_rows_add_up(sample):
    _, document = sample
    for codec in ("none", "shapeshifter", "atalanta"):
        layers = [r for r in document["layers"] if r["codec"] == codec and r["layer"] != "all"]
        total = rows_of(document, codec)
        for name in ("cycles", "macs", "weight_bytes", "moved_read_bytes", "dram_energy_j", "dram_read_j"):
            assert total[name] == pytest.approx(sum(r[name] for r in layers)), name
        for row in (*layers, total):
            assert row["compute_bound_cycles"] + row["memory_bound_cycles"] == row["cycles"]
            tensors = row["weight_bytes"] + row["input_bytes"] + row["output_bytes"]
            assert row["moved_bytes"] == tensors + row["alignment_bytes"]
            assert row["time_s"] == pytest.approx(row["cycles"] / 500e6)
            assert row["bandwidth_bytes_per_s"] == pytest.approx(row["moved_bytes"] / row["time_s"])
            assert row["peak_bandwidth_bytes_per_s"] == pytest.approx(4.8e9)
            assert row["bandwidth_share_of_peak"] == pytest.approx(row["bandwidth_bytes_per_s"] / 4.8e9)
            assert 0 < row["bandwidth_share_of_peak"] <= 1
            causes = [
                v
                for k, v in row.items()
                if k.startswith("dram_") and k.endswith("_j") and k != "dram_energy_j"
            ]
            assert row["dram_energy_j"] == pytest.approx(sum(causes))
            base = rows_of(document, "none", row["layer"])
            assert row["speedup_over_none"] == base["cycles"] / row["cycles"]
            assert row["dram_energy_saving_over_none"] == 1 - row["dram_energy_j"] / base["dram_energy_j"]


def test_plain_bytes_are_those_of_the_tensors(sample):
    _, document = sample
    file = TensorFile.open(sample_path())
    row = rows_of(document, "none", "_conv_head")
    assert row["weight_bytes"] == file.read("weights.048").nbytes
    assert row["input_bytes"] == file.read("activations.057")[:1].nbytes
    assert row["output_bytes"] == file.read("activations.058")[:1].nbytes
    assert row["macs"] == 20_070_400


def test_compressed_bytes_are_those_of_the_codec(sample):
    _, document = sample
    row = rows_of(document, "atalanta", "_fc")
    weights = TensorFile.open(sample_path()).read("weights.049").reshape(1000, -1)
    tiles = np.array_split(weights, row["weight_tiles"])
    assert row["weight_bytes"] == sum(len(container.encode(t.ravel(), "atalanta", fit=False)) for t in tiles)
    assert rows_of(document, "atalanta")["moved_bytes"] < rows_of(document, "shapeshifter")["moved_bytes"]
    assert rows_of(document, "shapeshifter")["moved_bytes"] < rows_of(document, "none")["moved_bytes"]


def test_tables_on_disk_hold_the_same_rows(sample):
    folder, document = sample
    with (folder / "net.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(document["layers"])
    for written, row in zip(table, document["layers"], strict=True):
        assert written["layer"] == row["layer"]
        assert int(written["cycles"]) == row["cycles"]
    with (folder / "net_epochs.csv").open(newline="") as file:
        epochs = [r for r in csv.DictReader(file) if r["codec"] == "atalanta"]
    assert sum(float(r["macs"]) for r in epochs) == pytest.approx(rows_of(document, "atalanta")["macs"])
    assert [int(r["first_cycle"]) for r in epochs] == [50_000 * i for i in range(len(epochs))]


def test_the_resolved_configuration_gives_the_same_result(sample, tmp_path):
    folder, document = sample
    assert run(tmp_path, folder / "config.yaml")["layers"] == document["layers"]


def test_a_yaml_with_its_own_tensors(tmp_path):
    (tmp_path / "toy.yaml").write_text(TOY)
    document = run(tmp_path, tmp_path / "toy.yaml")
    row = rows_of(document, "none", "conv")
    assert row["weight_bytes"] == 64 * 32 * 9
    assert row["compute_bound_cycles"] == -(-14450688 // 256)
    assert document == run(tmp_path, tmp_path / "toy.yaml")
    other = run(tmp_path, tmp_path / "toy.yaml", "-s", "seed=1")
    assert rows_of(other, "atalanta")["weight_bytes"] != rows_of(document, "atalanta")["weight_bytes"]


def test_a_yaml_with_tensors_from_files(tmp_path):
    random = np.random.default_rng(3)
    np.save(tmp_path / "w.npy", random.integers(-9, 9, (128, 64)).astype(np.int8))
    np.save(tmp_path / "x.npy", random.integers(0, 99, (1, 64)).astype(np.uint8))
    (tmp_path / "net.yaml").write_text(
        "network: {tensors: {w: {file: w.npy}, x: {file: x.npy}, y: {shape: [1, 128]}},"
        " layers: [{name: fc, macs: 8192, weight: w, inputs: [x], output: y}]}\nmemory: {preset: ideal}\n"
        "codecs: [atalanta]\n"
    )
    document = run(tmp_path, tmp_path / "net.yaml", "-s", "memory.bytes_per_cycle=2")
    row = rows_of(document, "atalanta", "fc")
    assert rows_of(document, "none", "fc")["weight_bytes"] == 128 * 64
    assert row["weight_bytes"] < 128 * 64
    assert row["dram_energy_j"] is None
    assert row["speedup_over_none"] > 1
    assert row["speedup_over_shapeshifter"] is None


def test_more_images_are_more_work(tmp_path):
    one, two = (
        run(tmp_path, "-s", f"network.images={n}", "-s", "codecs=[none]", "--preset", "mobile")
        for n in (1, 2)
    )
    for name in ("macs", "output_bytes"):
        assert rows_of(two, "none")[name] == 2 * rows_of(one, "none")[name]
    assert rows_of(two, "none", "_fc")["weight_bytes"] == rows_of(one, "none", "_fc")["weight_bytes"]


def test_the_table_shows_every_codec(tmp_path):
    (tmp_path / "toy.yaml").write_text(TOY)
    result = invoke(tmp_path / "toy.yaml", "-o", tmp_path / "out", "--no-plots", "--layers")
    assert result.exit_code == 0
    for word in (
        "toy, 1 layers",
        "conv2d",
        "1 x, 1 x",
        "cycles atalanta",
        "none",
        "shapeshifter",
        "atalanta",
        "mJ",
        "written:",
    ):
        assert word in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.yaml"], "missing.yaml: No such file or directory"),
        (["-s", "network.file=missing.npz"], "missing.npz: No such file or directory"),
        (["-s", "network.images=3"], "network.images is 3, but activations.000 is of 2 images"),
        (["-s", "accelerator.buffer_bytes=1000"], "does not fit on the chip"),
        (["-s", "decoder.prefetch=2"], "prefetch must be"),
        (["-s", "network.file=7"], "network.file: Input should be a valid string"),
        (["-s", "network.file=w.npy"], "the network has no layers"),
        (["-s", "network={layers: [{name: a, weight: q}]}"], "layer a needs q, which nothing describes"),
        (["-s", "network={tensors: {q: {}}, layers: [{name: a, weight: q}]}"], "q needs either"),
        (["-s", "network={tensors: {q: {shape: [0]}}, layers: [{name: a, weight: q}]}"], "sizes from 1 up"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_line_and_status_2(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    np.save("w.npy", np.zeros((3, 4), np.int8))
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()


def test_the_example_runs_as_it_is(tmp_path):
    document = run(tmp_path, EXAMPLES / "layers.yaml")
    assert [r["layer"] for r in document["layers"]][:5] == ["conv3x3", "conv1x1", "mean", "classifier", "all"]
    assert rows_of(document, "none", "conv3x3")["macs"] == 28 * 28 * 128 * 64 * 9
    assert rows_of(document, "none", "conv1x1")["macs"] == 28 * 28 * 256 * 128
    assert rows_of(document, "atalanta")["speedup_over_none"] > 1
    assert (tmp_path / "out" / "net_epochs.csv").exists()


def test_the_configuration_that_is_shown_is_the_one_that_runs(tmp_path):
    shown = invoke("--show-config", "--preset", "mobile", "-s", "seed=3", "-o", tmp_path / "out")
    assert shown.exit_code == 0
    assert not (tmp_path / "out").exists()
    (tmp_path / "shown.yaml").write_text(shown.output)
    again = invoke("--show-config", tmp_path / "shown.yaml")
    assert again.output == shown.output
    assert "preset: lpddr4-3200" in again.output

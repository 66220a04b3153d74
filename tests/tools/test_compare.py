"""The comparison: what is coded, that every bit is counted, what is published, what is cached."""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compare_data import activations, weights, write

from atalanta.golden import container
from atalanta.golden.codec import CODECS, Body, Codec, register
from atalanta.golden.codecs.atalanta import Atalanta
from atalanta.golden.errors import ParameterError
from atalanta.golden.format import RAW_PARAMS
from atalanta.golden.values import Array, Mapping
from atalanta.tools.compare import network as networks
from atalanta.tools.compare import sizes
from atalanta.tools.compare.against import NOT_AVAILABLE, figure3, table4
from atalanta.tools.compare.cache import Cache, codec_hash
from atalanta.tools.compare.lines import all_lines, chosen_lines
from atalanta.tools.compare.network import Settings, compare_network
from atalanta.tools.compare.pieces import Pieces, cut
from atalanta.tools.compare.published import PUBLISHED, published
from atalanta.tools.compare.sources import network_name
from atalanta.tools.compare.totals import total
from atalanta.tools.extract.info import TensorInfo
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.measure import RoundTripError

LINES = {line.name: line for line in all_lines()}
CODEC_LINES = [line for line in all_lines() if line.codec]


def pieces(
    array: Array, kind: str = "activation", profile: int | None = None, bits: int = 8, **more: Any
) -> Pieces:
    info = TensorInfo(
        key="t", kind=kind, layer="l", index=0, dtype=array.dtype.name, shape=array.shape, bits=bits, **more
    )
    return cut(info, array, profile)


def compared(path: Path, *names: str, results: Cache | None = None) -> dict:
    file = TensorFile.open(path)
    settings = Settings(chosen_lines(names))
    if results is not None:
        return compare_network(network_name(file), file, settings, results, lambda: None)
    with Cache(None) as fresh:
        return compare_network(network_name(file), file, settings, fresh, lambda: None)


def test_weights_are_coded_whole() -> None:
    found = pieces(weights(), "weight")
    assert (len(found.coded), found.sample, found.images) == (1, None, 0)
    assert found.raw_bytes == 1200


@pytest.mark.parametrize(
    ("images", "profile", "coded", "sampled"),
    [(4, None, 2, 2), (5, None, 3, 2), (4, 3, 1, 3), (4, 9, 1, 3), (4, 0, 4, 0), (1, None, 1, 0)],
)
def test_images_are_profiled_or_coded_but_not_both(
    images: int, profile: int | None, coded: int, sampled: int
) -> None:
    array = activations(images)
    found = pieces(array, profile=profile)
    assert np.array_equal(np.stack(found.coded), array[sampled:])
    assert len(found.coded) == coded
    assert (found.sample is None) == (sampled == 0)
    if found.sample is not None:
        assert np.array_equal(found.sample, array[:sampled])


def test_values_of_fewer_bits_are_raw_in_fewer_bits() -> None:
    array = np.zeros((2, 5), np.uint8)
    assert pieces(array, bits=4, profile=0).raw_bytes == 2 * math.ceil(5 * 4 / 8)


@pytest.mark.parametrize("line", CODEC_LINES, ids=lambda line: line.name)
def test_every_bit_is_counted(line) -> None:
    found = pieces(activations())
    size = sizes.size(found, line)
    assert size["bytes"] == sum(map(len, sizes.encode(found, line)))
    assert sum(size["bits"].values()) == 8 * size["bytes"]
    assert size["bits"]["header"] >= 8 * 32 * len(found.coded)


@pytest.mark.parametrize(("dtype", "zero"), [(np.uint8, 128), (np.int8, -128), (np.int8, 3), (np.uint8, 250)])
@pytest.mark.parametrize("kind", ["weight", "activation"])
def test_shapeshifter_is_not_at_a_zero_point_s_mercy(kind: str, dtype: type[np.integer], zero: int) -> None:
    """Values near their zero point take what values near 0 take, wherever that point is."""
    info = np.iinfo(dtype)
    low, high = max(info.min - zero, -9), min(info.max - zero, 9)
    small = np.random.default_rng(5).integers(low, high + 1, (2, 640))
    moved = pieces((small + zero).astype(dtype), kind, zero_point=(zero,))
    plain = pieces(small.astype(np.uint8 if low == 0 else np.int8), kind)
    for name in ("shapeshifter", "shapeshifter-mask", "shapeshifter-plain", "shapeshifter-free"):
        assert sizes.size(moved, LINES[name])["bytes"] <= sizes.size(plain, LINES[name])["bytes"]


def test_zero_points_by_channel() -> None:
    small = np.random.default_rng(6).integers(-3, 4, (3, 64))
    zeros = np.array([[100], [128], [20]])
    moved = pieces((small + zeros).astype(np.uint8), "weight", zero_point=(100, 128, 20), axis=0)
    assert np.array_equal(moved.relative(signed=True).coded[0], small)
    back = moved.relative(signed=False).coded[0].astype(np.int64) + zeros & 255
    assert np.array_equal(back, moved.coded[0])


def test_relative_values_of_few_bits() -> None:
    array = np.arange(16, dtype=np.uint8).reshape(2, 8)
    found = pieces(array, "weight", bits=4, zero_point=(5,))
    assert found.relative(signed=True).coded[0].tolist()[0] == [-5, -4, -3, -2, -1, 0, 1, 2]
    assert found.relative(signed=True).coded[0].tolist()[1] == [3, 4, 5, 6, 7, -8, -7, -6]
    assert found.relative(signed=False).coded[0].max() == 15
    assert sizes.size(found, LINES["shapeshifter"])["bytes"] > 0


def test_tables_come_from_the_sample_alone() -> None:
    """Profiled: the same table for every image, that of the sample. Own: each image's best."""
    array = activations()
    found = pieces(array)
    profiled, own = LINES["atalanta"], LINES["atalanta-own"]
    tables = {next(container.segments(s)).layout.table for s in sizes.encode(found, profiled)}
    expected = Atalanta.profiled(np.bincount(array[:2].reshape(-1), minlength=256), 8)["table"]
    assert tables == {expected}
    for stream, image in zip(sizes.encode(found, own), array[2:], strict=True):
        assert stream == container.encode(image, "atalanta", threads=1)
    assert sizes.size(found, own)["bytes"] <= sizes.size(found, profiled)["bytes"]


@pytest.mark.parametrize("name", ["atalanta", "huffman"])
def test_profiled_tables_code_what_they_never_saw(name: str) -> None:
    array = np.zeros((2, 256), np.uint8)
    array[1] = np.arange(256)
    assert sizes.size(pieces(array), LINES[name])["bytes"] > 0


def test_entropy_is_that_of_the_images_coded() -> None:
    array = np.zeros((2, 1024), np.uint8)
    array[1] = np.tile([0, 1, 2, 3], 256)
    assert sizes.size(pieces(array), LINES["entropy"])["bytes"] == 1024 * 2 / 8


def test_zstd_is_measured_and_left_out_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("zstandard")
    assert 0 < sizes.size(pieces(activations()), LINES["zstd"])["bytes"] < 1440
    monkeypatch.setattr("atalanta.tools.compare.lines.find_spec", lambda _name: None)
    assert "zstd" not in [line.name for line in chosen_lines([])]
    with pytest.raises(ImportError, match=r"pip install 'atalanta\[compare\]'"):
        chosen_lines(["zstd"])


def test_an_unknown_line_lists_the_known_ones() -> None:
    with pytest.raises(ParameterError, match="codec must be one of atalanta, atalanta-own, shapeshifter"):
        chosen_lines(["atlanta"])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16])
def test_facts(dtype: type[np.integer]) -> None:
    array = np.random.default_rng(3).normal(40, 9, 5000).astype(dtype)
    info = np.iinfo(dtype)
    found = sizes.facts(pieces(array, "weight", bits=info.bits), LINES["atalanta"])
    bars = found["histogram"]
    assert sum(bars["counts"]) == 5000
    assert len(bars["counts"]) <= sizes.MOST_BARS
    assert bars["first"] == info.min
    at = (int(array[0]) - bars["first"]) // bars["step"]
    low = bars["first"] + at * bars["step"]
    assert bars["counts"][at] == np.count_nonzero((array >= low) & (array < low + bars["step"]))
    rows = found["rows"]
    assert (rows[0]["first"], rows[-1]["last"]) == (info.min, info.max)
    assert all(a["last"] + 1 == b["first"] for a, b in pairwise(rows))
    assert sum(row["count"] for row in rows) == 1024


@pytest.mark.parametrize("size", [1, 16, 1000])
def test_counted_as_published(size: int) -> None:
    array = np.random.default_rng(size).integers(-60, 61, size).astype(np.int8)
    bits = 0
    for at in range(0, size, 16):
        group = [int(v) + 128 for v in array[at : at + 16]]
        bits += math.ceil(math.log2(max(group) + 1)) * len(group)
    assert sizes.counted_as_published(pieces(array, "weight")) == bits


@pytest.mark.parametrize(
    ("network", "kind", "percent"),
    [
        ("googlenet", "activation", 0.008685403452114188),
        ("googlenet", "weight", 14.569586779026528),
        ("mobilenet_v2", "activation", -0.5752121834045524),
        ("mobilenet_v2", "weight", 19.522418344835778),
        ("resnet50", "activation", 13.812717864888596),
        ("resnet50", "weight", 16.935287329217065),
    ],
)
def test_table_4_follows_from_the_published_bits(network: str, kind: str, percent: float) -> None:
    """Its entries stand in the source's README, the bits in its notebook: neither is a slip of the pen."""
    entry = published(network, kind)
    assert entry is not None
    assert entry.gain_percent == pytest.approx(percent, abs=1e-12)


def network(name: str, counted_bits: int, *, classifier: bool = False) -> dict:
    """A network's document whose weights take so many bits if counted as published."""
    lines = {
        "atalanta": {"bytes": 800, "bits": {"header": 64, "offset": 8 * 792}, "stored_raw": 0},
        "shapeshifter": {"bytes": 900, "bits": {"width": 800, "value": 8 * 800}, "stored_raw": 0},
    }
    tensor = {"kind": "weight", "profiled": False, "shape": [10, 10, 10, 1], "values": 1000, "lines": lines,
              "raw_bytes": 1000, "published_shapeshifter_bits": counted_bits, "cycles": {}}  # fmt: skip
    tensors = [tensor, tensor | {"shape": [10, 100]}] if classifier else [tensor]
    return {"name": name, "tensors": tensors, "totals": {"weight": total(tensors)}}


def test_differences_are_explained_by_what_was_counted() -> None:
    bits = PUBLISHED[0].shapeshifter_bits
    rows = figure3([network("googlenet", bits), network("googlenet", 7000), network("mine", 7000)])
    assert rows[0]["difference"].startswith("Same weights.")
    assert "take 0.7920; headers, tables and padding add 0.0080" in rows[0]["difference"]
    assert "values take 0.8000; widths, masks and headers add 0.1000" in rows[1]["difference"]
    assert rows[2]["difference"].startswith("Other weights: 5,585,344 published, 1,000 here.")
    assert [row["published"] for row in rows[4:]] == [None, None]
    assert rows[4]["difference"] == NOT_AVAILABLE
    gains = table4([network("googlenet", bits), network("mine", 7000)])
    assert gains[0]["percent"] == pytest.approx(100 / 9)
    assert gains[1]["published"] is None


def test_published_networks_are_compared_by_their_convolutions() -> None:
    whole = network("quantized_googlenet", PUBLISHED[0].shapeshifter_bits, classifier=True)
    expected = "Convolutions alone, as published, without 1 more. Same weights."
    assert figure3([whole])[0]["difference"].startswith(expected)


def test_a_network(tmp_path: Path) -> None:
    found = compared(write(tmp_path / "net.npz"), "atalanta", "atalanta-own", "shapeshifter", "entropy")
    weight, activation = found["tensors"]
    assert (found["name"], weight["key"], activation["key"]) == ("net", "weights.000", "activations.000")
    assert "atalanta-own" not in weight["lines"]
    assert weight["lines"]["atalanta"]["bytes"] == len(container.encode(weights(), "atalanta"))
    assert activation["profiled"]
    assert (activation["images"], activation["coded_images"], activation["values"]) == (4, 2, 1440)
    sums = found["totals"]["activation"]["lines"]["shapeshifter"]
    expected = sum(len(container.encode(image, "shapeshifter")) for image in activations()[2:])
    assert (sums["bytes"], sums["ratio"]) == (expected, expected / 1440)


def test_what_is_left_out_is_listed(tmp_path: Path) -> None:
    twice = activations()
    path = write(
        tmp_path / "net.npz",
        activations_000=twice,
        activations_001=twice.reshape(4, 1, -1),
        activations_002=np.zeros((2, 0), np.uint8),
        weights_000=np.zeros(4, np.int8),
        weights_001=np.zeros(4, np.float32),
    )
    found = compared(path, "atalanta")
    assert [t["key"] for t in found["tensors"]] == ["weights.000", "activations.000"]
    reasons = {item["name"]: item["reason"] for item in found["skipped"]}
    assert reasons["activations.001"] == "the same values as activations.000, counted once"
    assert reasons["activations.002"] == "no values"
    assert "float32" in reasons["weights.001"]


def test_the_second_run_measures_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    size = sizes.size

    def counted(found: Pieces, line: object) -> object:
        measured.append(found.info.key)
        return size(found, line)

    monkeypatch.setattr(networks.sizes, "size", counted)
    path = write(tmp_path / "net.npz")
    with Cache(tmp_path / "cache") as results:
        first = compared(path, "atalanta", "rle", results=results)
    assert sorted(measured) == ["activations.000"] * 2 + ["weights.000"] * 2
    measured.clear()
    with Cache(tmp_path / "cache") as results:
        assert compared(path, "atalanta", "rle", results=results) == first
        assert not measured
        write(path, weights_000=weights(seed=8), activations_000=activations())
        assert compared(path, "atalanta", "rle", results=results) != first
    assert measured == ["weights.000"] * 2


@pytest.fixture
def lossy() -> Iterator[type[Codec]]:
    @register
    class Lossy(Codec):
        """Forgets everything."""

        name = "lossy"
        id = 255
        mapping = Mapping.TWOS_COMPLEMENT
        record = RAW_PARAMS

        def encode(self, codes, bits):
            return Body({}, b"", parts={})

        @classmethod
        def layout(cls, header):
            return header.bits

        @classmethod
        def section_bytes(cls, layout):
            return 0

        @classmethod
        def decode(cls, layout, payload, count, *, engine="auto"):
            return np.zeros(count, np.uint8)

    yield Lossy
    del CODECS["lossy"]


@pytest.mark.usefixtures("lossy")
def test_a_codec_that_loses_something_gets_no_size() -> None:
    line = next(line for line in all_lines() if line.name == "lossy")
    assert sizes.size(pieces(np.zeros((2, 9), np.uint8)), line)["bytes"] == 32
    with pytest.raises(RoundTripError, match="t: lossy does not give back"):
        sizes.size(pieces(activations()), line)


@pytest.mark.usefixtures("lossy")
def test_a_plugin_has_a_line_before_the_references() -> None:
    names = [line.name for line in all_lines()]
    assert names.index("rle") < names.index("lossy") < names.index("zstd")
    assert "lossy-own" not in names  # it learns nothing


@pytest.mark.usefixtures("lossy")
def test_results_depend_on_a_plugin_s_file() -> None:
    assert codec_hash("lossy") != codec_hash("atalanta") == codec_hash("huffman")

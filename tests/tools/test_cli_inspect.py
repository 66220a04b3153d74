"""The command `atalanta inspect`: every field and every bit of what is in a file."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import atalanta
from atalanta.golden import container
from atalanta.golden.archive import Writer
from atalanta.golden.format import BASE
from atalanta.tools.cli import main

RNG = np.random.default_rng(5)
WEIGHTS = RNG.laplace(0, 12, (32, 12, 5, 5)).clip(-128, 127).astype(np.int8)
ACTIVATIONS = RNG.poisson(3, (2, 700)).astype(np.uint8)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["inspect", *map(str, words)])


def inspected(*words: str | Path) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["tensors"]


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.atn"
    with Writer(path) as writer:
        writer.add("w", WEIGHTS, lanes=4)
        writer.add("a", ACTIVATIONS, "shapeshifter")
    return path


@pytest.mark.parametrize("codec", ["atalanta", "shapeshifter", "raw", "best"])
def test_stream(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "w.atl"
    data = container.encode(WEIGHTS, codec, segment_values=6400)
    path.write_bytes(data)
    (tensor,) = inspected(path)
    assert (tensor["dtype"], tensor["shape"], tensor["values"]) == ("int8", [32, 12, 5, 5], 9600)
    assert (tensor["bytes"], tensor["bytes_raw"]) == (len(data), 9600)
    first, second = tensor["segments"]
    assert first["header"] == BASE.unpack(data[: BASE.nbytes])
    assert (first["header"]["count"], first["header"]["more"], first["start"]) == (6400, 1, 0)
    assert (second["header"]["count"], second["header"]["more"], second["start"]) == (3200, 0, first["bytes"])
    for segment in (first, second):
        assert sum(segment["bits"].values()) == 8 * segment["bytes"]
    assert sum(tensor["bits"].values()) == 8 * len(data)
    text = run(path).output
    assert "int8 32x12x5x5" in text
    assert f"{first['header']['payload_crc']:#x}" in text
    assert f"{second['header']['payload_crc']:#x}" not in text
    assert f"{second['header']['payload_crc']:#x}" in run(path, "--segment", "1").output


def test_table(tmp_path: Path) -> None:
    path = tmp_path / "w.atl"
    path.write_bytes(atalanta.encode(WEIGHTS, lanes=2))
    (tensor,) = inspected(path)
    layout = tensor["segments"][0]["layout"]
    rows = layout["table"]
    assert layout["params"]["lanes"] == len(layout["lane_bytes"]) == 2
    assert (rows[0]["first"], rows[-1]["last"], sum(row["count"] for row in rows)) == (-128, 127, 1024)
    for row, after in pairwise(rows):
        assert after["first"] == row["last"] + 1
    # The rows' counts and offset bits say what the values cost, which the bits by part must bear out.
    flat = WEIGHTS.reshape(-1)
    values = [int(((row["first"] <= flat) & (flat <= row["last"])).sum()) for row in rows]
    offset = sum(n * row["offset_bits"] for n, row in zip(values, rows, strict=True))
    cost = sum(-n * np.log2(row["count"] / 1024) for n, row in zip(values, rows, strict=True) if n)
    assert tensor["bits"]["offset"] == offset
    assert tensor["bits"]["refill"] + tensor["bits"]["code"] == pytest.approx(cost, rel=0.01, abs=8 * 16)


def test_archive(network: Path) -> None:
    tensors = {tensor["tensor"]: tensor for tensor in inspected(network)}
    assert list(tensors) == ["w", "a"]
    assert tensors["a"]["segments"][0]["codec"] == "shapeshifter"
    text = run(network).output
    assert "2x700" in text
    total = sum(tensor["bytes"] for tensor in tensors.values())
    assert f"{total:,}" in text
    assert inspected(network, "--tensor", "a") == [tensors["a"]]


@pytest.mark.parametrize(("shape", "shown"), [((0,), "0"), ((), "scalar"), ((3, 0), "3x0")])
def test_small(shape: tuple[int, ...], shown: str, tmp_path: Path) -> None:
    path = tmp_path / "w.atl"
    path.write_bytes(atalanta.encode(np.zeros(shape, np.int16)))
    assert inspected(path)[0]["shape"] == list(shape)
    assert f"int16 {shown}," in run(path).output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:40], "TRUNCATED"),
        (lambda data: data[:-1], "TRUNCATED"),
        (lambda data: data + b"x", "LENGTH"),
        (lambda data: b"PK" + data[2:], "MAGIC"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "PAYLOAD_CRC"),
        (lambda _: b"", "TRUNCATED"),
    ],
)
def test_bad_files(change: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "w.atl"
    path.write_bytes(change(atalanta.encode(WEIGHTS)))
    for words in ([path], [path, "--json"]):
        result = run(*words)
        assert result.exit_code == 2
        assert not result.stdout
        assert result.stderr.startswith(f"Error: {message}: ")
        assert result.stderr.count("\n") == 1


def test_what_is_not_there(network: Path, tmp_path: Path) -> None:
    for words, message in (
        ([tmp_path / "none"], "No such file"),
        ([network, "--tensor", "x"], "has no tensor 'x'; it has w, a"),
        ([network, "--tensor", "w", "--segment", "1"], "w has 1 segments, numbered from 0; there is no 1"),
    ):
        result = run(*words)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1

"""Tiles of small values: their codes, and text that a testbench can read."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from atalanta.golden import container
from atalanta.golden.errors import InputError, ParameterError
from atalanta.tools.cli import main
from atalanta.tools.huffman_tile import cut_tile, decode_files, huffman_tile


def test_by_hand() -> None:
    """Values 0 0 0 0 1 1 2 3: codes 0, 10, 110, 111."""
    files = huffman_tile(np.array([[0, 0, 0, 0], [1, 1, 2, 3]]), bits=2).files()
    assert files["tile.mem"].split() == ["00", "00", "00", "00", "01", "01", "10", "11"]
    table = [(1, 0b0), (2, 0b10), (3, 0b110), (3, 0b111)]
    assert files["code_table.mem"].split() == [f"{length:05b}_{code:016b}" for length, code in table]
    assert files["coded.mem"].split() == ["00001010", "11011100"]


@given(st.integers(2, 8), st.integers(1, 300), st.floats(0.01, 3), st.integers(0, 1 << 32))
def test_text_alone_gives_the_tile_back(bits: int, count: int, shape: float, seed: int) -> None:
    values = np.random.default_rng(seed).exponential(shape, count).astype(np.int64).clip(0, (1 << bits) - 1)
    found = huffman_tile(values, bits)
    assert np.array_equal(decode_files(found.files(), count), values)
    assert len(found.files()["coded.mem"].split()) == -(-len(found.coded) // 8)
    if len(np.unique(values)) > 1:
        assert all(
            line.count("1") + line.count("0") == 21 for line in found.files()["code_table.mem"].split()
        )


def test_the_codec_s_codes_are_as_long() -> None:
    values = np.random.default_rng(4).poisson(2, 4096).clip(0, 15).astype(np.uint8)
    (segment,) = container.segments(stream := container.encode(values, "huffman", bits=4))
    assert segment.parts(stream)["code"] == huffman_tile(values).bits_by_part["code"]


def test_what_is_no_tile() -> None:
    for array in (np.array([16]), np.array([-1]), np.zeros(0, np.uint8), np.array([0.5])):
        with pytest.raises(InputError, match="integers from 0 to 15"):
            huffman_tile(array)
    with pytest.raises(ParameterError, match="bits must be from 2 to 8"):
        huffman_tile(np.zeros(4, np.uint8), bits=9)
    short = huffman_tile(np.arange(4), bits=2).files() | {"coded.mem": "00000000\n"}
    with pytest.raises(InputError, match="holds"):
        decode_files(short, 5)


def test_cutting() -> None:
    array = np.full((2, 3, 5, 6), 10, np.uint8)
    array[0, 0, 1, 2] = 40
    array[0, 0, 0, 0] = 3  # below the zero point
    array[0, 0, 3, 3] = 25
    tile = cut_tile(array, 4, 10, (4, 4))
    assert tile.shape == (4, 4)
    assert (tile[1, 2], tile[0, 0], tile[3, 3], tile.sum()) == (15, 0, 8, 23)
    with pytest.raises(InputError, match="rows and columns"):
        cut_tile(np.zeros(9, np.uint8), 4, 0, (4, 4))


def test_command(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["tile", "-o", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["tensor"], report["shape"], report["bits_raw"]) == ("activations.001", [16, 16], 1024)
    files = {name: (tmp_path / name).read_text() for name in ("tile.mem", "code_table.mem", "coded.mem")}
    expected = [int(line, 2) for line in files["tile.mem"].split()]
    assert decode_files(files, 256).tolist() == expected
    assert max(expected) <= 15

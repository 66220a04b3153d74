"""`atalanta bench network`: the excess is that of the very streams that are written."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import atalanta
from atalanta.golden import container
from atalanta.golden.values import Array
from atalanta.tools.bench import network
from atalanta.tools.cli import main
from atalanta.tools.inspection import inspect_stream
from atalanta.tools.measure import RoundTripError, entropy_bytes

RNG = np.random.default_rng(8)
ARRAYS: list[Array] = [RNG.laplace(0, spread, 70_000).clip(-128, 127).astype(np.int8) for spread in (4, 30)]
WIDE: Array = RNG.normal(0, 900, 20_000).astype(np.int16)


def test_sums() -> None:
    found = network.bench([*ARRAYS, WIDE])
    entropy = sum(map(entropy_bytes, [*ARRAYS, WIDE]))
    for coded in found.coded:
        streams = [atalanta.encode(array, lanes=coded.lanes) for array in [*ARRAYS, WIDE]]
        tables = 0
        for stream in streams:
            (segment,) = inspect_stream("", stream)["segments"]
            tables += len(segment["layout"]["table"]) * (3 if segment["header"]["bits"] <= 8 else 4)
        assert (coded.nbytes, coded.table_bytes) == (sum(map(len, streams)), tables)
        assert coded.excess == pytest.approx(sum(map(len, streams)) / (entropy + tables) - 1)
        assert coded.excess > 0
    assert set(found.search_s) == {8, 16}
    assert found.raw_bytes == 180_000


def test_more_rows_come_closer_to_entropy() -> None:
    few, many = (network.bench([ARRAYS[1]], rows=rows).coded[0].excess for rows in (8, 32))
    assert many < few


def test_losses_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "decode", lambda *_, **__: ARRAYS[0][::-1])
    with pytest.raises(RoundTripError):
        network.bench([ARRAYS[0]])


def test_command(tmp_path: Path) -> None:
    np.savez(tmp_path / "n.npz", weights_0=ARRAYS[0], activations_0=WIDE)
    result = CliRunner().invoke(main, ["bench", "network", str(tmp_path / "n.npz"), "--rows", "32", "--json"])
    assert result.exit_code == 0, result.output
    weights, activations = json.loads(result.stdout)["networks"]
    assert weights["tensors"] == "n, weights"
    assert weights["ratio_1_lanes"] == pytest.approx(
        len(atalanta.encode(ARRAYS[0], lanes=1, rows=32)) / 70_000
    )
    assert list(activations["search_s"]) == ["16"]
    shown = CliRunner().invoke(main, ["bench", "network", str(tmp_path / "n.npz")])
    assert "n, activations" in shown.output


def test_tables_of_raw_segments_count_nothing() -> None:
    noise = RNG.integers(0, 256, 5000).astype(np.uint8)
    assert network.bench([noise]).coded[0].table_bytes == 0

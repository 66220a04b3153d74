"""`atalanta bench rtl`, on a decoder that these tests build anyway."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from click.testing import CliRunner
from rtl_cases import BUILDS

from atalanta.golden.decoder import AXI_BITS
from atalanta.golden.params import BEAT_BYTES, LANES
from atalanta.tools.bench import rtl
from atalanta.tools.cli import main
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.rtl.core import CompiledCore

ARGUMENTS = ["bench", "rtl", "--lanes", "16", "--tensor", "weights.048"]


@pytest.fixture
def sixteen(cores: Callable[[str], CompiledCore], monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder is one that is built already."""
    cores("sixteen")
    monkeypatch.setattr(rtl, "decoder_for", lambda *_: BUILDS["sixteen"])


@pytest.mark.usefixtures("sixteen")
def test_rates_are_values_over_cycles_and_those_promised(samples: TensorFile) -> None:
    done = CliRunner().invoke(main, [*ARGUMENTS, "--json"])
    assert done.exit_code == 0, done.output
    runs = {run["codec"]: run for run in json.loads(done.stdout)["runs"]}
    assert list(runs) == ["atalanta", "shapeshifter"]
    for run in runs.values():
        assert run["values"] == samples.read("weights.048").size
        assert run["rtl_cycles"] == run["sim_cycles"]
        assert run["cycles_difference"] == 0
        assert run["rtl_values_per_cycle"] == run["values"] / run["rtl_cycles"]
        assert run["share_of_peak"] == run["rtl_values_per_cycle"] / 16
    assert runs["atalanta"]["share_of_peak"] >= 0.995


@pytest.mark.usefixtures("sixteen")
def test_the_table_names_decoder_codec_and_rates() -> None:
    done = CliRunner().invoke(main, [*ARGUMENTS, "--codec", "raw"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert "weights.048, 409,600 values" in done.output
    row = next(line for line in done.output.splitlines() if "raw" in line).split("│")
    assert [cell.strip() for cell in row[1:4]] == ["16", "16 B", "raw"]
    assert row[6].strip() == "+0"


@pytest.mark.usefixtures("sixteen")
def test_values_that_differ_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec that encodes something else stands for an RTL that decodes something else."""
    encode = rtl.container.encode
    monkeypatch.setattr(rtl.container, "encode", lambda array, *a, **k: encode(np.roll(array, 1), *a, **k))
    done = CliRunner().invoke(main, ARGUMENTS)
    assert done.exit_code == 2
    assert "the RTL's values are not those that were encoded" in done.output


def test_the_bus_brings_what_the_lanes_take() -> None:
    for lanes in LANES:
        p = rtl.decoder_for(lanes, 4, 8)
        assert p.beat_bytes in BEAT_BYTES
        assert p.axi_bits in AXI_BITS
        assert p.beat_bytes >= lanes
        assert p.axi_bytes >= p.beat_bytes

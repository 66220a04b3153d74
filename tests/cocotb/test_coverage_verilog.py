"""The exported device in cocotb, on Verilator and Icarus: every test passes, every bin is hit."""

import json
import shutil
from pathlib import Path

import pytest
from verilog_runs import run

from atalanta.tools.rtl.build import cache_folder


def test_verilator(tmp_path: Path) -> None:
    """The report is kept beside the cached builds."""
    run("coverage_testbench", tmp_path)
    for report in tmp_path.glob("coverage.*"):
        shutil.copy(report, cache_folder() / "cocotb")
    report = json.loads((tmp_path / "coverage.json").read_text())
    assert report["points"]["error"]
    assert report["empty"] == [], (tmp_path / "coverage.txt").read_text()


@pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus Verilog is not installed")
def test_icarus(tmp_path: Path) -> None:
    """The same Verilog and the same monitors in another simulator, with the shorter tests."""
    run(
        "coverage_testbench",
        tmp_path,
        simulator="icarus",
        tests="every_group_width|queues_of_tensors.*everything",
    )

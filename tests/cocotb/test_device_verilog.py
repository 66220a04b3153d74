"""The exported device under Verilator, driven by the Python driver."""

from pathlib import Path

from verilog_runs import run


def test_device(tmp_path: Path) -> None:
    """All tests of the testbench pass."""
    run("device_testbench", tmp_path)

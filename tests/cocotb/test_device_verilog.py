"""The exported device under Verilator, driven by the Python driver: builds it and runs device_testbench."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner
from device_bench import P
from filelock import FileLock

from atalanta.tools.rtl.build import cache_folder, verilator, verilog_of

TOP = "atalanta_device"
PUBLIC = "".join(
    f'public_flat_rw -module "{TOP}" -var "{name}"\n'
    for name in ("clk", "rst", "irq", "s_axil_*", "m_axi_*", "m_axis_*")
)
"""The ports: a testbench that sees nothing else builds and runs several times as fast."""
BUILD_ARGS = ["--no-public-flat-rw", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert",
              "-Wno-fatal", "-Wno-lint", "-Wno-style"]  # fmt: skip
MAKE = {"CFG_CXXFLAGS_PCH_I": "-include", "OPT_FAST": "-O1", "OPT_SLOW": "-O0"}
"""Variables for make; the first works around a fault in Verilator's makefile for larger designs."""


def test_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests of the testbench pass."""
    monkeypatch.setenv("PATH", f"{verilator().parent}{os.pathsep}{os.environ['PATH']}")
    make = MAKE | ({"OBJCACHE": "ccache"} if shutil.which("ccache") else {})
    monkeypatch.setenv("MAKEFLAGS", " ".join(f"{name}={value}" for name, value in make.items()))
    text = verilog_of("device", P, TOP)
    key = hashlib.sha256("\0".join([text, PUBLIC, *BUILD_ARGS]).encode()).hexdigest()[:24]
    folder = cache_folder() / "cocotb" / key
    folder.mkdir(parents=True, exist_ok=True)
    runner = get_runner("verilator")
    with FileLock(folder / "lock"):
        source, public = folder / f"{TOP}.v", folder / "public.vlt"
        if not source.exists():
            source.write_text(text)
            public.write_text(f"`verilator_config\n{PUBLIC}")
        runner.build(sources=[public, source], hdl_toplevel=TOP, build_dir=folder, build_args=BUILD_ARGS,
                     timescale=("1ns", "1ps"), log_file=folder / "build.log")  # fmt: skip
    results = runner.test(test_module="device_testbench", hdl_toplevel=TOP, build_dir=folder,
                          test_dir=tmp_path, results_xml=str(tmp_path / "results.xml"), seed=1)  # fmt: skip
    tests, failed = get_results(Path(results))
    assert (tests > 0, failed) == (True, 0)

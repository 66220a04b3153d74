"""Builds the exported device with a simulator, once per content, and runs a cocotb testbench on it."""

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
) + 'public_flat_rd -module "*" -var "level"\n'  # fmt: skip
"""The ports, and how full FIFOs are: a testbench that sees nothing else builds and runs several times
as fast."""
BUILD_ARGS = {
    "verilator": [
        "--no-public-flat-rw", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert",
        "-Wno-fatal", "-Wno-lint", "-Wno-style",
    ],
    "icarus": [],
}  # fmt: skip
MAKE = {"CFG_CXXFLAGS_PCH_I": "-include", "OPT_FAST": "-O1", "OPT_SLOW": "-O0"}
"""Variables for make; the first works around a fault in Verilator's makefile for larger designs."""


def run(testbench: str, folder: Path, *, simulator: str = "verilator", tests: str | None = None) -> None:
    """Run the testbench's tests, or those whose names match, in `folder`. All must pass.

    testbench: a Python module with cocotb tests.
    """
    text = verilog_of("device", P, TOP)
    key = hashlib.sha256("\0".join([text, PUBLIC, *BUILD_ARGS[simulator]]).encode()).hexdigest()[:24]
    build = cache_folder() / "cocotb" / f"{simulator}-{key}"
    build.mkdir(parents=True, exist_ok=True)
    make = MAKE | ({"OBJCACHE": "ccache"} if shutil.which("ccache") else {})
    runner = get_runner(simulator)
    with pytest.MonkeyPatch.context() as patch, FileLock(build / "lock"):
        patch.setenv("PATH", f"{verilator().parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("MAKEFLAGS", " ".join(f"{name}={value}" for name, value in make.items()))
        source, public = build / f"{TOP}.v", build / "public.vlt"
        if not source.exists():
            public.write_text(f"`verilator_config\n{PUBLIC}")
            source.write_text(text)
        runner.build(
            sources=[public, source] if simulator == "verilator" else [source],
            hdl_toplevel=TOP, build_dir=build, build_args=BUILD_ARGS[simulator],
            timescale=("1ns", "1ps"), log_file=build / "build.log",
        )  # fmt: skip
        results = runner.test(
            test_module=testbench, hdl_toplevel=TOP, hdl_toplevel_lang="verilog", build_dir=build,
            test_dir=folder, test_filter=tests, results_xml=str(folder / "results.xml"), seed=1,
        )  # fmt: skip
    count, failed = get_results(Path(results))
    assert (count > 0, failed) == (True, 0)

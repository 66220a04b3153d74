"""Exported Verilog under `verilator --lint-only -Wall`: clean but for what hw/lint.vlt explains."""

import re
import subprocess
from pathlib import Path

import pytest

import atalanta.hw
from atalanta.golden.decoder import DecoderParams
from atalanta.tools.rtl.build import verilator, verilog_of

WAIVERS = Path(atalanta.hw.__file__).with_name("lint.vlt")
TOP = "atalanta_device"
DECODERS = {
    "small": DecoderParams(lanes=1, ways=2, rows=8, axi_bits=64),
    "wide": DecoderParams(lanes=4, ways=3, value_bits=16, beat_bytes=32, axi_bits=512, burst_beats=4),
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The device as Verilog, for every decoder."""
    folder = tmp_path_factory.mktemp("verilog")
    for name, p in DECODERS.items():
        (folder / f"{name}.v").write_text(verilog_of("device", p, TOP))
    return sorted(folder.iterdir())


def lint(source: Path, *more: str) -> set[str]:
    """The kinds of warnings that Verilator has for a file."""
    command = [str(verilator()), "--lint-only", "-Wall", "--top-module", TOP, *more, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    kinds = set(re.findall(r"^%Warning-(\w+)", done.stderr, re.MULTILINE))
    errors = re.findall(r"^%Error.*", done.stderr, re.MULTILINE)
    assert all(re.match(r"%Error: Exiting due to \d+ warning", error) for error in errors), done.stderr[
        -2000:
    ]
    assert (done.returncode != 0) == bool(errors) == bool(kinds)
    return kinds


def test_device_is_clean(sources: list[Path]) -> None:
    assert len(sources) == len(DECODERS)
    for source in sources:
        assert lint(source, str(WAIVERS)) == set()


def test_waivers_leave_faults_visible(tmp_path: Path) -> None:
    """A latch, a loop, two drivers and a signal without one are still reported."""
    source = tmp_path / f"{TOP}.v"
    source.write_text(
        f"module {TOP}(input clk, input a, input b, output reg latch, output [1:0] loop, output reg twice,"
        " output never);\n"
        "  always @* if (a) latch = b;\n"
        "  assign loop[0] = loop[1] & a;\n  assign loop[1] = loop[0] | b;\n"
        "  always @(posedge clk) twice <= a;\n  always @(negedge clk) twice <= b;\n"
        "endmodule\n"
    )
    assert lint(source, str(WAIVERS)) == {"LATCH", "UNOPTFLAT", "MULTIDRIVEN", "UNDRIVEN"}


def test_every_waiver_is_needed_and_explained(sources: list[Path]) -> None:
    said = set().union(*(lint(source) for source in sources))
    waived = re.findall(r"^lint_off -rule (\w+)$", WAIVERS.read_text(), re.MULTILINE)
    assert sorted(waived) == sorted(said)
    groups = WAIVERS.read_text().split("\n\n")[1:]
    assert all(group.startswith("// ") and "lint_off" in group for group in groups)

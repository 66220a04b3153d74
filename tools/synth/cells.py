"""Standard cells: Yosys and ABC, and OpenSTA for the clock. Before place and route."""

import json
import re
import shutil
from pathlib import Path

from atalanta.golden.decoder import DecoderParams
from atalanta.tools.rtl.build import BuildError
from atalanta.tools.synth import netlist, tools
from atalanta.tools.synth.parts import INNER, TOP, verilog_with_registers
from atalanta.tools.synth.result import Path as TimingPath
from atalanta.tools.synth.result import Result

NAME = "osu018"
LIBERTY = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
"""The cells of Oklahoma State University for TSMC's 180 nm, as Debian's qflow-tech-osu018 installs them."""

GATE = "NAND2X1"
"""The cell whose area is one gate equivalent."""

FLIP_FLOP = "DFFPOSX1"
RAM_WORDS = 32
"""A memory of so many words or more would be a RAM macro: its bits are reported, not its gates."""

# ABC's default script does not buffer: a net with hundreds of loads would set the clock.
_ABC = "+strash;ifraig;scorr;dc2;dch,-f;map,-B,0.9;topo;buffer,-c;upsize;dnsize;stime,-p"
_SCRIPT = f"""
read_liberty -lib cells.lib
read_verilog {TOP}.v
hierarchy -top {TOP}
proc
setattr -unset init {TOP}/w:*
flatten {INNER}
cd {INNER}
opt -full
clean -purge
memory -nomap
select -set large t:$mem_v2 r:SIZE>={RAM_WORDS} %i
submod -name ram @large
cd
write_json ram.json
blackbox ram
memory_map
synth -top {TOP}
dfflibmap -liberty cells.lib
abc -liberty cells.lib -script "{_ABC}"
clean -purge
tee -o area.json stat -liberty cells.lib -json
flatten
rename -wire
write_verilog -noattr netlist.v
"""
_PERIOD_NS = 1.0
_TIMING = f"""
read_liberty cells.lib
read_verilog netlist.v
link_design {TOP}
create_clock -period {_PERIOD_NS} clk
report_checks -format full -digits 4 -path_delay max
"""


def missing() -> str | None:
    """What is not installed, or None."""
    if not LIBERTY.exists():
        return f"the osu018 cells are not installed ({LIBERTY}; Debian: qflow-tech-osu018)"
    if not shutil.which("sta"):
        return "OpenSTA is not installed (Debian: opensta)"
    return None


def cell_area(liberty: str, name: str) -> float:
    """Area of a cell. Raises BuildError if the library has no such cell."""
    found = re.search(rf"cell\s*\(\s*\"?{name}\"?\s*\)\s*{{\s*area\s*:\s*([\d.]+)", liberty)
    if not found:
        raise BuildError(f"no cell {name} in {LIBERTY}")
    return float(found[1])


def timing_path(report: str) -> tuple[float, TimingPath]:
    """The shortest period in ns, and the longest path, from what report_checks says."""
    start = re.search(r"Startpoint: (\S+)", report)
    end = re.search(r"Endpoint: (\S+)", report)
    slack = re.search(r"(-?[\d.]+)\s+slack", report)
    setup = re.search(r"(-[\d.]+)\s+[\d.]+\s+library setup time", report)
    arrival = re.search(r"([\d.]+)\s+data arrival time", report)
    if not (start and end and slack and setup and arrival):
        raise BuildError("OpenSTA reports no path")
    pins = re.findall(r"^\s+([\d.]+)\s+[\d.]+ [v^] \S+/Y[CS]? ", report, re.MULTILINE)
    path = TimingPath(
        start=_register(start[1]),
        end=_register(end[1]),
        levels=len(pins),
        cells_ns=round(float(arrival[1]) - float(setup[1]), 3),
        wires_ns=0.0,
    )
    return _PERIOD_NS - float(slack[1]), path


def _register(cell: str) -> str:
    """The register that a flip-flop is a bit of."""
    return re.sub(r"^inner\.|(\[\d+\])?\\.*$", "", cell)


def synthesise(part: str, p: DecoderParams) -> Result:
    """One component in standard cells; from the cache if it has been there before.

    Raises BuildError if a program or the cells are missing, or a program fails.
    """
    why = missing()
    if why:
        raise BuildError(why)
    verilog = verilog_with_registers(part, p)
    liberty = LIBERTY.read_text()

    def work(folder: Path) -> Result:
        (folder / f"{TOP}.v").write_text(verilog)
        (folder / "cells.lib").write_text(liberty)
        tools.yosys(_SCRIPT, folder)
        (folder / "timing.tcl").write_text(_TIMING)
        report = tools.run(["sta", "-no_splash", "-exit", "timing.tcl"], folder)
        period, path = timing_path(report)
        stat = json.loads((folder / "area.json").read_text())["modules"][f"\\{INNER}"]
        area = {
            "kge": round(stat["area"] / cell_area(liberty, GATE) / 1000, 2),
            "ff": stat["num_cells_by_type"].get(FLIP_FLOP, 0),
            "ram_bits": netlist.memory_bits(folder / "ram.json", "ram"),
        }
        return Result(part, NAME, area, [round(1000 / period, 1)], path)

    return tools.cached([NAME, _SCRIPT, _TIMING, verilog, liberty], work)

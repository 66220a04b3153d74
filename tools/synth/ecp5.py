"""Lattice ECP5: Yosys and nextpnr."""

import inspect
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atalanta.golden.decoder import DecoderParams
from atalanta.tools.synth import fanout, netlist, ram_registers, tools
from atalanta.tools.synth.parts import TOP, verilog_with_registers
from atalanta.tools.synth.result import Path as TimingPath
from atalanta.tools.synth.result import Result

if TYPE_CHECKING:
    from amaranth.hdl import Module

    from atalanta.hw.product import Product

NAME = "ecp5"
DEVICES = ("12k", "25k", "45k", "85k")
SPEEDS = (6, 7, 8)
_PACKAGE = {"12k": "CABGA381", "25k": "CABGA381", "45k": "CABGA381", "85k": "CABGA756"}

# Flattened and cleaned before anything else: ABC9 stops on some hierarchies. Multiplexers of LUTs are
# left out because they spread the logic over more places, which costs more in wires than it saves.
_SCRIPT = f"""
read_verilog {TOP}.v
hierarchy -top {TOP}
proc
setattr -unset init {TOP}/w:*
flatten
opt -full
clean -purge
synth_ecp5 -top {TOP} -nowidelut -json netlist.json
"""


class Ecp5:
    """What hw finds on an ECP5: Yosys does not use the registers of its multipliers by itself."""

    def product(self, multiplier: "Product") -> "Module":
        """A block with its output register in use (Lattice FPGA-TN-02205, sysDSP)."""
        from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module

        factor_bits = 18
        m = Module()
        pins: dict[str, Any] = {}
        for letter, factor in (("A", multiplier.i_a), ("B", multiplier.i_b), ("C", Const(0, factor_bits))):
            bits = Cat(factor, Const(0, factor_bits - len(factor)))
            pins |= {f"i_{letter}{i}": bits[i] for i in range(factor_bits)}
        pins |= {f"o_P{i}": bit for i, bit in enumerate(multiplier.o_product)}
        pins |= {f"i_{pin}": Const(0, 1) for pin in ("SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB", "RST0")}
        m.submodules.multiplier = Instance(
            "MULT18X18D",
            p_REG_OUTPUT_CLK="CLK0",
            p_REG_OUTPUT_CE="CE0",
            i_CLK0=ClockSignal(),
            i_CE0=multiplier.i_step,
            **pins,
        )
        return m


def _register(cell: str) -> str:
    """The register that a flip-flop cell is a bit of."""
    return re.sub(r"^inner\.|_TRELLIS_FF_Q.*|_MULT18X18D.*|_DPR16X4.*|_PIPE_REG.*", "", cell)


def _timing_path(report: dict[str, Any]) -> TimingPath:
    """The first critical path within the clock domain."""
    steps = next(
        path["path"]
        for path in report["critical_paths"]
        if path["from"] == path["to"] and path["from"].startswith("posedge")
    )
    wires = sum(step["delay"] for step in steps if step["type"] == "routing")
    total = sum(step["delay"] for step in steps)
    return TimingPath(
        start=_register(steps[0]["from"]["cell"]),
        end=_register(steps[-1]["to"]["cell"]),
        levels=sum(step["type"] == "logic" for step in steps),
        cells_ns=round(total - wires, 3),
        wires_ns=round(wires, 3),
    )


def synthesise(part: str, p: DecoderParams, *, device: str, speed: int, mhz: float, seeds: int) -> Result:
    """One component on an FPGA; from the cache if it has been there before.

    mhz: the clock that place and route strives for. seeds: runs of it, from seed 1 on.

    Raises BuildError if a program is missing or fails.
    """
    verilog = verilog_with_registers(part, p, Ecp5())

    def work(folder: Path) -> Result:
        (folder / f"{TOP}.v").write_text(verilog)
        tools.yosys(_SCRIPT, folder)
        ram_registers.use_output_registers(folder / "netlist.json")
        fanout.copy_drivers(folder / "netlist.json", ("LUT4", "TRELLIS_FF"))
        reports = [_place_and_route(folder, device, speed, mhz, seed) for seed in range(1, seeds + 1)]
        fmax = [next(iter(r["fmax"].values()))["achieved"] for r in reports]
        best = reports[fmax.index(max(fmax))]
        used = {kind: count["used"] for kind, count in best["utilization"].items()}
        ports = netlist.port_registers(folder / "netlist.json", "TRELLIS_FF", "DI", "Q")
        area = {
            "lut4": used["TRELLIS_COMB"],
            "ff": used["TRELLIS_FF"] - ports,
            "dsp": used["MULT18X18D"],
            "bram": used["DP16KD"],
        }
        return Result(part, NAME, area, [round(f, 1) for f in fmax], _timing_path(best))

    passes = [inspect.getsource(module) for module in (ram_registers, fanout)]
    return tools.cached([NAME, _SCRIPT, *passes, verilog, device, str(speed), str(mhz), str(seeds)], work)


def _place_and_route(folder: Path, device: str, speed: int, mhz: float, seed: int) -> dict[str, Any]:
    tools.nextpnr(
        [f"--{device}", "--speed", str(speed), "--package", _PACKAGE[device], "--freq", str(mhz),
         "--lpf-allow-unconstrained", "--out-of-context", "--timing-allow-fail", "--seed", str(seed),
         "--json", "netlist.json", "--report", "report.json"],
        folder,
    )  # fmt: skip
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report

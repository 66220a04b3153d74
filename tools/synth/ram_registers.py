"""Block RAMs with the register behind them drawn in: Yosys does not use their output registers by itself.

A block RAM without its register takes most of a cycle to answer, and a register in the fabric can lie
far from it.
"""

import json
import re
from pathlib import Path
from typing import Any

from atalanta.tools.synth.netlist import sinks
from atalanta.tools.synth.parts import TOP

_RAM, _REGISTER = "DP16KD", "TRELLIS_FF"
_OUTPUT = re.compile(r"DO[AB]\d+")
_PLAIN = {"CEMUX": "CE", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}
"""Parameters of a register that a RAM's can stand for; its reset must be tied low."""


def _fits(cell: dict[str, Any], ram: dict[str, Any]) -> bool:
    """Whether the RAM's own register can stand for this cell."""
    wires, parameters = cell["connections"], cell["parameters"]
    return (
        cell["type"] == _REGISTER
        and wires["CLK"] == ram["connections"]["CLKB"]
        and wires["LSR"] == ["0"]
        and all(parameters.get(name) == value for name, value in _PLAIN.items())
    )


def _registers(
    ram: dict[str, Any], cells: dict[str, Any], behind: dict[int, list[tuple[str, str, int]]], ports: set[int]
) -> dict[str, str]:
    """The register behind each output that is used; nothing unless all have one, and one clock enable.

    behind: where nets go, besides ports.
    """
    found: dict[str, str] = {}
    enables = set()
    for pin, (net,) in ((p, n) for p, n in ram["connections"].items() if _OUTPUT.fullmatch(p) and n):
        if net in ports:
            return {}
        if not behind[net]:
            continue
        (name, sink, _), *others = behind[net]
        if others or sink != "DI" or not _fits(cells[name], ram):
            return {}
        enables.add(cells[name]["connections"]["CE"][0])
        found[pin] = name
    return found if len(enables) == 1 else {}


def use_output_registers(path: Path) -> None:
    """Rewrites a netlist that Yosys has written as JSON; RAMs (Lattice FPGA-TN-02204) of one read port, B.

    The netlist does what it did, but for what registers hold before they are first written.
    """
    netlist = json.loads(path.read_text())
    module = netlist["modules"][TOP]
    cells = module["cells"]
    behind = sinks(cells)
    ports = {net for port in module["ports"].values() if port["direction"] != "input" for net in port["bits"]}
    for ram in [cell for cell in cells.values() if cell["type"] == _RAM]:
        registers = _registers(ram, cells, behind, ports)
        for pin, name in registers.items():
            wires = cells.pop(name)["connections"]
            ram["connections"] |= {pin: wires["Q"], "OCEA": wires["CE"], "OCEB": wires["CE"]}
        if registers:
            ram["parameters"] |= {"REGMODE_A": "OUTREG", "REGMODE_B": "OUTREG"}
    path.write_text(json.dumps(netlist))

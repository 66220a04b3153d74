"""What is in a netlist that Yosys has written as JSON."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from atalanta.tools.synth.parts import TOP


def sinks(cells: dict[str, Any]) -> defaultdict[int, list[tuple[str, str, int]]]:
    """Where each net goes: cells, their pins, and the place among a pin's nets."""
    found: defaultdict[int, list[tuple[str, str, int]]] = defaultdict(list)
    for name, cell in cells.items():
        for pin, nets in cell["connections"].items():
            if cell["port_directions"][pin] != "output":
                for place, net in enumerate(nets):
                    found[net].append((name, pin, place))
    return found


def port_registers(path: Path, kind: str, data: str, output: str) -> int:
    """Flip-flops of type `kind` that `bounded.Bounded` has added: next to a port, with nothing between.

    data, output: the flip-flop's pins. The component's own are behind those in and before those out.
    """
    module = json.loads(path.read_text())["modules"][TOP]
    ports = module["ports"].values()
    inputs = {bit for port in ports if port["direction"] == "input" for bit in port["bits"]}
    outputs = {bit for port in ports if port["direction"] == "output" for bit in port["bits"]}
    flops = (cell["connections"] for cell in module["cells"].values() if cell["type"] == kind)
    return sum(
        not inputs.isdisjoint(pins.get(data, [])) or not outputs.isdisjoint(pins[output]) for pins in flops
    )


def memory_bits(path: Path, module: str) -> int:
    """Bits of the memories in a module, 0 if there is no such module."""
    cells = json.loads(path.read_text())["modules"].get(module, {"cells": {}})["cells"].values()
    sizes = (cell["parameters"] for cell in cells if cell["type"] == "$mem_v2")
    return sum(int(size["SIZE"], 2) * int(size["WIDTH"], 2) for size in sizes)

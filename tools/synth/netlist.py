"""What is in a netlist that Yosys has written as JSON."""

import json
from pathlib import Path

from atalanta.tools.synth.parts import TOP


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

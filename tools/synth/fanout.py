"""Copies of cells that drive many others: place and route moves cells, but does not double them.

A signal that enables a thousand flip-flops comes from one LUT, which lies somewhere in the middle of them
and so far from all else that it drives. With a copy for every few dozen, each lies beside what it drives.
"""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from atalanta.tools.synth.netlist import sinks
from atalanta.tools.synth.parts import TOP

MOST = 50
"""Places that one cell drives at most."""


def _copy_once(cells: dict[str, Any], kinds: tuple[str, ...], free: int) -> int:
    """Copies every cell of these kinds that drives too many; the first number that no net has then."""
    driver: dict[int, tuple[str, str]] = {}
    for name, cell in cells.items():
        for pin, nets in cell["connections"].items():
            if cell["port_directions"][pin] == "output":
                driver |= dict.fromkeys(nets, (name, pin))
    for net, places in sinks(cells).items():
        name, pin = driver.get(net, ("", ""))
        if len(places) <= MOST or not name or cells[name]["type"] not in kinds:
            continue
        # By name, so that what belongs together stays together.
        places.sort()
        groups = -(-len(places) // MOST)
        size = -(-len(places) // groups)
        for group in range(1, groups):
            cells[f"{name}_copy{free}"] = copy = deepcopy(cells[name])
            copy["connections"][pin] = [free]
            for sink, sink_pin, place in places[group * size : (group + 1) * size]:
                cells[sink]["connections"][sink_pin][place] = free
            free += 1
    return free


def copy_drivers(path: Path, kinds: tuple[str, ...]) -> None:
    """Rewrites a netlist that Yosys has written as JSON: cells of these kinds, with one output, by copies.

    A copy drives what it takes over and nothing else, so the netlist does what it did.
    """
    netlist = json.loads(path.read_text())
    module = netlist["modules"][TOP]
    free = 1 + max(
        net for known in module["netnames"].values() for net in known["bits"] if isinstance(net, int)
    )
    while True:  # copies may be too many for what drives them
        following = _copy_once(module["cells"], kinds, free)
        if following == free:
            break
        free = following
    path.write_text(json.dumps(netlist))

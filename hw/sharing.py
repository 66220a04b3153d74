"""One module for equal instances: Amaranth writes the text of a component once for each place it is used.

Reads and writes RTLIL, the text between Amaranth and Yosys (Yosys manual, "RTLIL text representation").
Modules are equal if their texts are, once their children are equal and their ports are in the order of
their names; nothing deeper is tried. Readers see sixteen lanes as sixteen instances of one lane, and
whatever works module by module, such as Verilator or a synthesiser, works once for all of them.
"""

import re

_MODULE = re.compile(r"^module (\S+)\n(.*?)^end\n", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"^  wire width \d+ (?:input|output|inout) (\d+) +(\S+)$", re.MULTILINE)
_CELL = re.compile(r"^  cell (\\\S+) ", re.MULTILINE)


def share(rtlil: str) -> str:
    """The same design with equal modules written once; the first module, its top, stays as it is."""
    bodies = dict(_MODULE.findall(rtlil))
    top, *others = bodies
    shared: dict[str, str] = {}  # module -> the one that stands for it
    found: dict[str, str] = {}  # body -> module
    for name in sorted(others, key=lambda name: -name.count(".")):  # children come before their parents
        bodies[name] = body = _in_order_of_names(_with_children(bodies[name], shared))
        shared[name] = found.setdefault(body, name)
    kept = {name: body for name, body in bodies.items() if shared.get(name, name) == name}
    kept[top] = _with_children(kept[top], shared)
    names = _names(shared)
    head = rtlil[: rtlil.index("module ")]
    modules = (f"module {names.get(m, m)}\n{_with_children(body, names)}end\n" for m, body in kept.items())
    return head + "\n".join(modules)


def _with_children(body: str, names: dict[str, str]) -> str:
    """The body with cells of other types."""
    return _CELL.sub(lambda cell: f"  cell {names.get(cell[1], cell[1])} ", body)


def _in_order_of_names(body: str) -> str:
    """The body with its ports first, numbered by name."""
    ports, rest = [], []
    for chunk in body.split("\n\n"):
        port = _PORT.search(chunk)
        if port:
            ports.append((port[2], chunk[: port.start(1)], chunk[port.end(1) :]))
        else:
            rest.append(chunk)
    numbered = [f"{before}{number}{after}" for number, (_, before, after) in enumerate(sorted(ports))]
    return "\n\n".join(numbered + rest)


def _names(shared: dict[str, str]) -> dict[str, str]:
    """Plain identifiers: `core.lanes.lane0` becomes core_lanes_lane if it stands for several."""
    several = {one for name, one in shared.items() if name != one}
    names: dict[str, str] = {}
    for one in dict.fromkeys(shared.values()):
        plain = one.replace(".", "_")
        numberless = re.sub(r"\d+(?=_|$)", "", plain)
        free = (
            n for n in ((numberless,) if one in several else ()) + (plain, one) if n not in names.values()
        )
        names[one] = next(free)
    return names

"""Verilog of any component, with port names as vendor tools infer interfaces from."""

import re

from amaranth.back import rtlil, verilog
from amaranth.hdl import Value, ValueCastable
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from atalanta import __version__
from atalanta.hw.sharing import share


def ports(component: wiring.Component) -> dict[str, tuple[Value, PortDirection]]:
    """The component's ports by their exported names: `m_axi.araddr` is m_axi_araddr."""
    found: dict[str, tuple[Value, PortDirection]] = {}
    for path, member, value in component.signature.flatten(component):
        direction = PortDirection.Input if member.flow == In else PortDirection.Output
        signal = value.as_value() if isinstance(value, ValueCastable) else value
        found["_".join(map(str, path))] = (signal, direction)
    return found


def _wakes_at_start(text: str) -> str:
    """The text with the register that Yosys puts into each `always @*`, so that it runs once at time zero.

    A declared value is no event, and by it Icarus leaves what depends on constants alone unknown; one that is
    assigned by an `initial` is.
    """
    register = r"\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+ "
    text = re.sub(rf"reg {register} = 0;", "reg at_start;\n  initial at_start <= 1'h0;", text)
    return re.sub(rf"if \({register}\) begin end", "if (at_start) begin end", text)


def to_verilog(component: wiring.Component, name: str, platform: object = None) -> str:
    """Verilog-2001 source of the component as module `name`, the same for the same component.

    platform: what components may find blocks of their own on; without one it is the same everywhere.
    """
    text = rtlil.convert(component, name=name, platform=platform, ports=ports(component), emit_src=False)
    text = verilog._convert_rtlil_text(share(text), strip_internal_attrs=True)  # noqa: SLF001
    text = _wakes_at_start(text)
    return f"// {name}, made by atalanta {__version__}; SPDX-License-Identifier: Apache-2.0\n{text}"

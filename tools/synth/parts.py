"""The decoder's components by name, and their Verilog for synthesis."""

import warnings
from collections.abc import Callable
from importlib import import_module, util
from typing import TYPE_CHECKING

from atalanta.golden.decoder import DecoderParams
from atalanta.tools.rtl.build import BuildError

if TYPE_CHECKING:
    from amaranth.lib import wiring

TOP = "top"
"""Name of the module that is synthesised."""

INNER = f"{TOP}_inner"
"""Name of the component in it, without the registers at its ports."""

_PLACES = {
    "core": "core.Core",
    "lanes": "lanes.Lanes",
    "lane": "lane.Lane",
    "coder": "coder.Coder",
    "window": "window.Window",
    "fifo": "lane.BeatFifo",
    "router": "router.Router",
    "reader": "reader.Reader",
    "aligner": "aligner.Aligner",
    "header": "header.Header",
    "rows": "rows.Rows",
    "lengths": "lengths.Lengths",
    "payload_crc": "payload_crc.PayloadCrc",
    "unpacker": "unpacker.Unpacker",
    "packer": "output.Packer",
}
PARTS = tuple(_PLACES)
"""Components that can be synthesised; each one's area includes those it is made of."""

_ATALANTA = {"lanes", "lane", "coder", "window", "fifo", "router", "rows", "lengths"}


def parts_of(p: DecoderParams) -> list[str]:
    """The components that a decoder has."""
    has_groups = p.shapeshifter or p.raw
    return [
        part for part in PARTS if (part not in _ATALANTA or p.atalanta) and (part != "unpacker" or has_groups)
    ]


def _component(part: str, p: DecoderParams) -> "wiring.Component":
    module, kind = _PLACES[part].split(".")
    make: Callable[..., wiring.Component] = getattr(import_module(f"atalanta.hw.{module}"), kind)
    # Two components are the same in every decoder of a beat size.
    arguments = {"window": (), "payload_crc": (p.beat_bytes,)}.get(part, (p,))
    return make(*arguments)


def verilog_with_registers(part: str, p: DecoderParams, platform: object = None) -> str:
    """Verilog of a component with a register at every port, so that paths through ports count.

    platform: see `atalanta.hw.export.to_verilog`.

    Raises BuildError if Amaranth is not installed.
    """
    if not util.find_spec("amaranth"):
        raise BuildError("Amaranth is not installed; install the extra atalanta[rtl]")
    from amaranth.hdl import UnusedElaboratable

    from atalanta.hw.export import to_verilog
    from atalanta.tools.synth.bounded import Bounded

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)  # decoders that are not built in
        return to_verilog(Bounded(_component(part, p)), TOP, platform)

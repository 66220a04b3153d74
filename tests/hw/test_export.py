"""Exported Verilog: ports as vendor tools infer interfaces from, codecs left out, parameters refused."""

import re
from pathlib import Path

import pytest

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import ParameterError
from atalanta.hw.core import Core
from atalanta.hw.device import Device
from atalanta.hw.export import to_verilog

SMALL = {"lanes": 1, "ways": 2, "rows": 8, "axi_bits": 64, "beat_bytes": 16}

M_AXI = {
    "arid": ("output", 1), "araddr": ("output", 40), "arlen": ("output", 8), "arsize": ("output", 3),
    "arburst": ("output", 2), "arlock": ("output", 1), "arcache": ("output", 4), "arprot": ("output", 3),
    "arqos": ("output", 4), "arvalid": ("output", 1), "arready": ("input", 1), "rid": ("input", 1),
    "rdata": ("input", 64), "rresp": ("input", 2), "rlast": ("input", 1), "rvalid": ("input", 1),
    "rready": ("output", 1),
}  # fmt: skip
M_AXIS = {
    "tdata": ("output", 128), "tkeep": ("output", 16), "tlast": ("output", 1), "tuser": ("output", 1),
    "tvalid": ("output", 1), "tready": ("input", 1),
}  # fmt: skip


def ports(verilog: str, top: str) -> dict[str, tuple[str, int]]:
    """Direction and width of each port of a module."""
    (text,) = re.findall(rf"^module {top}\(.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", text, re.MULTILINE)
    return {name: (direction, int(high or 0) + 1) for direction, high, name in found}


@pytest.fixture(scope="module")
def device() -> str:
    """The device of a small decoder."""
    return to_verilog(Device(DecoderParams(**SMALL)), "decoder")


def test_ports_by_axi_convention(device: str) -> None:
    found = ports(device, "decoder")
    assert {n.removeprefix("m_axi_"): p for n, p in found.items() if n.startswith("m_axi_")} == M_AXI
    assert {n.removeprefix("m_axis_"): p for n, p in found.items() if n.startswith("m_axis_")} == M_AXIS
    others = {name for name in found if not name.startswith(("m_axi_", "m_axis_", "s_axil_"))}
    assert others == {"clk", "rst", "irq"}


def test_the_same_decoder_gives_the_same_text(device: str) -> None:
    assert to_verilog(Device(DecoderParams(**SMALL)), "decoder") == device


def test_says_what_it_is_and_nothing_of_this_machine(device: str) -> None:
    first = device.splitlines()[0]
    assert re.fullmatch(r"// decoder, made by atalanta \S+; SPDX-License-Identifier: Apache-2.0", first)
    assert str(Path(__file__).parents[2]) not in device
    assert "src = " not in device


def without_crcs(verilog: str) -> int:
    """Characters of all modules but the CRCs, which every codec has and whose sums are long to write."""
    modules = re.finditer(r"^module (\w+)\(.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    return sum(len(module[0]) for module in modules if "crc" not in module[1])


@pytest.mark.parametrize(
    ("gone", "part"), [(("atalanta",), "core_lanes_lane"), (("shapeshifter", "raw"), "core_unpacker")]
)
def test_a_codec_left_out_takes_its_hardware_along(gone: tuple[str, ...], part: str) -> None:
    """Without a warning, and smaller; the unpacker serves two codecs."""
    whole = to_verilog(Core(DecoderParams(**SMALL)), "core")
    less = to_verilog(Core(DecoderParams(**SMALL, **dict.fromkeys(gone, False))), "core")
    assert re.search(rf"^module {part}\w*\(", whole, re.MULTILINE)
    assert not re.search(rf"^module {part}\w*\(", less, re.MULTILINE)
    assert without_crcs(less) < 0.8 * without_crcs(whole)


def test_a_decoder_of_nothing_is_refused() -> None:
    message = "codecs must be at least one of atalanta, shapeshifter, raw, not 'none'"
    with pytest.raises(ParameterError, match=f"^{message}$"):
        DecoderParams(atalanta=False, shapeshifter=False, raw=False)


@pytest.mark.parametrize(
    ("name", "value", "legal"),
    [
        ("lanes", 12, "one of 1, 2, 4, 8, 16, 32, 64"),
        ("ways", 1, "from 2 to 8"),
        ("ways", 9, "from 2 to 8"),
        ("rows", 15, "one of 8, 16, 32"),
        ("value_bits", 5, "one of 4, 8, 16"),
        ("beat_bytes", 8, "one of 16, 32, 64"),
        ("lane_depth", 1, "from 2 to 8"),
        ("lane_fifo", 1, "from 2 to 16"),
        ("axi_bits", 32, "one of 64, 128, 256, 512"),
        ("axi_bits", True, "one of 64, 128, 256, 512"),
        ("burst_beats", 0, "from 1 to 256"),
        ("burst_beats", 257, "from 1 to 256"),
        ("outstanding", 65, "from 1 to 64"),
        ("prefetch", 15, "from 16 to 4096"),
        ("address_bits", 65, "from 16 to 64"),
    ],
)
def test_bad_parameters_are_refused(name: str, value: int, legal: str) -> None:
    with pytest.raises(ParameterError, match=f"^{name} must be {legal}, not {value!r}$"):
        DecoderParams(**{name: value})


def test_a_burst_stays_within_4_kib() -> None:
    with pytest.raises(ParameterError, match=r"^burst_beats must be from 1 to 64, not 65$"):
        DecoderParams(axi_bits=512, burst_beats=65, prefetch=128)

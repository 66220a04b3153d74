"""AXI port signatures (ARM IHI 0022 and IHI 0051), names as vendor tools expect."""

from amaranth.hdl import unsigned
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

PAGE_BYTES = 4096
"""No burst crosses a boundary of this size (IHI 0022 A3.4.1)."""


class Burst(enum.Enum, shape=2):
    """AxBURST."""

    FIXED = 0
    INCR = 1
    WRAP = 2


class Resp(enum.Enum, shape=2):
    """xRESP."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


class Axi4Read(wiring.Signature):
    """The read channels of an AXI4 manager (IHI 0022, A2.5 and A2.6); one ID, 0."""

    def __init__(self, address_bits: int, data_bits: int) -> None:
        super().__init__(
            {
                "arid": Out(1),
                "araddr": Out(address_bits),
                "arlen": Out(8),
                "arsize": Out(3),
                "arburst": Out(Burst),
                "arlock": Out(1),
                "arcache": Out(4),
                "arprot": Out(3),
                "arqos": Out(4),
                "arvalid": Out(1),
                "arready": In(1),
                "rid": In(1),
                "rdata": In(data_bits),
                "rresp": In(Resp),
                "rlast": In(1),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class AxiStream(wiring.Signature):
    """An AXI4-Stream transmitter (IHI 0051, 2.1). tuser: with tlast, the packet is not good."""

    def __init__(self, data_bits: int, keep_bits: int) -> None:
        super().__init__(
            {
                "tdata": Out(unsigned(data_bits)),
                "tkeep": Out(unsigned(keep_bits)),
                "tlast": Out(1),
                "tuser": Out(1),
                "tvalid": Out(1),
                "tready": In(1),
            }
        )


class Axi4Lite(wiring.Signature):
    """AXI4-Lite with 32-bit data, seen from the manager (IHI 0022, B1)."""

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "awaddr": Out(address_bits),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(32),
                "wstrb": Out(4),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(Resp),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(address_bits),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(32),
                "rresp": In(Resp),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )

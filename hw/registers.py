"""AXI4-Lite registers, made from a table."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from atalanta.golden.registers import ADDRESS_BITS, REGISTER_BYTES, REGISTERS, Access, Register
from atalanta.hw.axi import Axi4Lite, Resp
from atalanta.hw.segment import layout_of

WORD_SHIFT = REGISTER_BYTES.bit_length() - 1


class Registers(wiring.Component):
    """An AXI4-Lite subordinate with the registers of a table.

    Latency: a write takes effect in the cycle after AW and W are both taken, BVALID is high from the
    cycle after that; RVALID is high from the second cycle after AR. One write and one read under way at
    a time, so one each every 2 cycles. AW and W come in any order and any distance; any back-pressure on
    B and R. Every output is a register.

    Byte strobes hold for every access: bytes that are not written stay as they are, and count as 0 in
    registers of type W1C and W1P. The lowest two address bits and AxPROT are not looked at. SLVERR
    answers an address without a register and a write to a read-only one, both without effect; what
    depends on the moment (a full queue, say) is never an error on the bus, since processors take those
    for broken software. Reading has no effect, so that a debugger may show all registers.

    Attributes:
        s_axil: the registers.
        i_<name>: what a read-only register holds; for W1C, the bits to set in this cycle.
        o_<name>: RW, W1C: what it holds. W1P: the bits written as 1, for one cycle.
    """

    def __init__(self, table: Sequence[Register] = REGISTERS) -> None:
        self._table = table
        inputs = (Access.RO, Access.W1C)
        outputs = (Access.RW, Access.W1C, Access.W1P)
        super().__init__(
            {
                "s_axil": In(Axi4Lite(ADDRESS_BITS)),
                **{f"i_{r.name}": In(layout_of(r.record)) for r in table if r.access in inputs},
                **{f"o_{r.name}": Out(layout_of(r.record)) for r in table if r.access in outputs},
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Address and data wait in registers of their own until both are there."""
        m, axi = Module(), self.s_axil

        address = Signal(ADDRESS_BITS - WORD_SHIFT)
        data = Signal.like(axi.wdata)
        strobes = Signal.like(axi.wstrb)
        address_held = Signal()
        data_held = Signal()
        write = Signal()
        m.d.comb += [
            axi.awready.eq(~address_held),
            axi.wready.eq(~data_held),
            write.eq(address_held & data_held & (~axi.bvalid | axi.bready)),
        ]
        with m.If(axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += [address.eq(axi.awaddr[WORD_SHIFT:]), address_held.eq(1)]
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += [data.eq(axi.wdata), strobes.eq(axi.wstrb), data_held.eq(1)]
        with m.If(write):
            m.d.sync += [
                address_held.eq(0),
                data_held.eq(0),
                axi.bvalid.eq(1),
                axi.bresp.eq(Resp.SLVERR),
            ]
        written = Cat(strobe.replicate(8) for strobe in strobes)
        for r in self._table:
            if r.access is Access.RO:
                continue
            chosen = Signal(name=f"write_{r.name}")
            m.d.comb += chosen.eq(write & (address == r.offset >> WORD_SHIFT))
            with m.If(chosen):
                m.d.sync += axi.bresp.eq(Resp.OKAY)
            held = getattr(self, f"o_{r.name}").as_value()
            mask = written & r.mask
            if r.access is Access.RW:
                with m.If(chosen):
                    m.d.sync += held.eq((held & ~mask) | (data & mask))
            elif r.access is Access.W1P:
                m.d.comb += held.eq(Mux(chosen, data & mask, 0))
            else:
                cleared = Mux(chosen, data & mask, 0)
                m.d.sync += held.eq((held & ~cleared) | getattr(self, f"i_{r.name}").as_value())

        asked = Signal(ADDRESS_BITS - WORD_SHIFT)
        asked_held = Signal()
        read = Signal()
        m.d.comb += [axi.arready.eq(~asked_held), read.eq(asked_held & (~axi.rvalid | axi.rready))]
        with m.If(axi.rready):
            m.d.sync += axi.rvalid.eq(0)
        with m.If(axi.arvalid & axi.arready):
            m.d.sync += [asked.eq(axi.araddr[WORD_SHIFT:]), asked_held.eq(1)]
        with m.If(read):
            m.d.sync += [asked_held.eq(0), axi.rvalid.eq(1)]
            with m.Switch(asked):
                for r in self._table:
                    with m.Case(r.offset >> WORD_SHIFT):
                        m.d.sync += axi.rresp.eq(Resp.OKAY)
                        if r.access is Access.W1P:
                            m.d.sync += axi.rdata.eq(0)
                        else:
                            side = "i" if r.access is Access.RO else "o"
                            m.d.sync += axi.rdata.eq(getattr(self, f"{side}_{r.name}").as_value())
                with m.Default():
                    m.d.sync += [axi.rresp.eq(Resp.SLVERR), axi.rdata.eq(0)]
        return m

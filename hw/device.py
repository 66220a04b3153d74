"""The decoder as a device: registers, a queue of descriptors, the core, an interrupt."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, fifo, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import ErrorCode
from atalanta.golden.registers import ADDRESS_BITS, COUNTERS, REGISTER_BITS, built
from atalanta.hw.axi import Axi4Lite
from atalanta.hw.core import Core
from atalanta.hw.counters import COUNTER_BITS, count
from atalanta.hw.reader import descriptor_layout
from atalanta.hw.registers import Registers


class Device(wiring.Component):
    """What an SoC integrates: `Core` behind AXI4-Lite registers. The map is golden.registers.

    Latency: a push is in the queue 2 cycles after the later of AW and W is taken and, if the decoder is
    free, the first ARVALID follows 5 cycles after that. Descriptors in the queue follow each other
    as in `Core`: the next stream is read while the one before is decoded.

    Interrupt: `irq` is a level, high while an enabled bit is pending; it rises 2 cycles after its
    cause and falls 2 cycles after the write that clears the last one takes effect.

    Errors stick: from the first one on nothing more is read, waiting descriptors are forgotten and
    pushes are ignored. The packet at work ends with TLAST and TUSER. STATUS.halted and the `error`
    interrupt follow as soon as every read that was asked for has been answered and the receiver has
    taken the last words, at most 3; both sides must move for that, and nothing else. A clear may be
    written before: it takes effect then, one cycle after the halt. After a clear the device is as after
    reset but for the registers that software writes, the counters and STATUS.done.

    An abort is an error by software, with these same steps: from the second cycle after its write takes
    effect on STATUS shows it, and no burst is asked for but one that AR shows already. If all that was queued
    ends well by itself before, nothing happens.

    Attributes:
        s_axil: the registers. m_axi: the memory. m_axis: the values, see `Core`. irq: the interrupt.
    """

    def __init__(self, p: DecoderParams) -> None:
        self._p = p
        self._core = Core(p)
        members = self._core.signature.members
        super().__init__(
            {
                "s_axil": In(Axi4Lite(ADDRESS_BITS)),
                "m_axi": members["m_axi"],
                "m_axis": members["m_axis"],
                "irq": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The queue is reset by an error, and only by that, as what the core holds is."""
        p, m = self._p, Module()
        m.submodules.core = core = self._core
        m.submodules.registers = registers = Registers()
        layout = descriptor_layout(p)
        failed = Signal()
        queue = fifo.SyncFIFO(width=layout.size, depth=p.queue)
        m.submodules.queue = ResetInserter(failed)(queue)
        connect(m, flipped(self.s_axil), registers.s_axil)
        connect(m, core.m_axi, flipped(self.m_axi))
        connect(m, core.m_axis, flipped(self.m_axis))

        # Commands: descriptors to the queue, and two that stay until the core has taken them.
        command, status = registers.o_control, registers.i_status
        busy = Signal()
        accepts = Signal()
        aborting = Signal()
        clearing = Signal()
        pushed = data.View(layout, queue.w_data)
        address = Cat(registers.o_source_low.address, registers.o_source_high.address)
        m.d.comb += [
            failed.eq(core.o_code != ErrorCode.NONE),
            busy.eq((queue.level != 0) | core.o_busy),
            accepts.eq(queue.w_rdy & ~failed),
            queue.w_en.eq(command.push & accepts),
            pushed.address.eq(address),
            pushed.length.eq(registers.o_length.length),
            core.i.payload.eq(queue.r_data),
            core.i.valid.eq(queue.r_rdy),
            queue.r_en.eq(core.i.ready),
            core.i_abort.eq(aborting),
            core.i_clear.eq(clearing),
            core.i_clear_counters.eq(command.clear_counters),
        ]
        m.d.sync += [
            aborting.eq((aborting | command.abort) & busy & ~failed),
            clearing.eq((clearing | command.clear) & failed),
        ]

        # Status and what may interrupt.
        done = Signal.like(status.done)
        was_busy = Signal()
        was_halted = Signal()
        events = registers.i_pending
        last_leaves = queue.r_rdy & queue.r_en & (queue.level == 1) & ~queue.w_en
        m.d.sync += [
            done.eq(done + core.o_done),
            was_busy.eq(busy),
            was_halted.eq(core.o_halted),
            self.irq.eq((registers.o_pending.as_value() & registers.o_enable.as_value()).any()),
        ]
        m.d.comb += [
            status.done.eq(done),
            status.space.eq(Mux(failed, 0, p.queue - queue.level)),
            status.code.eq(core.o_code),
            status.busy.eq(busy),
            status.halted.eq(core.o_halted),
            events.done.eq(core.o_done),
            events.error.eq(core.o_halted & ~was_halted),
            events.idle.eq(was_busy & ~busy & ~failed),
            events.empty.eq(last_leaves),
            events.dropped.eq(command.push & ~accepts),
        ]
        for name, fields in built(p).items():
            for field, value in fields.items():
                m.d.comb += getattr(registers, f"i_{name}")[field].eq(value)

        self._count(m, registers, command.clear_counters, command.snapshot)
        return m

    def _count(self, m: Module, registers: Registers, clear: Signal, snapshot: Signal) -> None:
        """Counters, the core's and the device's own, and the copies that software reads."""
        core = self._core
        own = {
            "cycles": core.o_busy,
            "bursts": core.m_axi.arvalid & core.m_axi.arready,
            "tensors": core.o_done,
        }
        kept = {}
        for name in COUNTERS:
            if name == "bytes":
                continue  # the same as words, in other units
            if name in own:
                now = Signal(name=f"{name}_now")  # a register, as the core's counters have
                m.d.sync += now.eq(own[name] & ~clear)
                counter = Signal(COUNTER_BITS, name=name)
                count(m, counter, now, clear)
            else:
                counter = getattr(core, f"o_{name}")
            kept[name] = Signal(COUNTER_BITS, name=f"{name}_kept")
            with m.If(snapshot):
                m.d.sync += kept[name].eq(counter)
        kept["bytes"] = kept["words"] << self._p.axi_bytes.bit_length() - 1
        for name, value in kept.items():
            m.d.comb += [
                getattr(registers, f"i_count_{name}_low").count.eq(value),
                getattr(registers, f"i_count_{name}_high").count.eq(value >> REGISTER_BITS),
            ]

"""A component between registers."""

from amaranth.hdl import Module, Signal, Value, ValueCastable
from amaranth.lib import wiring
from amaranth.lib.wiring import In


class Bounded(wiring.Component):
    """`inner` with a register at every port, one cycle later in and one cycle later out.

    A tool sees only paths between registers. Without these, a component whose ports are
    combinational would look faster than it is.
    """

    def __init__(self, inner: wiring.Component) -> None:
        self._inner = inner
        super().__init__(inner.signature)

    def elaborate(self, _platform: object) -> Module:
        """The registers have no reset, so that they add no logic."""
        m = Module()
        m.submodules.inner = self._inner
        outside, inside = self.signature.flatten(self), self._inner.signature.flatten(self._inner)
        for (path, member, outer), (_, _, inner) in zip(outside, inside, strict=True):
            source, sink = (outer, inner) if member.flow == In else (inner, outer)
            value = source.as_value() if isinstance(source, ValueCastable) else Value.cast(source)
            register = Signal(len(value), name="_".join(map(str, path)) + "_register", reset_less=True)
            m.d.sync += register.eq(value)
            m.d.comb += sink.eq(register)
        return m

"""A multiplier whose result is registered."""

from typing import Protocol, runtime_checkable

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


@runtime_checkable
class HasProducts(Protocol):
    """A platform with multiplier blocks that have such a register inside."""

    def product(self, multiplier: "Product") -> Module:
        """Such a block between the multiplier's ports."""


class Product(wiring.Component):
    """Multiplies two unsigned numbers.

    Latency 1 step; 1 product per step.

    Attributes:
    ----------
    i_step: the product is taken over.
    i_a, i_b: the factors. o_product: their product at the last step.
    """

    def __init__(self, a_bits: int, b_bits: int) -> None:
        super().__init__(
            {"i_step": In(1), "i_a": In(a_bits), "i_b": In(b_bits), "o_product": Out(a_bits + b_bits)}
        )

    def elaborate(self, platform: object) -> Module:
        """The register has no reset: nobody looks at a product that no step has made."""
        if isinstance(platform, HasProducts):
            return platform.product(self)
        m = Module()
        product = Signal.like(self.o_product, reset_less=True)
        with m.If(self.i_step):
            m.d.sync += product.eq(self.i_a * self.i_b)
        m.d.comb += self.o_product.eq(product)
        return m

"""The published comparison of Atalanta with ShapeShifter: its Figure 3 and Table 4, as numbers.

Source: github.com/rano-dipa/Atalanta-compariosn-with-ShapeShifter, run_script/run_script.ipynb, whose printed
totals are the bars of its Figure 3; its Table 4 follows from them (and stands in its README). It measures
torchvision's quantised networks: int8 weights of every convolution, and uint8 outputs of every layer with
weights for 10 images of CIFAR-10.

How it counts, from its code: Atalanta as the symbol and offset bits of each layer under a table made of
that same layer, the tables themselves not counted; ShapeShifter as the bits of the values alone, in groups
of 16 at the width of the largest, weights moved up by 128 first, neither widths nor masks counted, nothing
decoded.

The papers themselves (Lascorz et al., "Atalanta", ASPLOS 2024; "ShapeShifter", MICRO 2019) draw averages over
other networks; they give no numbers for these three.
"""

from dataclasses import dataclass

SOURCE = "github.com/rano-dipa/Atalanta-compariosn-with-ShapeShifter"
IMAGES = 10


@dataclass(frozen=True)
class Published:
    """Bits of one network's weights or activations: raw, and under each codec."""

    network: str
    kind: str
    raw_bits: int
    atalanta_bits: int
    shapeshifter_bits: int

    @property
    def values(self) -> int:
        """Values measured."""
        return self.raw_bits // 8

    def ratio(self, codec: str) -> float:
        """A bar of Figure 3."""
        return (self.atalanta_bits if codec == "atalanta" else self.shapeshifter_bits) / self.raw_bits

    @property
    def gain_percent(self) -> float:
        """An entry of Table 4: Atalanta over ShapeShifter."""
        return 100 * (1 - self.atalanta_bits / self.shapeshifter_bits)


PUBLISHED = (
    Published("googlenet", "weight", 44_682_752, 38_054_547, 44_544_496),
    Published("mobilenet_v2", "weight", 17_518_080, 14_095_745, 17_515_120),
    Published("resnet50", "weight", 187_639_296, 155_610_150, 187_336_048),
    Published("googlenet", "activation", 258_092_800, 124_957_434, 124_968_288),
    Published("mobilenet_v2", "activation", 534_248_960, 287_176_539, 285_534_112),
    Published("resnet50", "activation", 889_118_720, 555_564_379, 644_601_344),
)


def published(network: str, kind: str) -> Published | None:
    """What was published for a network, None if nothing was."""
    name = network.lower().replace("-", "_").removeprefix("quantized_")  # torchvision's own prefix
    for entry in PUBLISHED:
        if (entry.network, entry.kind) == (name, kind):
            return entry
    return None

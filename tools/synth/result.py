"""What a synthesis run comes to."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Path:
    """The longest path between two registers.

    start, end: the registers. levels: cells between them. cells_ns, wires_ns: where its delay lies.
    """

    start: str
    end: str
    levels: int
    cells_ns: float
    wires_ns: float


@dataclass(frozen=True)
class Result:
    """Area and clock of one component; registers at its ports are not counted.

    area: number of cells by kind. FPGA: lut4 (places of LUTs used, with carries and LUT RAM), ff, dsp,
    bram. Standard cells: kge (thousands of the smallest NAND2), ff, ram_bits (of memories of RAM_WORDS
    words and more, which are not in kge).
    fmax_mhz: by seed; after place and route, or for standard cells before. path: of the best seed.
    """

    part: str
    target: str
    area: dict[str, float]
    fmax_mhz: list[float]
    path: Path

    @property
    def fmax(self) -> float:
        """The best clock, MHz."""
        return max(self.fmax_mhz)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Result":
        """The inverse of `to_dict`."""
        return cls(**{**data, "path": Path(**data["path"])})

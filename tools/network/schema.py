"""The configuration of a simulated network, typed: what keys there are, and what they may hold.

Sections that describe hardware are made from the frozen parameter objects of golden and sim, so that their
fields, types and defaults are written down once.
"""

from dataclasses import MISSING, fields, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import require
from atalanta.sim.accelerator import Accelerator
from atalanta.sim.dram import DramConfig
from atalanta.sim.dram_presets import PRESETS, preset
from atalanta.sim.network import Machine
from atalanta.sim.transfer import Port

IDEAL = "ideal"
NONE = "none"
CODECS = (NONE, "shapeshifter", "atalanta")
SAMPLES = "samples"
"""The network that comes with the package."""

_DECODER_FIELDS = (
    "lanes", "ways", "rows", "beat_bytes", "lane_depth", "lane_fifo", "axi_bits", "burst_beats",
    "outstanding", "prefetch",
)  # fmt: skip


class Section(BaseModel):
    """A part of the configuration: unknown keys and wrong types are errors, nothing changes afterwards."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)


def _section_of(kind: type, names: tuple[str, ...], **defaults: Any) -> Any:
    """A section with fields of the frozen dataclass `kind`."""
    hints = get_type_hints(kind)
    found: dict[str, Any] = {}
    for f in fields(kind):
        if f.name in names:
            default = defaults.get(f.name, f.default)
            found[f.name] = (hints[f.name], ... if default is MISSING else default)
    return create_model(kind.__name__, __base__=Section, **found)


def _optional_section_of(kind: type) -> Any:
    """A section that may change any plain number or word of `kind`."""
    hints = get_type_hints(kind)
    plain: dict[str, Any] = {
        n: (t | None, None) for n, t in hints.items() if t in (int, str, bool) and n != "name"
    }
    return create_model(f"{kind.__name__}Changes", __base__=Section, **plain)


if TYPE_CHECKING:  # what is made at run time has no type of its own

    class AcceleratorSection(Section):
        """Fields of sim.accelerator.Accelerator."""

    class DecoderSection(Section):
        """Fields of golden.decoder.DecoderParams."""

    class DramSection(Section):
        """Fields of sim.dram.DramConfig that differ from the preset's."""
else:
    AcceleratorSection = _section_of(Accelerator, tuple(f.name for f in fields(Accelerator)))
    DecoderSection = _section_of(DecoderParams, _DECODER_FIELDS, lane_fifo=4)
    DramSection = _optional_section_of(DramConfig)


class CodingSection(Section):
    """fit_lanes: small tiles use fewer lanes than the decoder has, which saves bytes and costs cycles."""

    fit_lanes: bool = False


class MemorySection(Section):
    """preset: a DRAM by name, or ideal. dram: changes to it. bytes_per_cycle: of an ideal memory."""

    preset: Literal["ideal", *PRESETS] = "ddr4-3200"  # type: ignore[valid-type]
    latency_cycles: int = Field(default=20, ge=0)
    outstanding: int = Field(default=64, ge=1, le=256)
    bytes_per_cycle: float | None = Field(default=None, gt=0)
    dram: DramSection = DramSection()


class ValuesSection(Section):
    """Values drawn for a tensor: a Laplace distribution of that scale, or all alike; some are zero."""

    distribution: Literal["laplace", "uniform"] = "laplace"
    scale: float = Field(default=12.0, gt=0)
    zero_share: float = Field(default=0.0, ge=0, le=1)


class TensorSection(Section):
    """A tensor: a `.npy` file, or values to draw. layout: letters of its axes, such as NCHW."""

    file: str | None = None
    shape: list[int] | None = None
    dtype: Literal["int8", "uint8", "int16", "uint16"] = "int8"
    layout: str = ""
    values: ValuesSection = ValuesSection()


class LayerSection(Section):
    """A layer; weight, inputs and output are names of tensors."""

    name: str
    kind: str = ""
    macs: int = Field(default=0, ge=0)
    weight: str = ""
    inputs: list[str] = []
    output: str = ""


class NetworkSection(Section):
    """file: tensors and layers of `atalanta extract`. tensors, layers: instead of those, or besides.

    With neither file nor layers, the samples that come with the package.
    """

    name: str = ""
    file: str = ""
    images: int = Field(default=1, ge=1)
    tensors: dict[str, TensorSection] = {}
    layers: list[LayerSection] = []

    @model_validator(mode="before")
    @classmethod
    def _samples(cls, data: Any) -> Any:
        nothing = isinstance(data, dict) and not data.get("file") and not data.get("layers")
        return {**data, "file": SAMPLES} if nothing else data


class Config(Section):
    """All that decides about a result.

    decoders: side by side, each with an equal share of the memory's channels, or of an ideal memory's rate.
    """

    network: NetworkSection = NetworkSection()
    codecs: list[Literal[CODECS]] = list(CODECS)  # type: ignore[valid-type]
    accelerator: AcceleratorSection = AcceleratorSection()
    decoder: DecoderSection = DecoderSection()
    decoders: int = Field(default=1, ge=1, le=64)
    coding: CodingSection = CodingSection()
    memory: MemorySection = MemorySection()
    epoch_cycles: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)

    def machine(self, *, value_bits: int = 8) -> Machine:
        """What it describes, checked. Raises ParameterError."""
        accelerator = Accelerator(**self.accelerator.model_dump())
        decoder = DecoderParams(**self.decoder.model_dump(), value_bits=value_bits)
        memory = self.memory
        clock_ps = Fraction(1_000_000) / Fraction(accelerator.clock_mhz).limit_denominator(1000)
        changes = {k: v for k, v in memory.dram.model_dump().items() if v is not None}
        rate = memory.bytes_per_cycle
        dram = None if memory.preset == IDEAL else preset(memory.preset, **changes)
        if dram is not None:
            legal = f"a divisor of the memory's {dram.channels} channels"
            require(dram.channels % self.decoders == 0, "decoders", legal, self.decoders)
            dram = replace(dram, channels=dram.channels // self.decoders)
        port = Port(
            dram=dram,
            latency=memory.latency_cycles,
            clock_ps=clock_ps,
            axi_bytes=decoder.axi_bytes,
            bytes_per_cycle=None if rate is None else Fraction(rate).limit_denominator(1000) / self.decoders,
            outstanding=memory.outstanding,
        )
        return Machine(accelerator, decoder, port, self.decoders)


class SweepConfig(Section):
    """A sweep: each network with each combination of the grid, and with each of the points.

    base: a configuration of `atalanta net`, or the name of a file that holds one. networks: instead of
    base's own; files relative to the sweep's. grid: values by dotted key. points: settings by dotted key.
    pareto: the two columns of the chart, both the smaller the better.
    """

    base: dict[str, Any] | str = {}
    networks: list[NetworkSection] = []
    grid: dict[str, list[Any]] = {}
    points: list[dict[str, Any]] = []
    pareto: list[str] = ["time_s", "moved_bytes"]

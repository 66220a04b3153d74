"""The lines of a comparison: codecs with their options, and references that are no codecs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import Any, Literal

from atalanta.golden.codec import CODECS, Codec
from atalanta.golden.errors import ParameterError
from atalanta.tools.extract.extras import extra

Role = Literal["ours", "baseline", "reference"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One way to store a tensor.

    name: short, for JSON, CSV and the command line. title: for people.
    codec, options: for `container.encode`; no codec for a reference.
    own: code activations with a table of their own although one was profiled on other images.
    magnitudes: small for values near zero, so a zero point is taken off first where that helps.
    note: what to know of it, a sentence.
    """

    name: str
    title: str
    role: Role = "baseline"
    codec: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    own: bool = False
    magnitudes: bool = False
    note: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of tensors that it is for: a weight's table is its own anyway."""
        return ("activation",) if self.own else ("weight", "activation")

    def describe(self) -> dict[str, Any]:
        """Everything there is to say of it, for JSON."""
        return asdict(self) | {"options": dict(self.options)}


OURS = "atalanta"
RIVAL = "shapeshifter"
ENTROPY = "entropy"
ZSTD = "zstd"

_BUILT_IN = (
    Line(name=OURS, title="Atalanta", role="ours", codec="atalanta",
         note="Best table of 16 rows, 16 lanes; the stream that the hardware reads."),
    Line(name="atalanta-own", title="Atalanta, image's own table", role="ours", codec="atalanta", own=True,
         note="What profiling costs: the same with the best table of each image."),
    Line(name=RIVAL, title="ShapeShifter", codec="shapeshifter", magnitudes=True,
         note="Groups of 16; with or without zero mask, whichever is smaller, segment by segment. Relative "
              "to the zero point where one is known and that is smaller."),
    Line(name="shapeshifter-mask", title="ShapeShifter, mask", codec="shapeshifter", magnitudes=True,
         options={"mask": True}, note="Groups of 16 with a zero mask."),
    Line(name="shapeshifter-plain", title="ShapeShifter, no mask", codec="shapeshifter", magnitudes=True,
         options={"mask": False}, note="Groups of 16 without a zero mask."),
    Line(name="shapeshifter-free", title="ShapeShifter, best group", codec="shapeshifter", magnitudes=True,
         options={"group": None}, note="The best of all group sizes from 8 to 256 and all modes."),
    Line(name="huffman", title="Huffman", codec="huffman",
         note="Canonical codes of at most 16 bits, the table counted."),
    Line(name="huffman-own", title="Huffman, image's own table", codec="huffman", own=True,
         note="The same with the best table of each image."),
    Line(name="ebpc", title="EBPC", codec="ebpc",
         note="Extended bit-plane compression, the best block and run length."),
    Line(name="zvc", title="ZVC", codec="zvc", note="A bit a value says whether it is zero."),
    Line(name="rlez", title="RLEZ", codec="rlez", note="Runs of zeros, the best run length."),
    Line(name="rle", title="RLE", codec="rle", note="Runs of equal values, the best run length."),
    Line(name=ZSTD, title="zstd -19", role="reference",
         note="A general compressor that sees the whole tensor; no hardware of this size does that."),
    Line(name=ENTROPY, title="order-0 entropy", role="reference",
         note="Of the values of each piece that is coded; no table, no overhead, no codec."),
)  # fmt: skip


def _learns(codec: type[Codec]) -> bool:
    return codec.profiled.__func__ is not Codec.profiled.__func__  # type: ignore[attr-defined]


def _plugin_lines() -> list[Line]:
    known = {line.codec for line in _BUILT_IN} | {"raw"}
    found = []
    for codec in CODECS.values():
        if codec.name not in known:
            note = (codec.__doc__ or "").strip().partition("\n")[0]
            found.append(Line(name=codec.name, title=codec.name, codec=codec.name, note=note))
            if _learns(codec):
                title = f"{codec.name}, image's own table"
                found.append(Line(name=f"{codec.name}-own", title=title, codec=codec.name, own=True))
    return found


def all_lines() -> list[Line]:
    """All lines, codecs of plugins before the references."""
    codecs = [line for line in _BUILT_IN if line.role != "reference"]
    return [*codecs, *_plugin_lines(), *(line for line in _BUILT_IN if line.role == "reference")]


def missing(line: Line) -> str:
    """Why a line cannot be measured here, empty if it can."""
    if line.name == ZSTD and find_spec("zstandard") is None:
        return str(extra("compare", "zstandard"))
    return ""


def chosen_lines(names: Sequence[str]) -> list[Line]:
    """The lines with these names; if there are none, all that can be measured here.

    Raises ParameterError that lists the legal names, MissingExtraError for one that cannot be measured.
    """
    known = {line.name: line for line in all_lines()}
    for name in names:
        if name not in known:
            raise ParameterError(f"codec must be one of {', '.join(known)}, not {name!r}")
        if missing(known[name]):
            raise extra("compare", "zstandard")
    return [line for line in known.values() if (line.name in names if names else not missing(line))]

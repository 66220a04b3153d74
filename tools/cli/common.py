"""What the subcommands share: errors, progress, JSON, options of codecs, decoders and memories."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from atalanta.golden.codec import CODECS
from atalanta.golden.container import BEST
from atalanta.golden.decoder import SEARCHES, DecoderParams
from atalanta.golden.errors import AtalantaError
from atalanta.golden.params import BEAT_BYTES, LANES, WAYS
from atalanta.sim.dram_presets import PRESETS, preset
from atalanta.sim.native import Memory

IDEAL = "ideal"
F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """What the user gave cannot be used: one line, exit status 2."""

    exit_code = 2


@contextmanager
def failures() -> Iterator[None]:
    """Turns this package's errors, and the operating system's, into one line and exit status 2."""
    try:
        yield
    except AtalantaError as error:
        raise Failure(str(error)) from error
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise Failure(f"{name}{error.strerror or error}") from error


class Group(click.Group):
    """A command group whose subcommands fail in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        with failures():
            return super().invoke(ctx)


def console() -> Console:
    """Where tables go; a file or pipe has no width at which cells would have to be cut."""
    out = Console(highlight=False, markup=False)  # names of tensors may hold brackets
    return out if out.is_terminal else Console(highlight=False, markup=False, width=200)


@contextmanager
def progress() -> Iterator[Progress]:
    """Progress bars on stderr, none if that is not a terminal."""
    stderr = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    )
    with bars:
        yield bars


def print_json(data: object) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(data, indent=1))


def _apply(function: F, options: list[Callable[[F], F]]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def choice(values: Any) -> click.Choice[str]:
    """A choice among numbers."""
    return click.Choice([str(v) for v in values])


def json_option(function: F) -> F:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(function)


def coding_options(function: F) -> F:
    """Options that say how to encode; `coding` reads them."""
    return _apply(
        function,
        [
            click.option(
                "--codec",
                type=click.Choice([*CODECS, BEST]),
                default="atalanta",
                show_default=True,
                help="Codec; best takes the smallest one segment by segment.",
            ),
            click.option("--lanes", type=choice(LANES), default="16", show_default=True,
                         help="Most lanes; small tensors use fewer."),
            click.option("--ways", type=choice(WAYS), default="4", show_default=True,
                         help="Coder states a lane visits in turn."),
            click.option("--beat-bytes", type=choice(BEAT_BYTES), default="16", show_default=True,
                         help="Bytes of a beat."),
            click.option("--rows", type=click.IntRange(1, 32), default=16, show_default=True,
                         help="Most rows of the probability table."),
            click.option("--bits", type=click.IntRange(2, 16),
                         help="Bits per value, if the values need fewer than their dtype has."),
        ],
    )  # fmt: skip


def coding(codec: str, options: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments for `container.encode` from the values of `coding_options`."""
    names = {"lanes": int, "ways": int, "beat_bytes": int, "rows": int}
    known = (
        {name for kind in CODECS.values() for name in kind.options()}
        if codec == BEST
        else set(CODECS[codec].options())
    )
    chosen = {name: kind(options[name]) for name, kind in names.items() if name in known}
    return {"codec": codec, "bits": options["bits"], **chosen}


def memory_options(function: F) -> F:
    """Options that say what is behind the AXI port; `make_memory` reads them."""
    return _apply(
        function,
        [
            click.option("--memory", type=click.Choice([IDEAL, *PRESETS]), default=IDEAL, show_default=True,
                         help="Memory model."),
            click.option("--latency", type=click.IntRange(0), default=20, show_default=True,
                         help="Cycles from a read request to its first data, besides the DRAM's own."),
            click.option("--bytes-per-cycle", type=float,
                         help="Bandwidth of the ideal memory; none means the bus is the limit."),
            click.option("--clock-mhz", type=float, default=800.0, show_default=True,
                         help="The decoder's clock, for DRAM models."),
        ],
    )  # fmt: skip


def make_memory(options: dict[str, Any]) -> Memory:
    """A new memory from the values of `memory_options`."""
    if options["memory"] == IDEAL:
        rate = options["bytes_per_cycle"]
        limit = None if rate is None else Fraction(rate).limit_denominator(1000)
        return Memory.ideal(latency=options["latency"], bytes_per_cycle=limit, outstanding=64)
    clock_ps = Fraction(1_000_000) / Fraction(options["clock_mhz"]).limit_denominator(1000)
    return Memory.dram(preset(options["memory"]), clock_ps, latency=options["latency"], outstanding=64)


def memory_name(options: dict[str, Any]) -> str:
    """The memory in words."""
    if options["memory"] == IDEAL:
        rate = options["bytes_per_cycle"]
        return f"ideal memory, latency {options['latency']} cycles" + (f", {rate} B/cycle" if rate else "")
    return f"{options['memory']} behind a {options['clock_mhz']:g} MHz decoder"


def decoder_options(function: F) -> F:
    """Options that say how the decoder is built, beyond lanes, ways and beat; `decoder` reads them."""
    return _apply(
        function,
        [
            click.option("--axi-bits", type=choice((64, 128, 256, 512)), default="128", show_default=True,
                         help="Width of the AXI data bus."),
            click.option("--burst-beats", type=int, default=16, show_default=True, help="Longest AXI burst."),
            click.option("--outstanding", type=int, default=8, show_default=True,
                         help="Most bursts under way."),
            click.option("--prefetch", type=int, default=64, show_default=True,
                         help="Bus words of the prefetch FIFO."),
            click.option("--lane-fifo", type=int, default=4, show_default=True,
                         help="Beats a lane's FIFO holds."),
            click.option("--search", type=click.Choice(SEARCHES), default=SEARCHES[0], show_default=True,
                         help="How a lane finds a code's row: fastest clock or least area."),
        ],
    )  # fmt: skip


def decoder(options: dict[str, Any], **changes: Any) -> DecoderParams:
    """Decoder parameters from the values of `decoder_options`."""
    names = ("axi_bits", "burst_beats", "outstanding", "prefetch", "lane_fifo")
    numbers: dict[str, Any] = {name: int(options[name]) for name in names}
    return DecoderParams(**numbers, search=options["search"], **changes)


def existing_file(function: F) -> F:
    """Argument FILE."""
    return click.argument("file", type=click.Path(path_type=Path))(function)

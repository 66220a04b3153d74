"""`atalanta synth`: area, clock and critical path of the decoder and its parts."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from typing import Any

import click
from rich.table import Table

from atalanta.golden.codec import CODECS
from atalanta.golden.decoder import ROWS, VALUE_BITS
from atalanta.golden.params import BEAT_BYTES, LANES, WAYS
from atalanta.tools.cli.common import (
    choice,
    console,
    decoder,
    decoder_options,
    json_option,
    print_json,
    progress,
)  # fmt: skip
from atalanta.tools.rtl.build import BuildError
from atalanta.tools.synth import cells, ecp5, tools
from atalanta.tools.synth.parts import PARTS, parts_of
from atalanta.tools.synth.result import Result

TARGETS = (ecp5.NAME, cells.NAME)
_HARDWARE = tuple(name for name, codec in CODECS.items() if codec.hardware)


def _table(target: str, results: list[Result], title: str) -> Table:
    """Results of one target: a row per component."""
    names = list(results[0].area)
    table = Table("component", *names, "MHz", "longest path: from", "to", "cells", "ns", title=title)
    for column in (*table.columns[1 : len(names) + 2], *table.columns[-2:]):
        column.justify = "right"
    for r in results:
        area = (f"{r.area[n]:,.1f}" if isinstance(r.area[n], float) else f"{r.area[n]:,}" for n in names)
        ns = (
            f"{r.path.cells_ns:.1f}+{r.path.wires_ns:.1f}"
            if target == ecp5.NAME
            else f"{r.path.cells_ns:.1f}"
        )
        table.add_row(r.part, *area, f"{r.fmax:.1f}", r.path.start, r.path.end, str(r.path.levels), ns)
    return table


def _run(work: dict[tuple[str, str], Callable[[], Result]], jobs: int) -> dict[tuple[str, str], Result]:
    """All results; several at a time, since each program runs on one core."""
    found: dict[tuple[str, str], Result] = {}
    with progress() as bars, ThreadPoolExecutor(jobs) as pool:
        task = bars.add_task("synthesising", total=len(work))
        running = {pool.submit(job): key for key, job in work.items()}
        try:
            for done in as_completed(running):
                found[running[done]] = done.result()
                bars.advance(task)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


@click.command()
@click.option(
    "--part",
    "parts",
    type=click.Choice(list(PARTS)),
    multiple=True,
    help="Component; may be given several times.  [default: all that the decoder has]",
)
@click.option(
    "--target",
    "targets",
    type=click.Choice(list(TARGETS)),
    multiple=True,
    help="What to synthesise for; may be given twice.  [default: ecp5]",
)
@click.option(
    "--codec",
    "codecs",
    type=click.Choice(_HARDWARE),
    multiple=True,
    help="Codec built in; may be given several times.  [default: all]",
)
@click.option("--lanes", type=choice(LANES), default="1", show_default=True, help="Lanes.")
@click.option("--ways", type=choice(WAYS), default="4", show_default=True, help="Ways.")
@click.option("--rows", type=choice(ROWS), default="16", show_default=True, help="Rows of the table.")
@click.option(
    "--value-bits", type=choice(VALUE_BITS), default="8", show_default=True, help="Bits of a value."
)
@click.option(
    "--beat-bytes", type=choice(BEAT_BYTES), default="16", show_default=True, help="Bytes of a beat."
)
@decoder_options
@click.option(
    "--device", type=click.Choice(ecp5.DEVICES), default="25k", show_default=True, help="ECP5 device."
)
@click.option("--speed", type=choice(ecp5.SPEEDS), default="6", show_default=True, help="ECP5 speed grade.")
@click.option(
    "--mhz",
    type=click.FloatRange(1),
    default=130.0,
    show_default=True,
    help="Clock that place and route strives for.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Runs of place and route; the best one counts.",
)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Components at a time.")
@json_option
def synth(
    parts: tuple[str, ...], targets: tuple[str, ...], codecs: tuple[str, ...], jobs: int, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Synthesise the decoder's components: area, clock, longest path.

    ECP5 needs the extra atalanta[synth] and nothing else. Standard cells (180 nm) need Debian's packages
    qflow-tech-osu018 and opensta too; they are good for comparing areas, not for absolute clocks. Each
    component is synthesised with registers at its ports, which are not counted in its area. Results are
    cached by content.

    \b
    Examples:
      atalanta synth
      atalanta synth --part lane --ways 6 --rows 8 --target ecp5 --target osu018
      atalanta synth --part core --codec atalanta --seeds 4 --json
    """
    built = codecs or _HARDWARE
    numbers = {n: int(options[n]) for n in ("lanes", "ways", "rows", "value_bits", "beat_bytes")}
    p = decoder(options, **numbers, **{codec: codec in built for codec in _HARDWARE})
    chosen = targets or (ecp5.NAME,)
    tools.versions()
    why = cells.missing() if cells.NAME in chosen else None
    if why:
        raise BuildError(why)

    def on_fpga(part: str) -> Result:
        return ecp5.synthesise(
            part, p, device=options["device"], speed=int(options["speed"]), mhz=options["mhz"],
            seeds=options["seeds"],
        )  # fmt: skip

    kinds: dict[str, Callable[[str], Result]] = {
        ecp5.NAME: on_fpga,
        cells.NAME: partial(cells.synthesise, p=p),
    }
    order = [(target, part) for target in chosen for part in parts or parts_of(p)]
    found = _run({key: partial(kinds[key[0]], key[1]) for key in order}, jobs)
    config = {
        **numbers,
        "codecs": list(built),
        **{k: options[k] for k in ("device", "speed", "mhz", "seeds")},
    }
    if as_json:
        results = [found[key].to_dict() for key in order]
        print_json({"decoder": config, "tools": tools.versions(), "results": results})
        return
    codec_names = ", ".join(built)
    for target in chosen:
        title = f"{target}: {p.lanes} lanes, {p.ways} ways, {p.rows} rows, {codec_names}"
        if target == ecp5.NAME:
            title += f"; {options['device']}, speed {options['speed']}"
        console().print(_table(target, [found[key] for key in order if key[0] == target], title))

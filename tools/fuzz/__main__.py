"""Decode many malformed streams, and report what each of them came to.

    python -m atalanta.tools.fuzz --streams 1000000 --jobs 2

A stream is named by --seed and its number, so that `--only NUMBER` shows one again. Each must end in values
or in one of this package's exceptions, in the same way in both engines (checked for one in 16: the reference
is slow), within ten seconds, without a warning, and with no more memory than 64 MB beside what a stream with
good checksums claims: workers run under a limit of the operating system. Streams that break a promise are
written to the folder --output; the exit status is then 1.
"""

import sys
import time
from pathlib import Path

import click
from rich.table import Table

from atalanta.tools.cli.common import console, failures, json_option, print_json, progress
from atalanta.tools.fuzz.check import check
from atalanta.tools.fuzz.run import fuzz, stream


@click.command(help=__doc__)
@click.option(
    "--streams", default=20_000, show_default=True, type=click.IntRange(1), help="Streams to decode."
)
@click.option("--seed", default=1, show_default=True, help="Another seed, other streams.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option(
    "--only", type=click.IntRange(0), help="Check this stream only, here, and let its exception through."
)
@click.option(
    "-o",
    "--output",
    default="fuzz",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for streams that break a promise.",
)
@json_option
def main(streams: int, seed: int, jobs: int, only: int | None, output: Path, as_json: bool) -> None:
    """Run."""
    if only is not None:
        console().print(check(stream(seed, only)).end)
        return
    started = time.monotonic()
    with failures(), progress() as bars:
        task = bars.add_task("streams", total=streams)
        ends, broken = fuzz(seed, streams, jobs, lambda n: bars.advance(task, n))
    for number, _ in broken:
        output.mkdir(parents=True, exist_ok=True)
        (output / f"seed{seed}_{number}.atl").write_bytes(stream(seed, number))
    seconds = time.monotonic() - started
    if as_json:
        wrong = [{"number": number, "what": what} for number, what in broken]
        print_json({"streams": streams, "seed": seed, "seconds": seconds, "ends": ends, "failures": wrong})
    else:
        table = Table("end", "streams", title=f"{streams:,} streams, seed {seed}, {seconds:.0f} s")
        for end, count in ends.most_common():
            table.add_row(end, f"{count:,}")
        console().print(table)
        for number, what in broken:
            console().print(f"stream {number}: {what}")
        console().print(f"{len(broken)} streams broke a promise")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()

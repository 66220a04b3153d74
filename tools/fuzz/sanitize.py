"""Run the compiled codec under AddressSanitizer and UndefinedBehaviorSanitizer.

    python -m atalanta.tools.fuzz.sanitize --streams 20000 --corpus tests/vectors

Compiles golden/native with both sanitizers, then encodes, decodes and mutates streams with every vector
width that the processor has, and decodes all .atl files of a corpus. The first thing that a sanitizer
objects to ends the run with its report. Needs g++ with its sanitizers' libraries.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

import click
import numpy as np

from atalanta.golden import compiled, container, native
from atalanta.golden.errors import AtalantaError
from atalanta.tools.cli.common import console, failures
from atalanta.tools.fuzz.check import check, outcome
from atalanta.tools.fuzz.mutate import seed_stream
from atalanta.tools.fuzz.run import PER_SEED, THOROUGH, stream

SOURCES = Path(native.__file__).with_name("native")
FLAGS = ("-std=c++17", "-O1", "-g", "-fPIC", "-shared", "-fno-omit-frame-pointer", "-fvisibility=hidden",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all")  # fmt: skip
WIDTHS = (16, 8, 0)


class SanitizerError(AtalantaError, RuntimeError):
    """The library cannot be built, or a sanitizer ended the run."""


def build(library: Path) -> None:
    """Compile the library with sanitizers. Raises SanitizerError."""
    command = ["g++", *FLAGS, *map(str, sorted(SOURCES.glob("*.cc"))), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SanitizerError(f"g++ failed: {done.stderr.strip().splitlines()[-1]}")


def _runtime(name: str) -> str:
    """A library of the compiler's."""
    found = subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def _child(streams: int, corpus: Path | None) -> None:
    """What runs with the sanitizers' library."""
    files = sorted(corpus.rglob("*.atl")) if corpus else []
    widths = [width for width in WIDTHS if compiled.limit_vectors(width) == width]
    for width in widths:
        compiled.limit_vectors(width)
        for file in files:
            outcome(file.read_bytes(), "native")
        for number in range(streams):
            if number % PER_SEED == 0:
                _, data = seed_stream(Random(number))
                check(data)
            check(stream(1, number), thorough=number % THOROUGH == 0)
        for size in (1, 7, 1000, 100_003):
            values = np.random.default_rng(size).normal(0, 20, size).round().clip(-128, 127).astype(np.int8)
            for codec in container.CODECS:
                container.decode(container.encode(values, codec))
    click.echo(f"{len(files)} files and {streams:,} streams, vectors of {', '.join(map(str, widths))} lanes")


@click.command(help=__doc__)
@click.option("--streams", default=5000, show_default=True, type=click.IntRange(0), help="Malformed streams.")
@click.option("--corpus", type=click.Path(path_type=Path, exists=True), help="Folder of .atl files.")
@click.option("--child", is_flag=True, hidden=True)
def main(streams: int, corpus: Path | None, child: bool) -> None:
    """Build and run."""
    if child:
        _child(streams, corpus)
        return
    with failures(), tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "sanitized.so"
        build(library)
        preload = " ".join(_runtime(name) for name in ("libasan.so", "libubsan.so"))
        environment = os.environ | {
            "LD_PRELOAD": preload,
            compiled.LIBRARY: str(library),
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0",  # the interpreter itself keeps memory
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        command = [sys.executable, "-m", "atalanta.tools.fuzz.sanitize", "--child", "--streams", str(streams)]
        command += ["--corpus", str(corpus)] if corpus else []
        done = subprocess.run(command, env=environment, check=False)
        if done.returncode:
            raise SanitizerError(f"the run under sanitizers ended with {done.returncode}")
    console().print("the sanitizers found nothing")


if __name__ == "__main__":
    main()

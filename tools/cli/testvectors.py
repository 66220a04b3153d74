"""`atalanta testvectors`: vectors for other people's testbenches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from atalanta.golden import container
from atalanta.tools.cli.common import (
    choice,
    coding,
    coding_options,
    console,
    json_option,
    print_json,
    progress,
)
from atalanta.tools.cli.streams import streams_of
from atalanta.tools.convert import SUFFIXES
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.samples import sample_path
from atalanta.tools.testvectors import WORD_BITS, some, write_vectors


def _streams(
    source: Path | None, values: int | None, arguments: dict[str, Any]
) -> Iterator[tuple[str, bytes]]:
    """Name and stream of every tensor: as they are, or coded here."""
    if source is not None and source.suffix not in SUFFIXES:
        yield from streams_of(source)
        return
    file = TensorFile.open(source or sample_path())
    for key in file.tensors:
        array = file.read(key)
        yield key, container.encode(array if values is None else some(array, values), **arguments)


@click.command()
@click.argument("source", metavar="[IN]", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option(
    "--word-bits",
    type=choice(WORD_BITS),
    default="128",
    show_default=True,
    help="Width of the memory in stream.hex.",
)
@click.option("--values", type=click.IntRange(1), help="Code at most so many values of each tensor.")
@coding_options
@json_option
def testvectors(
    source: Path | None,
    output: Path,
    word_bits: str,
    values: int | None,
    codec: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Write test vectors: $readmemh and binary images of compressed streams, expected output, parameters.

    IN is a compressed file, taken as it is, or a .npy, .npz or .safetensors, which is coded with the options
    given. Without it, the tensors that come with the package. Each tensor gets a folder with stream.hex,
    stream.bin, expected.hex, expected.bin and parameters.json; vectors.json lists them.

    \b
    Examples:
      atalanta testvectors -o vectors --values 4096
      atalanta testvectors weights.npy -o vectors --lanes 4 --ways 6 --word-bits 64
      atalanta testvectors network.atn -o vectors --json
    """
    with progress() as bars:
        streams = bars.track(_streams(source, values, coding(codec, options)), description="writing")
        entries = write_vectors(output, streams, word_bits=int(word_bits))
    if as_json:
        print_json({"folder": str(output), "vectors": entries})
    else:
        console().print(f"{output}: {len(entries)} vectors, listed in vectors.json")

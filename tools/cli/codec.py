"""`atalanta encode` and `atalanta decode`: arrays to compressed files and back."""

from pathlib import Path
from typing import Any

import click

from atalanta.tools.cli.common import coding, coding_options, console, json_option, print_json, progress
from atalanta.tools.convert import decode_file, encode_file
from atalanta.tools.profiles import load


@click.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option("--skip-others", is_flag=True, help="Leave out arrays that cannot be coded, such as floats.")
@click.option(
    "--profile",
    type=click.Path(path_type=Path),
    help="Tables to code with, by tensor, as `atalanta profile` writes them.",
)
@coding_options
@json_option
def encode(
    source: Path,
    output: Path,
    skip_others: bool,
    profile: Path | None,
    codec: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Compress an array or a file of arrays, all of int8, uint8, int16 or uint16.

    IN is a .npy, which becomes one compressed stream, or a .npz or .safetensors, which becomes an archive
    from which single tensors can be read. A .npy may be larger than memory.

    \b
    Examples:
      atalanta encode weights.npy -o weights.atl
      atalanta encode weights.npy -o weights.atl --codec best --lanes 4 --json
      atalanta encode network.npz -o network.atn
      atalanta encode activations.npz -o activations.atn --profile tables.json
    """
    arguments = coding(codec, options)
    tables = None if profile is None else load(profile)
    with progress() as bars:

        def track(work: Any) -> Any:
            return bars.track(work, description="encoding")

        total = encode_file(source, output, skip_others=skip_others, tables=tables, track=track, **arguments)
    size = output.stat().st_size
    report = {"input": str(source), "output": str(output), "bytes_raw": total, "bytes": size}
    if as_json:
        print_json(report)
    else:
        ratio = f", {size / total:.4f} of raw" if total else ""
        console().print(f"{output}: {size:,} bytes{ratio} ({total:,})")


@click.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="File to write: .npy, .npz or .safetensors.",
)
@click.option("--tensor", help="Of an archive, restore this tensor only.")
@json_option
def decode(source: Path, output: Path, tensor: str | None, as_json: bool) -> None:
    """Restore what `encode` compressed: a .npy from a stream, a .npz or .safetensors from an archive.

    \b
    Examples:
      atalanta decode weights.atl -o weights.npy
      atalanta decode network.atn -o network.npz
      atalanta decode network.atn --tensor weights.003 -o w3.npy
    """
    with progress() as bars:

        def track(work: Any) -> Any:
            return bars.track(work, description="decoding")

        decode_file(source, output, tensor=tensor, track=track)
    size = output.stat().st_size
    if as_json:
        print_json({"input": str(source), "output": str(output), "bytes": size})
    else:
        console().print(f"{output}: {size:,} bytes")

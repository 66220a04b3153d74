"""`atalanta encode` and `atalanta decode`: arrays to compressed files and back."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click
import numpy as np
from numpy.lib import format as npy

import atalanta
from atalanta.golden import archive, container
from atalanta.golden.atomic import replacing
from atalanta.golden.errors import InputError
from atalanta.golden.format import ARCHIVE_MAGIC
from atalanta.golden.values import Array
from atalanta.tools.cli.common import coding, coding_options, console, json_option, print_json, progress
from atalanta.tools.extract.tensors import TensorFile


def is_archive(path: Path) -> bool:
    """Whether a file starts as an archive does. Raises OSError."""
    with path.open("rb") as file:
        return file.read(4) == ARCHIVE_MAGIC.to_bytes(4, "little")


def _load(path: Path) -> Array:
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: not a .npy file of numbers: {error}") from None
    return array


@click.command()
@click.argument("source", metavar="IN.npy|IN.npz", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write.")
@coding_options
@json_option
def encode(source: Path, output: Path, codec: str, as_json: bool, **options: Any) -> None:
    """Compress an array or a file of arrays.

    A .npy becomes one compressed stream; a .npz or .safetensors becomes an archive of them, from which
    single tensors can be read.

    \b
    Examples:
      atalanta encode weights.npy -o weights.atl
      atalanta encode weights.npy -o weights.atl --codec best --lanes 4 --json
      atalanta encode network.npz -o network.atn
    """
    arguments = coding(codec, options)
    if source.suffix == ".npy":
        array = _load(source)
        total = array.nbytes
        with replacing(output) as out:
            for segment in container.encode_segments(array, **arguments):
                out.write(segment.header)
                out.write(segment.body.payload)
    else:
        total = _encode_file(TensorFile.open(source), output, arguments)
    size = output.stat().st_size
    report = {"input": str(source), "output": str(output), "bytes_raw": total, "bytes": size}
    if as_json:
        print_json(report)
    else:
        ratio = f", {size / total:.4f} of raw" if total else ""
        console().print(f"{output}: {size:,} bytes{ratio} ({total:,})")


def _encode_file(source: TensorFile, output: Path, arguments: dict[str, Any]) -> int:
    total = 0
    with progress() as bars, archive.Writer(output, {"source": source.provenance.model}) as writer:
        for info in bars.track(source.tensors.values(), description="encoding"):
            array = source.read(info.key)
            total += array.nbytes
            attributes = {"scale": info.scale, "zero_point": info.zero_point, "kind": info.kind}
            writer.add(info.key, array, attributes=attributes, **arguments)
    return total


def _write_npy(out: IO[bytes], arrays: Iterator[Array], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    npy.write_array_header_1_0(
        out, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    )
    for array in arrays:
        out.write(array.tobytes())


@click.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option("--tensor", help="Of an archive, decode this tensor only, to a .npy.")
@json_option
def decode(source: Path, output: Path, tensor: str | None, as_json: bool) -> None:
    """Restore what `encode` compressed: a .npy from a stream, a .npz from an archive.

    \b
    Examples:
      atalanta decode weights.atl -o weights.npy
      atalanta decode network.atn -o network.npz
      atalanta decode network.atn --tensor weights.003 -o w3.npy
    """
    if is_archive(source):
        with archive.Archive.open(source) as opened:
            if tensor is not None:
                if tensor not in opened.entries:
                    raise InputError(f"{source} has no tensor {tensor!r}; it has {', '.join(opened.entries)}")
                _save(output, opened.read(tensor))
            else:
                _save_all(output, opened)
    elif tensor is not None:
        raise InputError(f"{source} is a single stream; --tensor is for archives")
    else:
        _save(output, atalanta.decode(source.read_bytes()))
    size = output.stat().st_size
    if as_json:
        print_json({"input": str(source), "output": str(output), "bytes": size})
    else:
        console().print(f"{output}: {size:,} bytes")


def _save(output: Path, array: Array) -> None:
    with replacing(output) as out:
        npy.write_array(out, array, allow_pickle=False)


def _save_all(output: Path, opened: archive.Archive) -> None:
    with progress() as bars, replacing(output) as out:
        arrays = {name: opened.read(name) for name in bars.track(opened.entries, description="decoding")}
        np.savez(out, allow_pickle=False, **arrays)

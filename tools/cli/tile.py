"""`atalanta tile`: a tile of small activations, Huffman-coded, as text for a testbench."""

from pathlib import Path

import click

from atalanta.golden.atomic import replacing
from atalanta.golden.errors import InputError
from atalanta.tools.cli.common import console, json_option, print_json
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.huffman_tile import BITS, cut_tile, decode_files, huffman_tile
from atalanta.tools.samples import sample_path


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--tensor", help="Key of the activation; by default the first one after the input.")
@click.option(
    "--bits",
    type=click.IntRange(BITS.start, BITS.stop - 1),
    default=4,
    show_default=True,
    help="Bits of a value.",
)
@click.option("--rows", type=click.IntRange(1), default=16, show_default=True, help="Rows of the tile.")
@click.option("--columns", type=click.IntRange(1), default=16, show_default=True, help="Columns of the tile.")
@click.option(
    "-o",
    "--output",
    default="tile",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for tile.mem, code_table.mem and coded.mem.",
)
@json_option
def tile(
    file: Path | None, tensor: str | None, bits: int, rows: int, columns: int, output: Path, as_json: bool
) -> None:  # fmt: skip
    """Huffman codes of a tile of an activation, as text files that $readmemb reads.

    FILE holds tensors as `atalanta extract` writes them; without it, the sample tensors. The tile is cut
    from the first feature map; what is below the zero point is clipped, the rest scaled to --bits bits.
    The codes are read back from the text before anything is written.

    \b
    Examples:
      atalanta tile
      atalanta tile network.npz --tensor activations.003 --bits 4 --rows 8 --columns 8 -o vgg_tile
    """
    source = TensorFile.open(file or sample_path())
    names = [info.key for info in source.of_kind("activation")]
    if not names:
        raise InputError(f"{source.path} holds no activations")
    key = tensor or names[min(1, len(names) - 1)]
    array = source.read(key)
    zero_point = (source.tensors[key].zero_point or (0,))[0]
    found = huffman_tile(cut_tile(array, bits, zero_point, (rows, columns)), bits)
    files = found.files()
    if not (decode_files(files, found.tile.size) == found.tile.reshape(-1)).all():
        raise InputError(f"{key}: the text does not give back the tile")
    output.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        with replacing(output / name) as out:
            out.write(text.encode())
    written = [str(output / name) for name in files]
    report = {"tensor": key, "shape": list(found.tile.shape), "bits_raw": bits * found.tile.size,
              "bits": found.bits_by_part, "files": written}  # fmt: skip
    if as_json:
        print_json(report)
        return
    size = " x ".join(map(str, found.tile.shape))
    code, raw = found.bits_by_part["code"], bits * found.tile.size
    lengths = found.bits_by_part["lengths"]
    console().print(f"{key}: {size} values of {bits} bits, {raw:,} bits; coded {code:,}, lengths {lengths}")
    console().print("written: " + ", ".join(written))

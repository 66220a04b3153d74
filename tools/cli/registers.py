"""`atalanta registers`: the device's register map."""

from pathlib import Path

import click

from atalanta.golden.atomic import replacing
from atalanta.tools.registers.c_header import c_header
from atalanta.tools.registers.markdown import markdown
from atalanta.tools.registers.svd import svd

FORMATS = {"markdown": markdown, "c": c_header, "svd": svd}


@click.command()
@click.option("--format", "kind", type=click.Choice(list(FORMATS)), default="markdown", show_default=True,
              help="A document, a C header, or CMSIS-SVD for debuggers.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: stdout]")
def registers(kind: str, output: Path | None) -> None:
    """Print the register map of the device, which `atalanta verilog --top device` exports.

    \b
    Examples:
      atalanta registers
      atalanta registers --format c -o atalanta_registers.h
      atalanta registers --format svd -o atalanta.svd
    """
    text = FORMATS[kind]()
    if output is None:
        click.echo(text, nl=False)
        return
    with replacing(output) as out:
        out.write(text.encode())

"""`atalanta verilog`: the decoder as Verilog."""

from pathlib import Path
from typing import Any

import click

from atalanta.golden.atomic import replacing
from atalanta.golden.decoder import ROWS, VALUE_BITS
from atalanta.golden.params import BEAT_BYTES, LANES, WAYS
from atalanta.tools.cli.common import choice, console, decoder, decoder_options
from atalanta.tools.rtl.build import TOPS, verilog_of


@click.command()
@click.option("--top", type=click.Choice(list(TOPS)), default="core", show_default=True, help="Component.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option("--name", help="Module name.  [default: atalanta_TOP]")
@click.option("--lanes", type=choice(LANES), default="16", show_default=True, help="Lanes.")
@click.option("--ways", type=choice(WAYS), default="4", show_default=True, help="Ways.")
@click.option("--rows", type=choice(ROWS), default="16", show_default=True, help="Rows of the table.")
@click.option(
    "--value-bits", type=choice(VALUE_BITS), default="8", show_default=True, help="Bits of a value."
)
@click.option(
    "--beat-bytes", type=choice(BEAT_BYTES), default="16", show_default=True, help="Bytes of a beat."
)
@click.option(
    "--queue",
    type=click.IntRange(1, 32),
    default=8,
    show_default=True,
    help="Descriptors that wait in the device.",
)
@decoder_options
def verilog(top: str, output: Path, name: str | None, **options: Any) -> None:
    """Export a component as Verilog-2001.

    \b
    Examples:
      atalanta verilog --top core --lanes 16 -o core.v
      atalanta verilog --top device --lanes 16 --queue 4 -o device.v
      atalanta verilog --top lane --ways 6 -o lane.v
      atalanta verilog --top unpacker -o unpacker.v
    """
    numbers = {n: int(options[n]) for n in ("lanes", "ways", "rows", "value_bits", "beat_bytes", "queue")}
    text = verilog_of(top, decoder(options, **numbers), name or f"atalanta_{top}")
    with replacing(output) as out:
        out.write(text.encode())
    console().print(f"{output}: module {name or f'atalanta_{top}'}, {text.count(chr(10)):,} lines")

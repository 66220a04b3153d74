"""The command `atalanta`."""

from pathlib import Path

import click

from atalanta import __version__
from atalanta.golden import plugins
from atalanta.tools.cli.common import failures
from atalanta.tools.cli.lazy import Lazy

COMMANDS = {
    "run": "run",
    "extract": "extract",
    "encode": "codec",
    "decode": "codec",
    "inspect": "inspect",
    "profile": "profile",
    "testvectors": "testvectors",
    "compare": "compare",
    "report": "compare",
    "tile": "tile",
    "rtlsim": "rtlsim",
    "sim": "sim",
    "net": "net",
    "sweep": "sweep",
    "trace": "trace",
    "verilog": "verilog",
    "synth": "synth",
    "registers": "registers",
    "bench": "bench",
}
"""Subcommands and the modules they live in; a module is imported when its command is used."""


def _load_plugins(_context: click.Context, _option: click.Parameter, files: tuple[Path, ...]) -> None:
    """Before any command is looked up, so that its options know the codecs."""
    with failures():
        plugins.load_installed()
        for file in files:
            plugins.load_file(file)


@click.group(cls=Lazy, modules=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option(
    "--plugin",
    multiple=True,
    type=click.Path(path_type=Path),
    callback=_load_plugins,
    expose_value=False,
    help="Python file that registers codecs; repeat for more.",
)
def main() -> None:
    """Lossless compression of quantised tensors for off-die memory: codecs, RTL decoders, simulator.

    \b
    Examples:
      atalanta run
      atalanta encode weights.npy -o weights.atl
      atalanta inspect weights.atl
      atalanta compare
      atalanta rtlsim weights.atl --memory ddr4-3200
    """

"""The command `atalanta`."""

from importlib import import_module

import click

from atalanta import __version__
from atalanta.tools.cli.common import Group

COMMANDS = {
    "run": "run",
    "extract": "extract",
    "encode": "codec",
    "decode": "codec",
    "inspect": "inspect",
    "rtlsim": "rtlsim",
    "sim": "sim",
    "verilog": "verilog",
    "synth": "synth",
    "registers": "registers",
}
"""Subcommands and the modules they live in; a module is imported when its command is used."""


class _Lazy(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"atalanta.tools.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Lossless compression of quantised tensors for off-die memory: codecs, RTL decoders, simulator.

    \b
    Examples:
      atalanta run
      atalanta encode weights.npy -o weights.atl
      atalanta inspect weights.atl
      atalanta rtlsim weights.atl --memory ddr4-3200
    """

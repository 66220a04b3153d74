"""Command groups whose commands are imported when they are used."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from atalanta.tools.cli.common import Group


class Lazy(Group):
    """A group of commands; modules: the one in tools.cli in which each command lives, by its name."""

    def __init__(self, *args: Any, modules: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return None
        module = import_module(f"atalanta.tools.cli.{self._modules[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

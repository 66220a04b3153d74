"""The README's commands exist, its Python runs, its links lead somewhere."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import pytest

from atalanta.tools.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SHELL = [line.split("  #")[0].strip() for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
SETUP = [line for line in SHELL if line.startswith("python3 -m venv")]
USES = sorted({
    *(line for line in SHELL if line.startswith("atalanta ")),
    *re.findall(r"`(atalanta [a-z][^`]*)`", README),
})  # fmt: skip


def test_two_setup_commands() -> None:
    assert len(SETUP) == 2
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == SETUP[1]


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that `words` name and what is left of them."""
    found: click.Command = main
    context = click.Context(main)
    while isinstance(found, click.Group) and words:
        name = words.pop(0)
        inner = found.get_command(context, name)
        assert inner is not None, f"no command {name}"
        found = inner
    return found, words


@pytest.mark.parametrize("line", USES)
def test_command_exists(line: str) -> None:
    command, words = find(shlex.split(line)[1:])
    options = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
    for word in words:
        if word.startswith("-"):
            assert word.split("=")[0] in options, f"{line}: no option {word}"


def test_every_command_is_in_the_readme() -> None:
    for name, module in COMMANDS.items():
        import_module(f"atalanta.tools.cli.{module}")
        assert any(line.split()[1] == name for line in USES), f"the README never uses `atalanta {name}`"


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "python"])
def test_python_runs(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(text, "README.md", "exec"), {})


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", README))))
def test_links(link: str) -> None:
    assert (ROOT / link).exists()

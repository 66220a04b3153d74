"""The import order: golden.errors, params, format, the rest of golden; then hw and sim; then tools."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AREAS = ("golden", "hw", "sim", "tools")
FIRST = ("atalanta.golden.errors", "atalanta.golden.params", "atalanta.golden.format")
HEAVY = {"amaranth", "torch", "torchvision", "matplotlib", "cocotb"}
"""Packages that golden and sim must not need."""


def modules() -> Iterator[tuple[str, Path]]:
    for area in AREAS:
        for path in sorted((ROOT / area).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(("atalanta", *parts)).removesuffix(".__init__"), path


def imported(path: Path) -> set[str]:
    """Modules that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the order"
            found.add(node.module or "")
            if node.module in ("atalanta", *(f"atalanta.{area}" for area in AREAS)):
                found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def rank(module: str) -> int:
    if module in FIRST:
        return FIRST.index(module)
    area = module.split(".")[1]
    return {"golden": 3, "hw": 4, "sim": 4, "tools": 5}[area]


MODULES = dict(modules())


@pytest.mark.parametrize("module", MODULES)
def test_order(module: str) -> None:
    for name in imported(MODULES[module]):
        if not name.startswith("atalanta."):
            assert name.split(".")[0] not in AREAS, f"{module} imports {name}: write atalanta.{name}"
            continue
        if name.split(".")[1] not in AREAS:
            continue  # names of the package's face
        assert rank(name) <= rank(module), f"{module} imports {name}"
        areas = {module.split(".")[1], name.split(".")[1]}
        assert areas != {"hw", "sim"}, f"{module} imports {name}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.split(".")[1] in ("golden", "sim")])
def test_light(module: str) -> None:
    assert not {name.split(".")[0] for name in imported(MODULES[module])} & HEAVY


def test_importing_the_package_is_light() -> None:
    """`import atalanta` and a round trip load nothing of the extras."""
    code = (
        "import sys, numpy, atalanta; data = atalanta.encode(numpy.arange(100, dtype='uint8'));"
        "atalanta.decode(data); print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {*HEAVY, "click", "rich", "scipy", "pandas"}

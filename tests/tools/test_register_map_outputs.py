"""The document, the C header and the SVD against the table."""

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

import atalanta.hw
from atalanta.golden.errors import ErrorCode
from atalanta.golden.registers import REGISTERS, Access
from atalanta.tools.cli import main
from atalanta.tools.registers.c_header import c_header
from atalanta.tools.registers.markdown import markdown
from atalanta.tools.registers.svd import svd

DOCUMENT = Path(atalanta.hw.__file__).with_name("REGISTERS.md")


def test_the_document_is_the_generated_one() -> None:
    assert DOCUMENT.read_text() == markdown(), "run: atalanta registers -o hw/REGISTERS.md"


def test_the_document_names_every_register_field_and_error() -> None:
    text = markdown()
    for r in REGISTERS:
        assert f"| `{r.offset:#05x}` | {r.name.upper()} |" in text
    assert "\n| 27..24 | code | " in text
    assert all(f"| {int(code)} | {code.name} | " in text for code in ErrorCode)


def test_the_c_header_compiles_and_holds_the_table(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    header = tmp_path / "registers.h"
    header.write_text(c_header())
    macros = re.findall(r"#define (ATALANTA_\w+) \w", c_header())
    due = {f"ATALANTA_{r.name.upper()}": r.offset for r in REGISTERS}
    due |= {f"ATALANTA_ERROR_{code.name}": int(code) for code in ErrorCode}
    for r in REGISTERS:
        for f in r.fields:
            name, low = f"ATALANTA_{r.name.upper()}_{f.name.upper()}", r.record.offsets[f.name]
            due |= {f"{name}_SHIFT": low, f"{name}_MASK": r.pack({f.name: (1 << f.width) - 1})}
    assert sorted(macros) == sorted(due), "no name is there twice, none is missing"
    lines = "".join(f'printf("%s %u\\n", "{m}", (unsigned){m});' for m in macros)
    source = tmp_path / "print.c"
    source.write_text(f'#include <stdio.h>\n#include "registers.h"\nint main(void) {{{lines} return 0;}}\n')
    program = tmp_path / "print"
    subprocess.run([compiler, "-Wall", "-Werror", "-o", program, source], check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    assert {line.split()[0]: int(line.split()[1]) for line in printed.splitlines()} == due


def test_the_svd_holds_the_table() -> None:
    kinds = {"read-only": Access.RO, "write-only": Access.W1P}
    found = ET.fromstring(svd()).findall(".//register")
    assert len(found) == len(REGISTERS)
    for element, r in zip(found, REGISTERS, strict=True):
        assert element.findtext("name") == r.name.upper()
        assert int(element.findtext("addressOffset", ""), 0) == r.offset
        one_to_clear = element.findtext("modifiedWriteValues") == "oneToClear"
        written = Access.W1C if one_to_clear else Access.RW
        assert kinds.get(element.findtext("access", ""), written) is r.access
        fields = [
            (f.findtext("name"), f.findtext("bitOffset"), f.findtext("bitWidth"))
            for f in element.iter("field")
        ]
        assert fields == [(f.name.upper(), str(r.record.offsets[f.name]), str(f.width)) for f in r.fields]


@pytest.mark.parametrize(("kind", "text"), [("markdown", markdown()), ("c", c_header()), ("svd", svd())])
def test_the_command_prints_and_writes(kind: str, text: str, tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(main, ["registers", "--format", kind]).output == text
    file = tmp_path / "out"
    assert runner.invoke(main, ["registers", "--format", kind, "-o", str(file)]).exit_code == 0
    assert file.read_text() == text

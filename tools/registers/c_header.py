"""The register map as a C header: offsets, masks and shifts."""

from collections.abc import Iterator

from atalanta.golden.errors import MEANING, ErrorCode
from atalanta.golden.registers import REGISTERS


def _lines() -> Iterator[str]:
    yield "/* Registers of the atalanta decoder. Made by `atalanta registers --format c`."
    yield " * SPDX-License-Identifier: Apache-2.0 */"
    yield "#ifndef ATALANTA_REGISTERS_H"
    yield "#define ATALANTA_REGISTERS_H"
    for r in REGISTERS:
        name = f"ATALANTA_{r.name.upper()}"
        yield ""
        yield f"/* {r.access.name}. {r.meaning} */"
        yield f"#define {name} {r.offset:#05x}u"
        for field in r.fields:
            low = r.record.offsets[field.name]
            yield f"#define {name}_{field.name.upper()}_SHIFT {low}"
            yield f"#define {name}_{field.name.upper()}_MASK {((1 << field.width) - 1) << low:#010x}u"
    yield ""
    yield "/* What STATUS.code holds. */"
    for code in ErrorCode:
        yield f"#define ATALANTA_ERROR_{code.name} {int(code)}u /* {MEANING[code]} */"
    yield ""
    yield "#endif"


def c_header() -> str:
    """The whole header."""
    return "".join(f"{line}\n" for line in _lines())

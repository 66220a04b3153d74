"""The register map as a document: hw/REGISTERS.md."""

from collections.abc import Sequence

from atalanta.golden.errors import MEANING, ErrorCode
from atalanta.golden.registers import ADDRESS_BITS, MAJOR, MINOR, REGISTERS, Access, Register

HEAD = f"""\
# Registers

The decoder as a device (`atalanta verilog --top device`), register map {MAJOR}.{MINOR}. Made from
`golden/registers.py` by `atalanta registers --format markdown`; `tools/driver.py` is a driver from the
same table.

All registers have 32 bits and are little-endian; the map takes {1 << ADDRESS_BITS} bytes. Writes may
carry any byte strobes: bytes that are not written stay as they are, and count as 0 in registers of type
W1C and W1P. Reading never changes anything. An address without a register, and a write to a register
that is read-only, is answered with SLVERR and has no effect; everything else is answered with OKAY.

"""

DECODE = """
Every register is 0 after reset but ID, VERSION, DECODER, MEMORY and BUFFERS, which never change, and
STATUS.space, which is then MEMORY.queue.

## To decode a tensor

1. Write its stream's address to SOURCE_LOW and SOURCE_HIGH and its length to LENGTH.
2. Write CONTROL.push. Up to STATUS.space streams may be pushed; each gives one packet on `m_axis`, in
   order. SOURCE and LENGTH may be written anew at once.
3. Wait for the interrupt, or until STATUS.busy is 0.

## When something goes wrong

STATUS.code is the first error and stays. Nothing more is read from memory, waiting descriptors are
forgotten, pushes are ignored (PENDING.dropped), and the packet at work ends with TLAST and TUSER. Once
every read that was asked for has been answered, and the receiver has taken the last words (at most 3),
STATUS.halted and PENDING.error become 1. Tensors end in order: STATUS.done says how many ended well, so the
next one is the one that failed.

CONTROL.clear forgets the error and makes the device usable again. It may be written before the device
has halted and then takes effect when it has. CONTROL.abort acts as an error with the code ABORTED.

## Counters

CONTROL.snapshot copies all counters in one cycle to the registers below, so 64-bit values and sums over
several counters are consistent while the decoder runs. Counters have 48 bits; the upper 16 of 64 read as 0.
`cycles` is the sum of `slot`, `output`, `memory`, `router`, `setup` and `drain`: each cycle in which a
descriptor is at work has exactly one cause, the first that applies in this order.
"""


def _access(r: Register) -> str:
    return f"{r.access.name}, as built" if r.built else r.access.name


def _bits(r: Register, name: str) -> str:
    low = r.record.offsets[name]
    high = low + next(f.width for f in r.record if f.name == name) - 1
    return str(low) if low == high else f"{high}..{low}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def markdown() -> str:
    """The whole document."""
    overview = [
        (f"`{r.offset:#05x}`", f"{r.name.upper()}", _access(r), r.meaning) for r in REGISTERS
    ]  # fmt: skip
    kinds = "".join(f"- {access.name}: {access.value}.\n" for access in Access)
    parts = [HEAD, _table(("Offset", "Register", "Access", "Meaning"), overview), "\n", kinds]
    parts.append(DECODE)
    parts.append("\n## Fields\n")
    for r in REGISTERS:
        if r.name.startswith("count_"):
            continue  # one field, all of it
        rows = [(_bits(r, f.name), f.name, f.meaning) for f in r.fields]
        parts.append(f"\n### {r.name.upper()}, `{r.offset:#05x}`, {_access(r)}\n\n{r.meaning}\n\n")
        parts.append(_table(("Bits", "Field", "Meaning"), rows))
    parts.append("\n## Errors\n\nWhat STATUS.code holds.\n\n")
    errors = [(str(int(code)), code.name, MEANING[code]) for code in ErrorCode]
    parts.append(_table(("Code", "Name", "Meaning"), errors))
    return "".join(parts)

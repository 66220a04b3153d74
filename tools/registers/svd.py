"""The register map as CMSIS-SVD 1.3, from which debuggers show registers and HALs are generated."""

from xml.etree import ElementTree as ET

from atalanta.golden.registers import ADDRESS_BITS, MAJOR, MINOR, REGISTER_BITS, REGISTERS, Access, Register

ACCESS = {
    Access.RO: "read-only",
    Access.RW: "read-write",
    Access.W1C: "read-write",
    Access.W1P: "write-only",
}


def _add(parent: ET.Element, **texts: object) -> None:
    for name, text in texts.items():
        ET.SubElement(parent, name).text = str(text)


def _register(parent: ET.Element, r: Register) -> None:
    register = ET.SubElement(parent, "register")
    _add(register, name=r.name.upper(), description=r.meaning, addressOffset=f"{r.offset:#x}",
         size=REGISTER_BITS, access=ACCESS[r.access])  # fmt: skip
    if r.access is Access.W1C:
        _add(register, modifiedWriteValues="oneToClear")
    fields = ET.SubElement(register, "fields")
    for f in r.fields:
        field = ET.SubElement(fields, "field")
        _add(field, name=f.name.upper(), description=f.meaning, bitOffset=r.record.offsets[f.name],
             bitWidth=f.width)  # fmt: skip


def svd() -> str:
    """One peripheral at address 0; an SoC's own file gives its instances addresses and interrupts."""
    device = ET.Element("device", schemaVersion="1.3")
    _add(device, name="ATALANTA", version=f"{MAJOR}.{MINOR}", description="Decoder of compressed tensors",
         addressUnitBits=8, width=REGISTER_BITS)  # fmt: skip
    peripheral = ET.SubElement(ET.SubElement(device, "peripherals"), "peripheral")
    _add(peripheral, name="DECODER", description="Decoder of compressed tensors", baseAddress="0x0")
    _add(ET.SubElement(peripheral, "addressBlock"), offset="0x0", size=f"{1 << ADDRESS_BITS:#x}",
         usage="registers")  # fmt: skip
    registers = ET.SubElement(peripheral, "registers")
    for r in REGISTERS:
        _register(registers, r)
    ET.indent(device)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(device, encoding="unicode")}\n'

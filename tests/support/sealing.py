"""Fields of a stream's headers overwritten, and CRCs made right again."""

from atalanta.golden.format import BASE, BLOCK_BYTES, crc32, padded


def field(data: bytearray, start: int, name: str) -> int:
    """A field of the header at byte `start`."""
    return BASE.unpack(bytes(data[start : start + BASE.nbytes]))[name]


def put(data: bytearray, start: int, name: str, value: int) -> None:
    """Overwrite a field of whole bytes."""
    at, size = start + BASE.offsets[name] // 8, next(f.width for f in BASE if f.name == name) // 8
    data[at : at + size] = value.to_bytes(size, "little")


def seal(data: bytearray, *, payloads: bool) -> None:
    """Make the CRCs right again, of the headers and if wanted of the payloads, as far as they lie inside."""
    start = 0
    while len(data) - start >= BASE.nbytes:
        nbytes = field(data, start, "header_bytes")
        end = start + nbytes + field(data, start, "payload_bytes")
        if nbytes < BASE.nbytes or start + nbytes > len(data):
            return
        if payloads and end <= len(data):
            put(data, start, "payload_crc", crc32(bytes(data[start + nbytes : end])))
        put(data, start, "header_crc", 0)
        put(data, start, "header_crc", crc32(padded(bytes(data[start : start + nbytes]), BLOCK_BYTES)))
        start = end

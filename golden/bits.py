"""Bit strings whose every field has a name and can be traced.

Bits fill bytes from the least significant end; a field is an unsigned integer, low bits first.
"""

from collections.abc import Callable

from atalanta.golden.errors import ErrorCode, StreamError

Trace = Callable[[str, int, int], None]
"""Called as trace(name, width, value) for every field written or read."""


class BitWriter:
    """Appends named fields; `data` is what was written, its last byte filled up with zeros."""

    def __init__(self, trace: Trace | None = None) -> None:
        self._bytes = bytearray()
        self._held = 0
        self._held_bits = 0
        self._trace = trace

    @property
    def length(self) -> int:
        """Bits written so far."""
        return 8 * len(self._bytes) + self._held_bits

    @property
    def data(self) -> bytes:
        """The bytes so far."""
        return bytes(self._bytes) + self._held.to_bytes((self._held_bits + 7) // 8, "little")

    def put(self, name: str, value: int, width: int) -> None:
        """Append `value` as the field `name` of `width` bits."""
        if not 0 <= value < 1 << width:
            raise ValueError(f"{name}: {value} does not fit {width} bits")
        self._held |= value << self._held_bits
        self._held_bits += width
        whole = self._held_bits // 8
        self._bytes += (self._held & ((1 << 8 * whole) - 1)).to_bytes(whole, "little")
        self._held >>= 8 * whole
        self._held_bits -= 8 * whole
        if self._trace:
            self._trace(name, width, value)


class BitReader:
    """Takes named fields from bytes.

    Bits beyond the end read as zero and are counted in `position`, so that a decoder that mimics
    hardware can carry on and report the overrun at the end; `strict` raises TRUNCATED at once.
    """

    def __init__(self, data: bytes | bytearray, *, strict: bool = True, trace: Trace | None = None) -> None:
        self._data = data
        self._strict = strict
        self._trace = trace
        self.position = 0

    def get(self, name: str, width: int) -> int:
        """Take the next `width` bits as the field `name`."""
        start, end = self.position, self.position + width
        if self._strict and end > 8 * len(self._data):
            raise StreamError(ErrorCode.TRUNCATED, f"{name} at bit {start} of {8 * len(self._data)}")
        window = int.from_bytes(self._data[start // 8 : (end + 7) // 8], "little")
        value = window >> start % 8 & ((1 << width) - 1)
        self.position = end
        if self._trace:
            self._trace(name, width, value)
        return value

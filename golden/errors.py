"""What can go wrong, by name: the error codes that software and hardware share."""

from enum import IntEnum


class ErrorCode(IntEnum):
    """Error codes as the hardware's status register shows them; `MEANING` says what each means."""

    NONE = 0
    BUS = 1
    TRUNCATED = 2
    MAGIC = 3
    VERSION = 4
    HEADER_CRC = 5
    HEADER = 6
    CODEC = 7
    UNSUPPORTED = 8
    TABLE = 9
    LENGTH = 10
    PAYLOAD_CRC = 11
    VALUE = 12
    LANE = 13
    SHAPE = 14
    ABORTED = 15


MEANING: dict[ErrorCode, str] = {
    ErrorCode.NONE: "no error",
    ErrorCode.BUS: "the memory answered a read with SLVERR or DECERR",
    ErrorCode.TRUNCATED: "the stream ends before its header says so",
    ErrorCode.MAGIC: "the stream does not begin with the format's magic",
    ErrorCode.VERSION: "the format version is not known",
    ErrorCode.HEADER_CRC: "the header's CRC-32 does not match",
    ErrorCode.HEADER: "a header field is outside its legal values",
    ErrorCode.CODEC: "the codec number is not known",
    ErrorCode.UNSUPPORTED: "a legal stream that this decoder was not built for",
    ErrorCode.TABLE: "the probability table does not tile the values or the counts",
    ErrorCode.LENGTH: "lengths that must agree do not",
    ErrorCode.PAYLOAD_CRC: "the payload's CRC-32 does not match",
    ErrorCode.VALUE: "an offset points beyond its row, or a width beyond the value",
    ErrorCode.LANE: "a lane used more or fewer bytes than its length says",
    ErrorCode.SHAPE: "the shape does not hold as many values as the segments (software only)",
    ErrorCode.ABORTED: "software asked the decoder to stop (hardware only)",
}


class AtalantaError(Exception):
    """Base class of every error this package raises on purpose."""


class ParameterError(AtalantaError, ValueError):
    """A parameter outside its legal values; the message names it, the value and the legal ones."""


class InputError(AtalantaError, ValueError):
    """An array or file that cannot be encoded (wrong dtype, values out of range, unreadable)."""


class StreamError(AtalantaError, ValueError):
    """A compressed stream that is malformed; `code` says how, `where` says at which byte or field."""

    code: ErrorCode

    def __init__(self, code: ErrorCode, where: str) -> None:
        super().__init__(f"{code.name}: {MEANING[code]} ({where})")
        self.code = code
        self.where = where


def require(ok: bool, name: str, legal: str, value: object) -> None:
    """Raise `ParameterError` in the one wording all parameters use, unless `ok`."""
    if not ok:
        raise ParameterError(f"{name} must be {legal}, not {value!r}")

"""Lossless compression of quantised tensors for off-die memory: codecs, RTL decoders, simulator."""

from atalanta.golden.archive import Archive
from atalanta.golden.container import decode, encode
from atalanta.golden.errors import AtalantaError, InputError, ParameterError, StreamError

__version__ = "0.1.0"
__all__ = [
    "Archive",
    "AtalantaError",
    "InputError",
    "ParameterError",
    "StreamError",
    "decode",
    "encode",
    "open",
]

open = Archive.open  # noqa: A001 -- in the manner of gzip.open

"""Lossless compression of quantised tensors for off-die memory: codecs, RTL decoders, simulator."""

from atalanta.golden.container import decode, encode
from atalanta.golden.errors import AtalantaError, InputError, ParameterError, StreamError

__version__ = "0.1.0"
__all__ = ["AtalantaError", "InputError", "ParameterError", "StreamError", "decode", "encode"]

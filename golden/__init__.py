"""Bit-exact codecs: the format, the reference, the fast path, the container."""

"""The codecs of the container; importing this package registers them."""

from atalanta.golden.codecs import atalanta, raw, shapeshifter

__all__ = ["atalanta", "raw", "shapeshifter"]

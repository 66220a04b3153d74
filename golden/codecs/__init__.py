"""The codecs of the container; importing this package registers them.

To try a codec of your own, read README.md beside this file.
"""

from atalanta.golden.codecs import atalanta, ebpc, huffman, raw, runs, shapeshifter, zvc

__all__ = ["atalanta", "ebpc", "huffman", "raw", "runs", "shapeshifter", "zvc"]

"""Entropy coders side by side: this project's, and packages a user could take instead.

Every coder gets one array and must give it back from bytes alone: what is counted are all the bytes that it
needs for that, tables and models included. Coders that do not keep dtype and shape are charged for them.
"""

import zlib
from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from atalanta.golden import container, header, native
from atalanta.golden.params import MAX_SEGMENT_VALUES, AtalantaParams
from atalanta.golden.search import search
from atalanta.golden.values import Array, Codes, Mapping, from_codes, to_codes


def _kept_shape(array: Array) -> int:
    """Bytes that dtype and shape take at least."""
    return 1 + len(header.pack_shape(array.shape))


def _codes(array: Array) -> Codes:
    return to_codes(array, 8 * array.itemsize, array.dtype.kind == "i", Mapping.OFFSET_BINARY)


def _values(codes: Codes, like: Array) -> Array:
    bits, signed = 8 * like.itemsize, like.dtype.kind == "i"
    return from_codes(codes, bits, signed, like.itemsize == 2, Mapping.OFFSET_BINARY).reshape(like.shape)


class Coder(ABC):
    """One way to code an array.

    name: in tables. package: the distribution it comes from, empty for this project and Python's own.
    whole: `encode` starts from the array, as a user would; otherwise models are prepared and not timed.
    """

    name: ClassVar[str]
    package: ClassVar[str] = ""
    module: ClassVar[str] = ""
    whole: ClassVar[bool] = True

    @classmethod
    def missing(cls) -> bool:
        """Whether the package is not installed."""
        return bool(cls.module) and find_spec(cls.module.split(".")[0]) is None

    @classmethod
    def version(cls) -> str:
        """Of the package."""
        try:
            return version(cls.package) if cls.package else ""
        except PackageNotFoundError:
            return ""

    def takes(self, kind: str, array: Array) -> bool:
        """Whether the coder is made for such arrays."""
        return True

    def prepare(self, array: Array) -> Any:
        """The array in the form that `encode` takes; not timed."""
        return array

    @abstractmethod
    def encode(self, prepared: Any) -> Any:
        """Code it."""

    @abstractmethod
    def decode(self, coded: Any, prepared: Any) -> Any:
        """What `encode` was given, from what it returned; `prepared` says dtype and shape only."""

    def nbytes(self, coded: Any, array: Array) -> int:
        """All bytes that decoding needs."""
        return len(coded) + _kept_shape(array)

    def array(self, decoded: Any, like: Array) -> Array:
        """The decoded array; not timed."""
        result: Array = decoded
        return result


class Atalanta(Coder):
    """This project's codec, as `atalanta.encode` and `atalanta.decode` run it on one thread."""

    name = "atalanta, 16 lanes"
    options: ClassVar[dict[str, Any]] = {"codec": "atalanta", "lanes": 16}

    def encode(self, prepared: Any) -> Any:
        return container.encode(prepared, threads=1, **self.options)

    def decode(self, coded: Any, prepared: Any) -> Any:
        return container.decode(coded, threads=1)

    def nbytes(self, coded: Any, array: Array) -> int:
        return len(coded)


class OneLane(Atalanta):
    """The same with a single lane: the least overhead, and the least speed."""

    name = "atalanta, 1 lane"
    options: ClassVar[dict[str, Any]] = {"codec": "atalanta", "lanes": 1}


class MoreRows(Atalanta):
    """16 lanes and tables of up to 32 rows."""

    name = "atalanta, 16 lanes, 32 rows"
    options: ClassVar[dict[str, Any]] = {"codec": "atalanta", "lanes": 16, "rows": 32}


class Smallest(Atalanta):
    """The smallest of all: nothing is spent on speed, and a tensor is one segment."""

    name = "atalanta, 1 lane of 2 ways, 32 rows"
    options: ClassVar[dict[str, Any]] = {
        "codec": "atalanta", "lanes": 1, "ways": 2, "rows": 32, "segment_values": MAX_SEGMENT_VALUES
    }  # fmt: skip


class ShapeShifter(Atalanta):
    """This project's ShapeShifter."""

    name = "shapeshifter"
    options: ClassVar[dict[str, Any]] = {"codec": "shapeshifter"}


class AtalantaCoding(Coder):
    """The compiled kernels alone, table given: no search, no header, no checksum."""

    name = "atalanta, coding only"
    whole = False

    def prepare(self, array: Array) -> Any:
        codes = _codes(array)
        bits = 8 * array.itemsize
        table = search(native.histogram(codes, bits)).table
        return codes, table, AtalantaParams(bits=bits, rows=table.rows)

    def encode(self, prepared: Any) -> Any:
        codes, table, p = prepared
        encoder = native.AtalantaEncoder(codes, table, p)
        return encoder.write(), encoder.lane_bytes

    def decode(self, coded: Any, prepared: Any) -> Any:
        codes, table, p = prepared
        payload, lane_bytes = coded
        return native.atalanta_decode(payload, lane_bytes, codes.size, table, p)

    def nbytes(self, coded: Any, array: Array) -> int:
        return len(coded[0])

    def array(self, decoded: Any, like: Array) -> Array:
        return _values(decoded, like)


class Zstd(Coder):
    """Zstandard."""

    package, module = "zstandard", "zstandard"
    level: ClassVar[int]

    def encode(self, prepared: Any) -> Any:
        import zstandard

        return zstandard.ZstdCompressor(level=self.level).compress(prepared.data)

    def decode(self, coded: Any, prepared: Any) -> Any:
        import zstandard

        data = zstandard.ZstdDecompressor().decompress(coded)
        return np.frombuffer(data, prepared.dtype).reshape(prepared.shape)


class Zstd3(Zstd):
    """Its default."""

    name, level = "zstd -3", 3


class Zstd19(Zstd):
    """Its highest common level."""

    name, level = "zstd -19", 19


class Zlib(Coder):
    """Deflate at its default level."""

    name = "zlib -6"
    strategy: ClassVar[int] = zlib.Z_DEFAULT_STRATEGY

    def encode(self, prepared: Any) -> Any:
        coder = zlib.compressobj(6, strategy=self.strategy)
        return coder.compress(prepared.data) + coder.flush()

    def decode(self, coded: Any, prepared: Any) -> Any:
        return np.frombuffer(zlib.decompress(coded), prepared.dtype).reshape(prepared.shape)


class Huffman(Zlib):
    """Deflate's Huffman codes without its matches: tables chosen anew for every 16 thousand values."""

    name = "Huffman (zlib)"
    strategy: ClassVar[int] = zlib.Z_HUFFMAN_ONLY


LEVELS = 15
"""Steps of a frequency that is stored in a byte, for each factor of two."""


def _frequencies(levels: Any) -> Any:
    """Frequencies from bytes."""
    return np.where(levels > 0, 2.0 ** ((levels.astype(float) - 255) / LEVELS), 0)


class _Constriction(Coder):
    """A coder of constriction's. Its model is counted as small as it can well be: a byte for each value.

    The byte is the logarithm of the value's frequency in steps of 1/15 bit, 0 for a value that does not
    occur; values that occur may be listed instead, in as many bits as there are values. Frequencies that
    are rounded so cost 0.0001 bits a value; exact ones of 16 bits would take a byte more for each.
    """

    package, module = "constriction", "constriction"

    def encode(self, prepared: Any) -> Any:
        codes = _codes(prepared)
        seen = np.bincount(codes, minlength=1 << 8 * codes.itemsize)
        levels = self._levels(seen)
        return self._code(codes.astype(np.int32), self._model(_frequencies(levels))), levels

    def decode(self, coded: Any, prepared: Any) -> Any:
        words, levels = coded
        symbols = self._decode(words, self._model(_frequencies(levels)), prepared.size)
        return _values(symbols.astype(f"u{prepared.itemsize}"), prepared)

    def nbytes(self, coded: Any, array: Array) -> int:
        words, levels = coded
        listed = len(levels) // 8 + int(np.count_nonzero(levels))
        return 4 * len(words) + min(len(levels), listed) + 4 + _kept_shape(array)

    @staticmethod
    def _levels(seen: Any) -> Any:
        """A byte for each value."""
        shares = seen / max(int(seen.max()), 1)
        levels = 255 + LEVELS * np.log2(np.maximum(shares, 2.0 ** (-254 / LEVELS)))
        return np.where(seen > 0, np.rint(levels), 0).astype(np.uint8)

    def _model(self, frequencies: Any) -> Any:
        import constriction

        shares = frequencies / frequencies.sum()
        return constriction.stream.model.Categorical(shares, perfect=False)

    @abstractmethod
    def _code(self, symbols: Any, model: Any) -> Any: ...

    @abstractmethod
    def _decode(self, words: Any, model: Any, count: int) -> Any: ...


class Range(_Constriction):
    """Its range coder."""

    name = "range coder (constriction)"

    def _code(self, symbols: Any, model: Any) -> Any:
        import constriction

        encoder = constriction.stream.queue.RangeEncoder()
        encoder.encode(symbols, model)
        return encoder.get_compressed()

    def _decode(self, words: Any, model: Any, count: int) -> Any:
        import constriction

        return constriction.stream.queue.RangeDecoder(words).decode(model, count)


class Ans(_Constriction):
    """Its asymmetric numeral system."""

    name = "ANS (constriction)"

    def _code(self, symbols: Any, model: Any) -> Any:
        import constriction

        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(symbols, model)
        return coder.get_compressed()

    def _decode(self, words: Any, model: Any, count: int) -> Any:
        import constriction

        return constriction.stream.stack.AnsCoder(words).decode(model, count)


class RangeCoding(Range):
    """The range coder alone, symbols and model given."""

    name = "range coder (constriction), coding only"
    whole = False

    def prepare(self, array: Array) -> Any:
        codes = _codes(array)
        frequencies = np.bincount(codes, minlength=1 << 8 * codes.itemsize)
        return codes.astype(np.int32), self._model(frequencies)

    def encode(self, prepared: Any) -> Any:
        return self._code(*prepared)

    def decode(self, coded: Any, prepared: Any) -> Any:
        symbols, model = prepared
        return self._decode(coded, model, symbols.size)

    def nbytes(self, coded: Any, array: Array) -> int:
        return 4 * len(coded)

    def array(self, decoded: Any, like: Array) -> Array:
        return _values(decoded.astype(f"u{like.itemsize}"), like)


class Mlw(Coder):
    """Arm's compressor of weights for the Ethos-U, as its compiler Vela has it; from and to Python lists."""

    name = "mlw_codec (ethos-u-vela)"
    package, module = "ethos-u-vela", "ethosu"

    def takes(self, kind: str, array: Array) -> bool:
        return kind == "weight" and array.dtype == np.int8

    def prepare(self, array: Array) -> Any:
        return array.reshape(-1).tolist()

    def encode(self, prepared: Any) -> Any:
        from ethosu import mlw_codec

        return mlw_codec.encode(prepared)

    def decode(self, coded: Any, prepared: Any) -> Any:
        from ethosu import mlw_codec

        return mlw_codec.decode(coded)

    def array(self, decoded: Any, like: Array) -> Array:
        # Streams end on 16 bytes, and what fills them up decodes to more zeros.
        return np.array(decoded[: like.size], like.dtype).reshape(like.shape)


class Memcpy(Coder):
    """A copy in memory: nothing is faster."""

    name = "memcpy"

    def encode(self, prepared: Any) -> Any:
        return prepared.copy()

    def decode(self, coded: Any, prepared: Any) -> Any:
        return coded.copy()

    def nbytes(self, coded: Any, array: Array) -> int:
        return array.nbytes


CODERS: tuple[type[Coder], ...] = (
    Atalanta, OneLane, MoreRows, Smallest, ShapeShifter, Zstd3, Zstd19, Zlib, Huffman, Range, Ans, Mlw,
    Memcpy, AtalantaCoding, RangeCoding,
)  # fmt: skip
"""All coders, this project's first."""

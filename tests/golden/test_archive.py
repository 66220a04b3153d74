"""Archives: what goes in comes out, one tensor at a time, and nothing malformed is believed."""

import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import atalanta
from atalanta.golden import container
from atalanta.golden.archive import MAX_TEXT_BYTES, Archive, Writer
from atalanta.golden.errors import ErrorCode, InputError, StreamError
from atalanta.golden.format import ARCHIVE_HEAD, crc32
from atalanta.golden.source import FileBytes

RNG = np.random.default_rng(11)
TENSORS: dict[str, Any] = {
    "w": RNG.laplace(0, 10, (16, 9, 3, 3)).clip(-128, 127).astype(np.int8),
    "a [1]": RNG.poisson(5, 3000).astype(np.uint8),
    "wide": RNG.normal(0, 900, (40, 50)).astype(np.int16),
    "empty": np.zeros((4, 0), np.uint16),
    "scalar": np.array(-3, np.int8),
}
ATTRIBUTES = {"scale": [0.1, 2.5e-9], "axis": None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = tmp_path / "network.atn"
    with Writer(where, {"model": "none"}) as writer:
        for name, array in TENSORS.items():
            writer.add(name, array, "best", attributes=ATTRIBUTES, segment_values=640)
    return where


def test_round_trip(path: Path) -> None:
    with atalanta.open(path) as archive:
        assert not archive.single
        assert list(archive) == list(TENSORS)
        assert archive.attributes == {"model": "none"}
        for name, array in TENSORS.items():
            entry = archive.entries[name]
            assert entry.attributes == ATTRIBUTES
            assert (entry.dtype, entry.shape) == (array.dtype.name, array.shape)
            assert entry.offset % 64 == 0
            for read in (
                archive[name],
                archive.read(name, engine="reference"),
                atalanta.decode(archive.stream(name)),
            ):
                assert read.dtype == array.dtype
                assert np.array_equal(read, array)
            pieces = list(archive.pieces(name))
            assert [p.size for p in pieces] == [640] * (array.size // 640) + [array.size % 640] * (
                array.size % 640 > 0 or not array.size
            )
            assert np.array_equal(np.concatenate(pieces), array.reshape(-1))
        with pytest.raises(KeyError):
            archive["none"]


def test_one_tensor_is_read_without_the_others(path: Path) -> None:
    with Archive.open(path) as archive:
        entry = archive.entries["a [1]"]
    data = bytearray(path.read_bytes())
    for i in range(ARCHIVE_HEAD.nbytes, len(data)):
        head = ARCHIVE_HEAD.unpack(bytes(data[: ARCHIVE_HEAD.nbytes]))
        if not entry.offset <= i < entry.offset + entry.nbytes and i < head["directory_offset"]:
            data[i] ^= 0xFF
    path.write_bytes(data)
    with Archive.open(path) as archive:
        assert np.array_equal(archive["a [1]"], TENSORS["a [1]"])
        with pytest.raises(StreamError):
            archive["w"]


def test_a_single_stream_is_an_archive_of_one(tmp_path: Path) -> None:
    array = TENSORS["w"]
    where = tmp_path / "w.best.atl"
    where.write_bytes(atalanta.encode(array, segment_values=640))
    with atalanta.open(where) as archive:
        assert archive.single
        assert list(archive) == ["w.best"]
        assert archive.entries["w.best"].shape == array.shape
        assert np.array_equal(archive["w.best"], array)
        assert np.array_equal(np.concatenate(list(archive.pieces("w.best"))), array.reshape(-1))


@pytest.mark.parametrize("keep", [0, 3, 39, 40, 60, -1])
def test_truncated(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StreamError) as caught:
        Archive.open(path)
    assert caught.value.code is ErrorCode.TRUNCATED


def test_every_bit_of_head_and_directory_counts(path: Path) -> None:
    data = path.read_bytes()
    start = ARCHIVE_HEAD.unpack(data[: ARCHIVE_HEAD.nbytes])["directory_offset"]
    for at in (*range(ARCHIVE_HEAD.nbytes), *range(start, len(data), 7)):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        with pytest.raises(StreamError):
            Archive.open(path)


def rewritten(data: bytes, directory: bytes, **head: int) -> bytes:
    """The archive with another directory and head, checksums made right."""
    fields = ARCHIVE_HEAD.unpack(data[: ARCHIVE_HEAD.nbytes])
    packed = zlib.compress(directory)
    at = fields["directory_offset"]
    fields |= {"directory_bytes": len(packed), "directory_crc": crc32(packed), "text_bytes": len(directory)}
    fields |= head
    start = ARCHIVE_HEAD.pack(fields | {"head_crc": 0})[:-4]
    return start + crc32(start).to_bytes(4, "little") + data[ARCHIVE_HEAD.nbytes : at] + packed


def directory(data: bytes) -> Any:
    fields = ARCHIVE_HEAD.unpack(data[: ARCHIVE_HEAD.nbytes])
    return json.loads(zlib.decompress(data[fields["directory_offset"] :]))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"offset": 1 << 60}, ErrorCode.LENGTH),
        ({"offset": -1}, ErrorCode.LENGTH),
        ({"offset": 0}, ErrorCode.LENGTH),
        ({"nbytes": 1 << 60}, ErrorCode.LENGTH),
        ({"nbytes": -1}, ErrorCode.LENGTH),
        ({"offset": 64.0}, ErrorCode.HEADER),
        ({"offset": True}, ErrorCode.HEADER),
        ({"name": None}, ErrorCode.HEADER),
        ({"name": "a [1]"}, ErrorCode.HEADER),
        ({"name": "\x1b[2J"}, ErrorCode.HEADER),
        ({"name": "\ud800"}, ErrorCode.HEADER),
        ({"shape": [-1]}, ErrorCode.SHAPE),
        ({"shape": [1.5]}, ErrorCode.SHAPE),
        ({"shape": 3}, ErrorCode.HEADER),
        ({"more": 1}, ErrorCode.HEADER),
    ],
)
def test_bad_entries(path: Path, change: dict[str, Any], code: ErrorCode) -> None:
    data = path.read_bytes()
    text = directory(data)
    text["tensors"][0] |= change
    path.write_bytes(rewritten(data, json.dumps(text).encode()))
    with pytest.raises(StreamError) as caught:
        Archive.open(path)
    assert caught.value.code is code
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"\xff", b'{"tensors": [], "attributes": []}', b"[" * 100_000, b"1" * 5000]
)
def test_bad_directories(path: Path, text: bytes) -> None:
    path.write_bytes(rewritten(path.read_bytes(), text))
    with pytest.raises(StreamError) as caught:
        Archive.open(path)
    assert caught.value.code is ErrorCode.HEADER


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ({"text_bytes": 7}, ErrorCode.LENGTH),
        ({"text_bytes": MAX_TEXT_BYTES}, ErrorCode.LENGTH),
        ({"text_bytes": MAX_TEXT_BYTES + 1}, ErrorCode.HEADER),
        ({"directory_offset": 1 << 60}, ErrorCode.TRUNCATED),
        ({"directory_bytes": (1 << 32) - 1}, ErrorCode.TRUNCATED),
        ({"version": 2}, ErrorCode.VERSION),
    ],
)
def test_bad_heads(path: Path, head: dict[str, int], code: ErrorCode) -> None:
    data = path.read_bytes()
    path.write_bytes(rewritten(data, json.dumps(directory(data)).encode(), **head))
    with pytest.raises(StreamError) as caught:
        Archive.open(path)
    assert caught.value.code is code


def test_bytes_after_the_directory(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(StreamError, match="1 bytes after the directory"):
        Archive.open(path)


@pytest.mark.parametrize("change", [{"dtype": "uint8"}, {"shape": [16, 81]}])
def test_entries_that_are_not_what_the_stream_says(path: Path, change: dict[str, Any]) -> None:
    data = path.read_bytes()
    text = directory(data)
    text["tensors"][0] |= change
    path.write_bytes(rewritten(data, json.dumps(text).encode()))
    with Archive.open(path) as archive:
        for read in (archive.read, archive.pieces):
            with pytest.raises(StreamError, match="as the directory says"):
                read("w")


def test_a_file_that_shrinks_meanwhile(path: Path) -> None:
    with Archive.open(path) as archive:
        os.truncate(path, 100)
        with pytest.raises(StreamError) as caught:
            archive["w"]
    assert caught.value.code is ErrorCode.TRUNCATED


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("w", {}, "in the archive already"),
        ("\n", {}, "printable"),
        ("x", {"a": np.int8(1)}, "attributes of x"),
    ],
)
def test_what_is_not_written(tmp_path: Path, name: str, attributes: Any, message: str) -> None:
    where = tmp_path / "network.atn"
    where.write_text("before")
    with pytest.raises(InputError, match=message), Writer(where) as writer:  # noqa: PT012
        writer.add("w", TENSORS["w"])
        writer.add(name, TENSORS["w"], attributes=attributes)
    assert where.read_text() == "before"
    assert list(tmp_path.iterdir()) == [where]


def test_attributes_that_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="attributes of the archive"):
        Writer(tmp_path / "network.atn", {"a": {1, 2}})
    writer = Writer(tmp_path / "network.atn", {"a": "x" * MAX_TEXT_BYTES})
    with pytest.raises(InputError, match="bytes; at most"), writer:
        pass
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    for where in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="cannot read"):
            atalanta.open(where)
    with pytest.raises(InputError, match="cannot write"), Writer(tmp_path / "none" / "x.atn"):
        pass
    with pytest.raises(InputError, match="Is a directory"), Writer(tmp_path):
        pass


def test_file_bytes(tmp_path: Path) -> None:
    where = tmp_path / "x"
    where.write_bytes(bytes(range(100)))
    with where.open("rb") as file:
        data = FileBytes(file)
        window = data.window(10, 20)
        assert (len(data), len(window)) == (100, 20)
        assert (data[:4], data[90:200], window[5:8], window[15:90]) == (
            bytes(range(4)), bytes(range(90, 100)), bytes(range(15, 18)), bytes(range(25, 30)),
        )  # fmt: skip
        with pytest.raises(ValueError, match="without a step"):
            data[::2]


def test_a_limit_on_what_is_decoded() -> None:
    zeros = np.zeros(1 << 20, np.uint8)
    data = atalanta.encode(zeros)
    assert len(data) < 400
    assert atalanta.decode(data, most_bytes=zeros.nbytes).size == zeros.size
    with pytest.raises(InputError, match="1,048,576 bytes, of which at most 1,048,575 are wanted"):
        atalanta.decode(data, most_bytes=zeros.nbytes - 1)


def test_decode_segments_checks_headers_at_once() -> None:
    data = container.encode(TENSORS["w"], segment_values=640)
    with pytest.raises(StreamError) as caught:
        container.decode_segments(data[:-1])
    assert caught.value.code is ErrorCode.TRUNCATED
    with pytest.raises(StreamError) as caught:
        container.decode_segments(data + b"x")
    assert caught.value.code is ErrorCode.LENGTH
    pieces = container.decode_segments(data[:-1] + bytes([data[-1] ^ 1]))
    assert np.array_equal(next(pieces), TENSORS["w"].reshape(-1)[:640])
    with pytest.raises(StreamError) as caught:
        list(pieces)
    assert caught.value.code is ErrorCode.PAYLOAD_CRC

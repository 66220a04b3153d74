"""The commands `atalanta encode` and `atalanta decode`: round trips, and one line for whatever is wrong."""

import json
import math
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import atalanta
from atalanta.golden import header
from atalanta.golden.container import segments
from atalanta.golden.format import BASE
from atalanta.tools.cli import main
from atalanta.tools.convert import encode_file
from atalanta.tools.samples import sample_path

RNG = np.random.default_rng(7)
WEIGHTS = RNG.laplace(0, 12, (32, 12, 5, 5)).clip(-128, 127).astype(np.int8)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def done(*words: str | Path) -> Result:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def refused(*words: str | Path) -> str:
    """The one line on stderr; nothing on stdout."""
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert not result.stdout
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize(
    "array",
    [
        WEIGHTS,
        WEIGHTS.astype(">i2") * 100,
        np.asfortranarray(WEIGHTS[0, 0]),
        np.zeros((3, 0), np.uint8),
        np.array(-5, np.int16),
        np.arange(65536, dtype=np.uint16),
    ],
    ids=["weights", "big-endian", "fortran", "empty", "scalar", "wide"],
)
@pytest.mark.parametrize("codec", ["atalanta", "best"])
def test_npy(array: Any, codec: str, tmp_path: Path) -> None:
    source, stream, back = (tmp_path / name for name in ("x.npy", "x.atl", "y.npy"))
    np.save(source, array)
    report = json.loads(done("encode", source, "-o", stream, "--codec", codec, "--json").stdout)
    assert (report["bytes_raw"], report["bytes"]) == (array.nbytes, stream.stat().st_size)
    native = array.astype(array.dtype.newbyteorder("="))
    assert stream.read_bytes() == atalanta.encode(native, codec)
    done("decode", stream, "-o", back)
    read = np.load(back)
    assert (read.dtype, read.shape) == (native.dtype, array.shape)
    assert np.array_equal(read, array)


def test_options_reach_the_codec(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.abs(WEIGHTS) >> 2)
    words = ["--lanes", 2, "--ways", 6, "--beat-bytes", 32, "--rows", 8, "--bits", 6]
    done("encode", tmp_path / "x.npy", "-o", tmp_path / "x.atl", *map(str, words))
    (segment,) = segments((tmp_path / "x.atl").read_bytes())
    p = segment.layout.params
    assert (p.lanes, p.ways, p.beat_bytes, p.bits) == (2, 6, 32, 6)
    assert p.rows <= 8


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_network_comes_back_as_it_was(suffix: str, tmp_path: Path) -> None:
    """Arrays, and all that the file says about them: to the byte, through both formats."""
    archive, back, again = (tmp_path / name for name in ("a.atn", f"b{suffix}", "c.atn"))
    done("encode", sample_path(), "-o", archive)
    done("decode", archive, "-o", back)
    done("encode", back, "-o", again)
    assert again.read_bytes() == archive.read_bytes()
    if suffix == ".npz":
        assert back.read_bytes() == sample_path().read_bytes()
    with atalanta.open(archive) as opened:
        assert opened.entries["weights.018"].attributes["kind"] == "weight"
        assert opened.entries["weights.018"].attributes["scale"]
        with np.load(sample_path()) as file:
            assert np.array_equal(opened["activations.054"], file["activations.054"])


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_files_from_elsewhere(suffix: str, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"file": WEIGHTS, "b/[x]": np.arange(9, dtype=np.uint16)}
    source, archive, back = (tmp_path / name for name in (f"a{suffix}", "a.atn", f"b{suffix}"))
    if suffix == ".npz":
        arrays = {"arr": WEIGHTS, "b/[x]": arrays["b/[x]"]}  # savez has a parameter called file
        np.savez(source, **arrays)
    else:
        numpy = pytest.importorskip("safetensors.numpy")
        numpy.save_file(arrays, source)
    done("encode", source, "-o", archive)
    done("decode", archive, "-o", back)
    if suffix == ".npz":
        with np.load(back) as file:
            read = dict(file)
    else:
        read = numpy.load_file(back)
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        assert np.array_equal(read[name], array)
    done("decode", archive, "--tensor", "b/[x]", "-o", tmp_path / "x.npy")
    assert np.array_equal(np.load(tmp_path / "x.npy"), np.arange(9))


def test_safetensors_of_several_widths(tmp_path: Path) -> None:
    """Wide elements come first, so that a reader that maps the file finds them at multiples of their size."""
    numpy = pytest.importorskip("safetensors.numpy")
    arrays = {"odd": np.arange(7, dtype=np.int8), "wide": np.arange(5, dtype=np.int16), "none": WEIGHTS[:0]}
    source, archive, back = (tmp_path / name for name in ("a.npz", "a.atn", "b.safetensors"))
    np.savez(source, **arrays)
    done("encode", source, "-o", archive)
    done("decode", archive, "-o", back)
    read = numpy.load_file(back)
    assert all(np.array_equal(read[name], array) for name, array in arrays.items())
    assert {name: (a.dtype, a.shape) for name, a in read.items()} == {
        name: (a.dtype, a.shape) for name, a in arrays.items()
    }
    data = back.read_bytes()
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size])
    assert (8 + size) % 8 == 0
    assert head["wide"] == {"dtype": "I16", "shape": [5], "data_offsets": [0, 10]}
    assert len(data) == 8 + size + sum(array.nbytes for array in arrays.values())


CONVERT = """
import os, sys
os.cpu_count = lambda: 2  # every thread has segments of its own
from pathlib import Path
from atalanta.tools.convert import decode_file, encode_file
source, archive, back = map(Path, sys.argv[1:])

def peak():  # ru_maxrss would begin with that of the parent
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in status if line.startswith("VmHWM")).split()[1])

small = source.with_name("small.npz")
encode_file(small, small.with_suffix(".atn"))  # what is loaded once
decode_file(small.with_suffix(".atn"), small.with_suffix(back.suffix))
before = peak()
encode_file(source, archive)
decode_file(archive, back)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_files_of_many_arrays_stream_through(suffix: str, tmp_path: Path) -> None:
    """Files may be larger than memory: here 160 MB pass through less than 64 MB."""
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    values = RNG.laplace(0, 9, 4 << 20).clip(-128, 127).astype(np.int8)
    np.savez(tmp_path / "small.npz", w=values[: 1 << 12])
    np.savez(tmp_path / "a.npz", **{f"w{number}": np.roll(values, number) for number in range(40)})
    files = [tmp_path / name for name in ("a.npz", "a.atn", f"b{suffix}")]
    run = subprocess.run([sys.executable, "-c", CONVERT, *files], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 64 << 20
    assert files[2].stat().st_size > 160 << 20


def test_arrays_that_cannot_be_coded(tmp_path: Path) -> None:
    source, archive = tmp_path / "a.npz", tmp_path / "a.atn"
    np.savez(source, w=WEIGHTS, bias=np.ones(3, np.float32))
    assert "bias cannot be coded: dtype must be one of" in refused("encode", source, "-o", archive)
    assert not archive.exists()
    done("encode", source, "-o", archive, "--skip-others")
    with atalanta.open(archive) as opened:
        assert list(opened) == ["w"]


def test_a_stream_is_coded_segment_by_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is larger than memory is never asked for as a whole."""
    values = RNG.laplace(0, 9, 5 << 20).clip(-128, 127).astype(np.int8)
    np.save(tmp_path / "x.npy", values)
    done("encode", tmp_path / "x.npy", "-o", tmp_path / "x.atl")
    asked: list[int] = []
    real = atalanta.golden.source.FileBytes.__getitem__

    def spy(self: Any, part: slice) -> bytes:
        data = real(self, part)
        asked.append(len(data))
        return data

    monkeypatch.setattr(atalanta.golden.source.FileBytes, "__getitem__", spy)
    done("decode", tmp_path / "x.atl", "-o", tmp_path / "y.npy")
    assert np.array_equal(np.load(tmp_path / "y.npy"), values)
    whole = (tmp_path / "x.atl").stat().st_size
    assert whole <= sum(asked) < whole + 5 * 1000
    assert max(asked) < whole / 4


def test_the_number_of_pieces_of_progress(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3 << 20) + 1, np.uint8))
    seen: list[Any] = []

    def track(work: Any) -> Any:
        for item in work:
            seen.append(item)
            yield item

    assert encode_file(tmp_path / "x.npy", tmp_path / "x.atl", track=track) == (3 << 20) + 1
    assert len(seen) == 4


def claiming(values: int) -> bytes:
    """A stream of nothing whose shape, with its checksums right, claims `values` values."""
    fields = {"codec": 0, "bits": 8, "shaped": 1}
    return header.pack(fields, header.pack_shape((values,)))


def with_field(data: bytes, name: str, value: int) -> bytes:
    fields = BASE.unpack(data[: BASE.nbytes]) | {name: value}
    return BASE.pack(fields) + data[BASE.nbytes :]


GOOD = atalanta.encode(WEIGHTS)
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "TRUNCATED"),
    "short header": (GOOD[:20], "TRUNCATED"),
    "short payload": (GOOD[: len(GOOD) // 2], "TRUNCATED"),
    "one byte short": (GOOD[:-1], "TRUNCATED"),
    "one byte long": (GOOD + b"\0", "LENGTH"),
    "magic": (b"PK\3" + GOOD[3:], "MAGIC"),
    "version": (with_field(GOOD, "version", 9), "VERSION"),
    "header": (with_field(GOOD, "count", 9), "HEADER_CRC"),
    "payload": (GOOD[:-9] + bytes([GOOD[-9] ^ 4]) + GOOD[-8:], "PAYLOAD_CRC"),
    "codec": (header.pack({"codec": 200, "bits": 8}, b""), "CODEC"),
    "count": (header.pack({"codec": 0, "bits": 8, "count": (1 << 24) + 1}, b""), "HEADER"),
    "count without payload": (header.pack({"codec": 0, "bits": 8, "count": 1 << 24}, b""), "LENGTH"),
    "payload without bytes": (
        header.pack(
            {"codec": 2, "bits": 8, "count": 64, "payload_bytes": (1 << 32) - 1, "params": 1 << 10 | 15}, b""
        ),
        "TRUNCATED",
    ),
    "2^60 values": (claiming(1 << 60), "SHAPE"),
    "archive": (b"ATLN" + bytes(60), "VERSION"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_streams(name: str, tmp_path: Path) -> None:
    data, code = BAD[name]
    stream, output = tmp_path / "bad.atl", tmp_path / "out.npy"
    stream.write_bytes(data)
    output.write_text("before")
    assert f"{code}: " in refused("decode", stream, "-o", output)
    assert output.read_text() == "before"
    assert sorted(tmp_path.iterdir()) == [stream, output]
    refused("inspect", stream)


def test_bad_archives(tmp_path: Path) -> None:
    """One bad tensor among good ones: no output, not even the good ones."""
    np.savez(tmp_path / "a.npz", a=WEIGHTS, b=WEIGHTS + 1)
    done("encode", tmp_path / "a.npz", "-o", tmp_path / "a.atn")
    with atalanta.open(tmp_path / "a.atn") as opened:
        at = opened.entries["b"].offset + 300
    data = bytearray((tmp_path / "a.atn").read_bytes())
    data[at] ^= 1
    (tmp_path / "a.atn").write_bytes(data)
    for suffix in (".npz", ".safetensors"):
        assert "PAYLOAD_CRC" in refused("decode", tmp_path / "a.atn", "-o", tmp_path / f"b{suffix}")
    done("decode", tmp_path / "a.atn", "--tensor", "a", "-o", tmp_path / "a.npy")
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz", "a.atn", "a.npy"}


@pytest.mark.parametrize(
    ("array", "words", "message"),
    [
        (np.ones(5, np.float32), (), "dtype must be one of int8, uint8, int16, uint16, not float32"),
        (np.ones(5, np.int64), (), "not int64"),
        (np.ones(5, bool), (), "not bool"),
        (np.array([1, 9], np.uint8), ("--bits", "3"), "values run from 1 to 9; 3 bits hold 0 to 7"),
        (np.array([-9, 1], np.int8), ("--bits", "4"), "values run from -9 to 1; 4 bits hold -8 to 7"),
        (np.ones(5, np.uint8), ("--bits", "9"), "bits must be from 2 to 8 for uint8, not 9"),
    ],
)
def test_arrays_that_are_refused(array: Any, words: Any, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array)
    assert message in refused("encode", tmp_path / "x.npy", "-o", tmp_path / "x.atl", *words)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


def npy(head: str, data: bytes = b"") -> bytes:
    text = head.encode() + b" " * (64 - (len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"text",
        npy("{'descr': '|i1', 'fortran_order': False, 'shape': (1152921504606846976,)}"),
        npy("{'descr': '|i1', 'fortran_order': False, 'shape': (9,)}", b"12"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"12345678"),
        npy("{'descr': '|i1', 'shape': ("),
        npy("{'descr': '|i1', 'fortran_order': False, 'shape': (-4,)}"),
    ],
)
def test_files_that_are_no_arrays(data: bytes, tmp_path: Path) -> None:
    for suffix in (".npy", ".npz", ".safetensors"):
        source = tmp_path / f"x{suffix}"
        source.write_bytes(data)
        assert str(source) in refused("encode", source, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", WEIGHTS)
    (tmp_path / "x.atl").write_bytes(GOOD)
    none = tmp_path / "none"
    assert "No such file" in refused("encode", none / "x.npy", "-o", tmp_path / "y")
    assert "No such file" in refused("decode", none, "-o", tmp_path / "y.npy")
    assert "cannot write" in refused("encode", tmp_path / "x.npy", "-o", none / "y")
    assert "cannot write" in refused("decode", tmp_path / "x.atl", "-o", none / "y.npy")
    assert "Is a directory" in refused("encode", tmp_path / "x.npy", "-o", tmp_path)
    assert "named .npy, .npz or .safetensors" in refused("encode", tmp_path / "x.atl", "-o", tmp_path / "y")
    assert "named .npy, .npz or .safetensors" in refused("decode", tmp_path / "x.atl", "-o", tmp_path / "y")
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy", "x.atl"}


def test_which_tensor(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=WEIGHTS, b=WEIGHTS)
    archive = tmp_path / "a.atn"
    done("encode", tmp_path / "a.npz", "-o", archive)
    assert "has no tensor 'c'; it has a, b" in refused(
        "decode", archive, "--tensor", "c", "-o", tmp_path / "c.npy"
    )
    assert "holds 2 tensors" in refused("decode", archive, "-o", tmp_path / "c.npy")


def test_a_disk_that_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while writing leaves what was there before."""
    np.save(tmp_path / "x.npy", WEIGHTS)
    (tmp_path / "x.atl").write_text("before")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    assert "No space left" in refused("encode", tmp_path / "x.npy", "-o", tmp_path / "x.atl")
    assert (tmp_path / "x.atl").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy", "x.atl"}


def test_claims_take_no_memory() -> None:
    for data, _ in BAD.values():
        tracemalloc.start()
        with pytest.raises(atalanta.StreamError):
            atalanta.decode(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1 << 20, math.log2(peak)

"""The command `atalanta testvectors`: what a testbench would read is the stream and its values."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import atalanta
from atalanta.golden.archive import Writer
from atalanta.tools.cli import main

RNG = np.random.default_rng(9)
WEIGHTS = RNG.laplace(0, 12, (7, 5, 3, 3)).clip(-128, 127).astype(np.int8)
WIDE = RNG.normal(0, 900, 203).astype(np.int16)


def run(*words: str | Path | int) -> Result:
    return CliRunner().invoke(main, ["testvectors", *map(str, words)])


def done(*words: str | Path | int) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["vectors"]


def words_of(path: Path) -> list[int]:
    return [int(line, 16) for line in path.read_text().split()]


@pytest.mark.parametrize("word_bits", [8, 64, 128, 512])
@pytest.mark.parametrize("array", [WEIGHTS, WIDE, np.zeros(0, np.uint8)], ids=["int8", "int16", "empty"])
def test_images(array: Any, word_bits: int, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", array)
    (entry,) = done(tmp_path / "x.npy", "-o", tmp_path / "v", "--word-bits", word_bits, "--lanes", 2)
    folder = tmp_path / "v" / entry["folder"]
    stream = (folder / "stream.bin").read_bytes()
    assert stream == atalanta.encode(array, lanes=2)
    words = words_of(folder / "stream.hex")
    image = b"".join(word.to_bytes(word_bits // 8, "little") for word in words)
    assert len(words) == entry["stream_words"]
    assert image[: len(stream)] == stream
    assert not any(image[len(stream) :])
    assert {len(line) for line in (folder / "stream.hex").read_text().split()} == {word_bits // 4}
    expected = np.frombuffer((folder / "expected.bin").read_bytes(), array.dtype)
    assert np.array_equal(expected, array.reshape(-1))
    unsigned = array.reshape(-1).view(f"u{array.itemsize}")
    assert words_of(folder / "expected.hex") == unsigned.tolist()
    about = json.loads((folder / "parameters.json").read_text())
    assert (about["shape"], about["dtype"], about["bytes"]) == (
        list(array.shape),
        array.dtype.name,
        len(stream),
    )
    assert about["segments"][0]["header"]["count"] == array.size
    assert json.loads((tmp_path / "v" / "vectors.json").read_text()) == [entry]


def test_compressed_files_are_taken_as_they_are(tmp_path: Path) -> None:
    with Writer(tmp_path / "a.atn") as writer:
        writer.add("w/0", WEIGHTS, "shapeshifter", group=32)
        writer.add("a", WIDE, lanes=4)
    entries = done(tmp_path / "a.atn", "-o", tmp_path / "v")
    assert [entry["folder"] for entry in entries] == ["w_0", "a"]
    with atalanta.open(tmp_path / "a.atn") as archive:
        for entry in entries:
            assert (tmp_path / "v" / entry["folder"] / "stream.bin").read_bytes() == archive.stream(
                entry["tensor"]
            )


def test_samples(tmp_path: Path) -> None:
    entries = done("-o", tmp_path, "--values", 640, "--codec", "best")
    assert len(entries) > 10
    assert all(entry["values"] <= 640 for entry in entries)
    for entry in entries:
        stream = (tmp_path / entry["folder"] / "stream.bin").read_bytes()
        assert atalanta.decode(stream).tobytes() == (tmp_path / entry["folder"] / "expected.bin").read_bytes()


def test_names_that_clash(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **{"a.b": WEIGHTS, "a/b": WEIGHTS})  # type: ignore[arg-type]
    result = run(tmp_path / "x.npz", "-o", tmp_path / "v")
    assert result.exit_code == 2
    assert "a second a_b" in result.stderr


def test_bad_files(tmp_path: Path) -> None:
    (tmp_path / "x.atl").write_bytes(b"ATL")
    result = run(tmp_path / "x.atl", "-o", tmp_path / "v")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: TRUNCATED")
    assert not (tmp_path / "v").exists()


@pytest.mark.skipif(not shutil.which("iverilog"), reason="there is no Icarus Verilog here")
def test_a_simulator_reads_the_images(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", WEIGHTS)
    (entry,) = done(tmp_path / "x.npy", "-o", tmp_path / "v")
    folder = tmp_path / "v" / entry["folder"]
    last = entry["stream_words"] - 1
    (tmp_path / "t.v").write_text(f"""
module t;
  reg [127:0] memory [0:{last}];
  reg [7:0] values [0:{WEIGHTS.size - 1}];
  initial begin
    $readmemh("{folder}/stream.hex", memory);
    $readmemh("{folder}/expected.hex", values);
    $display("%h %h %h", memory[0][31:0], memory[{last}], values[{WEIGHTS.size - 1}]);
  end
endmodule
""")
    subprocess.run(["iverilog", "-o", tmp_path / "t", tmp_path / "t.v"], check=True, timeout=60)
    shown = subprocess.run(
        ["vvp", tmp_path / "t"], check=True, timeout=60, capture_output=True, text=True
    ).stdout
    first, ended, value = shown.split()[:3]
    assert first == b"\x01LTA".hex()
    assert int(ended, 16) == words_of(folder / "stream.hex")[-1]
    assert int(value, 16) == int(WEIGHTS.reshape(-1)[-1]) & 0xFF

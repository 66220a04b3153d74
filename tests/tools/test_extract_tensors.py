"""Files of tensors: written whole or not at all, read lazily, and never trusted."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atalanta.golden.errors import InputError
from atalanta.golden.values import Array
from atalanta.tools.extract.tensors import (
    LayerInfo,
    Provenance,
    Skipped,
    TensorFile,
    TensorInfo,
    write_tensors,
)

WEIGHT = TensorInfo(
    key="weights.000", kind="weight", layer="conv", index=0, dtype="int8", shape=(2, 3, 1, 1), layout="OIHW",
    bits=8, scale=(0.5, 0.25), zero_point=(0, 0), axis=0,
)  # fmt: skip
ACTIVATION = TensorInfo(
    key="activations.000", kind="activation", layer="input", index=0, dtype="uint8", shape=(1, 3, 2, 2),
    layout="NCHW", bits=8, scale=(1 / 128,), zero_point=(127,), images=("cat",),
)  # fmt: skip
LAYER = LayerInfo(name="conv", kind="conv2d", macs=24, weight="weights.000", inputs=("activations.000",))
PROVENANCE = Provenance(
    model="toy", versions={"torch": "2"}, licence="CC0-1.0", command="atalanta extract toy"
)


def arrays() -> list[tuple[TensorInfo, Array]]:
    rng = np.random.default_rng(1)
    return [
        (WEIGHT, rng.integers(-128, 128, WEIGHT.shape).astype(np.int8)),
        (ACTIVATION, rng.integers(0, 256, ACTIVATION.shape).astype(np.uint8)),
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "toy.npz"
    skipped = [Skipped(name="norm", reason="float")]
    write_tensors(path, arrays(), provenance=PROVENANCE, layers=[LAYER], skipped=skipped)
    return path


def test_round_trip(file: Path) -> None:
    opened = TensorFile.open(file)
    assert (opened.provenance, opened.layers) == (PROVENANCE, (LAYER,))
    assert opened.skipped == (Skipped(name="norm", reason="float"),)
    for info, array in arrays():
        assert opened.tensors[info.key] == replace(info, sha256=opened.tensors[info.key].sha256)
        np.testing.assert_array_equal(opened.read(info.key), array)
        assert opened.read(info.key).dtype == array.dtype
    weight = opened.tensors["weights.000"]
    assert weight.size == 6
    np.testing.assert_array_equal(np.load(file)["weights.000"], arrays()[0][1])  # NumPy alone reads it, too


@pytest.mark.parametrize(
    "array", [np.int16(-3), np.zeros((0, 4), np.uint16), np.asfortranarray([[1, 2], [3, 4]], np.int8)]
)
def test_shapes_and_dtypes(tmp_path: Path, array: Any) -> None:
    array = np.asarray(array)
    write_tensors(tmp_path / "x.npz", [(WEIGHT, array)], provenance=PROVENANCE)
    back = TensorFile.open(tmp_path / "x.npz").read("weights.000")
    np.testing.assert_array_equal(back, array)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)


def test_the_hash_is_of_the_values(file: Path, tmp_path: Path) -> None:
    by_hash = TensorFile.open(file).tensors["weights.000"].sha256
    write_tensors(tmp_path / "f.npz", [(WEIGHT, np.asfortranarray(arrays()[0][1]))], provenance=PROVENANCE)
    assert TensorFile.open(tmp_path / "f.npz").tensors["weights.000"].sha256 == by_hash
    changed = arrays()[0][1] ^ np.int8(1)
    write_tensors(tmp_path / "g.npz", [(WEIGHT, changed)], provenance=PROVENANCE)
    assert TensorFile.open(tmp_path / "g.npz").tensors["weights.000"].sha256 != by_hash


def test_equal_tensors_make_equal_files(file: Path) -> None:
    again = file.with_name("again.npz")
    skipped = [Skipped(name="norm", reason="float")]
    write_tensors(again, arrays(), provenance=PROVENANCE, layers=[LAYER], skipped=skipped)
    assert again.read_bytes() == file.read_bytes()


def test_only_what_is_asked_for_is_read(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        start = archive.getinfo("activations.000.npy").header_offset
        end = archive.getinfo("provenance.json").header_offset
    data = bytearray(file.read_bytes())
    data[start:end] = bytes(end - start)
    file.write_bytes(data)
    opened = TensorFile.open(file)
    np.testing.assert_array_equal(opened.read("weights.000"), arrays()[0][1])
    with pytest.raises(InputError, match=r"activations\.000"):
        opened.read("activations.000")


def test_foreign_npz(tmp_path: Path) -> None:
    path = tmp_path / "traces.npz"
    contents = {
        "activations.010": np.zeros((2, 3, 4, 4), np.uint8),
        "activations.002": np.ones((2, 3), np.uint8),
        "weights.001": np.full((5, 3, 1, 1), 200, np.uint8),
        "left": np.zeros(4, np.int16),
        "right": np.zeros(4, np.uint16),
        "bias": np.zeros(4, np.float32),
        "objects": np.array([{}], object),
    }
    np.savez_compressed(path, **contents)  # type: ignore[arg-type]
    opened = TensorFile.open(path)
    assert [(t.key, t.kind, t.index, t.layout, t.bits) for t in opened.tensors.values()] == [
        ("left", "weight", 0, "", 16),
        ("weights.001", "weight", 1, "OIHW", 8),
        ("right", "activation", 0, "", 16),
        ("activations.002", "activation", 2, "NC", 8),
        ("activations.010", "activation", 10, "NCHW", 8),
    ]
    for key in opened.tensors:
        np.testing.assert_array_equal(opened.read(key), contents[key])
    assert {s.name: s.reason.rpartition(" ")[2] for s in opened.skipped} == {
        "bias": "float32",
        "objects": "object",
    }


def test_foreign_npy(tmp_path: Path) -> None:
    path = tmp_path / "weights.000.npy"
    np.save(path, np.arange(6, dtype=np.int8).reshape(2, 3))
    opened = TensorFile.open(path)
    assert [(t.key, t.kind, t.layout) for t in opened.tensors.values()] == [("weights.000", "weight", "OI")]
    np.testing.assert_array_equal(opened.read("weights.000"), [[0, 1, 2], [3, 4, 5]])


class Trap:
    """Unpickling it is a failure."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was loaded",)


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def header(text: str) -> bytes:
    """An array of that header and no values."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin1")


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (npy(np.array([Trap()], object)), "dtype must be one of"),
        (npy(np.zeros(3)), "dtype must be one of int8, uint8, int16, uint16, not float64"),
        (header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({1 << 60},), }}\n"), "the header says"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }\n"), "the header says"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n") + b"a", "the header says"),
        (header("{'descr': '|u1', 'shape': (2,), }\n"), "correct keys"),
        (header("("), "EOF"),
        (b"\x93NUMPY\x09\x00", "9.0 is not known"),
        (b"not an array", "magic"),
        (b"", "EOF|magic"),
    ],
)  # fmt: skip
def test_malformed_arrays(tmp_path: Path, member: bytes, message: str) -> None:
    path = tmp_path / "bad.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights.000.npy", member)
    opened = TensorFile.open(path)  # without a JSON member, what is no tensor is listed
    assert opened.tensors == {}
    (skipped,) = opened.skipped
    assert skipped.name == "weights.000"

    contents = {"format": "atalanta tensors", "version": 1, "tensors": [vars_of(WEIGHT)]}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("provenance.json", json.dumps(contents))
    with pytest.raises(InputError, match=message) as caught:
        TensorFile.open(path).read("weights.000")
    assert str(caught.value).startswith(f"{path}, weights.000: ")


def vars_of(info: Any) -> dict[str, Any]:
    return dict(vars(info))


def test_no_memory_on_a_directorys_word(tmp_path: Path) -> None:
    size = 1 << 40
    member = header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({size},), }}\n")
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights.000.npy", member)
    data = path.read_bytes()
    at = data.rindex(b"PK\x01\x02") + 24  # uncompressed size in the central directory
    claims = (0xFFFF_FFFE).to_bytes(4, "little")
    path.write_bytes(data[:at] + claims + data[at + 4 :])
    (skipped,) = TensorFile.open(path).skipped
    assert "claims" in skipped.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "does not say"),
        ({"format": "tensors"}, "does not say"),
        ({"surprise": 1}, "provenance.json.surprise is not known"),
        ({"tensors": 3}, "tensors must be a list, not '3'"),
        ({"tensors": [{"key": "weights.000"}]}, r"tensors\[0\]\.\w+ is missing"),
        ({"tensors": [vars_of(WEIGHT) | {"kind": "bias"}]}, r"kind must be one of 'weight', 'activation'"),
        ({"tensors": [vars_of(WEIGHT) | {"bits": True}]}, r"bits must be an integer, not 'True'"),
        ({"tensors": [vars_of(WEIGHT) | {"shape": [1.5]}]}, r"shape\[0\] must be an integer"),
        ({"tensors": [vars_of(WEIGHT) | {"axis": "0"}]}, r"axis must be an integer"),
        ({"tensors": [vars_of(WEIGHT) | {"key": "weights.007"}]}, "lists weights.007, which is not there"),
        ({"provenance": {"versions": {"torch": 2}}}, "versions.torch must be a string"),
    ],
)
def test_malformed_json(file: Path, change: dict[str, Any], message: str) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    contents = json.loads(members["provenance.json"]) | change
    members["provenance.json"] = json.dumps(contents).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match=message):
        TensorFile.open(file)


def test_an_array_that_is_not_as_listed(file: Path) -> None:
    opened = TensorFile.open(file)
    write_tensors(file, [(WEIGHT, np.zeros((3, 2), np.int8))], provenance=PROVENANCE)
    with pytest.raises(InputError, match=r"holds int8\(3, 2\), not int8\(2, 3, 1, 1\)"):
        opened.read("weights.000")


@pytest.mark.parametrize("name", ["missing.npz", "missing.npy", "."])
def test_unreadable(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"No such file|Is a directory"):
        TensorFile.open(tmp_path / name)


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"rubbish" * 100])
def test_not_such_a_file(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(data)
    with pytest.raises(InputError, match=str(path)):
        TensorFile.open(path)


def test_unknown_key(file: Path) -> None:
    with pytest.raises(InputError, match=r"no tensor weights\.9; it has weights\.000, activations\.000"):
        TensorFile.open(file).read("weights.9")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_files_are_errors_or_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "toy.npz"
    write_tensors(path, arrays(), provenance=PROVENANCE, layers=[LAYER])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    with suppress(InputError):
        opened = TensorFile.open(path)
        for info in opened.tensors.values():
            assert opened.read(info.key).shape == info.shape


def test_a_failed_write_leaves_nothing_and_spoils_nothing(file: Path) -> None:
    before = file.read_bytes()

    def failing() -> Iterator[tuple[TensorInfo, Array]]:
        yield arrays()[0]
        raise RuntimeError("power cut")

    for path in (file, file.with_name("new.npz")):
        with pytest.raises(RuntimeError, match="power cut"):
            write_tensors(path, failing(), provenance=PROVENANCE)
    assert [f.name for f in file.parent.iterdir()] == ["toy.npz"]
    assert file.read_bytes() == before


def test_unwritable(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .*nowhere/x\.npz: No such file or directory"):
        write_tensors(tmp_path / "nowhere" / "x.npz", arrays(), provenance=PROVENANCE)
    with pytest.raises(InputError, match=r"cannot write .*x\.npy: a file of tensors is named"):
        write_tensors(tmp_path / "x.npy", arrays(), provenance=PROVENANCE)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*folder\.npz: Is a directory"):
        write_tensors(tmp_path / "folder.npz", arrays(), provenance=PROVENANCE)


def test_floats_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="dtype must be one of"):
        write_tensors(tmp_path / "x.npz", [(WEIGHT, np.zeros(2))], provenance=PROVENANCE)  # type: ignore[list-item]

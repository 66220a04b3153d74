"""FORMAT.md says what the code does: generated parts are up to date, examples decode, words hold."""

import re

import numpy as np
import pytest

import atalanta
from atalanta.golden import document
from atalanta.golden.codec import CODECS
from atalanta.golden.errors import ErrorCode
from atalanta.golden.format import BASE
from atalanta.golden.params import LANES
from atalanta.golden.values import Mapping, to_codes

TEXT = document.PATH.read_text()


def test_the_file_is_up_to_date() -> None:
    assert document.render(TEXT) == TEXT, "run python -m atalanta.golden.document"


def test_every_part_is_used_once() -> None:
    marks = re.findall(r"<!-- (?!end)(.+?) -->", TEXT)
    assert sorted(marks) == sorted(document.PARTS)
    assert TEXT.count("<!-- end -->") == len(marks)


def test_a_change_shows() -> None:
    assert document.render(TEXT.replace("| 24 | `magic` |", "| 23 | `magic` |")) == TEXT
    with pytest.raises(KeyError):
        document.render("<!-- nothing -->\n<!-- end -->")


def test_examples_decode() -> None:
    """The bytes printed are streams of the values printed."""
    for data, array in (
        (document.example_stream(), document.EXAMPLE),
        (document.group_stream(), document.GROUPS),
    ):
        for engine in ("reference", "auto"):
            read = atalanta.decode(data, engine=engine)
            assert read.dtype == array.dtype
            assert np.array_equal(read, array)
    printed = re.findall(r"^    [0-9a-f]{4}  ([0-9a-f ]+)$", TEXT, re.MULTILINE)
    assert bytes.fromhex("".join(printed)) == document.example_stream()


def test_slots_of_the_example() -> None:
    """Every value stands in its slot, and the fields add up to the bits that are said to be used."""
    part = TEXT.split("<!-- atalanta example slots -->")[1].split("<!-- end -->")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("| ")
    ]
    slots = rows[2:]
    assert [int(row[0]) for row in slots] == list(range(len(slots)))
    assert [int(row[-1]) for row in slots if row[-1]] == document.EXAMPLE.reshape(-1).tolist()
    bits = sum(len(field) for row in slots for field in re.findall(r"`([01]+)`", "".join(row)))
    assert f"\n{bits} bits of" in part
    assert any(row[6] for row in slots[2:]), "no refill in the example"


def test_every_error_and_codec_is_named() -> None:
    for code in ErrorCode:
        assert f"`{code.name}`" in TEXT
    for codec in (c for c in CODECS.values() if c.__module__.startswith("atalanta.golden.")):
        assert re.search(rf"\b{codec.name}\b", TEXT, re.IGNORECASE)


def test_words_about_mappings() -> None:
    """The table under Values, as formulas."""
    for bits in (2, 5, 8):
        values = np.arange(-(1 << bits - 1), 1 << bits - 1).astype(np.int8)
        v = values.astype(int)
        least = v == v.min()
        assert np.array_equal(to_codes(values, bits, True, Mapping.OFFSET_BINARY), v + (1 << bits - 1))  # noqa: FBT003
        magnitude = np.where(least, 1, 2 * abs(v) + (v < 0))
        assert np.array_equal(to_codes(values, bits, True, Mapping.SIGN_MAGNITUDE), magnitude)  # noqa: FBT003
        assert np.array_equal(to_codes(values, bits, True, Mapping.TWOS_COMPLEMENT), v % (1 << bits))  # noqa: FBT003


def test_numbers_in_the_words() -> None:
    assert f"At least {BASE.nbytes} bytes are left" in TEXT
    assert f"`header_bytes` is at least {BASE.nbytes}" in TEXT
    assert f"| L | lanes | {', '.join(map(str, LANES))} |" in TEXT

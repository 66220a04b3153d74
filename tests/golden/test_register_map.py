"""The register map as data."""

import dataclasses
from dataclasses import fields

import pytest

from atalanta.golden.decoder import CAUSES, DecoderParams
from atalanta.golden.errors import ErrorCode
from atalanta.golden.registers import (
    ADDRESS_BITS,
    BY_NAME,
    COUNTERS,
    REGISTER_BITS,
    REGISTER_BYTES,
    REGISTERS,
    UNSEEN,
    Access,
    built,
    params_of,
)  # fmt: skip


def test_registers_fill_words_and_do_not_overlap() -> None:
    offsets = [r.offset for r in REGISTERS]
    assert offsets == sorted(set(offsets))
    assert all(o % REGISTER_BYTES == 0 and o < 1 << ADDRESS_BITS for o in offsets)
    assert all(r.record.width == REGISTER_BITS for r in REGISTERS)
    assert len(BY_NAME) == len(REGISTERS)


def test_fields_come_back_from_a_register() -> None:
    status = BY_NAME["status"]
    values = {"done": 40_000, "space": 7, "code": ErrorCode.ABORTED, "busy": 1, "halted": 0}
    word = 40_000 | 7 << 16 | 15 << 24 | 1 << 28
    assert status.pack(values) == word
    assert status.unpack(word | 3 << 30) == values, "reserved bits are not looked at"
    assert status.mask == 0x3FFF_FFFF


def test_every_error_fits_the_status() -> None:
    width = next(f.width for f in BY_NAME["status"].fields if f.name == "code")
    assert max(ErrorCode) < 1 << width


def test_every_cause_of_cycles_can_be_read() -> None:
    assert list(COUNTERS)[1 : 1 + len(CAUSES)] == list(CAUSES)


@pytest.mark.parametrize(
    "p",
    [
        DecoderParams(),
        DecoderParams(lanes=1, ways=2, rows=8, value_bits=4, axi_bits=64, burst_beats=1, outstanding=1,
                      prefetch=1, address_bits=16, queue=1, shapeshifter=False, raw=False),
        DecoderParams(lanes=64, ways=8, rows=32, value_bits=16, beat_bytes=64, lane_depth=8, lane_fifo=16,
                      axi_bits=128, burst_beats=256, outstanding=64, prefetch=4096, address_bits=64,
                      queue=32, atalanta=False),
        DecoderParams(axi_bits=512, burst_beats=64),
    ],
    ids=["default", "smallest", "largest", "widest"],
)  # fmt: skip
def test_a_driver_can_tell_how_the_decoder_was_built(p: DecoderParams) -> None:
    words = {name: BY_NAME[name].pack(values) for name, values in built(p).items()}
    assert params_of({name: BY_NAME[name].unpack(word) for name, word in words.items()}) == p


def test_every_parameter_is_in_the_registers() -> None:
    """A parameter that is added later must be found there too."""
    found = {name for values in built(DecoderParams()).values() for name in values}
    assert {f.name for f in fields(DecoderParams)} - set(UNSEEN) <= found


def test_a_register_is_a_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        BY_NAME["id"].offset = 4  # type: ignore[misc]
    assert BY_NAME["id"].access is Access.RO

"""The compiled Atalanta codec: the reference's bits, order of beats, values and errors."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from golden_strategies import Coding, codings, draw_codes, mutations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atalanta.golden import native
from atalanta.golden.errors import StreamError
from atalanta.golden.format import row_record
from atalanta.golden.lanes import Schedule
from atalanta.golden.params import LANES, AtalantaParams
from atalanta.golden.reference import atalanta as reference
from atalanta.golden.search import MAX_VISITS, log2_array, search
from atalanta.golden.table import Table
from atalanta.golden.values import Codes

# The fixture sets a width for the whole of a test, so running examples under it is right.
ON_EACH_KERNEL = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)


def outcome(
    decode: Callable[..., np.ndarray | tuple[np.ndarray, ...]], *args: object, **options: object
) -> object:
    """The values that a decoder returns, or the text of its StreamError."""
    try:
        found = decode(*args, **options)
    except StreamError as error:
        return str(error)
    return (found[0] if isinstance(found, tuple) else found).tolist()


def assert_same_order(found: Schedule | None, expected: Schedule) -> None:
    assert found is not None
    for field in fields(Schedule):
        assert np.array_equal(getattr(found, field.name), getattr(expected, field.name)), field.name


def assert_same_decoding(
    payload: bytes, lane_bytes: list[int], count: int, table: Table, p: AtalantaParams
) -> None:
    """Reference and library return the same codes or raise the same error with the same text."""
    what = (payload, lane_bytes, count, table, p)
    assert outcome(native.atalanta_decode, *what) == outcome(reference.decode, *what)


@pytest.mark.usefixtures("vectors")
@ON_EACH_KERNEL
@given(codings())
def test_encoder_equals_the_reference(coding: Coding) -> None:
    codes, table, p = coding.codes, coding.table, coding.params
    expected = reference.encode(codes.astype(np.uint16), table, p)
    encoder = native.AtalantaEncoder(codes, table, p)
    assert (encoder.lane_bytes, encoder.used_bits) == (expected.lane_bytes, expected.used_bits)
    assert encoder.write() == expected.payload


@pytest.mark.usefixtures("vectors")
@ON_EACH_KERNEL
@given(st.integers(2, 8), st.integers(0, 3000), st.integers(1, 32), st.booleans(), st.integers(0, 1 << 32))
def test_one_call_does_what_three_do(bits: int, count: int, rows: int, signed: bool, seed: int) -> None:
    """Counting, searching and measuring at once leads to the same table, lengths and bits."""
    rng = np.random.default_rng(seed)
    codes = (rng.laplace(rng.random(), rng.random(), count) * (1 << bits)).clip(0, (1 << bits) - 1)
    bias = 1 << bits - 1 if signed else 0
    values = (codes.astype(np.int64) - bias).astype(np.uint8)
    p = AtalantaParams(bits=bits, lanes=4, rows=rows)
    row_bits, logs = row_record(bits).width, log2_array(1024)
    found, best, counts = native.AtalantaEncoder.fit(
        values, p, bias, row_bits=row_bits, logs=logs, max_visits=MAX_VISITS
    )
    assert np.array_equal(counts, np.bincount(codes.astype(np.int64), minlength=1 << bits))
    expected = search(counts, rows=rows)
    assert (best.cost, best.bound, best.cuts[:-1]) == (expected.cost, expected.bound, expected.table.v_min)
    three = native.AtalantaEncoder(values, expected.table, replace(p, rows=expected.table.rows), bias)
    assert (found.lane_bytes, found.used_bits) == (three.lane_bytes, three.used_bits)
    assert found.write() == three.write()


@pytest.mark.usefixtures("vectors")
@ON_EACH_KERNEL
@given(codings())
def test_decoder_equals_the_reference(coding: Coding) -> None:
    table, p = coding.table, coding.params
    coded = reference.encode(coding.codes.astype(np.uint16), table, p)
    what = (coded.payload, coded.lane_bytes, len(coding.codes), table, p)
    codes = native.atalanta_decode(*what)
    assert codes.dtype == (np.uint8 if p.bits <= 8 else np.uint16)
    assert np.array_equal(codes, coding.codes)
    assert_same_order(native.atalanta_schedule(*what), coded.schedule)


@pytest.mark.usefixtures("vectors")
@ON_EACH_KERNEL
@given(codings(), st.data())
def test_mutated_payloads_decode_alike(coding: Coding, data: st.DataObject) -> None:
    encoder = native.AtalantaEncoder(coding.codes, coding.table, coding.params)
    payload = data.draw(mutations(encoder.write()))
    assert_same_decoding(payload, encoder.lane_bytes, len(coding.codes), coding.table, coding.params)


@pytest.mark.usefixtures("vectors")
@ON_EACH_KERNEL
@given(codings(), st.data())
def test_wrong_lengths_and_counts_decode_alike(coding: Coding, data: st.DataObject) -> None:
    encoder = native.AtalantaEncoder(coding.codes, coding.table, coding.params)
    lane_bytes = list(encoder.lane_bytes)
    lanes = st.integers(0, len(lane_bytes) - 1)
    source, target = data.draw(lanes), data.draw(lanes)
    moved = data.draw(st.integers(0, lane_bytes[source]))
    lane_bytes[source] -= moved
    lane_bytes[target] += moved
    count = max(0, len(coding.codes) + data.draw(st.integers(-80, 80)))
    assert_same_decoding(encoder.write(), lane_bytes, count, coding.table, coding.params)


@pytest.mark.usefixtures("vectors")
@ON_EACH_KERNEL
@given(codings(), st.integers(0, 1 << 32))
def test_random_bytes_decode_alike(coding: Coding, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lane_bytes = rng.integers(0, 40, coding.params.lanes).tolist()
    payload = rng.bytes(sum(lane_bytes))
    assert_same_decoding(payload, lane_bytes, len(coding.codes), coding.table, coding.params)


def laplace(count: int, bits: int, seed: int = 1) -> Codes:
    """Codes like a tensor's: a peak in the middle, long tails."""
    middle = 1 << bits - 1
    values = np.random.default_rng(seed).laplace(middle, middle / 12, count)
    return values.clip(0, 2 * middle - 1).astype(np.uint8 if bits <= 8 else np.uint16)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("bits", [8, 12])
def test_long_lanes_equal_the_reference(lanes: int, bits: int) -> None:
    """Long enough for rings to turn, for every kernel's bulk, and for what it leaves to the end."""
    codes = laplace(150 * lanes + 777, bits)
    table = search(np.bincount(codes, minlength=1 << bits), rows=32).table
    p = AtalantaParams(bits=bits, lanes=lanes, ways=3, rows=table.rows)
    expected = reference.encode(codes.astype(np.uint16), table, p)
    payload = native.AtalantaEncoder(codes, table, p).write()
    assert payload == expected.payload
    what = (payload, expected.lane_bytes, len(codes), table, p)
    assert np.array_equal(native.atalanta_decode(*what), codes)
    assert_same_order(native.atalanta_schedule(*what), expected.schedule)


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("lanes", [1, 16, 64])
def test_segment_of_several_blocks(lanes: int) -> None:
    """Beyond 2^20 values the encoder forgets its records and runs parts of the segment again."""
    codes = laplace((1 << 21) + 7003, 8)
    table = search(native.histogram(codes, 8)).table
    p = AtalantaParams(lanes=lanes, rows=table.rows)
    encoder = native.AtalantaEncoder(codes, table, p)
    payload = encoder.write()
    assert np.array_equal(native.atalanta_decode(payload, encoder.lane_bytes, len(codes), table, p), codes)


@pytest.mark.usefixtures("vectors")
def test_first_of_several_errors_is_reported() -> None:
    """Bad offsets in slots and lanes of one vector group: the first by slot, then by lane, counts."""
    table = Table(8, (0, 3), (0, 512))  # an offset of 3 in row 0, of 253 and more in row 1 is bad
    p = AtalantaParams(lanes=16, rows=2)
    payload = bytes([0b10111011, 0xFF] * 8 * 40)
    lane_bytes = [len(payload) // 16] * 16
    assert_same_decoding(payload, lane_bytes, 16 * 30, table, p)
    with pytest.raises(StreamError, match=r"VALUE.*in row \d of slot \d+"):
        native.atalanta_decode(payload, lane_bytes, 16 * 30, table, p)


@pytest.mark.usefixtures("library")
class TestArguments:
    table = Table(8, (0, 100, 200), (0, 500, 500))
    params = AtalantaParams(rows=3)

    def test_codes_of_a_row_without_counts(self) -> None:
        with pytest.raises(ValueError, match="no counts to a value"):
            native.AtalantaEncoder(np.array([0, 150], np.uint8), self.table, self.params)

    def test_codes_beyond_the_bits(self) -> None:
        table = Table(5, (0, 7), (0, 500))
        with pytest.raises(ValueError, match="no counts to a value"):
            native.AtalantaEncoder(np.array([3, 32], np.uint8), table, replace(self.params, bits=5, rows=2))

    def test_histogram_of_codes_beyond_the_bits(self) -> None:
        with pytest.raises(ValueError, match="some code needs over 5 bits"):
            native.histogram(np.array([3, 32], np.uint8), 5)

    def test_codes_of_another_dtype(self) -> None:
        with pytest.raises(ValueError, match="cannot come as int64"):
            native.histogram(np.array([1, 2]), 8)  # type: ignore[arg-type]

    def test_table_of_other_rows(self) -> None:
        with pytest.raises(ValueError, match="bits and rows only"):
            native.atalanta_decode(b"", [0] * 16, 0, self.table, replace(self.params, rows=2))

    def test_lengths_that_are_not_the_payload(self) -> None:
        with pytest.raises(RuntimeError, match="refused"):
            native.atalanta_decode(b"123", [2] * 16, 4, self.table, self.params)

    def test_a_segment_is_written_once(self) -> None:
        encoder = native.AtalantaEncoder(np.zeros(4, np.uint8), self.table, self.params)
        encoder.write()
        with pytest.raises(RuntimeError, match="once"):
            encoder.write()

    def test_strided_codes(self) -> None:
        codes = draw_codes(self.table, 500, 3, by_count=True).astype(np.uint8)
        spread = np.repeat(codes, 3)[::3]
        first = native.AtalantaEncoder(codes, self.table, self.params).write()
        assert native.AtalantaEncoder(spread, self.table, self.params).write() == first

"""The baseline codecs: what they encode they decode, every bit counted, and no hardware is offered them."""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from golden_strategies import mutations
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native_atalanta import outcome

import atalanta
from atalanta.golden import compiled, container
from atalanta.golden.bits import BitReader, BitWriter
from atalanta.golden.codec import CODECS
from atalanta.golden.codecs.ebpc import Ebpc
from atalanta.golden.codecs.huffman import Huffman, profiled_lengths
from atalanta.golden.codecs.runs import Layout as RunsLayout
from atalanta.golden.codecs.runs import Rle, Rlez
from atalanta.golden.codecs.shapeshifter import ShapeShifter
from atalanta.golden.codecs.zvc import Layout as ZvcLayout
from atalanta.golden.codecs.zvc import Zvc
from atalanta.golden.engine import NATIVE, REFERENCE
from atalanta.golden.errors import ParameterError, StreamError
from atalanta.golden.params import BLOCK, EbpcParams
from atalanta.golden.reference import ebpc as ebpc_reference
from atalanta.golden.reference import huffman as huffman_reference
from atalanta.golden.values import Codes
from atalanta.tools.decoders import decoder_needs

BASELINES = ("huffman", "rle", "rlez", "zvc", "ebpc")


@dataclass(frozen=True)
class Sample:
    """Codes below 2^bits."""

    codes: Codes
    bits: int


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Codes with runs of one value, of small and of any size; none at all, and all alike, too."""
    bits = draw(st.integers(2, 16))
    count = draw(st.integers(0, 700))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    codes = rng.integers(0, 1 << bits, count) >> np.repeat(rng.integers(0, bits + 1, count), 9)[:count]
    if draw(st.booleans()):
        codes = np.repeat(codes, rng.integers(1, 40, count))[:count]
    zero = draw(st.integers(0, (1 << bits) - 1))
    codes[rng.random(count) < draw(st.sampled_from([0.0, 0.5, 0.97, 1.0]))] = zero
    narrow = bits <= 8 and draw(st.booleans())
    return Sample(codes.astype(np.uint8 if narrow else np.uint16), bits)


def engines(codec: str) -> list[str]:
    """Both engines where the codec has two and the library is there."""
    if "engine" not in CODECS[codec].options():
        return [REFERENCE]
    return [REFERENCE] if compiled.missing() else [REFERENCE, NATIVE]


@pytest.mark.parametrize("codec", BASELINES)
@given(samples())
@settings(deadline=None)
def test_round_trip(codec: str, sample: Sample) -> None:
    kind = CODECS[codec]
    bodies = []
    for engine in engines(codec):
        coder = kind(**({"engine": engine} if "engine" in kind.options() else {}))
        draft = coder.draft(sample.codes, sample.bits)
        body = draft.body()
        assert draft.nbytes == body.nbytes
        assert sum(body.parts.values()) == 8 * len(body.payload)
        bodies.append(body)
        layout = layout_of(codec, sample.bits, body.params)
        back = kind.decode(layout, body.payload, len(sample.codes), engine=engine)
        assert np.array_equal(back, sample.codes)
        assert kind.parts(layout, sample.codes, body.payload) == body.parts
    assert all(body == bodies[0] for body in bodies)


def layout_of(codec: str, bits: int, params: Any) -> Any:
    """What the header would say; the container's own test is `test_tensors`."""
    if codec == "huffman":
        return bits
    if codec == "ebpc":
        return EbpcParams(
            bits=bits, block=1 << params["block_log2"], run_bits=params["run_bits"], zero=params["zero"]
        )
    if codec == "zvc":
        return ZvcLayout(bits, params["zero"])
    return RunsLayout(bits, params["run_bits"], params.get("zero", 0))


@pytest.mark.parametrize("codec", BASELINES)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
def test_tensors(codec: str, dtype: type[np.integer]) -> None:
    """Through the container: shape, dtype and sign come back, and no bit goes uncounted."""
    rng = np.random.default_rng(5)
    array = (rng.laplace(0, 3, (3, 50, 71)).round() * (rng.random((3, 50, 71)) < 0.2)).astype(dtype)
    stream = container.encode(array, codec, segment_values=4096)
    found = list(container.segments(stream))
    assert [s.codec.name for s in found] == [codec] * 3
    back = container.decode(stream)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    for segment in found:
        total = 8 * (segment.header.nbytes + segment.header.payload_bytes)
        assert sum(segment.parts(stream).values()) == total


@pytest.mark.parametrize("codec", BASELINES)
@given(st.data(), samples())
@settings(deadline=None)
def test_mutated_streams(codec: str, data: st.DataObject, sample: Sample) -> None:
    """A damaged payload decodes alike in both engines, or both say the same is wrong."""
    body = CODECS[codec]().encode(sample.codes, sample.bits)
    payload = data.draw(mutations(body.payload))
    payload = payload[: data.draw(st.integers(0, len(payload)))] + data.draw(st.binary(max_size=3))
    count = max(0, len(sample.codes) + data.draw(st.integers(-30, 30)))
    layout = layout_of(codec, sample.bits, body.params)

    def decode(engine: str) -> Codes:
        return CODECS[codec].decode(layout, payload, count, engine=engine)

    outcomes = [outcome(decode, engine) for engine in engines(codec)]
    assert all(o == outcomes[0] for o in outcomes)


@pytest.mark.parametrize("codec", BASELINES)
def test_no_hardware(codec: str) -> None:
    assert not CODECS[codec].hardware
    stream = container.encode(np.zeros(100, np.uint8), codec)
    with pytest.raises(ParameterError, match=f"the hardware does not know codec {codec}"):
        decoder_needs([stream])


def test_best_is_for_hardware() -> None:
    """`best` takes no codec that hardware does not know, however small."""
    array = np.zeros(1 << 16, np.uint8)
    assert len(container.encode(array, "huffman")) < len(container.encode(array, "best"))
    assert all(s.codec.hardware for s in container.segments(container.encode(array, "best")))


def test_rlez_by_hand() -> None:
    """0 0 7 0 0 0 0 0 9 0 with runs of 2 bits: (2,7) (3,0) (1,9) (0,0)."""
    codes = np.array([0, 0, 7, 0, 0, 0, 0, 0, 9, 0], np.uint8)
    body = Rlez(run_bits=2, zero=0).encode(codes, 4)
    fields = [2 | 7 << 2, 3 | 0 << 2, 1 | 9 << 2, 0 | 0 << 2]
    word = sum(field << 6 * i for i, field in enumerate(fields))
    assert body.payload == word.to_bytes(3, "little")
    assert body.parts == {"run": 8, "value": 16, "padding": 0}


def test_rle_by_hand() -> None:
    """5 5 5 5 5 2 with runs of 2 bits: four fives, one five, one two."""
    body = Rle(run_bits=2).encode(np.array([5, 5, 5, 5, 5, 2], np.uint8), 3)
    fields = [3 | 5 << 2, 0 | 5 << 2, 0 | 2 << 2]
    word = sum(field << 5 * i for i, field in enumerate(fields))
    assert body.payload == word.to_bytes(2, "little")


def test_zvc_by_hand() -> None:
    body = Zvc(zero=0).encode(np.array([0, 3, 0, 0, 0, 0, 0, 0, 15], np.uint8), 4)
    assert body.payload == bytes([0b10, 0b1, 0xF3])


@pytest.mark.parametrize("engine", [REFERENCE, NATIVE])
def test_ebpc_by_hand(engine: str) -> None:
    """Four values 1 2 3 4 behind a zero: base 1, differences 1 1 1, whose planes are 0 0 0 0 111."""
    if engine == NATIVE and compiled.missing():
        pytest.skip(compiled.missing())
    body = Ebpc(block=4, run_bits=1, zero=0, engine=engine).encode(np.array([0, 1, 2, 3, 4], np.uint8), 4)
    out = BitWriter()
    for field, width in ((0, 1), (0, 1), (0b1111, 4)):  # one zero, four others
        out.put("zeros", field, width)
    out.put("base", 1, 4)
    for bit in (0, 0, 1):  # a run of planes without ones
        out.put("plane", bit, 1)
    out.put("plane", 4 - 2, 2)
    out.put("plane", 0, 5)  # all ones
    assert body.payload == out.data


def optimal_bits(counts: list[int]) -> int:
    """Total bits of an unlimited Huffman code: the sum of all merges."""
    heap = [c for c in counts if c]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


@given(
    st.lists(st.integers(0, 1000), min_size=4, max_size=4)
    | st.lists(st.integers(0, 40), min_size=256, max_size=256)
)
def test_huffman_lengths_are_optimal(counts: list[int]) -> None:
    lengths = huffman_reference.code_lengths(np.array(counts))
    assert ((lengths > 0) == (np.array(counts) > 0)).all()
    if sum(c > 0 for c in counts) > 1:
        assert int(lengths.astype(int) @ np.array(counts)) == optimal_bits(counts)


def test_huffman_lengths_are_limited() -> None:
    """Fibonacci counts would need 39 bits; the limit holds, the code stays complete."""
    counts = [1, 1]
    while len(counts) < 40:
        counts.append(counts[-1] + counts[-2])
    lengths = huffman_reference.code_lengths(np.array(counts + [0] * 24)).astype(int)[:40]
    assert lengths.max() == huffman_reference.MAX_LENGTH
    assert sum(2.0**-length for length in lengths) == 1


@given(samples())
@settings(deadline=None)
def test_huffman_tables(sample: Sample) -> None:
    if len(sample.codes):
        found = np.bincount(sample.codes, minlength=1 << sample.bits)
        for lengths in (huffman_reference.code_lengths(found), profiled_lengths(found)):
            out = BitWriter()
            huffman_reference.write_table(out, lengths, sample.bits)
            source = BitReader(out.data)
            assert np.array_equal(huffman_reference.read_table(source, sample.bits), lengths)
            assert source.position == 8 * len(out.data)


def test_a_profiled_huffman_table_codes_what_it_never_saw() -> None:
    seen = np.bincount([3, 3, 4], minlength=256)
    array = np.arange(256).astype(np.uint8)
    stream = container.encode(array, "huffman", lengths=profiled_lengths(seen))
    assert np.array_equal(container.decode(stream), array)


@pytest.mark.parametrize(
    "codec",
    [
        (Rle, {"run_bits": 9}, "run_bits must be"),
        (Zvc, {"zero": 1 << 16}, "zero must be"),
        (Ebpc, {"block": 5}, "block must be"),
        (Huffman, {"lengths": [1, 1, 1, 0]}, "lengths must be"),
    ],
)
def test_illegal_options(codec: tuple[Any, dict[str, Any], str]) -> None:
    kind, options, message = codec
    with pytest.raises(ParameterError, match=message):
        kind(**options)


def test_values_outside_a_given_table() -> None:
    with pytest.raises(ParameterError, match="every value that occurs"):
        container.encode(np.array([7], np.uint8), "huffman", lengths=[1, 1, *[0] * 254])


@given(samples(), st.sampled_from(BLOCK), st.integers(1, 8))
def test_ebpc_measures_what_it_codes(sample: Sample, block: int, run_bits: int) -> None:
    if compiled.missing():
        pytest.skip(compiled.missing())
    p = EbpcParams(bits=sample.bits, block=block, run_bits=run_bits)
    expected = ebpc_reference.encode(sample.codes, p)
    body = Ebpc(block=block, run_bits=run_bits, zero=0, engine=NATIVE).encode(sample.codes, sample.bits)
    assert body.payload == expected


@given(samples())
@settings(deadline=None, max_examples=25)
def test_free_groups_are_the_best_of_all(sample: Sample) -> None:
    free = ShapeShifter(group=None).draft(sample.codes, sample.bits).nbytes
    assert free == min(
        ShapeShifter(group=group).draft(sample.codes, sample.bits).nbytes for group in range(8, 257)
    )


def test_shapeshifter_parts_sum_to_the_payload() -> None:
    array = np.random.default_rng(1).integers(0, 9, 1001).astype(np.uint8)
    stream = container.encode(array, "shapeshifter", group=None)
    (segment,) = container.segments(stream)
    assert sum(segment.parts(stream).values()) == 8 * len(stream)


def test_damaged_tables_are_refused() -> None:
    array = np.random.default_rng(2).integers(0, 9, 5000).astype(np.uint8)
    (segment,) = container.segments(container.encode(array, "huffman"))
    for payload in (b"", b"\x00", b"\xff" * 40):
        with pytest.raises(StreamError):
            segment.codec.decode(segment.layout, payload, 5000)


def test_every_codec_is_known_by_name_and_number() -> None:
    assert set(BASELINES) <= set(CODECS)
    assert sorted(CODECS[name].id for name in BASELINES) == [16, 17, 18, 19, 20]
    assert np.array_equal(atalanta.decode(atalanta.encode(np.ones(9, np.int8), "rlez")), np.ones(9, np.int8))

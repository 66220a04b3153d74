"""Conservation laws raise by name when they are broken, and what cannot work is refused before it runs."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from decoder_work import decoder, encoded, runs, values

from atalanta.golden import container
from atalanta.golden.decoder import CAUSES, DecoderParams
from atalanta.golden.errors import ErrorCode, InputError, ParameterError, StreamError
from atalanta.sim.decoder import plan, simulate
from atalanta.sim.dram_presets import preset
from atalanta.sim.native import ConservationError, Memory

CODECS = ("atalanta", "shapeshifter", "raw")


def changed(tensor, **changes):
    """The plan with its first segment changed."""
    return replace(tensor, segments=[replace(tensor.segments[0], **changes), *tensor.segments[1:]])


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", ["ddr4-3200", "hbm2-2000"])
def test_bytes_and_beats_are_those_of_the_dram(codec, name):
    p = decoder(axi_bits=256)
    config = preset(name)
    streams = [encoded(values(n, seed=n), codec) for n in (40_000, 3, 9000)]
    addresses = [0x10000 * (i + 1) for i in range(3)]
    with Memory.dram(config, Fraction(1000), outstanding=16) as memory:
        run = simulate([plan(s, p) for s in streams], p, memory, addresses=addresses)
        axi, dram = memory.stats()
    assert axi.bytes_read == run.counters["words"] * p.axi_bytes
    assert axi.beats_taken == run.counters["words"]
    assert axi.read_bursts == run.bursts
    touched = {
        (a + i) // config.burst_bytes
        for a, s in zip(addresses, streams, strict=True)
        for i in range(0, -(-len(s) // p.axi_bytes) * p.axi_bytes, p.axi_bytes)
    }
    assert dram.read_commands == len(touched)
    assert sum(run.counters[cause] for cause in CAUSES) == run.cycles


@pytest.mark.parametrize("codec", CODECS)
def test_a_plan_with_too_few_bytes_breaks_a_law(codec):
    p = decoder()
    tensor = plan(encoded(values(3000), codec), p)
    beats = tensor.segments[0].beats.copy()
    beats["nbytes"][0] -= 1
    with pytest.raises(ConservationError, match="bytes decoded = bytes of the tensors"):
        simulate([changed(tensor, beats=beats)], p, Memory.ideal(latency=1))


@pytest.mark.parametrize("codec", CODECS)
def test_a_plan_with_too_many_bytes_breaks_a_law(codec):
    p = decoder()
    tensor = plan(encoded(values(3000), codec), p)
    longer = changed(tensor, header_bytes=tensor.segments[0].header_bytes + 64)
    with pytest.raises(ConservationError, match=r"tensor 0 has the bytes|bytes decoded = bytes of"):
        simulate([longer], p, Memory.ideal(latency=1))


def test_a_plan_longer_than_its_segments_breaks_a_law():
    p = decoder()
    tensor = plan(encoded(values(3000), "raw"), p)
    with pytest.raises(ConservationError, match="bytes decoded"):
        simulate([replace(tensor, nbytes=tensor.nbytes + 1)], p, Memory.ideal(latency=1))


def test_a_conservation_error_is_an_internal_error():
    """Not one that a caller's `except ValueError` for bad input would hide."""
    assert not issubclass(ConservationError, ValueError)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prefetch": 15}, "prefetch must be .*, not 15"),
        ({"burst_beats": 65, "axi_bits": 512}, "burst_beats must be .*, not 65"),
        ({"burst_beats": 0}, "burst_beats must be .*, not 0"),
        ({"outstanding": 0}, "outstanding must be .*, not 0"),
        ({"outstanding": 65}, "outstanding must be .*, not 65"),
        ({"lane_fifo": 1}, "lane_fifo must be .*, not 1"),
        ({"lane_depth": 3}, "lane_fifo must be .*, not 2"),
        ({"lanes": 12}, "lanes must be .*, not 12"),
        ({"ways": 1}, "ways must be .*, not 1"),
        ({"beat_bytes": 8}, "beat_bytes must be .*, not 8"),
        ({"axi_bits": 96}, "axi_bits must be .*, not 96"),
        ({"value_bits": 7}, "value_bits must be .*, not 7"),
        ({"address_bits": 80}, "address_bits must be .*, not 80"),
        ({"atalanta": False, "shapeshifter": False, "raw": False}, "codecs must be at least one"),
    ],
)
def test_decoders_that_cannot_be_built_are_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        decoder(**changes)


@pytest.mark.parametrize(
    ("built", "message"),
    [
        ({"lanes": 8}, "lanes must be at least the stream's 16, not 8"),
        ({"ways": 6}, "ways must be the stream's 4, not 6"),
        ({"beat_bytes": 32}, "beat_bytes must be the stream's 16, not 32"),
        ({"value_bits": 4}, "value_bits must be at least the stream's 8, not 4"),
        ({"rows": 8}, "rows must be at least the stream's 16, not 8"),
        ({"atalanta": False}, "codec must be one that the decoder has, not 'atalanta'"),
    ],
)
def test_streams_for_another_decoder_are_refused(built, message):
    stream = encoded(values(50_000), "atalanta")
    with pytest.raises(ParameterError, match=message):
        plan(stream, decoder(**built))


def test_a_deeper_stream_than_the_lanes_is_refused():
    stream = container.encode(values(9000), "atalanta", lanes=16, ways=4, lane_depth=4)
    with pytest.raises(ParameterError, match="lane_depth must be at least the stream's 4, not 2"):
        plan(stream, decoder())


def test_nothing_to_decode_is_refused():
    with pytest.raises(ParameterError, match="plans must be at least one, not 0"):
        runs([], decoder())


def test_a_malformed_stream_is_refused():
    stream = bytearray(encoded(values(500), "raw"))
    stream[-1] ^= 1
    with pytest.raises(StreamError, match=ErrorCode.PAYLOAD_CRC.name):
        plan(bytes(stream), decoder())


def test_a_receiver_that_never_takes_anything_is_refused():
    with pytest.raises(ParameterError, match="ready must be one row of cycles, high in some"):
        runs([encoded(values(50), "raw")], decoder(), ready=np.zeros(3, np.uint8))


@pytest.mark.parametrize("address", [-1, 1 << 20])
def test_an_address_that_the_decoder_does_not_have_is_refused(address):
    with pytest.raises(ParameterError, match=r"address must be from 0 to 2\^20"):
        runs([encoded(values(50), "raw")], decoder(address_bits=20), addresses=[address])


def test_fewer_addresses_than_tensors_lie_one_after_the_other():
    p = decoder()
    streams = [encoded(values(n), "raw") for n in (100, 200, 300)]
    explicit = [0x1000, 0x1000 + len(streams[0]), 0x1000 + len(streams[0]) + len(streams[1])]
    assert runs(streams, p) == runs(streams, p, addresses=explicit)
    assert runs(streams, p, addresses=[0x1000]) == runs(streams, p, addresses=explicit)


def test_a_tensor_beyond_the_memory_is_refused():
    p = DecoderParams(address_bits=64)
    config = preset("ddr4-3200")
    tensor = plan(encoded(values(5000), "raw"), p)
    addresses = [0, config.capacity_bytes - 64]
    with (
        Memory.dram(config, Fraction(1000)) as memory,
        pytest.raises(InputError, match="tensor 1 does not lie within"),
    ):
        simulate([tensor] * 2, p, memory, addresses=addresses)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latency": 0}, "latency of an ideal memory must be at least 1 cycle"),
        ({"latency": 1, "outstanding": 0}, "outstanding must be from 1 to 256"),
        ({"latency": 1, "jitter": -1}, "jitter must be from 0"),
        ({"latency": 1, "bytes_per_cycle": Fraction(0)}, "bytes_per_cycle must be above zero"),
    ],
)
def test_memories_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        Memory.ideal(**arguments)

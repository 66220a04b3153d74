"""cocotb tests of the exported device: a driver program, real tensors, AXI models of cocotbext-axi."""

import itertools
from collections.abc import Sequence
from random import Random
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotbext.axi import AxiResp
from device_bench import Bench, ModelRam, P, pauses

import atalanta
from atalanta.golden.errors import ErrorCode, StreamError
from atalanta.golden.registers import ADDRESS_BITS, BY_NAME, REGISTERS, Access
from atalanta.golden.values import Array
from atalanta.sim.decoder import plan, simulate
from atalanta.sim.native import Memory
from atalanta.tools.driver import DeviceError, Driver
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.samples import sample_path

KEYS = ("weights.000", "weights.018", "weights.028", "activations.059", "activations.023", "weights.019")
CODECS = ("atalanta", "shapeshifter", "raw")
FIRST = 0x1003
"""Streams lie one behind the other from here on, at any alignment."""


def samples() -> list[Array]:
    """Real tensors."""
    file = TensorFile.open(sample_path())
    return [file.read(key).reshape(-1) for key in KEYS]


def encoded(tensors: list[Array]) -> list[bytes]:
    """Their streams, the codecs in turn."""
    streams = []
    for tensor, codec in zip(tensors, itertools.cycle(CODECS)):
        options: dict[str, Any] = {"lanes": P.lanes, "ways": P.ways} if codec == "atalanta" else {}
        streams.append(atalanta.encode(tensor, codec, **options))
    return streams


def places(streams: list[bytes]) -> list[tuple[int, int]]:
    """Address and length of each, for the driver."""
    ends = itertools.accumulate(map(len, streams), initial=FIRST)
    return [(at, len(stream)) for at, stream in zip(ends, streams, strict=False)]


def image(streams: list[bytes]) -> bytes:
    """What lies in memory from FIRST on."""
    return b"".join(streams)


def good(tensors: Sequence[Array]) -> list[tuple[bytes, bool]]:
    """Packets that tensors come to."""
    return [(tensor.tobytes(), False) for tensor in tensors]


def decode_all(driver: Driver, where: list[tuple[int, int]]) -> None:
    """Push and wait for the end."""
    for address, length in where:
        driver.push(address, length)
    driver.wait()


@cocotb.test()
async def registers_answer_as_the_map_says(dut: Any) -> None:
    """Whole words, single bytes, unknown addresses, writes to what is read-only."""
    bench = Bench(dut)
    await bench.start()
    random = Random(1)
    assert await bench.software(lambda driver: driver.params) == P
    for offset in range(0, 1 << ADDRESS_BITS, 4):
        r = next((r for r in REGISTERS if r.offset == offset), None)
        if r is None and random.random() < 0.95:
            continue
        assert (await bench.axil.read(offset, 4)).resp is (AxiResp.OKAY if r else AxiResp.SLVERR)
        refused = r is None or r.access is Access.RO
        answer = await bench.axil.write(offset, bytes(4))
        assert answer.resp is (AxiResp.SLVERR if refused else AxiResp.OKAY)
    for name in ("source_low", "source_high", "length", "enable"):
        held = 0
        for _ in range(8):
            first = random.randrange(4)
            data = random.randbytes(random.randint(1, 4 - first))
            await bench.axil.write(BY_NAME[name].offset + first, data)
            for i, byte in enumerate(data):
                held = held & ~(255 << 8 * (first + i)) | byte << 8 * (first + i)
            answer = await bench.axil.read(BY_NAME[name].offset, 4)
            assert int.from_bytes(answer.data, "little") == held & BY_NAME[name].mask


@cocotb.test()
@cocotb.parametrize(share=[0.0, 0.05, 0.4])
async def real_tensors_queued_behind_each_other(dut: Any, share: float) -> None:
    """More tensors than the queue holds, all codecs, with pauses on every channel."""
    bench, tensors = Bench(dut), samples()
    streams = encoded(tensors)
    ram = bench.ram()
    ram.write(FIRST, image(streams))
    if share:
        channels = (ram.ar_channel, ram.r_channel, bench.sink, *channels_of(bench))
        for seed, channel in enumerate(channels):
            channel.set_pause_generator(pauses(seed, share))
    await bench.start()

    def program(driver: Driver) -> dict[str, int]:
        driver.enable("idle", "error", "empty")
        decode_all(driver, places(streams))
        assert driver.acknowledge() == {"done", "idle", "empty"}
        assert driver.status().done == len(tensors)
        return driver.counters()

    counters = await bench.software(program)
    assert bench.packets() == good(tensors)
    with Memory.ideal(latency=10) as memory:
        model = simulate([plan(s, P) for s in streams], P, memory, addresses=[a for a, _ in places(streams)])
    known = {name: model.counters[name] for name in ("slot", "words", "values")}
    known |= {"tensors": len(tensors), "bursts": model.bursts}
    assert {name: counters[name] for name in known} == known
    assert (counters["words"], counters["bursts"]) == (bench.words, bench.bursts)
    assert counters["bytes"] == bench.words * P.axi_bytes


def channels_of(bench: Bench) -> list[Any]:
    """The channels of the registers' manager that can be told to pause."""
    write, read = bench.axil.write_if, bench.axil.read_if
    return [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]


@cocotb.test()
@cocotb.parametrize(latency=[1, 30])
async def every_counter_is_the_simulators(dut: Any, latency: int) -> None:
    """With the simulator's memory behind the device: cycles by cause, words, bursts, values."""
    bench, tensors = Bench(dut), samples()
    streams = encoded(tensors)
    await bench.start()
    with Memory.ideal(latency=latency) as behind, Memory.ideal(latency=latency) as modelled:
        ModelRam(dut, behind, image(streams), FIRST)

        def program(driver: Driver) -> dict[str, int]:
            decode_all(driver, places(streams))
            return driver.counters()

        counters = await bench.software(program)
        plans = [plan(s, P) for s in streams]
        model = simulate(plans, P, modelled, addresses=[address for address, _ in places(streams)])
    assert bench.packets() == good(tensors)
    due = {**model.counters, "cycles": model.cycles, "bursts": model.bursts, "tensors": len(tensors)}
    assert counters == due | {"bytes": bench.words * P.axi_bytes}


@cocotb.test()
@cocotb.parametrize(at=[0.01, 0.2, 0.6, 0.99])
async def an_abort_in_the_middle_of_a_queue(dut: Any, at: float) -> None:
    """What came before is right, the packet at work is marked, and the device decodes again."""
    bench, tensors = Bench(dut), samples()
    streams = encoded(tensors)
    ram = bench.ram()
    ram.write(FIRST, image(streams))
    ram.r_channel.set_pause_generator(pauses(1, 0.1))
    await bench.start()
    where = places(streams)
    enough = int(at * sum(len(s) for s in streams[:4]) / P.axi_bytes)

    def program(driver: Driver) -> None:
        driver.enable("error")
        for address, length in where[:4]:
            driver.push(address, length)
        while bench.words < enough:
            driver.status()
        driver.abort()
        while not driver.status().halted:
            pass
        assert "error" in driver.acknowledge()

    await bench.software(program)
    *before, (values, bad) = bench.packets()
    assert bad
    assert before == good(tensors[: len(before)])
    assert tensors[len(before)].tobytes().startswith(values)
    counters = await bench.software(lambda driver: driver.counters())
    assert counters["tensors"] == len(before)
    assert counters["words"] == bench.words

    def again(driver: Driver) -> None:
        with pytest.raises(DeviceError) as error:
            driver.wait()
        assert error.value.code is ErrorCode.ABORTED
        driver.clear()
        decode_all(driver, where)

    await bench.software(again)
    assert bench.packets() == good(tensors)


def outcome(bench: Bench, driver: Driver, where: tuple[int, int]) -> ErrorCode:
    """What a stream ends in, its interrupt seen and the error cleared. Errors must be enabled."""
    driver.acknowledge()
    try:
        decode_all(driver, [where])
    except DeviceError as error:
        while not driver.status().halted:
            pass
        driver.status()  # irq follows its cause by two cycles, another access takes more
        assert bench.dut.irq.value == 1
        assert driver.acknowledge() & {"error", "idle"} == {"error"}
        driver.clear()
        return error.code
    return ErrorCode.NONE


@cocotb.test()
async def a_bus_error_stops_with_its_code_and_an_interrupt(dut: Any) -> None:
    """Wherever it is; afterwards the same stream decodes."""
    bench, tensors = Bench(dut), samples()
    streams = encoded(tensors)
    ram = bench.ram()
    ram.write(FIRST, image(streams))
    await bench.start()
    address, length = places(streams)[1]

    def program(driver: Driver) -> None:
        driver.enable("error")
        for at in (address, address + length // 2, address + length - 1):
            ram.faulty = range(at // P.axi_bytes * P.axi_bytes, at + 1)
            assert outcome(bench, driver, (address, length)) is ErrorCode.BUS
            ((values, bad),) = bench.packets()
            assert bad
            assert tensors[1].tobytes().startswith(values)
            assert bench.dut.irq.value == 0, "acknowledged"
            ram.faulty = range(0)
            assert outcome(bench, driver, (address, length)) is ErrorCode.NONE
            assert bench.packets() == good(tensors[1:2])

    await bench.software(program)


def golden_code(stream: bytes) -> ErrorCode:
    """What golden makes of a stream."""
    try:
        atalanta.decode(stream)
    except StreamError as error:
        return error.code
    return ErrorCode.NONE


@cocotb.test()
async def a_corrupted_stream_stops_with_goldens_code(dut: Any) -> None:
    """Flipped bits in header, table and payload, lengths that do not match; then a good stream."""
    bench, tensors = Bench(dut), samples()
    streams = encoded(tensors)
    ram = bench.ram()
    await bench.start()
    random = Random(7)
    bits = [
        *range(48),
        *random.sample(range(48, 600), 20),
        *random.sample(range(600, 8 * len(streams[0])), 8),
    ]

    def program(driver: Driver) -> None:
        driver.enable("error")
        seen = set()
        for number, bit in enumerate(bits):
            bad = bytearray(streams[0])
            bad[bit // 8] ^= 1 << bit % 8
            due = golden_code(bytes(bad))
            ram.write(FIRST, bytes(bad))
            found = outcome(bench, driver, (FIRST, len(bad)))
            assert found is due, f"bit {bit}: {found.name} instead of {due.name}"
            seen.add(found)
            if number % 10 == 9:
                bench.packets()
                ram.write(FIRST, streams[0])
                assert outcome(bench, driver, (FIRST, len(bad))) is ErrorCode.NONE
                assert bench.packets() == good(tensors[:1])
        ram.write(FIRST, streams[0])
        for length in (1, 47, 48, len(streams[0]) - 1):
            assert outcome(bench, driver, (FIRST, length)) is ErrorCode.TRUNCATED
        assert outcome(bench, driver, (FIRST, len(streams[0]) + 1)) is ErrorCode.LENGTH
        assert len(seen) >= 5, "these streams must meet many kinds of errors"

    await bench.software(program)


@cocotb.test()
async def a_push_beyond_the_queue_is_dropped_and_told(dut: Any) -> None:
    """The queue fills up while the receiver stands still; what was accepted is decoded."""
    bench = Bench(dut)
    tensors = [np.arange(i, 400 + i, dtype=np.uint16).astype(np.uint8) for i in range(16)]
    streams = [atalanta.encode(tensor, "raw") for tensor in tensors]
    bench.ram().write(FIRST, image(streams))
    await bench.start()
    bench.sink.pause = True
    where = places(streams)

    def program(driver: Driver) -> int:
        pushed, looks = 0, 0
        while looks < 100:
            if driver.status().space:
                driver.push(*where[pushed])
                pushed, looks = pushed + 1, 0
            looks += 1
        driver.write("control", push=1)
        assert driver.acknowledge() == {"empty", "dropped"}
        bench.sink.pause = False
        driver.wait()
        return pushed

    pushed = await bench.software(program)
    assert P.queue < pushed < len(tensors)
    assert bench.packets() == good(tensors[:pushed])

"""cocotb tests of the exported device with monitors on its ports, a scoreboard and functional coverage."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiReadBus
from coder_paths import LONGEST_UNDERFLOW, Seen, codes_of, follow, steep_table, steered_rows
from core_coverage import HARDWARE_ERRORS, cover_tensor, make_coverage
from device_bench import Bench, FaultyRam, P, pauses
from forced import atalanta_segment
from port_monitors import FifoMonitor, ReadMonitor, StreamMonitor, start
from sealing import seal
from verdicts import due

import atalanta
from atalanta.golden.errors import ErrorCode
from atalanta.golden.format import BASE
from atalanta.golden.table import Table
from atalanta.golden.values import Array
from atalanta.tools.driver import DeviceError, Driver
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.samples import sample_path

COVERAGE = make_coverage(P)
FIRST = 0x1000
ATALANTA: dict[str, Any] = {"lanes": P.lanes, "ways": P.ways, "beat_bytes": P.beat_bytes, "fit": False}
CODINGS: dict[str, dict[str, Any]] = {"atalanta": ATALANTA, "shapeshifter": {}, "raw": {}}


class LateRam(FaultyRam):
    """The memory, with a latency of its own before each burst."""

    def __init__(self, bench: Bench, latency: int, seed: int) -> None:
        self._latency, self._random, self._next = latency, Random(seed), 0
        super().__init__(
            AxiReadBus.from_prefix(bench.dut, "m_axi"), bench.dut.clk, bench.dut.rst, size=1 << 24
        )

    async def _read(self, address: int, length: int) -> Any:
        if address != self._next and self._latency:
            await ClockCycles(self.clock, self._random.randint(1, self._latency))
        self._next = address + length
        return await super()._read(address, length)


class Scoreboard:
    """What is due against what the monitors saw: values, packets, addresses, counts."""

    def __init__(self, read: ReadMonitor, stream: StreamMonitor) -> None:
        self._read, self._stream = read, stream
        self._due: list[tuple[Array, bytes]] = []
        self._addresses: list[int] = []

    def expect(self, tensor: Array, stream: bytes, address: int) -> None:
        """A tensor that is to be decoded well."""
        self._due.append((tensor, stream))
        word = P.axi_bytes
        COVERAGE.hit("first byte in its bus word", "other" if address % word else "0")
        self._addresses += range(address // word * word, address + len(stream), word)

    def check(self, counters: dict[str, int]) -> None:
        """All that was expected has happened, and nothing else. counters: the device's own."""
        packets = self._stream.packets
        assert len(packets) == len(self._due)
        for (values, bad), (tensor, stream) in zip(packets, self._due, strict=True):
            assert not bad
            assert values == tensor.tobytes()
            cover_tensor(COVERAGE, tensor, stream)
        assert not self._read.outstanding
        assert self._read.addresses == self._addresses
        assert self._read.words == counters["words"] == len(self._addresses)
        assert self._read.bursts == counters["bursts"]
        assert self._stream.values == counters["values"] == sum(t.size for t, _ in self._due)
        assert counters["tensors"] == len(self._due)


class Environment:
    """The device between a memory, a receiver and software, watched on every port."""

    def __init__(
        self, dut: Any, *, latency: int = 0, ar: float = 0, r: float = 0, t: float = 0, longest: int = 8
    ) -> None:
        self.bench = Bench(dut)
        self.ram = LateRam(self.bench, latency, seed=1)
        channels = (self.ram.ar_channel, self.ram.r_channel, self.bench.sink)
        for seed, (channel, share) in enumerate(zip(channels, (ar, r, t), strict=True)):
            if share:
                channel.set_pause_generator(pauses(seed, share, longest))
        self.read, self.stream = ReadMonitor(dut, P, COVERAGE), StreamMonitor(dut, P, COVERAGE)
        self._fifos = FifoMonitor(dut, P, COVERAGE)
        self._end = FIRST

    async def start(self) -> None:
        """Reset, then watch."""
        await self.bench.start()
        start(self.read, self.stream, self._fifos)

    def store(self, stream: bytes, gap: int = 0) -> int:
        """Put a stream behind the last one; its address."""
        address = self._end + gap
        self.ram.write(address, stream)
        self._end = address + len(stream)
        return address

    async def decode(self, tensors: Sequence[tuple[Array, bytes]], gaps: Iterator[int]) -> None:
        """Queue all tensors and see that each comes out right."""
        board, where = Scoreboard(self.read, self.stream), []
        for (tensor, stream), gap in zip(tensors, gaps, strict=False):
            where.append((self.store(stream, gap), len(stream)))
            board.expect(tensor, stream, where[-1][0])

        def program(driver: Driver) -> dict[str, int]:
            for address, length in where:
                driver.push(address, length)
            driver.wait()
            return driver.counters()

        board.check(await self.bench.software(program))
        finish()


def finish() -> None:
    """Write what has been seen so far."""
    COVERAGE.write(Path.cwd())


def real(key: str, most: int) -> Array:
    """Values of a sample tensor, from its middle."""
    values = TensorFile.open(sample_path()).read(key).reshape(-1)
    return values[max(0, (values.size - most) // 2) :][:most]


def coded(tensors: list[Array], **options: Any) -> list[tuple[Array, bytes]]:
    """Tensors and their streams, the codecs in turn."""
    turns = zip(tensors, cycle(CODINGS.items()), strict=False)
    return [(t, atalanta.encode(t, codec, **coding, **options)) for t, (codec, coding) in turns]


@cocotb.test()
async def a_whole_real_tensor(dut: Any) -> None:
    """Every value of a layer's weights, and of an activation under ShapeShifter."""
    env = Environment(dut, latency=12, r=0.05)
    await env.start()
    await env.decode(coded([real("weights.018", 38400), real("activations.023", 31360)]), cycle([0]))


PROFILES: dict[str, dict[str, Any]] = {
    "fast": {},
    "late": {"latency": 60, "ar": 0.3, "longest": 24},
    "gaps": {"latency": 5, "r": 0.4, "longest": 24},
    "slow": {"t": 0.4, "longest": 30},
    "everything": {"latency": 20, "ar": 0.3, "r": 0.2, "t": 0.2, "longest": 20},
}


@cocotb.test()
@cocotb.parametrize(profile=list(PROFILES))
async def queues_of_tensors(dut: Any, profile: str) -> None:
    """More tensors than the device's queues hold, at any address, some of several segments, some tiny."""
    env = Environment(dut, **PROFILES[profile])
    await env.start()
    sizes = (1500, 900, 0, 2000, 3, 16, 5, 1, 40, 700, 2, 17, 64)
    keys = cycle(["weights.048", "activations.055", "weights.045"])
    tensors = [real(key, size) for size, key in zip(sizes, keys, strict=False)]
    await env.decode(coded(tensors, segment_values=512), cycle([0, 5, 33, 4000]))


@cocotb.test()
async def lanes_that_hold_two_segments(dut: Any) -> None:
    """Short segments into a receiver that often stops: the next one's beats wait in the lanes' FIFOs."""
    env, tensor = Environment(dut, t=0.2, longest=80), real("activations.055", 6400)
    await env.start()
    await env.decode([(tensor, atalanta.encode(tensor, segment_values=256, **ATALANTA))], cycle([0]))


@cocotb.test()
async def every_shift_and_every_row(dut: Any) -> None:
    """Values that lead the coder's window into every corner; see coder_paths."""
    env, random, seen = Environment(dut, latency=8), Random(3), Seen()
    await env.start()
    tensors = []

    def add(table: Table, rows: list[int], lanes: int) -> None:
        values = np.array(codes_of(rows, table, random), np.uint8)
        options = {"ways": P.ways, "beat_bytes": P.beat_bytes, "lanes": lanes, "table": table}
        tensors.append((values, atalanta_segment(values, **options)))

    table, path = LONGEST_UNDERFLOW
    follow(table, path, seen)
    add(table, [row for row in path for _ in range(P.ways)], 1)
    while seen.missing:
        table = steep_table(random, 8, 16)
        paths = [steered_rows(table, 100, random, seen) for _ in range(2 * P.ways)]
        add(table, [row for step in zip(*paths, strict=True) for row in step], 2)
    await env.decode(tensors, cycle([0, 7]))


@cocotb.test()
async def every_group_width(dut: Any) -> None:
    """Groups of 0 to 8 bits, with and without a mask of zeros, the last one short."""
    env, random = Environment(dut, t=0.1), np.random.default_rng(1)
    await env.start()
    widths = random.permutation(np.repeat(np.arange(9), 6))
    groups = [random.integers(0, 1 << width, 16) >> (random.random(16) < 0.3) for width in widths]
    for group, width in zip(groups, widths, strict=True):
        group[random.integers(16)] = (1 << width) - 1
    values = np.concatenate(groups)[:-5].astype(np.uint8)
    signed = values.astype(np.int8)
    modes = [{"mask": m, "zero_width": z} for m in (False, True) for z in (False, True)]
    tensors = [(v, atalanta.encode(v, "shapeshifter", **mode)) for v in (values, signed) for mode in modes]
    await env.decode(tensors, cycle([0, 3]))


def with_fields(stream: bytes, **fields: int) -> bytearray:
    """A stream whose first header has other values in some fields."""
    return bytearray(BASE.pack(BASE.unpack(stream[: BASE.nbytes]) | fields)) + stream[BASE.nbytes :]


def sealed(data: bytearray) -> bytes:
    """With right CRCs."""
    seal(data, payloads=True)
    return bytes(data)


def bad_streams() -> dict[ErrorCode, bytes]:
    """A stream for each error that a stream can cause."""
    values = real("weights.045", 900)
    stream = atalanta.encode(values, **ATALANTA)
    groups = bytearray(atalanta.encode(values // 16, "shapeshifter", mask=False, zero_width=True))
    groups[BASE.nbytes] |= 0x0F  # the first group's width
    table = bytearray(stream)
    table[BASE.nbytes : BASE.nbytes + 3] = b"\xff" * 3  # the first row
    payload = bytearray(stream)
    payload[-1] ^= 0x80
    base = BASE.unpack(stream[: BASE.nbytes])
    return {
        ErrorCode.TRUNCATED: stream[:-1],
        ErrorCode.MAGIC: b"X" + stream[1:],
        ErrorCode.VERSION: bytes(with_fields(stream, version=base["version"] + 1)),
        ErrorCode.HEADER_CRC: bytes(with_fields(stream, header_crc=base["header_crc"] ^ 1)),
        ErrorCode.HEADER: sealed(with_fields(stream, bits=1)),
        ErrorCode.CODEC: sealed(with_fields(stream, codec=15)),
        ErrorCode.UNSUPPORTED: atalanta.encode(values, **ATALANTA | {"ways": P.ways + 1}),
        ErrorCode.TABLE: sealed(table),
        ErrorCode.LENGTH: stream + b"\0",
        ErrorCode.PAYLOAD_CRC: bytes(payload),
        ErrorCode.VALUE: sealed(groups),
        ErrorCode.LANE: sealed(with_fields(stream, count=base["count"] - 64)),
    }


def outcome(driver: Driver, address: int, length: int) -> ErrorCode:
    """What a stream ends in; errors are cleared."""
    try:
        driver.push(address, length)
        driver.wait()
    except DeviceError as error:
        driver.clear()
        return error.code
    return ErrorCode.NONE


@cocotb.test()
@cocotb.parametrize(share=[0.0, 0.2])
async def every_error_and_a_good_tensor_after_it(dut: Any, share: float) -> None:
    """Golden's code, the values before the error, nothing left over on any port."""
    env = Environment(dut, latency=10, r=share, t=share)
    await env.start()
    good = real("activations.059", 400)
    good_stream = atalanta.encode(good, **ATALANTA)
    good_at = env.store(good_stream)
    large = real("weights.048", 6000)
    large_stream = atalanta.encode(large, **ATALANTA)

    def aborted(driver: Driver, address: int, length: int) -> ErrorCode:
        driver.push(address, length)
        while env.read.words < len(large_stream) // P.axi_bytes // 2:
            driver.status()
        driver.abort()
        return outcome(driver, address, length)

    for code, stream in (
        bad_streams() | {ErrorCode.BUS: large_stream, ErrorCode.ABORTED: large_stream}
    ).items():
        address = env.store(stream, gap=11)
        verdict = due(stream, P)
        expected = verdict.values.tobytes()
        if code is ErrorCode.BUS:
            at = (address + len(stream) // 2) // P.axi_bytes * P.axi_bytes
            env.ram.faulty = range(at, at + P.axi_bytes)
        elif code is not ErrorCode.ABORTED:
            assert verdict.code is code
        env.read.words = 0
        run = aborted if code is ErrorCode.ABORTED else outcome
        assert await env.bench.software(lambda driver, run=run: run(driver, address, len(stream))) is code  # noqa: B023
        COVERAGE.hit("error", code.name)
        ((values, bad),) = env.stream.packets
        assert bad
        assert expected.startswith(values) or values.startswith(expected)
        assert not env.read.outstanding
        env.ram.faulty = range(0)
        env.stream.packets.clear()
        assert (
            await env.bench.software(lambda driver: outcome(driver, good_at, len(good_stream)))
            is ErrorCode.NONE
        )
        assert env.stream.packets == [(good.tobytes(), False)]
        COVERAGE.hit("good tensor after an error", code.name)
        env.stream.packets.clear()
    assert set(HARDWARE_ERRORS) == {code.name for code in (*bad_streams(), ErrorCode.BUS, ErrorCode.ABORTED)}
    finish()

"""The driver against a device made of a dictionary; the real one is in tests/cocotb."""

import mmap
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from atalanta.golden.decoder import DecoderParams
from atalanta.golden.errors import ErrorCode, ParameterError
from atalanta.golden.registers import BY_NAME, COUNTERS, INTERRUPTS, built
from atalanta.tools.driver import DeviceError, Driver, DriverError, MappedBus

P = DecoderParams(lanes=2, address_bits=40, raw=False)


class Device:
    """Registers by offset, and every write in order. space: what STATUS shows, one entry a read."""

    def __init__(self) -> None:
        self.held = {BY_NAME[name].offset: BY_NAME[name].pack(values) for name, values in built(P).items()}
        self.writes: list[tuple[str, dict[str, int]]] = []
        self.status: Callable[[], dict[str, int]] = lambda: {"space": 1}

    def read32(self, offset: int) -> int:
        status = BY_NAME["status"]
        return status.pack(self.status()) if offset == status.offset else self.held.get(offset, 0)

    def write32(self, offset: int, value: int) -> None:
        r = next(r for r in BY_NAME.values() if r.offset == offset)
        self.writes.append((r.name, {name: field for name, field in r.unpack(value).items() if field}))


def test_it_learns_how_the_decoder_was_built() -> None:
    assert Driver(Device()).params == P


@pytest.mark.parametrize(
    ("register", "fields", "message"),
    [
        ("id", {"id": 0}, "no decoder here: the ID register holds 0x00000000, not 0x444c5441"),
        ("version", {"major": 9, "minor": 3, "format": 1}, r"for registers 1.x and format 1, not 9.3 and 1"),
    ],
)
def test_it_refuses_what_it_does_not_know(register: str, fields: dict[str, int], message: str) -> None:
    device = Device()
    device.held[BY_NAME[register].offset] = BY_NAME[register].pack(fields)
    with pytest.raises(DriverError, match=message):
        Driver(device)


def test_a_push_waits_for_space_and_writes_the_command_last() -> None:
    device = Device()
    looks = count()
    pauses: list[int] = []
    driver = Driver(device, pause=lambda: pauses.append(1))
    device.status = lambda: {"space": int(next(looks) >= 3), "busy": 1}
    driver.push(0x12_3456_789A, 77)
    assert device.writes == [
        ("source_low", {"address": 0x3456_789A}),
        ("source_high", {"address": 0x12}),
        ("length", {"length": 77}),
        ("control", {"push": 1}),
    ]
    assert len(pauses) == 3


@pytest.mark.parametrize(("address", "length"), [(-1, 5), ((1 << 40) - 4, 5), (0, 0), (0, 1 << 32)])
def test_descriptors_that_cannot_be(address: int, length: int) -> None:
    device = Device()
    with pytest.raises(ParameterError):
        Driver(device).push(address, length)
    assert device.writes == []


def test_the_last_byte_of_memory_can_be_read() -> None:
    Driver(Device()).push((1 << 40) - 5, 5)


@pytest.mark.parametrize("act", [lambda d: d.push(0, 9), lambda d: d.wait()], ids=["push", "wait"])
def test_an_error_is_raised_with_its_code_and_the_number_of_the_descriptor(
    act: Callable[[Driver], None],
) -> None:
    device = Device()
    device.status = lambda: {"done": 0xFFFE}
    driver = Driver(device)
    device.status = lambda: {"done": 1, "code": ErrorCode.PAYLOAD_CRC, "busy": 1}
    with pytest.raises(
        DeviceError, match=r"PAYLOAD_CRC: the payload's CRC-32 does not match \(descriptor 3\)"
    ) as error:
        act(driver)
    assert (error.value.code, error.value.done) == (ErrorCode.PAYLOAD_CRC, 3), "the count has wrapped"


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda d: d.wait(polls=5), "the device is still busy after 5 reads of STATUS"),
        (lambda d: d.push(0, 9, polls=5), "the device has no space after 5 reads"),
    ],
)
def test_waiting_ends(act: Callable[[Driver], None], message: str) -> None:
    device = Device()
    driver = Driver(device)
    device.status = lambda: {"busy": 1}
    with pytest.raises(DriverError, match=message):
        act(driver)


def test_a_clear_waits_for_the_halt() -> None:
    device = Device()
    driver = Driver(device)
    looks = count()
    device.status = lambda: {"done": 7, "code": ErrorCode.BUS if next(looks) < 4 else 0}
    driver.clear()
    assert device.writes == [("control", {"clear": 1})]
    device.status = lambda: {"done": 9, "code": ErrorCode.BUS}
    with pytest.raises(DeviceError) as error:
        driver.wait()
    assert error.value.done == 2, "counted from the clear"
    with pytest.raises(DriverError, match="has not halted after 5 reads"):
        driver.clear(polls=5)


def test_counters_are_read_behind_a_snapshot() -> None:
    device = Device()
    driver = Driver(device)
    for number, name in enumerate(COUNTERS):
        device.held[BY_NAME[f"count_{name}_low"].offset] = number
        device.held[BY_NAME[f"count_{name}_high"].offset] = 2 * number
    assert driver.counters() == {name: n + (2 * n << 32) for n, name in enumerate(COUNTERS)}
    driver.clear_counters()
    assert device.writes == [("control", {"snapshot": 1}), ("control", {"clear_counters": 1})]


def test_registers_mapped_from_a_file(tmp_path: Path) -> None:
    memory = tmp_path / "mem"
    page = mmap.ALLOCATIONGRANULARITY
    words = {BY_NAME[name].offset: BY_NAME[name].pack(values) for name, values in built(P).items()}
    words[BY_NAME["status"].offset] = BY_NAME["status"].pack({"space": 3})
    image = bytearray(2 * page)
    for offset, word in words.items():
        image[page + offset : page + offset + 4] = word.to_bytes(4, "little")
    memory.write_bytes(image)
    with MappedBus(memory, page) as bus:
        driver = Driver(bus)
        assert driver.params == P
        driver.push(0x1234, 56)
    after = memory.read_bytes()
    changed = {
        at - page: after[at : at + 4]
        for at in range(0, 2 * page, 4)
        if after[at : at + 4] != image[at : at + 4]
    }
    due = {"source_low": 0x1234, "length": 56, "control": 1}
    assert changed == {BY_NAME[name].offset: value.to_bytes(4, "little") for name, value in due.items()}


def test_interrupts() -> None:
    device = Device()
    driver = Driver(device)
    driver.enable("done", "error")
    device.held[BY_NAME["pending"].offset] = 0b10010
    assert driver.acknowledge() == {INTERRUPTS[1].name, INTERRUPTS[4].name} == {"error", "dropped"}
    assert device.writes == [("enable", {"done": 1, "error": 1}), ("pending", {"error": 1, "dropped": 1})]
    with pytest.raises(
        ParameterError, match="interrupt must be one of done, error, idle, empty, dropped, not 'fire'"
    ):
        driver.enable("fire")

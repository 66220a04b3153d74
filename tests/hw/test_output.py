"""Packer and Skid: vectors of any width to full words, and a register on both sides of a handshake."""

from random import Random
from typing import Any

import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped
from hw_bench import Bench, Pauses, cycles, either_side, every_pause, payloads

from atalanta.golden.decoder import DecoderParams
from atalanta.hw.output import Packer, Skid, word_layout

LATENCY = 1
"""Of either."""


def vectors_of(random: Random, count: int, width_log2: int, p: DecoderParams, *, bad: bool) -> list[Any]:
    """A tensor of `count` values as vectors of 2^width_log2; beyond that there is junk."""
    width = 1 << width_log2
    vectors = []
    for at in range(0, max(count, 1), width):
        there = min(count - at, width)
        junk = random.getrandbits(p.out_values) << width & ((1 << p.out_values) - 1)
        values = [random.getrandbits(p.value_bits) for _ in range(p.out_values)]
        end = at + width >= count
        keep = (1 << there) - 1 | junk
        vectors.append(
            {"values": values, "keep": keep, "width_log2": width_log2, "end": end, "bad": bad and end}
        )
    return vectors


def unpacked(words: list[Any], p: DecoderParams) -> list[tuple[list[int], int]]:
    """Tensors in words: the values of each and whether it was bad. Words but the last must be full."""
    tensors, values = [], []
    for word in words:
        keep = [word["keep"] >> i & 1 for i in range(p.out_values)]
        assert keep == sorted(keep, reverse=True), "values come without holes"
        assert word["end"] or all(keep), "only a tensor's last word may be partly filled"
        mask = (1 << p.value_bits) - 1
        values += [word["values"] >> p.value_bits * i & mask for i in range(sum(keep))]
        if word["end"]:
            tensors.append((values, word["bad"]))
            values = []
        else:
            assert not word["bad"]
    assert not values, "a tensor did not end"
    return tensors


def expected(tensor: list[Any]) -> tuple[list[int], int]:
    """Values and badness of one tensor's vectors."""
    width = 1 << tensor[0]["width_log2"]
    values = [v["values"][i] for v in tensor for i in range(width) if v["keep"] >> i & 1]
    return values, tensor[-1]["bad"]


def tensors(random: Random, p: DecoderParams) -> list[list[Any]]:
    """Tensors of every vector width, of no values, of part of a word, of whole words and more."""
    full = p.out_values
    found = []
    for log2 in range(full.bit_length()):
        for count in (0, 1, full - 1, full, full + 1, 5 * full, 3 * full + (1 << log2)):
            bad = random.random() < 0.3
            found.append(vectors_of(random, count, log2, p, bad=bad))
    random.shuffle(found)
    return found


@either_side
@pytest.mark.parametrize(
    "p",
    [
        DecoderParams(lanes=4),
        DecoderParams(lanes=32, value_bits=4),
        DecoderParams(lanes=4, value_bits=16, shapeshifter=False, raw=False),
        DecoderParams(lanes=1, shapeshifter=False, raw=False),
    ],
    ids=["16x8", "32x4", "4x16", "1x8"],
)
def test_vectors_fill_words(p: DecoderParams, give: Pauses, take: Pauses) -> None:
    random = Random(p.lanes)
    sent = tensors(random, p)
    due = [expected(tensor) for tensor in sent]
    counts = [max(-(-len(tensor) * (1 << tensor[0]["width_log2"]) // p.out_values), 1) for tensor in sent]
    dut = Packer(p)
    bench = Bench(dut)
    bench.produce(dut.i, [vector for tensor in sent for vector in tensor], give)
    out = bench.consume(dut.o, sum(counts), take)
    bench.watch(dut.o)
    bench.run()
    assert unpacked(payloads(out), p) == due


def test_packer_takes_a_vector_per_cycle_and_gives_the_word_after_the_latency() -> None:
    p = DecoderParams(lanes=4)
    random = Random(0)
    dut = Packer(p)
    bench = Bench(dut)
    sent = bench.produce(dut.i, vectors_of(random, 64, 2, p, bad=False))
    out = bench.consume(dut.o, 4)
    bench.run()
    assert cycles(sent) == list(range(16))
    assert cycles(out) == [cycle + LATENCY for cycle in (3, 7, 11, 15)]


@either_side
def test_skid_loses_nothing(give: Pauses, take: Pauses) -> None:
    random = Random(3)
    items = [random.getrandbits(20) for _ in range(200)]
    dut = Skid(unsigned(20))
    bench = Bench(dut)
    bench.produce(dut.i, items, give)
    out = bench.consume(dut.o, len(items), take)
    bench.watch(dut.o)
    bench.run()
    assert payloads(out) == items


def test_skid_moves_every_cycle_after_the_latency() -> None:
    dut = Skid(unsigned(8))
    bench = Bench(dut)
    sent = bench.produce(dut.i, range(50))
    out = bench.consume(dut.o, 50)
    bench.run()
    assert cycles(sent) == list(range(50))
    assert cycles(out) == [cycle + LATENCY for cycle in cycles(sent)]


@every_pause
def test_skid_handshakes_are_registers(pauses: Pauses) -> None:
    """Neither side's handshake answers within a cycle to the other side's."""
    dut = Skid(unsigned(8))
    bench = Bench(dut)

    async def toggle(ctx: Any) -> None:
        random = Random(9)
        for _ in range(60):
            valid, ready = random.getrandbits(1), pauses.gap(random) == 0
            ctx.set(dut.i.valid, valid)
            ctx.set(dut.i.payload, random.getrandbits(8))
            ctx.set(dut.o.ready, ready)
            before = ctx.get(dut.i.ready), ctx.get(dut.o.valid), ctx.get(dut.o.payload)
            ctx.set(dut.i.valid, not valid)
            ctx.set(dut.i.payload, random.getrandbits(8))
            ctx.set(dut.o.ready, not ready)
            assert (ctx.get(dut.i.ready), ctx.get(dut.o.valid), ctx.get(dut.o.payload)) == before
            await ctx.tick()

    bench.add(toggle)
    bench.run()


class PackedAndSkid(wiring.Component):
    """Packer and skid in a row, as the core has them."""

    def __init__(self, p: DecoderParams) -> None:
        self.packer, self.skid = Packer(p), Skid(word_layout(p))
        i, o = self.packer.signature.members["i"], self.skid.signature.members["o"]
        super().__init__({"i": i, "o": o})

    def elaborate(self, _platform: object) -> Module:
        """Nothing but wires."""
        m = Module()
        m.submodules += [self.packer, self.skid]
        connect(m, flipped(self.i), self.packer.i)
        connect(m, self.packer.o, self.skid.i)
        connect(m, self.skid.o, flipped(self.o))
        m.d.comb += self.packer.i_will_block.eq(self.skid.o_will_block)
        return m


@either_side
def test_blocked_is_not_ready(give: Pauses, take: Pauses) -> None:
    p = DecoderParams(lanes=4)
    random = Random(5)
    sent = tensors(random, p)
    dut = PackedAndSkid(p)
    bench = Bench(dut)
    counts = [max(-(-len(tensor) * (1 << tensor[0]["width_log2"]) // p.out_values), 1) for tensor in sent]
    bench.produce(dut.i, [vector for tensor in sent for vector in tensor], give)
    bench.consume(dut.o, sum(counts), take)
    seen = bench.sample(dut.packer.i.ready, dut.packer.o_blocked)
    bench.run()
    assert all(blocked == (not ready) for ready, blocked in seen)

"""Real tensors through the compiled RTL: every value, every cycle, and the rates that are promised."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from rtl_cases import BUILDS, coding_for, run_and_compare, stored

from atalanta.golden.decoder import GROUP_VALUES
from atalanta.golden.values import Array
from atalanta.sim.dram_presets import preset
from atalanta.sim.native import Memory
from atalanta.tools.extract.tensors import TensorFile
from atalanta.tools.rtl.core import CompiledCore

Cores = Callable[[str], CompiledCore]

MEMORIES = {
    "ideal": lambda: Memory.ideal(latency=20),
    "ddr4-3200": lambda: Memory.dram(preset("ddr4-3200"), Fraction(1000), latency=10),
}
LARGE = 1 << 16
"""Values from which on a tensor must keep up the decoder's rate, start and end included."""

LARGE_WEIGHTS = ("weights.045", "weights.048", "weights.049")
WORST_GAP, WORST_WITH_PAUSES = 16, 20
"""Most cycles without values between two tensors that wait in the queue; with those within the second one."""

HEADER_GAP = 24
"""... besides one for each of the first beats, if lanes leave no beat to fetch these ahead."""


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("codec", ["atalanta", "shapeshifter", "raw", "best"])
def test_all_samples_in_one_queue(cores: Cores, samples: TensorFile, codec: str, memory: str) -> None:
    """All of the package's tensors, millions of values, on sixteen lanes."""
    tensors = [samples.read(key) for key in samples.tensors]
    run = run_and_compare(cores("sixteen"), stored(tensors, MEMORIES[memory], codec=codec))
    assert run.counters["values"] == sum(tensor.size for tensor in tensors) > 3_000_000


@pytest.mark.parametrize("build", ["one", "four", "two"])
def test_other_decoders(cores: Cores, samples: TensorFile, build: str) -> None:
    tensors = [samples.read(key) for key in ("weights.018", "weights.045", "activations.055")]
    pauses = (np.arange(50) % 10 > 2).astype(np.uint8)
    coding = coding_for(BUILDS[build])
    run_and_compare(cores(build), stored(tensors, MEMORIES["ddr4-3200"], ready=pauses, **coding))


@pytest.mark.parametrize("key", LARGE_WEIGHTS)
def test_sixteen_lanes_deliver_sixteen_values_a_cycle(cores: Cores, samples: TensorFile, key: str) -> None:
    """At least 15.9, counted from the descriptor's first offer to the last value."""
    tensor = samples.read(key)
    assert tensor.size >= LARGE
    run = run_and_compare(cores("sixteen"), stored([tensor], MEMORIES["ideal"]))
    assert tensor.size / run.cycles >= 15.9
    assert run.cycles >= -(-tensor.size // 16)


@pytest.mark.parametrize("build", BUILDS)
def test_a_value_per_lane_and_cycle(cores: Cores, samples: TensorFile, build: str) -> None:
    """At least 0.995 of a value per lane and cycle over a whole tensor."""
    p = BUILDS[build]
    tensor = samples.read("weights.048")
    run = run_and_compare(cores(build), stored([tensor], MEMORIES["ideal"], **coding_for(p)))
    assert tensor.size / run.cycles >= 0.995 * p.lanes


@pytest.mark.parametrize("key", ["weights.048", "weights.049"])
@pytest.mark.parametrize("codec", ["shapeshifter", "raw"])
def test_a_group_per_cycle(cores: Cores, samples: TensorFile, codec: str, key: str) -> None:
    """As long as groups are no wider than a beat on average: one beat a cycle is all there is."""
    tensor = samples.read(key)
    run = run_and_compare(cores("sixteen"), stored([tensor], MEMORIES["ideal"], codec=codec))
    assert tensor.size / run.cycles >= 0.995 * GROUP_VALUES


SIZES = (4096, 16384, 1600, 4096, 36800, 640, 8000)
"""Values of the tensors that wait in the queue; the decoder holds several of the smaller ones."""


SHORT = 96
"""Values of a tensor that is too short for pauses within it, but not for its own checks."""


def gaps(core: CompiledCore, tensor: Array, sizes: tuple[int, ...] = SIZES, **coding: Any) -> list[int]:
    """Cycles that put out no word, from one tensor's last word to the next one's last."""
    flat = tensor.reshape(-1)
    case = stored([flat[:size] for size in sizes], MEMORIES["ideal"], **coding)
    ends = [packet.cycle for packet in run_and_compare(core, case).packets]
    lanes = core.params.lanes if coding.get("codec", "atalanta") == "atalanta" else GROUP_VALUES
    words = [-(-size // lanes) for size in sizes]
    return [b - a - n for a, b, n in zip(ends[:-1], ends[1:], words[1:], strict=True)]


@pytest.mark.parametrize("codec", ["shapeshifter", "raw"])
@pytest.mark.parametrize("key", ["weights.018", "activations.055"])
def test_gap_between_queued_groups(cores: Cores, samples: TensorFile, codec: str, key: str) -> None:
    """A longer tensor may pause within, where dense groups need more than a beat each."""
    sizes = tuple(size for longer in (*SIZES, 331, 7777) for size in (longer, SHORT))
    found = gaps(cores("sixteen"), samples.read(key), sizes, codec=codec)
    assert 0 <= min(found) <= max(found) <= WORST_WITH_PAUSES
    assert max(found[::2]) <= WORST_GAP


@pytest.mark.parametrize("build", ["sixteen", "one"])
def test_gap_between_queued_tensors(cores: Cores, samples: TensorFile, build: str) -> None:
    """The next header is read and the lanes get their next beats while the last values leave."""
    coding = coding_for(BUILDS[build])
    found = gaps(cores(build), samples.read("activations.055"), fit=False, **coding)
    assert 0 <= min(found) <= max(found) <= WORST_GAP


def test_gap_without_a_spare_beat(cores: Cores, samples: TensorFile) -> None:
    """Weights of 7.5 bits on sixteen lanes eat nearly the one beat a cycle that there is.

    Then the next tensor's first beats have to come after the last values' own: up to one cycle for
    each of them, on top of the gap.
    """
    p = BUILDS["sixteen"]
    found = gaps(cores("sixteen"), samples.read("weights.018"), fit=False, **coding_for(p))
    assert 0 <= min(found) <= max(found) <= HEADER_GAP + p.lanes * p.lane_depth

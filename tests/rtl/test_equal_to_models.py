"""The compiled RTL against golden, value by value, and against the simulator, cycle by cycle."""

from collections.abc import Callable

import numpy as np
import pytest
from rtl_cases import BUILDS, random_case, run_and_compare

from atalanta.tools.rtl.core import CompiledCore

CASES = 25
"""Random cases of one test: with all chunks and builds, 1000."""


@pytest.mark.parametrize("chunk", range(10))
@pytest.mark.parametrize("build", BUILDS)
def test_random_queues(cores: Callable[[str], CompiledCore], build: str, chunk: int) -> None:
    """Any tensors, codecs, addresses, memory and back-pressure. All on one core without a reset."""
    core = cores(build)
    for number in range(CASES):
        seed = [chunk, number, list(BUILDS).index(build)]
        try:
            run_and_compare(core, random_case(np.random.default_rng(seed), core.params))
        except Exception as error:
            error.add_note(f"the case of seed {seed}")
            raise

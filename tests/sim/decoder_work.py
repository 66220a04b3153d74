"""Streams, decoders and runs that the tests of the recurrence share."""

from fractions import Fraction

import numpy as np

from atalanta.golden import container
from atalanta.golden.decoder import DecoderParams
from atalanta.sim.decoder import ALWAYS_READY, plan, simulate
from atalanta.sim.native import Memory

BITS_128 = 16
"""Values of 8 bits in a beat of 128 bits, and in a group of the unpacker."""


def values(n, *, seed=0, scale=12.0):
    """int8[n] as weights are distributed."""
    return np.random.default_rng(seed).laplace(0, scale, n).clip(-128, 127).astype(np.int8)


def encoded(array, codec, *, lanes=16, ways=4, **options):
    own = {"lanes": lanes, "ways": ways} if codec == "atalanta" else {}
    return container.encode(array, codec, **own, **options)


def decoder(**changes):
    return DecoderParams(**({"lanes": 16, "ways": 4, "lane_fifo": 2} | changes))


def runs(
    streams, p, *, latency=1, bytes_per_cycle=None, jitter=0, seed=0, addresses=None, ready=ALWAYS_READY
):
    """The run of streams on an ideal memory that takes as many bursts as the decoder asks for."""
    rate = None if bytes_per_cycle is None else Fraction(bytes_per_cycle)
    with Memory.ideal(
        latency=latency, bytes_per_cycle=rate, jitter=jitter, seed=seed, outstanding=64
    ) as memory:
        return simulate([plan(s, p) for s in streams], p, memory, addresses=addresses, ready=ready)

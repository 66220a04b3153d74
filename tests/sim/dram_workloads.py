"""Request traces for the DRAM tests: (addresses, writes, arrivals) arrays."""

import random

import numpy as np

REFERENCE_REQUESTS = 120_000


def arrays(addresses, writes, arrivals):
    return np.array(addresses, np.uint64), np.array(writes, np.bool_), np.array(arrivals, np.int64)


def reference(trace):
    """One of the six traces that tests/sim/data/README.md describes."""
    n = REFERENCE_REQUESTS
    if trace.startswith("seq"):
        rate = int(trace[3:])
        requests = [(64 * i, False) for i in range(n)]
    elif trace == "rnd40":
        rate, source = 40, random.Random(7)
        requests = [(64 * source.randrange(2**27), False) for _ in range(n)]
    elif trace == "mix4":
        rate, requests, counts = 4, [], [0, 0]
        for i in range(n):
            write = i // 32 % 4 == 3
            requests.append((64 * counts[write] + (write << 30), write))
            counts[write] += 1
    else:
        rate, requests, counts = 4, [], [0, 0]
        for i in range(n):
            stream = i // 16 % 2
            requests.append((64 * counts[stream] + stream * 37 * 2**20, False))
            counts[stream] += 1
    addresses, writes = zip(*requests, strict=True)
    # DRAMsim3's controller sees a request one cycle after it becomes available.
    return arrays(addresses, writes, [rate * i + 1 for i in range(n)])


def random_mix(config, n, seed, *, write_share=0.3, rate=6, rows=4, banks=None):
    """Random reads and writes over a few rows of some banks, so that hits, misses and conflicts all occur."""
    source = random.Random(seed)
    bursts = config.capacity_bytes // config.burst_bytes
    numbers = config.native()
    total_banks = config.ranks * config.banks_per_rank if banks is None else banks
    addresses, writes, arrivals, now = [], [], [], 0
    for _ in range(n):
        flat = source.randrange(total_banks)
        bank, rest = flat % config.banks, flat // config.banks
        group, rank = rest % config.bank_groups, rest // config.bank_groups
        burst = (
            (source.randrange(rows) % config.rows << numbers["pos_row"])
            | (source.randrange(config.channels) << numbers["pos_channel"])
            | (rank << numbers["pos_rank"])
            | (group << numbers["pos_group"])
            | (bank << numbers["pos_bank"])
            | (source.randrange(config.columns // config.burst_length) << numbers["pos_column"])
        )
        assert burst < bursts
        addresses.append(burst * config.burst_bytes)
        writes.append(source.random() < write_share)
        now += source.choice((0, 0, rate, rate, 2 * rate)) + (source.random() < 0.01) * 50 * rate
        arrivals.append(now)
    return arrays(addresses, writes, arrivals)


def clumps(config, n, seed, *, write_share=0.02):
    """Consecutive bursts that come together, as those of an AXI burst do; one clump after the other."""
    source = random.Random(seed)
    bursts = config.capacity_bytes // config.burst_bytes
    at, now, addresses, writes, arrivals = source.randrange(bursts // 2), 0, [], [], []
    while len(addresses) < n:
        length = source.choice((1, 2, 4, 4, 4, 5, 8, 12))
        write = source.random() < write_share
        addresses += [(at + i) % bursts * config.burst_bytes for i in range(length)]
        writes += [write] * length
        arrivals += [now] * length
        at += length - (source.random() < 0.2)  # the next clump may begin within the last burst
        if source.random() < 0.03:
            at = source.randrange(bursts)
        now += source.choice((0, 1, 3, 10, 20, 40, 40, 60, 200))
    return arrays(addresses, writes, arrivals)

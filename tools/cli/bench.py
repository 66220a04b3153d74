"""`atalanta bench`: what is promised, measured."""

import click

from atalanta.tools.cli.lazy import Lazy

BENCHES = {"codec": "bench_codec", "network": "bench_network", "rtl": "bench_rtl", "sim": "bench_sim"}
"""Benchmarks and the modules they live in."""


@click.group(cls=Lazy, modules=BENCHES)
def bench() -> None:
    """Measure what the project promises."""

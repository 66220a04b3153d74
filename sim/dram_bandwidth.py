"""Bandwidth of a run, reconciled with the peak: bytes on the bus, the time, and what they are a part of."""

from dataclasses import dataclass

from atalanta.sim.dram import DramConfig
from atalanta.sim.native import DramStats


@dataclass(frozen=True, kw_only=True)
class Bandwidth:
    """What the data buses carried; forwarded and merged requests never reached them.

    of_peak and of_refresh_limited are fractions of the configuration's peaks; bus_busy is the fraction
    of cycles in which a channel's data bus carried a burst, on average, and equals of_peak.
    """

    read_bytes: int
    write_bytes: int
    seconds: float
    bytes_per_s: float
    of_peak: float
    of_refresh_limited: float
    bus_busy: float


def bandwidth(config: DramConfig, stats: DramStats) -> Bandwidth:
    """Bandwidth of a run from its counted commands and cycles; zero for a run of no cycles."""
    read_bytes = stats.read_commands * config.burst_bytes
    write_bytes = stats.write_commands * config.burst_bytes
    seconds = stats.cycles * float(config.tck_ps) * 1e-12
    rate = (read_bytes + write_bytes) / seconds if seconds else 0.0
    return Bandwidth(
        read_bytes=read_bytes,
        write_bytes=write_bytes,
        seconds=seconds,
        bytes_per_s=rate,
        of_peak=rate / config.peak_bytes_per_s,
        of_refresh_limited=rate / config.refresh_limited_bytes_per_s,
        bus_busy=stats.data_cycles / (stats.cycles * config.channels) if stats.cycles else 0.0,
    )

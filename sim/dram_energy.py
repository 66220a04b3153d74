"""DRAM energy in joules from datasheet currents and counted commands.

The method is that of Micron's TN-40-07, "Calculating Memory Power for DDR4 SDRAM" (and TN-41-01 for
DDR3): each current is an average under a fixed pattern of commands, so what a command adds is the
current above the standby current it was measured over, for as long as it lasts. Per device and rail,
with V the rail's voltage and all times multiplied by tCK:

    activate + precharge   V x (IDD0 x tRC - IDD3N x tRAS - IDD2N x (tRC - tRAS))
    read burst             V x (IDD4R - IDD3N) x burst cycles
    write burst            V x (IDD4W - IDD3N) x burst cycles
    refresh, all banks     V x (IDD5B - IDD3N) x tRFC
    standby                V x IDD3N x cycles with a bank open or a refresh under way,
                           V x IDD2N x the other cycles

A per-bank refresh counts as its share of an all-bank refresh, since it restores that share of the rows.
Not included: power of the interface and its termination (board-dependent, TN-40-07's second half), the
controller and the PHY. There is no power-down: an idle device costs IDD2N.

mA x V x ps = 1e-15 J.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from atalanta.golden.errors import ParameterError, require

if TYPE_CHECKING:
    from atalanta.sim.dram import DramConfig
    from atalanta.sim.native import DramStats

_MILLIAMPERE_VOLT_PICOSECOND = 1e-15


@dataclass(frozen=True, kw_only=True)
class Rail:
    """One supply of one device: its voltage and currents in mA, named as JEDEC names them."""

    volts: float
    idd0: float
    idd2n: float
    idd3n: float
    idd4r: float
    idd4w: float
    idd5b: float

    def __post_init__(self) -> None:
        require(self.volts > 0, "volts", "above zero", self.volts)
        for name in ("idd0", "idd2n", "idd3n", "idd4r", "idd4w", "idd5b"):
            require(getattr(self, name) >= 0, name, "mA from 0 up", getattr(self, name))


@dataclass(frozen=True)
class Power:
    """The supplies of one device, and where their figures come from."""

    rails: tuple[Rail, ...]
    source: str


@dataclass(frozen=True, kw_only=True)
class CommandEnergy:
    """Joules per command of one rank, and watts of one rank in standby."""

    activate_j: float
    read_j: float
    write_j: float
    refresh_j: float
    refresh_bank_j: float
    active_w: float
    precharged_w: float


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Energy of a run in joules, by cause."""

    activate_j: float
    read_j: float
    write_j: float
    refresh_j: float
    active_standby_j: float
    precharged_standby_j: float

    @property
    def total_j(self) -> float:
        """The sum of all causes."""
        standby = self.active_standby_j + self.precharged_standby_j
        return self.activate_j + self.read_j + self.write_j + self.refresh_j + standby


def command_energy(config: "DramConfig") -> CommandEnergy:
    """Energy of each command, for all devices of a rank and all rails.

    Raises:
        ParameterError: the configuration has no currents (none are published for its devices).
    """
    if config.power is None:
        raise ParameterError(f"{config.name} has no currents, so no energy: give power=Power(...)")
    tck = float(config.tck_ps)
    unit = _MILLIAMPERE_VOLT_PICOSECOND * tck * config.devices
    rails = config.power.rails

    def joules(milliampere_cycles: list[float]) -> float:
        return unit * sum(r.volts * x for r, x in zip(rails, milliampere_cycles, strict=True))

    t_rc, t_ras = config.t_rc, config.t_ras
    activate = [r.idd0 * t_rc - r.idd3n * t_ras - r.idd2n * (t_rc - t_ras) for r in rails]
    refresh = joules([(r.idd5b - r.idd3n) * config.t_rfc for r in rails])
    return CommandEnergy(
        activate_j=joules(activate),
        read_j=joules([(r.idd4r - r.idd3n) * config.burst_cycles for r in rails]),
        write_j=joules([(r.idd4w - r.idd3n) * config.burst_cycles for r in rails]),
        refresh_j=refresh,
        refresh_bank_j=refresh * config.refresh_banks / config.banks_per_rank,
        active_w=joules([r.idd3n for r in rails]) / (tck * 1e-12),
        precharged_w=joules([r.idd2n for r in rails]) / (tck * 1e-12),
    )


def energy(config: "DramConfig", stats: "DramStats") -> Energy:
    """Energy of a run of all channels, from its counted commands and cycles.

    Raises:
        ParameterError: the configuration has no currents.
    """
    each = command_energy(config)
    second = float(config.tck_ps) * 1e-12
    rank_cycles = stats.cycles * config.channels * config.ranks
    return Energy(
        activate_j=each.activate_j * stats.activates,
        read_j=each.read_j * stats.read_commands,
        write_j=each.write_j * stats.write_commands,
        refresh_j=each.refresh_j * stats.refreshes + each.refresh_bank_j * stats.bank_refreshes,
        active_standby_j=each.active_w * stats.active_cycles * second,
        precharged_standby_j=each.precharged_w * (rank_cycles - stats.active_cycles) * second,
    )


def energy_over(config: "DramConfig", runs: "Sequence[DramStats]", seconds: Fraction) -> Energy:
    """Energy of a memory over a time in which these runs took place one after the other.

    Between them, and before and after, the memory is idle with its banks closed and refreshed as always.

    Raises:
        ParameterError: the configuration has no currents, or the time is shorter than the runs' own.
    """
    each = command_energy(config)
    period = float(config.tck_ps) * 1e-12
    ranks = config.channels * config.ranks
    all_s, active_s = float(seconds) * ranks, sum(s.active_cycles for s in runs) * period
    require(
        active_s <= all_s, "seconds", f"at least {active_s / ranks:g}, which the runs take", float(seconds)
    )
    done = sum(s.refreshes + s.bank_refreshes * config.refresh_banks / config.banks_per_rank for s in runs)
    due = 0.0 if config.refresh == "none" else all_s / (config.t_refi * period)
    idle = max(0.0, due - done)  # those between the runs keep the banks active for as long as they last
    active_s = min(all_s, active_s + idle * config.t_rfc * period)
    return Energy(
        activate_j=each.activate_j * sum(s.activates for s in runs),
        read_j=each.read_j * sum(s.read_commands for s in runs),
        write_j=each.write_j * sum(s.write_commands for s in runs),
        refresh_j=each.refresh_j * (done + idle),
        active_standby_j=each.active_w * active_s,
        precharged_standby_j=each.precharged_w * (all_s - active_s),
    )

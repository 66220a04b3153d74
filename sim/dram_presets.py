"""Memory systems to choose from: every figure with its source beside it.

A figure is `ck(n)` (cycles as the source gives them) or `ns(t)` (nanoseconds, turned into cycles here,
at least `least` of them if the source says so). Nanoseconds become cycles by the standard's own rule:
that of JESD79-4 for DDR4, which lets 2.6 % of a cycle pass; rounding up elsewhere; the refresh interval
is an upper bound and is rounded down.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from atalanta.golden.errors import require
from atalanta.sim.dram import DramConfig
from atalanta.sim.dram_energy import Power, Rail


@dataclass(frozen=True)
class Figure:
    """A figure and where it is from: whole cycles (or a count), or nanoseconds with a least count."""

    cycles: int
    nanoseconds: Fraction | None
    source: str

    def resolve(self, tck_ps: Fraction, guard: Fraction) -> int:
        """The figure in cycles of `tck_ps`; `guard` is the part of a cycle that may be cut off."""
        if self.nanoseconds is None:
            return self.cycles
        return max(self.cycles, math.ceil(self.nanoseconds * 1000 / tck_ps - guard))


def ck(cycles: int, source: str) -> Figure:
    """A figure in cycles, or a plain count."""
    return Figure(cycles, None, source)


def ns(nanoseconds: str, source: str, *, least: int = 0) -> Figure:
    """A figure in nanoseconds, at least `least` cycles."""
    return Figure(least, Fraction(nanoseconds), source)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A memory system as figures with sources; `config` is the same as numbers."""

    name: str
    about: str
    tck_ps: Fraction
    guard: Fraction
    figures: Mapping[str, Figure]
    mapping: str
    refresh: str = "all-bank"
    dual_bus: bool = False
    power: Power | None = None

    @property
    def config(self) -> DramConfig:
        """The configuration, with every figure in cycles."""
        numbers: dict[str, Any] = {
            name: figure.resolve(self.tck_ps, self.guard) for name, figure in self.figures.items()
        }
        interval = self.figures["t_refi"].nanoseconds
        if interval is not None:
            numbers["t_refi"] = math.floor(interval * 1000 / self.tck_ps)
        return DramConfig(
            name=self.name, tck_ps=self.tck_ps, mapping=self.mapping, refresh=self.refresh,
            dual_bus=self.dual_bus, power=self.power, **numbers,
        )  # fmt: skip


_DDR4_GUARD = Fraction(26, 1000)  # JESD79-4, rounding algorithm: cycles = floor(t / tCK + 0.974)

# ----------------------------------------------------------------------------------------------------
# DDR4: one 64-bit rank of 8 Gb x8 devices, 8 GiB

_JESD79_4 = "JESD79-4 (DDR4)"
_BY_SPEED = f"{_JESD79_4} timing parameters by speed grade"

_DDR4 = {
    "bank_groups": ck(4, f"{_JESD79_4} 8 Gb x8 addressing"),
    "banks": ck(4, f"{_JESD79_4} 8 Gb x8 addressing"),
    "rows": ck(1 << 16, f"{_JESD79_4} 8 Gb x8 addressing"),
    "columns": ck(1 << 10, f"{_JESD79_4} 8 Gb x8 addressing: 1 KB page"),
    "device_width": ck(8, "x8"),
    "bus_width": ck(64, "a DIMM without ECC"),
    "burst_length": ck(8, f"{_JESD79_4} BL8"),
    "burst_cycles": ck(4, f"{_JESD79_4} BL8: 4 cycles of two transfers"),
    "t_ccd_s": ck(4, f"{_BY_SPEED}: tCCD_S"),
    "t_ccd_l": ns("5", f"{_BY_SPEED}: tCCD_L max(5 nCK, 5 ns)", least=5),
    "t_rtp": ns("7.5", f"{_BY_SPEED}: tRTP max(4 nCK, 7.5 ns)", least=4),
    "t_wr": ns("15", f"{_BY_SPEED}: tWR"),
    "t_wtr_s": ns("2.5", f"{_BY_SPEED}: tWTR_S max(2 nCK, 2.5 ns)", least=2),
    "t_wtr_l": ns("7.5", f"{_BY_SPEED}: tWTR_L max(4 nCK, 7.5 ns)", least=4),
    "t_rrd_l": ns("4.9", f"{_BY_SPEED}: tRRD_L max(4 nCK, 4.9 ns), 1 KB page", least=4),
    "t_faw": ns("21", f"{_BY_SPEED}: tFAW max(20 nCK, 21 ns), 1 KB page", least=20),
    "t_rfc": ns("350", f"{_JESD79_4} refresh parameters: tRFC1 of 8 Gb"),
    "t_refi": ns("7800", f"{_JESD79_4} refresh parameters: tREFI up to 85 C"),
    "t_rtrs": ck(2, "controller's choice: one cycle of preamble and one of turnaround"),
    "t_wtws": ck(2, "controller's choice, as t_rtrs"),
}


def _micron_8gb_x8(idd0: float, idd2n: float, idd3n: float, idd4r: float, idd4w: float) -> Power:
    """Micron 8 Gb DDR4 x8, die revision B: maximum currents of a speed grade."""
    source = (
        "Micron 8 Gb DDR4 MT40A1G8 die rev. B, IDD and IPP maxima (the DDR4-2400 column agrees with module "
        "data sheet MTA18ASF2G72HZ rev. F table 15 divided by its 9 active and 9 powered-down devices)"
    )
    core = Rail(volts=1.2, idd0=idd0, idd2n=idd2n, idd3n=idd3n, idd4r=idd4r, idd4w=idd4w, idd5b=250)
    pump = Rail(volts=2.5, idd0=3, idd2n=3, idd3n=3, idd4r=3, idd4w=3, idd5b=28)  # IPP0, IPP3N, IPP5B
    return Power((core, pump), source)


def _ddr4(*, rate: str, tck_ps: Fraction, bin_name: str, cl: int, cwl: int, core_ns: str, rc_ns: str,
          rrd_s_ns: str, power: Power) -> Preset:  # fmt: skip
    speed_bin = f"{_JESD79_4} speed bin {bin_name}"
    return Preset(
        name=f"ddr4-{rate}",
        about=f"DDR4-{rate}, one rank of 8 Gb x8 devices, 64 bits",
        tck_ps=tck_ps,
        guard=_DDR4_GUARD,
        mapping="rochrabacobg",
        power=power,
        figures=_DDR4 | {
            "cl": ck(cl, f"{speed_bin}: CL"),
            "cwl": ck(cwl, f"{_JESD79_4} CWL of {rate} MT/s, 1 tCK preamble"),
            "t_rcd": ns(core_ns, f"{speed_bin}: tRCD"),
            "t_rcd_wr": ns(core_ns, f"{speed_bin}: tRCD"),
            "t_rp": ns(core_ns, f"{speed_bin}: tRP"),
            "t_ras": ns("32", f"{speed_bin}: tRAS"),
            "t_rc": ns(rc_ns, f"{speed_bin}: tRC"),
            "t_rrd_s": ns(rrd_s_ns, f"{_BY_SPEED}: tRRD_S max(4 nCK, {rrd_s_ns} ns), 1 KB page", least=4),
            "t_rtw": ck(cl - cwl + 4 + 2, f"{_JESD79_4} read to write: RL + BL/2 - WL + 1 + preamble 1"),
        },
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------------
# LPDDR4: four x16 channels (two 8 Gb dies of two channels), 64 bits, 2 GiB

_JESD209_4 = "JESD209-4 (LPDDR4)"
_LPDDR4 = {
    "channels": ck(4, "64 bits of x16 channels"),
    "bank_groups": ck(1, f"{_JESD209_4}: no bank groups"),
    "banks": ck(8, f"{_JESD209_4} addressing: 8 banks per channel"),
    "rows": ck(1 << 15, f"{_JESD209_4} addressing: 4 Gb per channel"),
    "columns": ck(1 << 10, f"{_JESD209_4} addressing: 2 KB page of x16"),
    "device_width": ck(16, "one x16 channel of a die"),
    "bus_width": ck(16, "one x16 channel of a die"),
    "burst_length": ck(16, f"{_JESD209_4} BL16"),
    "burst_cycles": ck(8, f"{_JESD209_4} BL16: 8 cycles"),
    "cl": ck(28, f"{_JESD209_4} RL at 3200, no DBI"),
    "cwl": ck(14, f"{_JESD209_4} WL set A at 3200"),
    "t_rcd": ns("18", f"{_JESD209_4} core timing: tRCD max(18 ns, 4 nCK)", least=4),
    "t_rcd_wr": ns("18", f"{_JESD209_4} core timing: tRCD", least=4),
    "t_rp": ns("18", f"{_JESD209_4} core timing: tRPpb max(18 ns, 4 nCK)", least=4),
    "t_ras": ns("42", f"{_JESD209_4} core timing: tRAS max(42 ns, 3 nCK)", least=3),
    "t_rc": ck(68 + 29, f"{_JESD209_4} core timing: tRC = tRAS + tRPpb"),
    "t_rrd_s": ns("10", f"{_JESD209_4} core timing: tRRD max(10 ns, 4 nCK)", least=4),
    "t_rrd_l": ns("10", f"{_JESD209_4} core timing: tRRD", least=4),
    "t_faw": ns("40", f"{_JESD209_4} core timing: tFAW"),
    "t_ccd_s": ck(8, f"{_JESD209_4} core timing: tCCD of BL16"),
    "t_ccd_l": ck(8, f"{_JESD209_4} core timing: tCCD of BL16"),
    "t_rtp": ck(12, f"{_JESD209_4} read to precharge: BL/2 + max(8, nRTP) - 8, nRTP 12 at 3200"),
    "t_wr": ck(29 + 1, f"{_JESD209_4} write to precharge: WL + 1 + BL/2 + tWR (18 ns)"),
    "t_wtr_s": ck(16 + 1, f"{_JESD209_4} write to read: WL + 1 + BL/2 + tWTR (10 ns)"),
    "t_wtr_l": ck(16 + 1, f"{_JESD209_4} write to read: as t_wtr_s"),
    "t_rtw": ck(28 + 6 + 8 - 14 + 2, f"{_JESD209_4} read to write: RL + tDQSCK (3.5 ns) + BL/2 - WL + tWPRE"),
    "t_rtrs": ck(4, "controller's choice: covers the spread of tDQSCK between ranks"),
    "t_wtws": ck(4, "controller's choice, as t_rtrs"),
    "t_ppd": ck(4, f"{_JESD209_4} core timing: tPPD"),
    "t_refi": ns("3904", f"{_JESD209_4} refresh requirement: tREFI"),
    "t_rfc": ns("180", f"{_JESD209_4} refresh requirement: tRFCab of 4 Gb per channel"),
    "t_rfc_pb": ns("90", f"{_JESD209_4} refresh requirement: tRFCpb of 4 Gb per channel"),
    "t_pbr2pbr": ns("90", f"{_JESD209_4} refresh requirement: tpbR2pbR of 4 Gb per channel"),
    "t_pbr2act": ns("10", f"{_JESD209_4} REFpb to activate of another bank: tRRD", least=4),
    "act_slots": ck(4, f"{_JESD209_4} command truth table: ACT-1 and ACT-2, two cycles each"),
    "column_slots": ck(4, f"{_JESD209_4} command truth table: RD-1 or WR-1 and CAS-2"),
    "pre_slots": ck(2, f"{_JESD209_4} command truth table"),
    "ref_slots": ck(2, f"{_JESD209_4} command truth table"),
}  # fmt: skip

# ----------------------------------------------------------------------------------------------------
# LPDDR5: four x16 channels of 8 Gb dies, 64 bits, 4 GiB; CK 800 MHz, WCK 3.2 GHz always running

_JESD209_5 = "JESD209-5 (LPDDR5)"
_LPDDR5 = {
    "channels": ck(4, "64 bits of x16 channels"),
    "bank_groups": ck(4, f"{_JESD209_5} bank group mode, required above 3200"),
    "banks": ck(4, f"{_JESD209_5} bank group mode"),
    "rows": ck(1 << 15, f"{_JESD209_5} addressing: 8 Gb x16, bank group mode"),
    "columns": ck(1 << 10, f"{_JESD209_5} addressing: 2 KB page of x16"),
    "device_width": ck(16, "one x16 die per channel"),
    "bus_width": ck(16, "one x16 die per channel"),
    "burst_length": ck(16, f"{_JESD209_5} BL16"),
    "burst_cycles": ck(2, f"{_JESD209_5} BL16 at WCK:CK 4:1"),
    "cl": ck(17, f"{_JESD209_5} RL set 0 at 6400"),
    "cwl": ck(9, f"{_JESD209_5} WL set A at 6400"),
    "t_rcd": ns("18", f"{_JESD209_5} core timing: tRCD max(18 ns, 2 nCK)", least=2),
    "t_rcd_wr": ns("18", f"{_JESD209_5} core timing: tRCD", least=2),
    "t_rp": ns("18", f"{_JESD209_5} core timing: tRPpb max(18 ns, 2 nCK)", least=2),
    "t_ras": ns("42", f"{_JESD209_5} core timing: tRAS max(42 ns, 3 nCK)", least=3),
    "t_rc": ck(34 + 15, f"{_JESD209_5} core timing: tRC = tRAS + tRPpb"),
    "t_rrd_s": ns("5", f"{_JESD209_5} core timing: tRRD max(5 ns, 2 nCK), bank group mode", least=2),
    "t_rrd_l": ns("5", f"{_JESD209_5} core timing: tRRD", least=2),
    "t_faw": ns("20", f"{_JESD209_5} core timing: tFAW, bank group mode"),
    "t_ccd_s": ck(2, f"{_JESD209_5} BL/n_min of BL16, different bank group"),
    "t_ccd_l": ck(4, f"{_JESD209_5} BL/n of BL16, same bank group"),
    "t_rtp": ck(2 + 4, f"{_JESD209_5} read to precharge: BL/n_min + nRBTP, 4 at 6400"),
    "t_wr": ns("34", f"{_JESD209_5} core timing: tWR max(34 ns, 3 nCK)", least=3),
    "t_wtr_s": ns("6.25", f"{_JESD209_5} core timing: tWTR_S max(6.25 ns, 4 nCK)", least=4),
    "t_wtr_l": ns("12", f"{_JESD209_5} core timing: tWTR_L max(12 ns, 4 nCK)", least=4),
    "t_rtw": ck(17 + 4 + 1 - 9, f"{_JESD209_5} read to write: RL + BL/n + tWCK2DQO - WL"),
    "t_rtrs": ck(2, "controller's choice"),
    "t_wtws": ck(2, "controller's choice"),
    "t_ppd": ck(2, f"{_JESD209_5} core timing: tPPD"),
    "t_refi": ns("3906", f"{_JESD209_5} refresh requirement: tREFI"),
    "t_rfc": ns("210", f"{_JESD209_5} refresh requirement: tRFCab of 8 Gb"),
    "t_rfc_pb": ns("120", f"{_JESD209_5} refresh requirement: tRFCpb of 8 Gb"),
    "t_pbr2pbr": ns("90", f"{_JESD209_5} refresh requirement: tpbR2pbR"),
    "t_pbr2act": ns("7.5", f"{_JESD209_5} refresh requirement: tpbR2act"),
    "refresh_banks": ck(2, f"{_JESD209_5} bank group mode: REFpb refreshes a pair of banks"),
    "act_slots": ck(1, f"{_JESD209_5}: ACT-2; ACT-1 takes any free cycle up to tAAD (8) before it"),
}  # fmt: skip

_LPDDR5_POWER = Power(
    (Rail(volts=1.05, idd0=45, idd2n=30, idd3n=39, idd4r=372, idd4w=310, idd5b=170),),
    "Micron MT62F512M32D2/MT62F1G32D4 rev. D 4/2021 table 7, single die, VDD2H at 6400, maxima in bank group "
    "mode; VDD1 (a few mA) and VDDQ (the interface) are not included",
)

# ----------------------------------------------------------------------------------------------------
# HBM2: one 4-high stack of 8 Gb dies, 16 pseudo channels of 64 bits, 4 GiB

_JESD235 = "JESD235 (HBM)"
_HBM2_MODEL = "typical, as gem5's HBM_2000_4H_1x64 has it (JESD235 leaves it to the vendor)"
_HBM2 = {
    "channels": ck(16, f"{_JESD235}: 8 channels of 2 pseudo channels, as if each had its own command bus"),
    "bank_groups": ck(4, f"{_JESD235} pseudo channel mode"),
    "banks": ck(4, f"{_JESD235} pseudo channel mode"),
    "rows": ck(1 << 14, f"{_JESD235} addressing: 256 MB per pseudo channel"),
    "columns": ck(1 << 7, f"{_JESD235} pseudo channel mode: 1 KB page of 64 bits"),
    "device_width": ck(64, "one pseudo channel"),
    "bus_width": ck(64, "one pseudo channel"),
    "burst_length": ck(4, f"{_JESD235} pseudo channel mode: BL4"),
    "burst_cycles": ck(2, f"{_JESD235} BL4: 2 cycles"),
    "cl": ck(18, _HBM2_MODEL),
    "cwl": ck(7, _HBM2_MODEL),
    "t_rcd": ns("12", f"tRCDRD, {_HBM2_MODEL}"),
    "t_rcd_wr": ns("6", f"tRCDWR, {_HBM2_MODEL}"),
    "t_rp": ns("14", _HBM2_MODEL),
    "t_ras": ns("28", _HBM2_MODEL),
    "t_rc": ns("42", "tRAS + tRP"),
    "t_rrd_s": ns("4", _HBM2_MODEL),
    "t_rrd_l": ns("6", _HBM2_MODEL),
    "t_faw": ns("16", _HBM2_MODEL),
    "t_ccd_s": ck(2, f"{_JESD235} BL4"),
    "t_ccd_l": ck(3, _HBM2_MODEL),
    "t_rtp": ns("5", _HBM2_MODEL),
    "t_wr": ns("14", _HBM2_MODEL),
    "t_wtr_s": ns("4", _HBM2_MODEL),
    "t_wtr_l": ns("9", _HBM2_MODEL),
    "t_rtw": ck(18, _HBM2_MODEL),
    "t_rtrs": ck(2, "one rank: not used"),
    "t_wtws": ck(2, "one rank: not used"),
    "t_refi": ns("3900", f"{_JESD235} refresh requirement: tREFI"),
    "t_rfc": ns("260", f"{_JESD235} refresh requirement: tRFC of 8 Gb dies"),
}  # fmt: skip

# ----------------------------------------------------------------------------------------------------
# DRAMsim3's DDR4-3200, to compare with that simulator. With it the model gives that simulator's request
# counts, command counts and latencies exactly (tests/sim/test_dram_reference.py). Where it differs from the
# ddr4-3200 above, which follows the standard:
#   - tCK is 0.63 ns there, so the peak is 25.40 and not 25.60 GB/s, tRFC (560 cycles) 352.8 and not 350 ns,
#     tREFI (12480 cycles) 7.86 and not 7.8 us;
#   - read to write is one cycle less, and writes of two ranks follow each other without a gap;
#   - its channel_size makes two ranks, refreshed in turn every tREFI/2;
#   - its energies are mW x cycles under the label pJ: multiply by tCK in ns to get pJ.
# Two of its habits are not copied, and matter with page="close" and more than one channel only: a read with
# auto-precharge may end before tRAS and lets the next activate wait for the burst; one full channel holds
# back the requests to all others.

_DRAMSIM3 = "DRAMsim3 DDR4_8Gb_x8_3200.ini"
_DRAMSIM3_RULE = "DRAMsim3 timing.cc"
_DRAMSIM3_DDR4_3200 = {
    "ranks": ck(2, f"{_DRAMSIM3}: channel_size 16384 MB of 8192 MB ranks"),
    "bank_groups": ck(4, _DRAMSIM3), "banks": ck(4, _DRAMSIM3), "rows": ck(65536, _DRAMSIM3),
    "columns": ck(1024, _DRAMSIM3), "device_width": ck(8, _DRAMSIM3), "bus_width": ck(64, _DRAMSIM3),
    "burst_length": ck(8, _DRAMSIM3), "burst_cycles": ck(4, f"{_DRAMSIM3_RULE}: BL/2"),
    "cl": ck(22, _DRAMSIM3), "cwl": ck(16, _DRAMSIM3), "t_rcd": ck(22, _DRAMSIM3),
    "t_rcd_wr": ck(22, _DRAMSIM3), "t_rp": ck(22, _DRAMSIM3), "t_ras": ck(52, _DRAMSIM3),
    "t_rc": ck(74, f"{_DRAMSIM3_RULE}: tRAS + tRP"), "t_rrd_s": ck(4, _DRAMSIM3),
    "t_rrd_l": ck(8, _DRAMSIM3), "t_faw": ck(34, _DRAMSIM3), "t_ccd_s": ck(4, _DRAMSIM3),
    "t_ccd_l": ck(8, _DRAMSIM3), "t_rtp": ck(12, _DRAMSIM3), "t_wr": ck(24, _DRAMSIM3),
    "t_wtr_s": ck(4, _DRAMSIM3), "t_wtr_l": ck(12, _DRAMSIM3),
    "t_rtw": ck(11, f"{_DRAMSIM3_RULE}: RL + BL/2 - WL + tRTRS"), "t_rtrs": ck(1, _DRAMSIM3),
    "t_wtws": ck(0, f"{_DRAMSIM3_RULE}: writes of two ranks follow without a gap"),
    "t_refi": ck(12480, _DRAMSIM3), "t_rfc": ck(560, _DRAMSIM3),
    "read_queue": ck(32, "trans_queue_size 32 of the reference runs"),
    "write_buffer": ck(32, "trans_queue_size 32 of the reference runs"),
    "write_low": ck(16, "DRAMsim3 configuration.cc: write_buf_size by default"),
    "bank_queue": ck(8, f"{_DRAMSIM3}: cmd_queue_size, PER_BANK"),
    "row_hits": ck(4, "DRAMsim3 command_queue.cc"),
}  # fmt: skip

PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        _ddr4(
            rate="2400", tck_ps=Fraction(10**6, 1200), bin_name="DDR4-2400T (17-17-17)", cl=17, cwl=12,
            core_ns="14.16", rc_ns="46.16", rrd_s_ns="3.3", power=_micron_8gb_x8(48, 34, 43, 135, 123),
        ),
        _ddr4(
            rate="2666", tck_ps=Fraction(750), bin_name="DDR4-2666V (19-19-19)", cl=19, cwl=14,
            core_ns="14.25", rc_ns="46.25", rrd_s_ns="3.0", power=_micron_8gb_x8(51, 35, 46, 146, 132),
        ),
        _ddr4(
            rate="3200", tck_ps=Fraction(625), bin_name="DDR4-3200AA (22-22-22)", cl=22, cwl=16,
            core_ns="13.75", rc_ns="45.75", rrd_s_ns="2.5", power=_micron_8gb_x8(57, 37, 52, 168, 150),
        ),
        Preset(
            name="lpddr4-3200", about="LPDDR4-3200, four x16 channels, 64 bits", tck_ps=Fraction(625),
            guard=Fraction(0), mapping="rorabgbacoch", refresh="per-bank", figures=_LPDDR4,
        ),
        Preset(
            name="lpddr5-6400", about="LPDDR5-6400, four x16 channels, 64 bits", tck_ps=Fraction(1250),
            guard=Fraction(0), mapping="rorabacobgch", refresh="per-bank", figures=_LPDDR5,
            power=_LPDDR5_POWER,
        ),
        Preset(
            name="hbm2-2000", about="HBM2 at 2 Gb/s, one stack of 16 pseudo channels", tck_ps=Fraction(1000),
            guard=Fraction(0), mapping="rorabacobgch", dual_bus=True, figures=_HBM2,
        ),
        Preset(
            name="dramsim3-ddr4-3200", about="DRAMsim3's DDR4_8Gb_x8_3200, two ranks", tck_ps=Fraction(630),
            guard=Fraction(0), mapping="rochrababgco", figures=_DRAMSIM3_DDR4_3200,
            power=Power(
                (Rail(volts=1.2, idd0=57, idd2n=37, idd3n=52, idd4r=168, idd4w=150, idd5b=250),),
                f"{_DRAMSIM3} (without IPP, which that simulator does not use)",
            ),
        ),
    )
}  # fmt: skip


def preset(name: str, **changes: object) -> DramConfig:
    """The configuration of a preset, with some fields changed.

    Raises:
        ParameterError: no preset has that name, or the changed configuration is impossible.
    """
    require(name in PRESETS, "preset", "one of " + ", ".join(PRESETS), name)
    return replace(PRESETS[name].config, **changes)  # type: ignore[arg-type]

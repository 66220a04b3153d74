"""A DRAM's organisation, timing and controller: one frozen, checked object, and what follows from it.

Times are cycles of the memory clock unless a name says otherwise. The model itself is compiled
(`native/dram.h` says how it schedules); this object is what it is built from.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from atalanta.golden.errors import require
from atalanta.sim.dram_energy import Power

FIELDS = ("ro", "ch", "ra", "ba", "bg", "co")
PAGES = ("open", "close")
REFRESH = ("none", "all-bank", "per-bank")
MAX_CYCLES = 1 << 40


def _power_of_two(name: str, value: int, most: int) -> None:
    ok = isinstance(value, int) and 0 < value <= most and value & (value - 1) == 0
    require(ok, name, f"a power of two from 1 to {most}", value)


def split_mapping(mapping: str) -> tuple[str, ...]:
    """The fields of an address mapping, most significant first.

    ro row, ch channel, ra rank, ba bank, bg bank group, co column (in bursts). Each occurs once;
    below the last lies the byte within a burst.

    Raises:
        ParameterError: a field is unknown, missing or named twice.
    """
    fields = tuple(mapping[i : i + 2] for i in range(0, len(mapping), 2))
    legal = f"the six fields {' '.join(FIELDS)} in some order, each once"
    require(sorted(fields) == sorted(FIELDS), "mapping", legal, mapping)
    return fields


@dataclass(frozen=True, kw_only=True)
class DramConfig:
    """One memory system: `channels` equal channels behind one address mapping.

    Organisation: ranks per channel, bank groups per rank, banks per bank group, rows per bank, columns
    per row (of `device_width` bits each), `bus_width` data bits per channel, `burst_length` transfers,
    which take `burst_cycles`. Timing: as JEDEC names it; `t_rcd_wr` is activate-to-write (HBM has its
    own), `t_rtw` read to write command within a rank, `t_rtrs` and `t_wtws` the gaps on the data bus
    between ranks, `t_pbr2pbr`, `t_pbr2act` from a per-bank refresh to the rank's other banks. `*_slots`:
    cycles a command occupies the command bus; `dual_bus`: row and column commands have a bus each.
    `refresh_banks`: banks that one per-bank refresh covers.

    Controller: `page` "open" leaves rows open, "close" precharges after every access; `refresh` "none",
    "all-bank" (ranks in turn) or "per-bank" (banks in turn). Depths in requests: `read_queue`,
    `write_buffer` (drained when full, or at `write_low` when no read waits) and `bank_queue` per bank; at
    most `merged` reads may join waiting ones; a row with waiting requests is closed for another one
    after `row_hits` of them. `power`: currents for `energy`, None where none are published.
    """

    name: str
    tck_ps: Fraction
    channels: int = 1
    ranks: int = 1
    bank_groups: int
    banks: int
    rows: int
    columns: int
    device_width: int
    bus_width: int
    burst_length: int
    burst_cycles: int
    mapping: str
    cl: int
    cwl: int
    al: int = 0
    t_rcd: int
    t_rcd_wr: int
    t_rp: int
    t_ras: int
    t_rc: int
    t_rrd_s: int
    t_rrd_l: int
    t_faw: int
    t_ccd_s: int
    t_ccd_l: int
    t_rtp: int
    t_wr: int
    t_wtr_s: int
    t_wtr_l: int
    t_rtw: int
    t_rtrs: int
    t_wtws: int
    t_ppd: int = 1
    t_refi: int
    t_rfc: int
    t_rfc_pb: int = 0
    t_pbr2pbr: int = 0
    t_pbr2act: int = 0
    act_slots: int = 1
    column_slots: int = 1
    pre_slots: int = 1
    ref_slots: int = 1
    dual_bus: bool = False
    page: str = "open"
    refresh: str = "all-bank"
    refresh_banks: int = 1
    port: int = 64
    read_queue: int = 32
    write_buffer: int = 32
    write_low: int = 16
    bank_queue: int = 8
    merged: int = 1024
    row_hits: int = 4
    power: Power | None = None

    def __post_init__(self) -> None:
        split_mapping(self.mapping)
        require(self.tck_ps > 0, "tck_ps", "above zero", self.tck_ps)
        for name, most in (
            ("channels", 64), ("ranks", 16), ("bank_groups", 16), ("banks", 64), ("rows", 1 << 24),
            ("columns", 1 << 20), ("device_width", 4096), ("bus_width", 4096), ("burst_length", 1 << 10),
        ):  # fmt: skip
            _power_of_two(name, getattr(self, name), most)
        require(self.bus_width >= 8, "bus_width", "at least 8 bits", self.bus_width)
        require(self.device_width <= self.bus_width, "device_width", "at most bus_width", self.device_width)
        require(self.burst_length <= self.columns, "burst_length", "at most columns", self.burst_length)
        for name in (n for n in self.__dataclass_fields__ if n.startswith("t_")):
            value = getattr(self, name)
            require(isinstance(value, int) and 0 <= value < MAX_CYCLES, name, "cycles from 0 up", value)
        for name in ("burst_cycles", "t_rtw", "t_ppd", "act_slots", "column_slots", "pre_slots", "ref_slots"):
            require(1 <= getattr(self, name) < MAX_CYCLES, name, "at least 1 cycle", getattr(self, name))
        for name in ("cl", "cwl", "al"):
            require(0 <= getattr(self, name) < MAX_CYCLES, name, "cycles from 0 up", getattr(self, name))
        for name in ("port", "read_queue", "write_buffer", "write_low", "bank_queue", "merged", "row_hits"):
            value = getattr(self, name)
            require(isinstance(value, int) and 1 <= value <= 65536, name, "from 1 to 65536", value)
        self._check_relations()

    def _check_relations(self) -> None:
        require(self.page in PAGES, "page", "one of " + ", ".join(PAGES), self.page)
        require(self.refresh in REFRESH, "refresh", "one of " + ", ".join(REFRESH), self.refresh)
        require(self.refresh_banks in (1, 2), "refresh_banks", "1 or 2", self.refresh_banks)
        require(self.t_ccd_s >= self.burst_cycles, "t_ccd_s", "at least burst_cycles", self.t_ccd_s)
        require(self.t_ccd_l >= self.t_ccd_s, "t_ccd_l", "at least t_ccd_s", self.t_ccd_l)
        require(self.t_rrd_l >= self.t_rrd_s, "t_rrd_l", "at least t_rrd_s", self.t_rrd_l)
        require(self.t_wtr_l >= self.t_wtr_s, "t_wtr_l", "at least t_wtr_s", self.t_wtr_l)
        require(self.al <= min(self.t_rcd, self.t_rcd_wr), "al", "at most t_rcd and t_rcd_wr", self.al)
        require(self.t_rc >= self.t_ras, "t_rc", "at least t_ras", self.t_rc)
        require(self.write_low <= self.write_buffer, "write_low", "at most write_buffer", self.write_low)
        if self.refresh == "all-bank":
            legal = f"more than t_rfc + t_ras + t_rp between two ranks' refreshes (t_rfc {self.t_rfc})"
            ok = self.t_refi // self.ranks > self.t_rfc + self.t_ras + self.t_rp
            require(ok, "t_refi", legal, self.t_refi)
        if self.refresh == "per-bank":
            require(self.t_rfc_pb > 0, "t_rfc_pb", "above zero when refresh is per bank", self.t_rfc_pb)
            targets = self.ranks * self.banks_per_rank // self.refresh_banks
            legal = "more than t_pbr2pbr, t_ras and t_rp between two refreshes"
            ok = self.t_refi // targets > max(self.t_pbr2pbr, self.t_ras + self.t_rp)
            require(ok, "t_refi", legal, self.t_refi)

    @property
    def banks_per_rank(self) -> int:
        """Banks of a rank, over all bank groups."""
        return self.bank_groups * self.banks

    @property
    def devices(self) -> int:
        """Devices of a rank."""
        return self.bus_width // self.device_width

    @property
    def burst_bytes(self) -> int:
        """Bytes of one burst of one channel, the unit of a request."""
        return self.bus_width // 8 * self.burst_length

    @property
    def row_bytes(self) -> int:
        """Bytes of one open row of one channel."""
        return self.bus_width // 8 * self.columns

    @property
    def capacity_bytes(self) -> int:
        """Bytes of all channels."""
        return self.channels * self.ranks * self.banks_per_rank * self.rows * self.row_bytes

    @property
    def peak_bytes_per_s(self) -> float:
        """All data buses busy all the time, in bytes per second."""
        return float(self.channels * self.burst_bytes * Fraction(10**12) / (self.burst_cycles * self.tck_ps))

    @property
    def refresh_limited_bytes_per_s(self) -> float:
        """The peak less the time in which refresh stops a whole channel.

        With one rank, an all-bank refresh takes the row away for tRP before it, the tRFC itself and tRCD
        after it. Other ranks, and other banks under per-bank refresh, go on meanwhile.
        """
        if self.refresh != "all-bank" or self.ranks > 1:
            return self.peak_bytes_per_s
        lost = Fraction(self.t_rp + self.t_rfc + self.t_rcd, self.t_refi)
        return self.peak_bytes_per_s * float(1 - lost)

    @property
    def unloaded_read_cycles(self) -> int:
        """From entering the idle controller, all banks closed, to the last beat: 1 + tRCD + CL + burst."""
        return 1 + self.t_rcd + self.cl + self.burst_cycles

    def cycles_of(self, seconds: Fraction) -> int:
        """Whole memory cycles that cover a time, rounded up."""
        return math.ceil(seconds * 10**12 / self.tck_ps)

    def native(self, *, every_cycle: bool = False) -> dict[str, int]:
        """The compiled model's configuration, field by field (`native/dram.h` lists them).

        every_cycle: visit every cycle instead of only those in which something happens; same result.
        """
        widths = {
            "ro": self.rows, "ch": self.channels, "ra": self.ranks, "ba": self.banks,
            "bg": self.bank_groups, "co": self.columns // self.burst_length,
        }  # fmt: skip
        positions, bit = {}, 0
        for field in reversed(split_mapping(self.mapping)):
            positions[field] = bit
            bit += widths[field].bit_length() - 1
        numbers = {
            name: int(v) for name in self.__dataclass_fields__ if isinstance(v := getattr(self, name), int)
        }
        return numbers | {
            "pos_row": positions["ro"], "pos_channel": positions["ch"], "pos_rank": positions["ra"],
            "pos_bank": positions["ba"], "pos_group": positions["bg"], "pos_column": positions["co"],
            "close_page": PAGES.index(self.page), "refresh": REFRESH.index(self.refresh),
            "every_cycle": int(every_cycle),
        }  # fmt: skip

"""An independent judge of command logs: replays one and holds every command against every JEDEC rule.

It shares nothing with the model but the configuration's numbers: where the model keeps, per bank, the
earliest cycle of each command, this keeps the history of commands and looks back.
"""

from collections import Counter, defaultdict

ACT, PRE, RD, WR, RDA, WRA, REF, REFB = range(8)
COLUMN = (RD, WR, RDA, WRA)
ROW_SLOTS = {ACT: "act_slots", PRE: "pre_slots", REF: "ref_slots", REFB: "ref_slots"}


class ViolationError(AssertionError):
    """A command came before a rule allowed it, or in a state in which it is illegal."""


class Bank:
    def __init__(self):
        self.row = None
        self.last = defaultdict(lambda: None)  # command -> cycle
        self.closed = None  # when the latest (perhaps internal) precharge began
        self.refreshed = None


class Channel:
    """State of one channel; `judge` takes its commands in order."""

    def __init__(self, config):
        self.c = config
        self.rl, self.wl = config.al + config.cl, config.al + config.cwl
        self.banks = defaultdict(Bank)  # (rank, group, bank)
        self.acts = defaultdict(list)  # rank -> [(cycle, group, bank)]
        self.columns = []  # (cycle, write, rank, group), the latest few
        self.pres = defaultdict(lambda: None)  # rank -> cycle
        self.refs = defaultdict(lambda: None)  # rank -> cycle of the latest all-bank refresh
        self.refbs = defaultdict(list)  # rank -> [(cycle, banks)]
        self.ref_counts = Counter()
        self.bus = {"row": 0, "column": 0}
        self.data_free = (0, None, None)  # end of the latest burst, its rank and direction
        self.binding = Counter()  # rules that alone decided a command's cycle
        self.cycle = -1

    def judge(self, entry):
        t, what = int(entry["cycle"]), int(entry["command"])
        place = (int(entry["rank"]), int(entry["group"]), int(entry["bank"]))
        if t < self.cycle:
            raise ViolationError(f"{t}: log not in order")
        self.cycle = t
        rules = {}
        for name, earliest in self.rules(t, what, place, int(entry["row"])):
            if earliest is not None:
                rules[name] = max(earliest, rules.get(name, 0))
        for name, earliest in rules.items():
            if t < earliest:
                raise ViolationError(f"{t}: command {what} at {place} breaks {name}: not before {earliest}")
        exact = [name for name, earliest in rules.items() if earliest == t]
        if len(exact) == 1:
            self.binding[exact[0]] += 1
        self.update(t, what, place, int(entry["row"]))

    # Rules: (name, earliest legal cycle) of a command

    def rules(self, t, what, place, row):
        rank, group, _ = place
        c, bank = self.c, self.banks[place]
        kind = "column" if what in COLUMN else "row"
        yield "command bus", self.bus[kind] if c.dual_bus else max(self.bus.values())
        if what == ACT:
            if bank.row is not None:
                raise ViolationError(f"{t}: activate of an open bank {place}")
            yield "t_rc", after(bank.last[ACT], c.t_rc)
            yield "t_rp", after(bank.closed, c.t_rp)
            history = self.acts[rank]
            yield (
                "t_rrd_l",
                after(latest(x for x, g, b in history if g == group and b != place[2]), c.t_rrd_l),
            )
            yield "t_rrd_s", after(latest(x for x, g, _ in history if g != group), c.t_rrd_s)
            yield "t_faw", after(history[-4][0] if len(history) >= 4 else None, c.t_faw)
            yield "t_rfc", after(self.refs[rank], c.t_rfc)
            yield "t_rfc_pb", after(bank.refreshed, c.t_rfc_pb)
            others = (x for x, banks in self.refbs[rank] if place not in banks)
            yield "t_pbr2act", after(latest(others), c.t_pbr2act)
        elif what in COLUMN:
            if bank.row != row:
                raise ViolationError(f"{t}: column command to row {row} of {place}, open is {bank.row}")
            write = what in (WR, WRA)
            yield (
                "t_rcd_wr" if write else "t_rcd",
                after(bank.last[ACT], (c.t_rcd_wr if write else c.t_rcd) - c.al),
            )
            yield from self.column_rules(write, rank, group)
        elif what == PRE:
            if bank.row is None:
                raise ViolationError(f"{t}: precharge of a closed bank {place}")
            yield "t_ras", after(bank.last[ACT], c.t_ras)
            yield "t_rtp", after(bank.last[RD], c.al + c.t_rtp)
            yield "t_wr", after(bank.last[WR], self.wl + c.burst_cycles + c.t_wr)
            yield "t_ppd", after(self.pres[rank], c.t_ppd)
        else:
            covered = self.covered(what, place)
            for b in (self.banks[p] for p in covered):
                if b.row is not None:
                    raise ViolationError(f"{t}: refresh of open bank {place}")
            closed = latest(b.closed for b in (self.banks[p] for p in covered) if b.closed is not None)
            yield "t_rp (refresh)", after(closed, c.t_rp)
            yield "t_rfc (refresh)", after(self.refs[rank], c.t_rfc)
            if what == REFB:
                yield "t_pbr2pbr", after(latest(x for x, _ in self.refbs[rank]), c.t_pbr2pbr)
                yield (
                    "t_rfc_pb (refresh)",
                    after(
                        latest(
                            self.banks[p].refreshed for p in covered if self.banks[p].refreshed is not None
                        ),
                        c.t_rfc_pb,
                    ),
                )
                acts = (x for x, g, b in self.acts[rank] if (rank, g, b) not in covered)
                yield "t_rrd_s (refresh)", after(latest(acts), c.t_rrd_s)

    def column_rules(self, write, rank, group):
        c, burst = self.c, self.c.burst_cycles
        for x, wrote, r, g in self.columns:
            same_group = g == group
            if r != rank:
                name = "t_wtws" if wrote and write else "t_rtrs"
                before, now = self.wl if wrote else self.rl, self.wl if write else self.rl
                yield name, x + max(1, before + burst + getattr(c, name) - now)
            elif wrote == write:
                yield ("t_ccd_l", x + c.t_ccd_l) if same_group else ("t_ccd_s", x + c.t_ccd_s)
            elif wrote:
                wtr = ("t_wtr_l", c.t_wtr_l) if same_group else ("t_wtr_s", c.t_wtr_s)
                yield wtr[0], x + self.wl + burst + wtr[1]
            else:
                yield "t_rtw", x + c.t_rtw

    def covered(self, what, place):
        rank, group, bank = place
        c = self.c
        if what == REF:
            return [(rank, g, b) for g in range(c.bank_groups) for b in range(c.banks)]
        flat = [
            (group * c.banks + bank + i * c.banks_per_rank // c.refresh_banks) for i in range(c.refresh_banks)
        ]
        return [(rank, f // c.banks, f % c.banks) for f in flat]

    # What a command changes

    def update(self, t, what, place, row):
        c, bank, rank = self.c, self.banks[place], place[0]
        kind = "column" if what in COLUMN else "row"
        self.bus[kind] = t + getattr(c, ROW_SLOTS.get(what, "column_slots"))
        bank.last[what] = t
        if what == ACT:
            bank.row = row
            bank.last[RD] = bank.last[WR] = None  # what the precharge rules refer to
            self.acts[rank] = [*self.acts[rank][-40:], (t, place[1], place[2])]
        elif what in COLUMN:
            self.column(t, what, place, bank)
        elif what == PRE:
            bank.row, bank.closed, self.pres[rank] = None, t, t
        elif what == REF:
            self.refs[rank] = t
            self.ref_counts[rank] += 1
        else:
            covered = self.covered(what, place)
            for p in covered:
                self.banks[p].refreshed = t
                self.ref_counts[p] += 1
            self.refbs[rank] = [*self.refbs[rank][-8:], (t, covered)]

    def column(self, t, what, place, bank):
        c = self.c
        write = what in (WR, WRA)
        begin = t + (self.wl if write else self.rl)
        free, rank, wrote = self.data_free
        gap = 0 if rank in (None, place[0]) else (c.t_wtws if write and wrote else c.t_rtrs)
        if begin < free + gap:
            raise ViolationError(f"{t}: burst begins at {begin}, bus busy until {free} (+{gap})")
        self.data_free = (begin + c.burst_cycles, place[0], write)
        # Beyond this many commands back, every rule has expired.
        self.columns = [*self.columns[-24:], (t, write, place[0], place[1])]
        if what in (RDA, WRA):
            bank.row = None
            access = c.al + c.t_rtp if what == RDA else self.wl + c.burst_cycles + c.t_wr
            bank.closed = max(bank.last[ACT] + c.t_ras, t + access)
        bank.last[WR if write else RD] = t


def after(cycle, gap):
    return None if cycle is None else cycle + gap


def latest(cycles):
    return max(cycles, default=None)


def check_log(config, log):
    """Raise `ViolationError` unless the log is legal; count the rules that alone decided a cycle."""
    channels = defaultdict(lambda: Channel(config))
    for entry in log:
        channels[int(entry["channel"])].judge(entry)
    binding = Counter()
    for channel in channels.values():
        binding += channel.binding
    check_refresh_rate(config, channels)
    return binding


def check_refresh_rate(config, channels):
    """Every rank (or bank) is refreshed once per tREFI; JEDEC lets eight of them be postponed."""
    if config.refresh == "none":
        return
    for channel in channels.values():
        due = channel.cycle // config.t_refi
        ranks = range(config.ranks)
        targets = (
            ranks
            if config.refresh == "all-bank"
            else [(r, g, b) for r in ranks for g in range(config.bank_groups) for b in range(config.banks)]
        )
        for target in targets:
            if not due - 8 <= channel.ref_counts[target] <= due + 1:
                raise ViolationError(f"{target}: {channel.ref_counts[target]} refreshes, due were {due}")


def active_cycles(config, log, end):
    """Cycles, summed over ranks, with a bank open or a refresh under way, from the log alone."""
    spans = defaultdict(list)
    opened = {}
    wl = config.al + config.cwl
    for entry in log:
        t, what = int(entry["cycle"]), int(entry["command"])
        rank = (int(entry["channel"]), int(entry["rank"]))
        bank = (*rank, int(entry["group"]), int(entry["bank"]))
        if what == ACT:
            opened[bank] = t
        elif what == PRE:
            spans[rank].append((opened.pop(bank), t))
        elif what in (RDA, WRA):
            begin = opened.pop(bank)
            access = config.al + config.t_rtp if what == RDA else wl + config.burst_cycles + config.t_wr
            spans[rank].append((begin, max(begin + config.t_ras, t + access)))
        elif what == REF:
            spans[rank].append((t, t + config.t_rfc))
        elif what == REFB:
            spans[rank].append((t, t + config.t_rfc_pb))
    for bank, begin in opened.items():
        spans[bank[:2]].append((begin, end))
    return sum(covered_length(intervals, end) for intervals in spans.values())


def covered_length(intervals, end):
    total, reach = 0, 0
    for begin, stop in sorted(intervals):
        total += max(0, min(stop, end) - max(begin, reach))
        reach = max(reach, min(stop, end))
    return total

#include "dram.h"

#include <algorithm>

namespace atalanta {
namespace {

constexpr std::int32_t kMostHits = 8;  // requests that `serve_hits` looks at

bool power_of_two(std::int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

// First bit >= from that is set in a bit set, or -1.
std::int32_t next_bit(const std::vector<std::uint64_t>& words, std::int32_t from) {
  std::size_t w = static_cast<std::size_t>(from) >> 6;
  if (w >= words.size()) return -1;
  std::uint64_t bits = words[w] >> (from & 63) << (from & 63);
  while (bits == 0) {
    if (++w == words.size()) return -1;
    bits = words[w];
  }
  return static_cast<std::int32_t>(w << 6) + __builtin_ctzll(bits);
}

}  // namespace

BurstTable::BurstTable(std::size_t entries) {
  int bits = 4;
  while ((std::size_t{1} << bits) < 2 * entries) ++bits;  // at most half full: probes stay short
  cells_.assign(std::size_t{1} << bits, Cell{0, -1});
  mask_ = cells_.size() - 1;
  shift_ = 64 - bits;
}

std::int32_t BurstTable::find(std::uint64_t burst) const {
  for (std::size_t i = home(burst); cells_[i].request >= 0; i = (i + 1) & mask_) {
    if (cells_[i].burst == burst) return cells_[i].request;
  }
  return -1;
}

void BurstTable::insert(std::uint64_t burst, std::int32_t request) {
  std::size_t i = home(burst);
  while (cells_[i].request >= 0) i = (i + 1) & mask_;
  cells_[i] = Cell{burst, request};
  ++size_;
}

void BurstTable::erase(std::uint64_t burst) {
  std::size_t i = home(burst);
  while (cells_[i].burst != burst || cells_[i].request < 0) i = (i + 1) & mask_;
  // Close the gap: move back every later cell of the run whose home does not lie behind the gap.
  for (std::size_t j = (i + 1) & mask_; cells_[j].request >= 0; j = (j + 1) & mask_) {
    if (((j - home(cells_[j].burst)) & mask_) >= ((j - i) & mask_)) {
      cells_[i] = cells_[j];
      i = j;
    }
  }
  cells_[i].request = -1;
  --size_;
}

Channel::Channel(const DramConfig& config, int index, Sink& sink)
    : config_(config),
      map_(config),
      index_(index),
      sink_(sink),
      per_rank_(static_cast<std::int32_t>(config.bank_groups * config.banks)),
      reads_waiting_(static_cast<std::size_t>(config.read_queue + config.ranks * config.bank_groups *
                                                                      config.banks * config.bank_queue)),
      writes_waiting_(static_cast<std::size_t>(
          config.write_buffer + config.ranks * config.bank_groups * config.banks * config.bank_queue)) {
  const DramConfig& c = config_;
  const Cycle rl = c.al + c.cl, wl = c.al + c.cwl;
  read_data_ = rl + c.burst_cycles;
  read_to_pre_ = c.al + c.t_rtp;
  write_to_pre_ = wl + c.burst_cycles + c.t_wr;
  write_to_read_s_ = wl + c.burst_cycles + c.t_wtr_s;
  write_to_read_l_ = wl + c.burst_cycles + c.t_wtr_l;
  // Between ranks only the data bus is shared: bursts must not overlap, and leave a gap between them.
  rank_read_read_ = c.burst_cycles + c.t_rtrs;
  rank_write_write_ = c.burst_cycles + c.t_wtws;
  rank_read_write_ = std::max<Cycle>(1, rl + c.burst_cycles + c.t_rtrs - wl);
  rank_write_read_ = std::max<Cycle>(1, wl + c.burst_cycles + c.t_rtrs - rl);

  queues_ = static_cast<std::int32_t>(c.ranks) * per_rank_;
  banks_.resize(static_cast<std::size_t>(queues_));
  for (std::int32_t q = 0; q < queues_; ++q) {
    banks_[q].rank = q / per_rank_;
    banks_[q].group = q / static_cast<std::int32_t>(c.banks);
  }
  groups_.resize(static_cast<std::size_t>(c.ranks * c.bank_groups));
  ranks_.resize(static_cast<std::size_t>(c.ranks));
  entries_.resize(static_cast<std::size_t>(queues_ * c.bank_queue));
  occupied_.resize(static_cast<std::size_t>(queues_ + 63) / 64);
  reads_.per_bank.resize(static_cast<std::size_t>(queues_));
  writes_.per_bank.resize(static_cast<std::size_t>(queues_));
  reads_.items.reserve(static_cast<std::size_t>(c.read_queue));
  writes_.items.reserve(static_cast<std::size_t>(c.write_buffer));
  port_.resize(static_cast<std::size_t>(c.port));

  requests_.resize(static_cast<std::size_t>(c.read_queue + c.write_buffer + queues_ * c.bank_queue + c.merged));
  for (std::size_t i = requests_.size(); i-- > 0;) {
    requests_[i].next = free_;
    free_ = static_cast<std::int32_t>(i);
  }

  refresh_targets_ = 0;
  refresh_due_ = refresh_interval_ = kNever;
  if (c.refresh != 0) {
    refresh_targets_ = static_cast<std::int32_t>(c.refresh == 1 ? c.ranks : queues_ / c.refresh_banks);
    refresh_due_ = refresh_interval_ = c.t_refi / refresh_targets_;
  }
  next_ = refresh_due_;
  hits_in_bulk_ = c.every_cycle == 0 && c.close_page == 0 && std::min(c.read_queue, c.bank_queue) >= kMostHits;
}

// ---------------------------------------------------------------------------------------------------
// Time

bool Channel::step(Cycle limit) {
  if (next_ >= limit) {
    if (limit != kNever) now_ = std::max(now_, limit);
    return false;
  }
  if (hits_in_bulk_ && waiting_ != 0 && serve_hits(limit)) return true;
  const Cycle t = next_;
  if (port_count_ != 0 && port_[port_head_].time <= t && accepts(port_[port_head_])) enter(t);
  if (t == refresh_due_) {
    refresh_due_ += refresh_interval_;
    if (refresh_pending_++ == 0) {
      set_blocked(true);
      choice_.queue = -1;
    }
  }
  if (choice_.queue < 0 || config_.every_cycle != 0) {
    look_ahead(t);
  }
  while (issue(t)) {
  }
  schedule(t);
  now_ = t + 1;
  next_ = next_event(t);
  return true;
}

// Reads of open rows that came together while nothing else waits, served at once: the same four things as in `step`,
// of which each read is left with three. It enters, moves to its bank's queue in that cycle, and gets its command as
// soon as that is legal. True if they take turns in order and all is over before `limit`, the next refresh and the
// next arrival; else nothing was done.
bool Channel::serve_hits(Cycle limit) {
  if (waiting_ != in_port_ || refresh_pending_ != 0) return false;
  const Cycle begin = std::max(next_, port_[port_head_].time);
  Place at = map_.place(port_[port_head_].burst);
  const std::int32_t rank = banks_[at.queue].rank;
  Hit hits[kMostHits];
  std::int32_t count = 0;
  Cycle end = std::min(limit, refresh_due_);
  std::uint64_t behind = 0;  // the burst behind the last one looked at
  std::size_t arrival = port_head_, left = port_count_;
  for (; left != 0; --left) {
    const Arrival& a = port_[arrival];
    if (a.time > begin) {
      end = std::min(end, a.time);
      break;
    }
    if (a.write || a.burst < behind || count + a.count > kMostHits) return false;  // it might join another read
    if (count != 0) at = map_.place(a.burst);
    behind = a.burst + static_cast<std::uint64_t>(a.count);
    for (std::uint64_t burst = a.burst, id = a.id;; id += 2) {
      const Bank& b = banks_[at.queue];
      if (b.row != at.row || b.rank != rank) return false;
      hits[count++] = Hit{id, at.queue, b.group, at.column, std::max(b.read, groups_[b.group].read), 0};
      if (++burst == behind) break;
      at = map_.next(at, burst);
    }
    if (++arrival == port_.size()) arrival = 0;
  }
  if (!time_hits(hits, count, begin)) return false;
  const Cycle last = hits[count - 1].time;
  if (last >= end) return false;

  for (std::int32_t i = 0; i < count; ++i) {
    use_bank(hits[i].queue, false, hits[i].column, hits[i].time);
    answer(hits[i].id, begin + i, hits[i].time);
  }
  turn_ = hits[count - 1].queue;
  use_buses(rank, false, last);
  stats_.reads += count;
  waiting_ -= count;
  in_port_ -= count;
  port_head_ = arrival;
  port_count_ = left;
  choice_ = Choice{kNever, 0};
  now_ = last + 1;
  next_ = next_event(last);
  return true;
}

// When each of these reads, which enter one a cycle from `begin` on, gets its command; false if not in this order.
bool Channel::time_hits(Hit* hits, std::int32_t count, Cycle begin) const {
  const Cycle step = std::max(config_.t_ccd_s, config_.column_slots);
  Cycle next = std::max(ranks_[banks_[hits[0].queue].rank].read, column_bus_);
  std::int32_t turn = turn_;
  for (std::int32_t i = 0; i < count; ++i) {
    const std::int32_t queue = hits[i].queue;
    const Cycle time = hits[i].time = std::max({begin + i + 1, hits[i].ready, next});
    for (std::int32_t j = i + 1; j < count; ++j) {
      // One that entered later may be ready earlier, or as early and have its turn first.
      const Cycle other = std::max({begin + j + 1, hits[j].ready, next});
      if (other < time || (other == time && before(hits[j].queue, queue, turn))) return false;
      if (hits[j].group == hits[i].group) hits[j].ready = std::max(hits[j].ready, time + config_.t_ccd_l);
    }
    next = time + step;
    turn = queue;
  }
  return true;
}

void Channel::run(Cycle limit) {
  while (step(limit)) {
  }
}

bool Channel::finish(Cycle limit) {
  while (port_count_ != 0) {
    if (!step(limit)) return false;
  }
  flush_ = true;
  next_ = std::min(next_, now_);
  while (waiting_ != 0) {
    if (!step(limit)) break;
  }
  flush_ = false;
  return waiting_ == 0;
}

Cycle Channel::next_event(Cycle t) const {
  if (config_.every_cycle != 0 || can_schedule()) return t + 1;
  Cycle next = std::min(choice_.time, refresh_due_);
  if (refresh_pending_ != 0) next = std::min(next, refresh_time_);
  if (port_count_ != 0) {
    const Arrival& a = port_[port_head_];
    if (a.time < next && accepts(a)) next = a.time;
  }
  return std::max(next, t + 1);
}

// ---------------------------------------------------------------------------------------------------
// Port and queues

bool Channel::submit(Cycle time, std::uint64_t burst, std::int64_t count, bool write, std::uint64_t id) {
  if (in_port_ + count > config_.port || time < now_ || time < last_submit_) return false;
  last_submit_ = time;
  in_port_ += count;
  waiting_ += count;
  if (port_count_ == 0) port_head_ = 0;  // keeps to the cache's first lines
  std::size_t tail = port_head_ + port_count_;
  if (tail >= port_.size()) tail -= port_.size();
  Arrival& a = port_[tail];
  a = Arrival{time, burst, id, count, write};
  if (port_count_++ == 0 && accepts(a)) next_ = std::min(next_, time);
  return true;
}

bool Channel::accepts(const Arrival& a) const {
  if (free_ < 0) return false;
  return a.write ? writes_.items.size() < static_cast<std::size_t>(config_.write_buffer)
                 : reads_.items.size() < static_cast<std::size_t>(config_.read_queue);
}

void Channel::enter(Cycle t) {
  Arrival& head = port_[port_head_];
  const Arrival a = head;
  const Place place = map_.place(a.burst);
  if (a.count == 1) {
    if (++port_head_ == port_.size()) port_head_ = 0;
    --port_count_;
  } else {
    ++head.burst;
    head.id += 2;
    --head.count;
  }
  --in_port_;
  ++(a.write ? stats_.writes : stats_.reads);

  const bool written = writes_waiting_.size() != 0 && writes_waiting_.find(a.burst) >= 0;
  if (written) {  // the write buffer takes the new data, or answers the read
    ++(a.write ? stats_.merged_writes : stats_.forwarded);
    if (!a.write) {
      ++histogram_[0];
      stats_.latency_sum += 1;
      stats_.latency_max = std::max<std::int64_t>(stats_.latency_max, 1);
    }
    --waiting_;
    sink_.decided(a.id, t, t + 1);
    return;
  }

  const std::int32_t index = free_;
  Request& r = requests_[index];
  free_ = r.next;
  r = Request{a.burst, a.id, t, place.queue, place.row, place.column, -1, a.write};
  if (!a.write) {
    const std::int32_t first = reads_waiting_.find(a.burst);
    if (first >= 0) {
      r.next = requests_[first].next;
      requests_[first].next = index;
      ++stats_.merged_reads;
      --waiting_;
      return;
    }
  }
  (a.write ? writes_waiting_ : reads_waiting_).insert(a.burst, index);
  Queue& queue = a.write ? writes_ : reads_;
  queue.items.push_back(index);
  ++queue.per_bank[r.queue];
  if (banks_[r.queue].count < config_.bank_queue) ++queue.movable;
  if (a.write) sink_.decided(a.id, t, t + 1);
}

bool Channel::wants_drain() const {
  const auto waiting = static_cast<std::int64_t>(writes_.items.size());
  const std::int64_t low = flush_ ? 1 : config_.write_low;
  return waiting >= config_.write_buffer || (reads_.items.empty() && waiting >= low);
}

bool Channel::can_schedule() const {
  if (held_ || (draining_ == 0 && wants_drain())) return true;
  return (draining_ > 0 ? writes_ : reads_).movable != 0;
}

void Channel::schedule(Cycle t) {
  // After a write that had to wait for a read comes a read: else a full write buffer would wait for it forever.
  if (draining_ == 0 && !held_ && wants_drain()) draining_ = static_cast<std::int64_t>(writes_.items.size());
  held_ = false;
  Queue& from = draining_ > 0 ? writes_ : reads_;
  if (from.movable == 0) return;

  std::size_t i = 0;
  while (banks_[requests_[from.items[i]].queue].count >= config_.bank_queue) ++i;
  const std::int32_t index = from.items[i];
  const Request& r = requests_[index];
  if (r.write) {
    if (reads_waiting_.find(r.burst) >= 0) {  // that read came first and must see the old data
      draining_ = 0;
      held_ = true;
      return;
    }
    --draining_;
  }
  from.items.erase(from.items.begin() + static_cast<std::ptrdiff_t>(i));
  --from.per_bank[r.queue];
  --from.movable;

  Bank& b = banks_[r.queue];
  queue_of(r.queue)[b.count++] = index;
  occupied_[static_cast<std::size_t>(r.queue) >> 6] |= std::uint64_t{1} << (r.queue & 63);
  if (b.count == config_.bank_queue) {
    reads_.movable -= reads_.per_bank[r.queue];
    writes_.movable -= writes_.per_bank[r.queue];
  }
  inspect(b, r.queue);
  if (choice_.queue == r.queue) {
    look_ahead(t + 1);
  } else if (!b.blocked) {
    const Cycle time = std::max(earliest(b), t + 1);
    if (time < choice_.time || (time == choice_.time && before(r.queue, choice_.queue, turn_))) {
      choice_ = Choice{time, r.queue};
    }
  }
}

// ---------------------------------------------------------------------------------------------------
// Commands

bool Channel::issue(Cycle t) {
  if (refresh_pending_ != 0 && refresh_time_ <= t) {
    if (!issue_refresh(t)) return false;
  } else if (choice_.time <= t) {
    issue_for(choice_.queue, t);
  } else {
    return false;
  }
  look_ahead(t);
  return true;
}

void Channel::issue_for(std::int32_t queue, Cycle t) {
  turn_ = queue;
  Bank& b = banks_[queue];
  const Group& g = groups_[b.group];
  const Rank& r = ranks_[b.rank];
  if (b.row < 0) {
    activate(queue, requests_[queue_of(queue)[0]].row, t);
  } else if (b.may_close && std::max({b.pre, r.pre, row_bus_}) <= t) {
    precharge(queue, t, true);
  } else {
    const bool can_read = b.first_read >= 0 && std::max({b.read, g.read, r.read}) <= t;
    const bool can_write = b.first_write >= 0 && std::max({b.write, g.write, r.write}) <= t;
    const bool reads_first = b.first_read >= 0 && (b.first_write < 0 || b.first_read < b.first_write);
    column(queue, can_read && (reads_first || !can_write) ? b.first_read : b.first_write, t);
  }
}

void Channel::activate(std::int32_t queue, std::int32_t row, Cycle t) {
  const DramConfig& c = config_;
  Bank& b = banks_[queue];
  Rank& r = ranks_[b.rank];
  account(r, t);
  ++r.open;
  b.row = row;
  b.hits = 0;
  b.read = t + c.t_rcd - c.al;
  b.write = t + c.t_rcd_wr - c.al;
  b.pre = t + c.t_ras;
  b.act = t + c.t_rc;
  groups_[b.group].act = t + c.t_rrd_l;
  r.faw[r.faw_next] = t + c.t_faw;
  r.faw_next = (r.faw_next + 1) & 3;
  r.act = std::max({r.act, t + c.t_rrd_s, r.faw[r.faw_next]});
  r.refresh_bank = std::max(r.refresh_bank, t + c.t_rrd_s);
  occupy_row_bus(t, c.act_slots);
  inspect(b, queue);
  ++stats_.activates;
  record(Command::activate, queue, row, -1, t);
}

void Channel::precharge(std::int32_t queue, Cycle t, bool conflict) {
  Bank& b = banks_[queue];
  Rank& r = ranks_[b.rank];
  account(r, t);
  --r.open;
  record(Command::precharge, queue, b.row, -1, t);
  b.row = -1;
  b.conflict = conflict;
  b.act = std::max(b.act, t + config_.t_rp);
  b.refresh = std::max(b.refresh, t + config_.t_rp);
  r.pre = t + config_.t_ppd;
  occupy_row_bus(t, config_.pre_slots);
  inspect(b, queue);
  ++stats_.precharges;
}

// What a column command does to its rank, to the others and to the buses.
void Channel::use_buses(std::int32_t rank, bool write, Cycle t) {
  const DramConfig& c = config_;
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(ranks_.size()); ++i) {
    Rank& r = ranks_[i];
    const bool same = i == rank;
    if (write) {
      r.write = std::max(r.write, t + (same ? c.t_ccd_s : rank_write_write_));
      r.read = std::max(r.read, t + (same ? write_to_read_s_ : rank_write_read_));
    } else {
      r.read = std::max(r.read, t + (same ? c.t_ccd_s : rank_read_read_));
      r.write = std::max(r.write, t + (same ? c.t_rtw : rank_read_write_));
    }
  }
  column_bus_ = t + c.column_slots;
  if (c.dual_bus == 0) row_bus_ = column_bus_;
}

// What it does to its bank and bank group.
void Channel::use_bank(std::int32_t queue, bool write, std::int32_t column, Cycle t) {
  const DramConfig& c = config_;
  Bank& b = banks_[queue];
  Group& g = groups_[b.group];
  if (write) {
    g.write = t + c.t_ccd_l;
    g.read = std::max(g.read, t + write_to_read_l_);
    ++stats_.write_commands;
  } else {
    g.read = t + c.t_ccd_l;
    ++stats_.read_commands;
  }
  b.pre = std::max(b.pre, t + (write ? write_to_pre_ : read_to_pre_));
  stats_.data_cycles += c.burst_cycles;
  if (b.hits++ != 0) {
    ++stats_.row_hits;
    if (!write) ++stats_.read_row_hits;
  } else {
    ++(b.conflict ? stats_.row_conflicts : stats_.row_misses);
  }
  if (c.close_page == 0) {
    record(write ? Command::write : Command::read, queue, b.row, column, t);
    return;
  }
  record(write ? Command::write_precharge : Command::read_precharge, queue, b.row, column, t);
  // The device precharges by itself as soon as a precharge command would be legal.
  Rank& r = ranks_[b.rank];
  account(r, t);
  --r.open;
  r.busy_until = std::max(r.busy_until, b.pre);
  b.row = -1;
  b.conflict = false;
  b.act = std::max(b.act, b.pre + c.t_rp);
  b.refresh = std::max(b.refresh, b.pre + c.t_rp);
  ++stats_.precharges;
}

// A read that entered the queue then has its command in cycle t.
void Channel::answer(std::uint64_t id, Cycle entered, Cycle t) {
  const Cycle latency = t + read_data_ - entered;
  stats_.latency_sum += latency;
  stats_.latency_max = std::max(stats_.latency_max, latency);
  ++histogram_[static_cast<std::size_t>(std::min<Cycle>(latency / kLatencyBinCycles, kLatencyBins - 1))];
  sink_.decided(id, entered, t + read_data_);
}

void Channel::column(std::int32_t queue, std::int32_t position, Cycle t) {
  Bank& b = banks_[queue];
  const std::int32_t index = queue_of(queue)[position];
  const Request request = requests_[index];
  use_buses(b.rank, request.write, t);
  use_bank(queue, request.write, request.column, t);

  std::int32_t* items = queue_of(queue);
  std::copy(items + position + 1, items + b.count, items + position);
  if (b.count-- == config_.bank_queue) {
    reads_.movable += reads_.per_bank[queue];
    writes_.movable += writes_.per_bank[queue];
  }
  if (b.count == 0) occupied_[static_cast<std::size_t>(queue) >> 6] &= ~(std::uint64_t{1} << (queue & 63));
  inspect(b, queue);

  --waiting_;
  if (request.write) {
    writes_waiting_.erase(request.burst);
    requests_[index].next = free_;
    free_ = index;
    return;
  }
  reads_waiting_.erase(request.burst);
  for (std::int32_t i = index; i >= 0;) {  // this read and those that joined it
    Request& r = requests_[i];
    answer(r.id, r.entered, t);
    const std::int32_t next = r.next;
    r.next = free_;
    free_ = i;
    i = next;
  }
}

void Channel::occupy_row_bus(Cycle t, std::int64_t slots) {
  row_bus_ = t + slots;
  if (config_.dual_bus == 0) column_bus_ = row_bus_;
}

// ---------------------------------------------------------------------------------------------------
// Refresh

template <typename F>
void Channel::each_refresh_bank(F f) const {
  const DramConfig& c = config_;
  if (c.refresh == 1) {
    for (std::int32_t q = refresh_target_ * per_rank_; q < (refresh_target_ + 1) * per_rank_; ++q) f(q);
    return;
  }
  // Per bank: bank groups fastest, then banks, then ranks; a pair is half of the banks apart.
  const auto in_rank = static_cast<std::int32_t>(per_rank_ / c.refresh_banks);
  const std::int32_t rank = refresh_target_ / in_rank, k = refresh_target_ % in_rank;
  const auto groups = static_cast<std::int32_t>(std::max<std::int64_t>(1, c.bank_groups / c.refresh_banks));
  const std::int32_t flat = k % groups * static_cast<std::int32_t>(c.banks) + k / groups;
  for (std::int32_t i = 0; i < c.refresh_banks; ++i) f(rank * per_rank_ + flat + i * in_rank);
}

void Channel::set_blocked(bool blocked) {
  each_refresh_bank([&](std::int32_t q) { banks_[q].blocked = blocked; });
}

Cycle Channel::earliest_refresh() const {
  Cycle close = kNever, refresh = row_bus_;
  std::int32_t rank = 0;
  each_refresh_bank([&](std::int32_t q) {
    const Bank& b = banks_[q];
    rank = b.rank;
    if (b.row >= 0) close = std::min(close, b.pre);
    refresh = std::max(refresh, b.refresh);
  });
  const Rank& r = ranks_[rank];
  if (close != kNever) return std::max({close, r.pre, row_bus_});
  return config_.refresh == 2 ? std::max(refresh, r.refresh_bank) : refresh;
}

bool Channel::issue_refresh(Cycle t) {
  std::int32_t first = -1, close = -1;
  each_refresh_bank([&](std::int32_t q) {
    if (first < 0) first = q;
    if (close < 0 && banks_[q].row >= 0 && banks_[q].pre <= t) close = q;
  });
  if (close >= 0) {
    precharge(close, t, false);
    return true;
  }
  if (config_.refresh == 1) {
    refresh_all(banks_[first].rank, t);
  } else {
    refresh_one(first, t);
  }
  set_blocked(false);
  if (++refresh_target_ == refresh_targets_) refresh_target_ = 0;
  if (--refresh_pending_ != 0) set_blocked(true);
  return true;
}

void Channel::refresh_all(std::int32_t rank, Cycle t) {
  Rank& r = ranks_[rank];
  account(r, t);
  r.busy_until = std::max(r.busy_until, t + config_.t_rfc);
  for (std::int32_t q = rank * per_rank_; q < (rank + 1) * per_rank_; ++q) {
    banks_[q].conflict = false;
    banks_[q].act = std::max(banks_[q].act, t + config_.t_rfc);
    banks_[q].refresh = t + config_.t_rfc;
  }
  occupy_row_bus(t, config_.ref_slots);
  ++stats_.refreshes;
  record(Command::refresh, rank * per_rank_, -1, -1, t);
}

void Channel::refresh_one(std::int32_t queue, Cycle t) {
  Rank& r = ranks_[banks_[queue].rank];
  account(r, t);
  r.busy_until = std::max(r.busy_until, t + config_.t_rfc_pb);
  each_refresh_bank([&](std::int32_t q) {
    banks_[q].conflict = false;
    banks_[q].act = std::max(banks_[q].act, t + config_.t_rfc_pb);
    banks_[q].refresh = t + config_.t_rfc_pb;
  });
  r.act = std::max(r.act, t + config_.t_pbr2act);
  r.refresh_bank = t + config_.t_pbr2pbr;
  occupy_row_bus(t, config_.ref_slots);
  ++stats_.bank_refreshes;
  record(Command::refresh_bank, queue, -1, -1, t);
}

// ---------------------------------------------------------------------------------------------------
// What comes next

void Channel::inspect(Bank& b, std::int32_t queue) {
  b.first_read = b.first_write = -1;
  b.may_close = false;
  if (b.row < 0 || b.count == 0) return;
  const std::int32_t* items = queue_of(queue);
  for (std::int32_t i = 0; i < b.count; ++i) {
    const Request& r = requests_[items[i]];
    if (r.row != b.row) continue;
    std::int32_t& first = r.write ? b.first_write : b.first_read;
    if (first < 0) {
      first = i;
      if (b.first_read >= 0 && b.first_write >= 0) break;
    }
  }
  if (requests_[items[0]].row != b.row) {
    b.may_close = (b.first_read < 0 && b.first_write < 0) || b.hits >= config_.row_hits;
  }
}

Cycle Channel::earliest(const Bank& b) const {
  const Rank& r = ranks_[b.rank];
  const Group& g = groups_[b.group];
  if (b.row < 0) return std::max({b.act, g.act, r.act, row_bus_});
  Cycle best = kNever;
  if (b.first_read >= 0) best = std::max({b.read, g.read, r.read, column_bus_});
  if (b.first_write >= 0) best = std::min(best, std::max({b.write, g.write, r.write, column_bus_}));
  if (b.may_close) best = std::min(best, std::max({b.pre, r.pre, row_bus_}));
  return best;
}

bool Channel::before(std::int32_t a, std::int32_t b, std::int32_t turn) const {
  const auto distance = [&](std::int32_t q) { return q > turn ? q - turn : q - turn + queues_; };
  return distance(a) < distance(b);
}

// Banks that are ready before `from` are equals at `from`: whose turn it is decides, not who was ready first.
void Channel::look_ahead(Cycle from) {
  choice_ = Choice{kNever, 0};
  const auto visit = [&](std::int32_t begin, std::int32_t end) {
    for (std::int32_t q = next_bit(occupied_, begin); q >= 0 && q < end; q = next_bit(occupied_, q + 1)) {
      const Bank& b = banks_[q];
      if (b.blocked) continue;
      const Cycle time = std::max(earliest(b), from);
      if (time < choice_.time) {
        choice_ = Choice{time, q};
        if (time == from) return true;  // nothing is earlier, and this one's turn comes first
      }
    }
    return false;
  };
  if (!visit(turn_ + 1, queues_)) visit(0, turn_ + 1);
  refresh_time_ = refresh_pending_ != 0 ? earliest_refresh() : kNever;
}

// ---------------------------------------------------------------------------------------------------
// Accounts

void Channel::account(Rank& r, Cycle t) const {
  r.active += r.open != 0 ? t - r.accounted : std::max<Cycle>(0, std::min(t, r.busy_until) - r.accounted);
  r.accounted = t;
}

void Channel::record(Command c, std::int32_t queue, std::int32_t row, std::int32_t column, Cycle t) {
  if (log_ == nullptr || log_->size() >= log_capacity_) return;
  const auto banks = static_cast<std::int32_t>(config_.banks);
  const std::int32_t flat = queue % per_rank_;
  log_->push_back(LogEntry{t, static_cast<std::int32_t>(c), index_, queue / per_rank_, flat / banks,
                           flat % banks, row, column, 0});
}

DramStats Channel::stats() const {
  DramStats s = stats_;
  s.cycles = now_;
  for (Rank r : ranks_) {
    account(r, now_);
    s.active_cycles += r.active;
    s.open_banks += r.open;
  }
  s.pending_reads = static_cast<std::int64_t>(reads_waiting_.size());
  s.pending_writes = static_cast<std::int64_t>(writes_waiting_.size());
  return s;
}

const char* Channel::broken() const {
  const DramStats s = stats();
  if (s.reads - s.forwarded - s.merged_reads != s.read_commands + s.pending_reads) {
    return "reads = forwarded + merged + read commands + pending";
  }
  if (s.writes - s.merged_writes != s.write_commands + s.pending_writes) {
    return "writes = merged + write commands + pending";
  }
  if (s.activates - s.precharges != s.open_banks) return "activates = precharges + open banks";
  if (s.row_hits + s.row_misses + s.row_conflicts != s.read_commands + s.write_commands) {
    return "row hits + misses + conflicts = column commands";
  }
  if (s.data_cycles != (s.read_commands + s.write_commands) * config_.burst_cycles) {
    return "data cycles = column commands x burst cycles";
  }
  if (waiting_ != s.pending_reads + s.pending_writes + in_port_) {
    return "waiting = pending + in the port";
  }
  return nullptr;
}

// ---------------------------------------------------------------------------------------------------
// All channels

std::string Dram::check(const DramConfig& c) {
  const auto bad = [](const char* what) { return std::string(what); };
  if (!power_of_two(c.channels) || c.channels > 64) return bad("channels must be a power of two up to 64");
  if (!power_of_two(c.ranks) || !power_of_two(c.bank_groups) || !power_of_two(c.banks) ||
      c.ranks > 16 || c.bank_groups > 16 || c.banks > 64 || c.ranks * c.bank_groups * c.banks > 1024) {
    return bad("ranks, bank groups and banks must be powers of two, at most 1024 banks a channel");
  }
  if (!power_of_two(c.rows) || !power_of_two(c.columns) || c.rows > (1 << 24) || c.columns > (1 << 20)) {
    return bad("rows and columns must be powers of two up to 2^24 and 2^20");
  }
  if (!power_of_two(c.bus_width) || c.bus_width < 8 || c.bus_width > 4096) return bad("bus_width");
  if (!power_of_two(c.burst_length) || c.burst_length > c.columns) return bad("burst_length");
  if (c.burst_cycles < 1 || c.t_refi < 0) return bad("burst_cycles and t_refi");
#define X(name) \
  if (c.name < 0 || c.name > (std::int64_t{1} << 40)) return bad(#name " is out of range");
  ATALANTA_DRAM_CONFIG(X)
#undef X
  if (c.t_ccd_s < c.burst_cycles || c.t_ccd_l < c.t_ccd_s) return bad("t_ccd_s < burst_cycles or t_ccd_l < t_ccd_s");
  if (c.t_rcd < c.al || c.t_rcd_wr < c.al) return bad("al exceeds t_rcd");
  if (c.t_rtw < 1 || c.t_ppd < 1) return bad("t_rtw and t_ppd are at least one cycle");
  if (c.act_slots < 1 || c.column_slots < 1 || c.pre_slots < 1 || c.ref_slots < 1) return bad("command slots");
  if (c.refresh > 2 || c.refresh_banks < 1 || c.refresh_banks > 2) return bad("refresh mode");
  if (c.refresh == 2 && c.bank_groups * c.banks < c.refresh_banks) return bad("refresh_banks");
  if (c.refresh != 0) {
    const std::int64_t targets = c.refresh == 1 ? c.ranks : c.ranks * c.bank_groups * c.banks / c.refresh_banks;
    if (c.t_refi / targets < 1) return bad("t_refi is too short");
  }
  for (const std::int64_t depth : {c.port, c.read_queue, c.write_buffer, c.bank_queue, c.row_hits, c.write_low}) {
    if (depth < 1 || depth > 65536) return bad("queue depths and thresholds are 1 to 65536");
  }
  if (c.write_low > c.write_buffer || c.merged < 1 || c.merged > 65536) return bad("write_low or merged");

  // The fields must tile the bits of a burst's address.
  struct Field {
    std::int64_t pos;
    int bits;
  };
  const Field fields[] = {{c.pos_channel, log2_of(c.channels)},
                          {c.pos_rank, log2_of(c.ranks)},
                          {c.pos_group, log2_of(c.bank_groups)},
                          {c.pos_bank, log2_of(c.banks)},
                          {c.pos_row, log2_of(c.rows)},
                          {c.pos_column, log2_of(c.columns / c.burst_length)}};
  std::uint64_t seen = 0;
  int total = 0;
  for (const Field& f : fields) {
    if (f.pos + f.bits > 62) return bad("address fields exceed 62 bits");
    const std::uint64_t mask = ((std::uint64_t{1} << f.bits) - 1) << f.pos;
    if ((seen & mask) != 0) return bad("address fields overlap");
    seen |= mask;
    total += f.bits;
  }
  if (seen != (std::uint64_t{1} << total) - 1) return bad("address fields leave gaps");
  return {};
}

Dram::Dram(const DramConfig& config, Sink& sink)
    : config_(config),
      map_(config),
      burst_bytes_(config.bus_width / 8 * config.burst_length),
      bursts_(static_cast<std::uint64_t>(config.channels * config.ranks * config.bank_groups * config.banks) *
              static_cast<std::uint64_t>(config.rows) *
              static_cast<std::uint64_t>(config.columns / config.burst_length)) {
  channels_.reserve(static_cast<std::size_t>(config.channels));
  for (int i = 0; i < config.channels; ++i) channels_.emplace_back(config_, i, sink);
}

void Dram::submit(Cycle time, std::uint64_t first, std::uint64_t end, bool write, std::uint64_t id) {
  for (std::uint64_t to; first < end; first = to) {
    to = map_.channel_end(first, end);
    channel_of(first).submit(time, first, static_cast<std::int64_t>(to - first), write, id);
    id += 2 * (to - first);
  }
}

DramStats Dram::stats() const {
  DramStats sum;
  for (const Channel& channel : channels_) {
    const DramStats s = channel.stats();
    const std::int64_t cycles = std::max(sum.cycles, s.cycles);
    const std::int64_t latency = std::max(sum.latency_max, s.latency_max);
#define X(name) sum.name += s.name;
    ATALANTA_DRAM_STATS(X)
#undef X
    sum.cycles = cycles;
    sum.latency_max = latency;
  }
  return sum;
}

const char* Dram::broken() const {
  for (const Channel& channel : channels_) {
    if (const char* law = channel.broken()) return law;
  }
  return nullptr;
}

}  // namespace atalanta

// A DRAM controller and its devices, exact to the cycle of the memory clock.
//
// Scheduling, per channel and memory cycle t, in this order:
//   1. port      one waiting request with time <= t enters the read queue or the write buffer, if there
//                is a place. A read of a burst that waits to be written is answered from the write buffer
//                and a second read of a burst that is already waiting joins it; a second write replaces.
//   2. refresh   when it is due, the rank (or bank) stops taking commands until it is refreshed.
//   3. command   at most one goes out: the refresh's own if it may; else the queues of the banks are
//                visited round robin, and in the first one that has a command that is legal at t, the
//                oldest request with such a command gets it (first ready, first come, first served).
//                A row with requests still waiting is closed for another one only after `row_hits` of them.
//   4. schedule  one request moves to the queue of its bank: the oldest whose queue has a place, from the
//                write buffer while it drains, else from the read queue. A write waits for an earlier read of its
//                burst; after a cycle in which one did comes a read.
//
// Nothing happens between two cycles in which one of these four can act, so `run` visits only such cycles, and
// reads of open rows that come together while nothing else waits are served in one visit.
// A run that visits every cycle (`every_cycle`) gives the same result; a test holds the two together.
//
// Timing rules: JESD79-4 (DDR4), JESD209-4/-5 (LPDDR4/5), JESD235 (HBM). Power-down and self-refresh do
// not exist here: clocks run and standby is IDD2N/IDD3N.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "address_map.h"

namespace atalanta {

using Cycle = std::int64_t;
inline constexpr Cycle kNever = INT64_MAX;

inline int log2_of(std::int64_t power_of_two) { return __builtin_ctzll(static_cast<std::uint64_t>(power_of_two)); }

// Configuration, all 64-bit integers; times in cycles of the memory clock. The list is the only place that
// names them: the C struct and the ctypes structure of sim/native.py are both made from it.
//
//   channels .. burst_length  geometry of one channel; rows and columns of one device; bus_width in bits
//   burst_cycles              cycles that one burst occupies the data bus
//   pos_* (7 below)           lowest bit of each address field, counted in bursts
//   t_*                       as JEDEC names them; t_rcd_wr differs from t_rcd only in HBM; t_rtw is
//                             read command to write command in one rank; t_rtrs the gap on the data bus
//                             between ranks, t_wtws that between two writes; t_ppd precharge to precharge;
//                             t_pbr2pbr, t_pbr2act from a per-bank refresh to the rank's other banks
//   act_slots .. ref_slots    cycles a command occupies the command bus
//   dual_bus                  1: row and column commands have a bus each (HBM)
//   close_page                1: every access precharges its row
//   refresh                   0 none, 1 all banks of a rank, 2 per bank
//   refresh_banks             banks that one per-bank refresh covers (LPDDR5 pairs them)
//   port .. row_hits          depths of the queues and thresholds, in requests
//   every_cycle               1: visit every cycle (for tests)
#define ATALANTA_DRAM_CONFIG(X)                                                                     \
  X(channels) X(ranks) X(bank_groups) X(banks) X(rows) X(columns) X(bus_width) X(burst_length)      \
  X(burst_cycles)                                                                                   \
  X(pos_channel) X(pos_rank) X(pos_group) X(pos_bank) X(pos_row) X(pos_column)                      \
  X(cl) X(cwl) X(al) X(t_rcd) X(t_rcd_wr) X(t_rp) X(t_ras) X(t_rc) X(t_rrd_s) X(t_rrd_l) X(t_faw)   \
  X(t_ccd_s) X(t_ccd_l) X(t_rtp) X(t_wr) X(t_wtr_s) X(t_wtr_l) X(t_rtw) X(t_rtrs) X(t_wtws) X(t_ppd)        \
  X(t_refi) X(t_rfc) X(t_rfc_pb) X(t_pbr2pbr) X(t_pbr2act)                                          \
  X(act_slots) X(column_slots) X(pre_slots) X(ref_slots) X(dual_bus)                                \
  X(close_page) X(refresh) X(refresh_banks)                                                         \
  X(port) X(read_queue) X(write_buffer) X(write_low) X(bank_queue) X(merged) X(row_hits)            \
  X(every_cycle)

// Counters. Requests: reads and writes accepted; of those forwarded (read answered by the write buffer),
// merged (joined a waiting read, replaced a waiting write). Commands: read_commands .. bank_refreshes.
// Column commands fall into hits (row was open and used), misses (bank was closed) and conflicts (another
// row had to be closed). data_cycles: cycles the data bus carried a burst. active_cycles: summed over ranks,
// cycles with a bank open or a refresh in progress. latency_sum: read requests, from entering the read
// queue to the last beat of the burst.
#define ATALANTA_DRAM_STATS(X)                                                                       \
  X(reads) X(writes) X(forwarded) X(merged_reads) X(merged_writes)                                   \
  X(read_commands) X(write_commands) X(activates) X(precharges) X(refreshes) X(bank_refreshes)       \
  X(row_hits) X(row_misses) X(row_conflicts) X(data_cycles) X(active_cycles) X(cycles)               \
  X(latency_sum) X(latency_max) X(read_row_hits) X(pending_reads) X(pending_writes) X(open_banks)

struct DramConfig {
#define X(name) std::int64_t name;
  ATALANTA_DRAM_CONFIG(X)
#undef X
};

struct DramStats {
#define X(name) std::int64_t name = 0;
  ATALANTA_DRAM_STATS(X)
#undef X
};

enum class Command : std::int32_t {
  activate,
  precharge,
  read,
  write,
  read_precharge,
  write_precharge,
  refresh,
  refresh_bank
};

// One line of the command log; row is -1 and column is -1 where a command has none.
struct LogEntry {
  std::int64_t cycle;
  std::int32_t command, channel, rank, group, bank, row, column;
  std::int32_t reserved;
};

inline constexpr int kLatencyBins = 256;      // of the histogram of read latencies
inline constexpr int kLatencyBinCycles = 16;  // width of a bin; the last one is open

// Who learns when a request is decided. Reads are decided when their command goes out, writes when they
// are accepted; both before the cycle in which they complete.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void decided(std::uint64_t id, Cycle entered, Cycle complete) = 0;
};

// Open-addressing map from a waiting burst to its request; a fixed number of entries.
class BurstTable {
 public:
  explicit BurstTable(std::size_t entries);
  std::int32_t find(std::uint64_t burst) const;  // -1 if absent
  void insert(std::uint64_t burst, std::int32_t request);
  void erase(std::uint64_t burst);
  std::size_t size() const { return size_; }

 private:
  struct Cell {
    std::uint64_t burst;
    std::int32_t request;  // -1: empty
  };
  std::size_t home(std::uint64_t burst) const { return (burst * 0x9E3779B97F4A7C15ull) >> shift_; }
  std::vector<Cell> cells_;
  std::size_t mask_, size_ = 0;
  int shift_;
};

class Channel {
 public:
  Channel(const DramConfig& config, int index, Sink& sink);

  // Hands requests for `count` bursts, from `burst` on, to the port; their ids rise by 2. Times of one channel
  // must not decrease nor lie before `now`; false if they do or if the port has no room.
  bool submit(Cycle time, std::uint64_t burst, std::int64_t count, bool write, std::uint64_t id);
  bool port_full() const { return in_port_ == config_.port; }

  void run(Cycle limit);           // all cycles < limit
  bool step(Cycle limit);          // the next cycle in which something can happen, if < limit
  bool finish(Cycle limit);        // until nothing waits, writes included; false if that takes >= limit
  Cycle now() const { return now_; }  // first cycle not yet simulated
  Cycle next() const { return next_; }  // the next cycle in which something can happen
  int index() const { return index_; }
  std::int64_t in_port() const { return in_port_; }

  DramStats stats() const;
  const std::array<std::int64_t, kLatencyBins>& histogram() const { return histogram_; }
  const char* broken() const;  // the first conservation law that does not hold, else null

  void log(std::vector<LogEntry>* log, std::size_t capacity) { log_ = log, log_capacity_ = capacity; }

 private:
  struct Request {
    std::uint64_t burst, id;
    Cycle entered;
    std::int32_t queue, row, column, next;  // next: reads joined to this one, or free list
    bool write;
  };
  struct Arrival {  // requests for consecutive bursts, whose ids rise by 2
    Cycle time;
    std::uint64_t burst, id;
    std::int64_t count;
    bool write;
  };
  struct Bank {
    Cycle act = 0, pre = 0, read = 0, write = 0, refresh = 0;  // earliest, as far as this bank matters
    std::int32_t row = -1;                                     // open row, -1: closed
    std::int32_t hits = 0;                                     // column commands since activation
    std::int32_t rank = 0, group = 0, count = 0;               // group: index over all ranks
    std::int32_t first_read = -1, first_write = -1;            // oldest requests to the open row
    bool may_close = false;  // the oldest request wants another row and may have it
    bool conflict = false;   // the last precharge made room for another row
    bool blocked = false;    // waits for its refresh
  };
  struct Group {
    Cycle act = 0, read = 0, write = 0;
  };
  struct Rank {
    Cycle act = 0, pre = 0, read = 0, write = 0, refresh_bank = 0;
    std::array<Cycle, 4> faw{};  // times of the last four activates + tFAW
    std::int32_t faw_next = 0, open = 0;
    Cycle busy_until = 0, accounted = 0;  // for active_cycles
    std::int64_t active = 0;
  };
  // A queue of requests in order of arrival, and how many of them could move to their bank's queue.
  struct Queue {
    std::vector<std::int32_t> items;
    std::vector<std::int32_t> per_bank;
    std::int64_t movable = 0;
  };
  struct Choice {
    Cycle time;
    std::int32_t queue;
  };

  struct Hit {
    std::uint64_t id;
    std::int32_t queue, group, column;
    Cycle ready, time;  // of its bank and group; of its command
  };
  bool serve_hits(Cycle limit);
  bool time_hits(Hit* hits, std::int32_t count, Cycle begin) const;
  bool accepts(const Arrival& a) const;
  void enter(Cycle t);
  bool issue(Cycle t);
  bool issue_refresh(Cycle t);
  void issue_for(std::int32_t queue, Cycle t);
  void schedule(Cycle t);
  bool can_schedule() const;
  bool wants_drain() const;

  void activate(std::int32_t queue, std::int32_t row, Cycle t);
  void precharge(std::int32_t queue, Cycle t, bool conflict);
  void column(std::int32_t queue, std::int32_t position, Cycle t);
  void use_buses(std::int32_t rank, bool write, Cycle t);
  void use_bank(std::int32_t queue, bool write, std::int32_t column, Cycle t);
  void answer(std::uint64_t id, Cycle entered, Cycle t);
  void refresh_all(std::int32_t rank, Cycle t);
  void refresh_one(std::int32_t queue, Cycle t);
  void occupy_row_bus(Cycle t, std::int64_t slots);
  void record(Command c, std::int32_t queue, std::int32_t row, std::int32_t column, Cycle t);

  Cycle earliest(const Bank& b) const;
  Cycle earliest_refresh() const;
  void look_ahead(Cycle from);  // choice_ and refresh_time_ from scratch, for cycles >= from
  void inspect(Bank& b, std::int32_t queue);
  bool before(std::int32_t a, std::int32_t b, std::int32_t turn) const;  // round robin order
  Cycle next_event(Cycle t) const;

  void set_blocked(bool blocked);
  template <typename F>
  void each_refresh_bank(F f) const;
  void account(Rank& r, Cycle t) const;
  std::int32_t* queue_of(std::int32_t queue) { return &entries_[queue * config_.bank_queue]; }

  const DramConfig config_;
  const AddressMap map_;
  const int index_;
  Sink& sink_;
  std::vector<LogEntry>* log_ = nullptr;
  std::size_t log_capacity_ = 0;

  // derived times
  Cycle read_data_, read_to_pre_, write_to_pre_, write_to_read_s_, write_to_read_l_;
  Cycle rank_read_read_, rank_read_write_, rank_write_read_, rank_write_write_;
  Cycle refresh_interval_;
  std::int32_t queues_, per_rank_, refresh_targets_;

  std::vector<Bank> banks_;
  std::vector<Group> groups_;
  std::vector<Rank> ranks_;
  std::vector<std::int32_t> entries_;  // bank queues, `bank_queue` requests each
  std::vector<std::uint64_t> occupied_;  // bit per bank queue that holds something
  std::vector<Request> requests_;
  std::int32_t free_ = -1;
  BurstTable reads_waiting_, writes_waiting_;
  Queue reads_, writes_;
  std::vector<Arrival> port_;
  std::size_t port_head_ = 0, port_count_ = 0;
  std::int64_t in_port_ = 0;  // requests

  Cycle now_ = 0, next_ = 0, last_submit_ = 0;
  Cycle row_bus_ = 0, column_bus_ = 0;
  Cycle refresh_due_;
  std::int64_t refresh_pending_ = 0;
  std::int32_t refresh_target_ = 0;
  Cycle refresh_time_ = kNever;
  Choice choice_{kNever, -1};
  std::int32_t turn_ = 0;
  std::int64_t draining_ = 0;
  bool hits_in_bulk_ = false;  // the configuration allows `serve_hits`
  bool held_ = false;  // a write had to wait for a read in the last cycle
  bool flush_ = false;
  std::int64_t waiting_ = 0;  // requests in the port, the queues and the banks' queues
  DramStats stats_;
  std::array<std::int64_t, kLatencyBins> histogram_{};
};

// All channels behind one address map.
class Dram {
 public:
  Dram(const DramConfig& config, Sink& sink);  // the configuration must pass `check`
  static std::string check(const DramConfig& config);  // empty if it is sound, else what is not

  // Hands requests for bursts first .. end - 1 to their channels' ports, which must have room. Ids rise by 2 from `id`.
  void submit(Cycle time, std::uint64_t first, std::uint64_t end, bool write, std::uint64_t id);
  Channel& channel_of(std::uint64_t burst) { return channel(map_.channel(burst)); }
  Channel& channel(int i) { return channels_[static_cast<std::size_t>(i)]; }
  const Channel& channel(int i) const { return channels_[static_cast<std::size_t>(i)]; }
  int channels() const { return static_cast<int>(channels_.size()); }
  std::int64_t burst_bytes() const { return burst_bytes_; }
  std::uint64_t bursts() const { return bursts_; }  // capacity
  const DramConfig& config() const { return config_; }
  DramStats stats() const;
  const char* broken() const;  // the first conservation law that does not hold, else null

 private:
  const DramConfig config_;
  const AddressMap map_;
  std::int64_t burst_bytes_;
  std::uint64_t bursts_;
  std::vector<Channel> channels_;
};

}  // namespace atalanta

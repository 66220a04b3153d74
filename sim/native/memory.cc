#include "memory.h"

#include <algorithm>

namespace atalanta {
namespace {

constexpr std::int64_t kAxiBoundary = 4096;  // AXI4 A3.4.1: no burst crosses it
constexpr std::int64_t kMaxRatio = std::int64_t{1} << 31;
constexpr std::int64_t kMaxOutstanding = 256;

std::uint64_t mix(std::uint64_t x) {  // splitmix64 (Steele, Lea, Flood, OOPSLA 2014)
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

std::string check_common(std::int64_t latency, std::int64_t outstanding) {
  if (latency < 0 || latency > (1 << 20)) return "latency must be from 0 to 2^20 cycles";
  if (outstanding < 1 || outstanding > kMaxOutstanding) return "outstanding must be from 1 to 256 bursts";
  return {};
}

}  // namespace

// ---------------------------------------------------------------------------------------------------
// The AXI side

Memory::Memory(std::int64_t outstanding) {
  reads_.ring.resize(static_cast<std::size_t>(outstanding));
  writes_.ring.resize(static_cast<std::size_t>(outstanding));
}

Cycle Memory::next_ready(Cycle cycle, bool write) const {
  const Side& side = write ? writes_ : reads_;
  if (side.count == side.ring.size() || cycle == kNever) return kNever;
  cycle = std::max(cycle, floor_);
  const bool just_freed = side.count + 1 == side.ring.size() && side.ended >= cycle;
  return just_freed ? side.ended + 1 : cycle;
}

Accept Memory::request(Cycle cycle, std::uint64_t address, std::int32_t beats, std::int32_t beat_bytes,
                       bool write) {
  if (cycle < floor_) return Accept::late;
  const bool beat_ok = beat_bytes >= 1 && beat_bytes <= 128 && (beat_bytes & (beat_bytes - 1)) == 0;
  if (!beat_ok || beats < 1 || beats > 256) return Accept::illegal;
  const std::uint64_t bytes = static_cast<std::uint64_t>(beats) * static_cast<std::uint64_t>(beat_bytes);
  const bool crosses = address % kAxiBoundary + bytes > static_cast<std::uint64_t>(kAxiBoundary);
  if (address % static_cast<std::uint64_t>(beat_bytes) != 0 || crosses) return Accept::illegal;
  if (address > UINT64_MAX - bytes || !holds(address + bytes)) return Accept::beyond;
  if (!ready(cycle, write)) return Accept::refused;

  floor_ = cycle;
  if (recording_) requests_.push_back(Request{cycle, address, static_cast<std::int64_t>(bytes), write});
  Side& side = write ? writes_ : reads_;
  std::size_t tail = side.head + side.count++;
  if (tail >= side.ring.size()) tail -= side.ring.size();
  Burst& burst = side.ring[tail];
  burst = Burst{address, 0, side.beats, beats, beat_bytes, 0, write};
  side.beats += beats;
  ++(write ? stats_.write_bursts : stats_.read_bursts);
  (write ? stats_.write_beats : stats_.read_beats) += beats;
  (write ? stats_.bytes_written : stats_.bytes_read) += static_cast<std::int64_t>(bytes);
  start(cycle, burst);
  return Accept::accepted;
}

Cycle Memory::peek(Side& side, Cycle horizon) {
  if (side.count == 0) return kNever;
  const Burst& burst = side.ring[side.head];
  if (side.known == kNever) side.known = arrival(burst, burst.write ? burst.beats - 1 : burst.taken, horizon);
  return side.known == kNever ? kNever : std::max(side.known, side.last + 1);
}

void Memory::promise(Cycle cycle) {
  if (cycle != kNever) floor_ = std::max(floor_, cycle);
}

Cycle Memory::next(Side& side, Cycle horizon) {
  const Cycle cycle = peek(side, horizon);
  promise(std::min(horizon, cycle));
  return cycle;
}

// Both sides may be undecided, and whichever is decided first may give the caller a reason for a request that
// changes the other: so the horizon moves from one change to the next, never past an event.
Memory::Event Memory::next_event(Cycle horizon) {
  Cycle at = std::min(floor_, horizon);
  for (;;) {
    const Cycle beat = peek(reads_, at), response = peek(writes_, at);
    const Cycle first = std::min(beat, response);
    const Cycle limit = std::min(first, horizon);
    const bool waiting = (reads_.count != 0 && beat == kNever) || (writes_.count != 0 && response == kNever);
    if (at >= limit || !waiting) {
      promise(limit);
      return Event{first, response < beat};
    }
    at = std::min(next_change(at), limit);
  }
}

void Memory::take(Side& side) {
  Burst& burst = side.ring[side.head];
  side.last = std::max(side.known, side.last + 1);
  side.known = kNever;
  if (!burst.write && ++burst.taken < burst.beats) return;
  side.ended = side.last;
  if (++side.head == side.ring.size()) side.head = 0;
  --side.count;
}

void Memory::take_beat() {
  ++stats_.beats_taken;
  take(reads_);
}

std::size_t Memory::take_beats(Cycle horizon, std::int64_t most, Span* spans) {
  std::size_t count = 0;
  Side& side = reads_;
  while (most > 0 && side.count != 0) {
    Burst& burst = side.ring[side.head];
    const Cycle first = next(side, horizon);
    if (first > horizon || first == kNever) break;
    const auto room = static_cast<std::int32_t>(std::min<std::int64_t>(burst.beats - burst.taken, most));
    auto beats = room == 1 ? 1 : in_a_row(burst, burst.taken, room, first);
    const bool over = beats > horizon - first;
    if (over) beats = static_cast<std::int32_t>(horizon - first + 1);
    if (count != 0 && side.last + 1 == first) {
      spans[count - 1].beats += beats;
    } else {
      spans[count++] = Span{first, beats};
    }
    side.last = first + beats - 1;
    side.known = kNever;
    most -= beats;
    stats_.beats_taken += beats;
    burst.taken += beats;
    if (burst.taken == burst.beats) {
      side.ended = side.last;
      if (++side.head == side.ring.size()) side.head = 0;
      --side.count;
    }
    promise(side.last);
    if (over) break;
  }
  return count;
}

void Memory::take_response() {
  ++stats_.responses_taken;
  take(writes_);
}

Cycle Memory::finish() {
  const Cycle cycle = std::max({reads_.last + 1, writes_.last + 1, drain()});
  floor_ = std::max(floor_, cycle);
  return cycle;
}

const char* Memory::broken() const {
  std::int64_t under_way = 0;
  for (std::size_t i = 0; i < reads_.count; ++i) {
    const Burst& burst = reads_.ring[(reads_.head + i) % reads_.ring.size()];
    under_way += burst.beats - burst.taken;
  }
  if (stats_.read_beats != stats_.beats_taken + under_way) return "read beats = taken + under way";
  if (stats_.write_bursts != stats_.responses_taken + static_cast<std::int64_t>(writes_.count)) {
    return "write bursts = responses + under way";
  }
  return nullptr;
}

// ---------------------------------------------------------------------------------------------------
// Ideal memory

IdealMemory::IdealMemory(std::int64_t latency, std::int64_t bytes_num, std::int64_t bytes_den,
                         std::int64_t jitter, std::uint64_t seed, std::int64_t outstanding)
    : Memory(outstanding),
      latency_(latency),
      bytes_num_(bytes_num == 0 ? 1 : bytes_num),
      bytes_den_(bytes_num == 0 ? 0 : bytes_den),  // without a limit a byte takes no time
      jitter_(jitter),
      seed_(seed) {}

std::string IdealMemory::check(std::int64_t latency, std::int64_t bytes_num, std::int64_t bytes_den,
                               std::int64_t jitter, std::uint64_t, std::int64_t outstanding) {
  if (latency < 1) return "latency of an ideal memory must be at least 1 cycle";
  if (bytes_num < 0 || bytes_num > (1 << 20) || bytes_den < 1 || bytes_den > (1 << 20)) {
    return "bytes per cycle must be a fraction with terms up to 2^20";
  }
  if (jitter < 0 || jitter > (1 << 20)) return "jitter must be from 0 to 2^20 cycles";
  return check_common(latency, outstanding);
}

void IdealMemory::start(Cycle cycle, Burst& burst) {
  burst.first = std::max((cycle + latency_) * bytes_num_, bus_free_);
  bus_free_ = burst.first + std::int64_t{burst.beats} * burst.beat_bytes * bytes_den_;
}

std::int32_t IdealMemory::in_a_row(const Burst&, std::int32_t, std::int32_t n, Cycle) const {
  return bytes_den_ == 0 && jitter_ == 0 ? n : 1;
}

Cycle IdealMemory::arrival(const Burst& burst, std::int32_t beat, Cycle) {
  const std::int64_t on_bus = burst.first + std::int64_t{beat} * burst.beat_bytes * bytes_den_;
  Cycle cycle = (on_bus + bytes_num_ - 1) / bytes_num_;
  if (jitter_ != 0) {
    const auto number = static_cast<std::uint64_t>(burst.beat + beat) * 2 + (burst.write ? 1 : 0);
    cycle += static_cast<Cycle>(mix(seed_ ^ mix(number)) % static_cast<std::uint64_t>(jitter_ + 1));
  }
  return cycle;
}

// ---------------------------------------------------------------------------------------------------
// DRAM

DramMemory::DramMemory(const DramConfig& config, std::int64_t num, std::int64_t den, std::int64_t latency,
                       std::int64_t outstanding)
    : Memory(outstanding),
      dram_(with_port(config, outstanding), *this),
      to_dram_(num, den),
      from_dram_(den, num),
      latency_(latency) {
  burst_shift_ = log2_of(dram_.burst_bytes());
  std::size_t size = 1;
  while (size < static_cast<std::size_t>(dram_.config().port)) size *= 2;
  mask_ = static_cast<std::int64_t>(size) - 1;
  for (std::vector<Cycle>& done : done_) done.assign(size, -1);
}

// ceil(n * num / den) without overflow for num, den < 2^31. Most ratios of clocks have a power of two below.
Cycle Ratio::up(Cycle n) const {
  if (shift_ >= 0) return (n >> shift_) * num_ + (((n & (den_ - 1)) * num_ + den_ - 1) >> shift_);
  return n / den_ * num_ + (n % den_ * num_ + den_ - 1) / den_;
}

Cycle Ratio::down(Cycle n) const { return n / den_ * num_ + n % den_ * num_ / den_; }

// A channel's port must hold whatever may be under way, so that only `outstanding` limits the client.
DramConfig DramMemory::with_port(DramConfig config, std::int64_t outstanding) {
  const std::int64_t burst_bytes = config.bus_width / 8 * config.burst_length;
  config.port = 2 * outstanding * std::max<std::int64_t>(1, kAxiBoundary / burst_bytes);
  return config;
}

std::string DramMemory::check(const DramConfig& config, std::int64_t num, std::int64_t den, std::int64_t latency,
                              std::int64_t outstanding) {
  if (num < 1 || num >= kMaxRatio || den < 1 || den >= kMaxRatio) {
    return "the ratio of the clocks must be a fraction with terms below 2^31";
  }
  std::string error = check_common(latency, outstanding);
  if (error.empty()) error = Dram::check(config);
  return error;
}

bool DramMemory::holds(std::uint64_t end) const {
  return end <= dram_.bursts() * static_cast<std::uint64_t>(dram_.burst_bytes());
}

void DramMemory::start(Cycle cycle, Burst& burst) {
  const int side = burst.write ? 1 : 0;
  burst.first = sent_[side];
  const std::uint64_t bytes = static_cast<std::uint64_t>(burst.beats) * static_cast<std::uint64_t>(burst.beat_bytes);
  const std::uint64_t begin = burst.address >> burst_shift_;
  const std::uint64_t end = ((burst.address + bytes - 1) >> burst_shift_) + 1;
  for (std::uint64_t b = begin; b < end; ++b) done_[side][static_cast<std::size_t>(sent_[side]++ & mask_)] = -1;
  dram_.submit(to_dram_.up(cycle), begin, end, burst.write,
               static_cast<std::uint64_t>(burst.first) * 2 + (burst.write ? 1 : 0));
}

void DramMemory::decided(std::uint64_t id, Cycle, Cycle complete) {
  const auto number = static_cast<std::int64_t>(id >> 1);
  done_[id & 1][static_cast<std::size_t>(number & mask_)] = from_dram_.up(complete) + latency_;
}

std::int32_t DramMemory::in_a_row(const Burst& burst, std::int32_t beat, std::int32_t n, Cycle first) const {
  const int beat_shift = log2_of(burst.beat_bytes), shift = burst_shift_ - beat_shift;
  if (shift <= 0) return 1;  // a beat of one request or several
  const auto at = static_cast<std::int64_t>(burst.address >> beat_shift) + beat;
  std::int64_t number = burst.first + (at >> shift) - static_cast<std::int64_t>(burst.address >> burst_shift_);
  auto beats = static_cast<std::int32_t>((((at >> shift) + 1) << shift) - at);
  for (; beats < n; beats += 1 << shift) {  // the next request's, if they wait for the bus by then
    const Cycle done = done_[0][static_cast<std::size_t>(++number & mask_)];
    if (done < 0 || done > first + beats) break;
  }
  return std::min(beats, n);
}

Cycle DramMemory::arrival(const Burst& burst, std::int32_t beat, Cycle horizon) {
  const Cycle limit = horizon == kNever ? kNever : to_dram_.up(horizon);
  const std::uint64_t begin = burst.address >> burst_shift_;
  const auto bytes = static_cast<std::uint64_t>(burst.beat_bytes);
  const std::uint64_t from = burst.address + static_cast<std::uint64_t>(burst.write ? 0 : beat) * bytes;
  const std::uint64_t to = burst.address + (static_cast<std::uint64_t>(beat) + 1) * bytes - 1;
  Cycle latest = 0;
  for (std::uint64_t b = from >> burst_shift_; b <= to >> burst_shift_; ++b) {
    const std::int64_t number = burst.first + static_cast<std::int64_t>(b - begin);
    const Cycle& done = done_[burst.write ? 1 : 0][static_cast<std::size_t>(number & mask_)];
    if (done < 0) {
      Channel& channel = dram_.channel_of(b);
      while (done < 0 && channel.step(limit)) {
      }
      if (done < 0) return kNever;
    }
    latest = std::max(latest, done);
  }
  return latest;
}

Cycle DramMemory::next_change(Cycle cycle) const {
  Cycle next = kNever;
  for (int i = 0; i < dram_.channels(); ++i) next = std::min(next, dram_.channel(i).next());
  if (next == kNever) return kNever;
  // The first horizon whose memory cycle lies beyond the next one in which a channel does something. What is
  // decided there completes later still, hence not before this horizon.
  return std::max(cycle, from_dram_.down(next)) + 1;
}

Cycle DramMemory::drain() {
  Cycle last = 0;
  for (int i = 0; i < dram_.channels(); ++i) {
    dram_.channel(i).finish(kNever);
    last = std::max(last, dram_.channel(i).now());
  }
  return from_dram_.up(last);
}

const char* DramMemory::broken() const {
  if (const char* law = Memory::broken()) return law;
  if (const char* law = dram_.broken()) return law;
  const DramStats s = dram_.stats();
  std::int64_t received = s.reads + s.writes;
  for (int i = 0; i < dram_.channels(); ++i) received += dram_.channel(i).in_port();
  return sent_[0] + sent_[1] == received ? nullptr : "requests sent = received by the channels";
}

}  // namespace atalanta

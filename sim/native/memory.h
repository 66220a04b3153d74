// What an AXI read (and write) manager sees of off-die memory, in cycles of the accelerator's clock.
//
// One object serves a client that visits every cycle (a netlist's harness) and one that jumps from event to
// event (the simulator), and both get the same cycles for the same requests, because time only advances as
// far as the client allows. The rules:
//
//   request(c, ...)   a burst handed over in cycle c (AR handshake, or for a write the handshake of the
//                     last data beat). Cycles of requests must not decrease.
//   next_beat(h)      the cycle of the next read beat on the R channel, in order of request. The caller
//                     promises that its next request is not before cycle h or that beat, whichever comes
//                     first. kNever: no beat in any cycle <= h (with h = kNever: nothing was requested).
//                     A request made in cycle c never moves a beat of a cycle <= c, so within a cycle the
//                     order of the calls does not matter.
//   take_beat()       that beat is consumed (RREADY is always high: in its cycle). One beat a cycle at most.
//   take_beats(h, n)  the next n beats, or fewer: those of cycles <= h, as spans of one beat a cycle. The caller
//                     promises that its next request is not before h or the last of n, whichever comes first.
//   next_response(h), take_response(): the same for the B channel, one response per write burst.
//   next_event(h)     the earlier of the next beat and the next response, for clients that wait for both.
//   next_ready(c)     first cycle >= c, and not promised to be past, in which a burst is accepted (ARREADY);
//                     kNever if that waits for a beat or response not yet taken; those of cycles < c must
//                     have been. At most
//                     `outstanding` read and as many write bursts are under way; a burst's place is
//                     free in the cycle after its last beat (or its response).
//
// A client of every cycle c:                     A client of events, `want` its next request:
//   if (m.beat(c)) fifo.push();                    want = m.next_ready(want, false);
//   if (arvalid && m.ready(c, false))              Cycle b = m.next_beat(want);
//     m.request(c, address, 16, 16, false);        if (b <= want) m.take_beat(), consume(b);
//                                                  else m.request(want, address, 16, 16, false);
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dram.h"

namespace atalanta {

enum class Accept : std::int32_t {
  refused = 0,   // no place: ARREADY is low
  accepted = 1,
  late = -1,     // before a cycle that the caller had promised to be past
  illegal = -2,  // not an AXI INCR burst of aligned beats within 4 KiB
  beyond = -3    // beyond the memory's capacity
};

// Counters of the AXI side; bytes are those asked for.
#define ATALANTA_MEMORY_STATS(X)                                                                       \
  X(read_bursts) X(write_bursts) X(read_beats) X(write_beats) X(beats_taken) X(responses_taken)        \
  X(bytes_read) X(bytes_written)

struct MemoryStats {
#define X(name) std::int64_t name = 0;
  ATALANTA_MEMORY_STATS(X)
#undef X
};

class Memory {
 public:
  explicit Memory(std::int64_t outstanding);
  virtual ~Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  bool ready(Cycle cycle, bool write) const { return next_ready(cycle, write) == cycle; }
  Cycle next_ready(Cycle cycle, bool write) const;
  Accept request(Cycle cycle, std::uint64_t address, std::int32_t beats, std::int32_t beat_bytes, bool write);

  Cycle next_beat(Cycle horizon) { return next(reads_, horizon); }
  void take_beat();
  struct Span {  // beats in consecutive cycles
    Cycle first;
    std::int64_t beats;
  };
  std::size_t take_beats(Cycle horizon, std::int64_t most, Span* spans);  // how many spans; `most` have room
  Cycle next_response(Cycle horizon) { return next(writes_, horizon); }
  void take_response();
  struct Event {
    Cycle cycle;
    bool response;  // false: a beat
  };
  Event next_event(Cycle horizon);  // a beat and a response of one cycle: the beat first

  // For a client of every cycle: is there one in this cycle? If so it is taken.
  bool beat(Cycle cycle) { return next_beat(cycle) == cycle && (take_beat(), true); }
  bool response(Cycle cycle) { return next_response(cycle) == cycle && (take_response(), true); }

  // After the last beat and response were taken: runs until nothing is under way, buffered writes included.
  // Returns the first cycle in which that is so; later requests must not come before it.
  Cycle finish();

  // From now on, keep every request that is accepted.
  struct Request {
    Cycle cycle;
    std::uint64_t address;
    std::int64_t bytes;
    bool write;
  };
  void record() { recording_ = true; }
  const std::vector<Request>& requests() const { return requests_; }

  const MemoryStats& stats() const { return stats_; }
  virtual const Dram* dram() const { return nullptr; }
  virtual const char* broken() const;  // the first conservation law that does not hold, else null

 protected:
  struct Burst {
    std::uint64_t address;
    std::int64_t first;  // the memory's own: its requests, or its time on the bus
    std::int64_t beat;   // number of its first beat among all beats of this direction
    std::int32_t beats, beat_bytes, taken;
    bool write;
  };
  virtual bool holds(std::uint64_t end) const = 0;          // are addresses < end backed?
  virtual void start(Cycle cycle, Burst& burst) = 0;        // sets burst.first
  // When is this beat's data (for a write: the response) there? kNever if not known without simulating a
  // request of cycle `horizon` or later.
  virtual Cycle arrival(const Burst& burst, std::int32_t beat, Cycle horizon) = 0;
  // How many beats, 1 to n, are known to come one a cycle when `beat` does in cycle `first`.
  virtual std::int32_t in_a_row(const Burst& burst, std::int32_t beat, std::int32_t n, Cycle first) const = 0;
  // First cycle h > cycle such that arrival(..., h) may know more than arrival(..., cycle).
  virtual Cycle next_change(Cycle cycle) const = 0;
  virtual Cycle drain() { return 0; }  // first cycle in which nothing waits to be written

 private:
  struct Side {  // read or write: the bursts under way, oldest first
    std::vector<Burst> ring;
    std::size_t head = 0, count = 0;
    Cycle last = -1;       // cycle of the latest beat or response
    Cycle ended = -1;      // ... that ended a burst
    Cycle known = kNever;  // arrival of the next one, once known
    std::int64_t beats = 0;
  };
  Cycle peek(Side& side, Cycle horizon);
  Cycle next(Side& side, Cycle horizon);
  void promise(Cycle cycle);
  void take(Side& side);

  Side reads_, writes_;
  bool recording_ = false;
  std::vector<Request> requests_;
  Cycle floor_ = 0;  // no request may come before this cycle
  MemoryStats stats_;
};

// Fixed latency, a bus of bytes_num/bytes_den bytes a cycle shared by both directions (0/1: no limit), and
// per beat a further delay of 0..jitter cycles drawn from `seed`.
class IdealMemory : public Memory {
 public:
  IdealMemory(std::int64_t latency, std::int64_t bytes_num, std::int64_t bytes_den, std::int64_t jitter,
              std::uint64_t seed, std::int64_t outstanding);
  static std::string check(std::int64_t latency, std::int64_t bytes_num, std::int64_t bytes_den,
                           std::int64_t jitter, std::uint64_t seed, std::int64_t outstanding);

 protected:
  bool holds(std::uint64_t) const override { return true; }
  void start(Cycle cycle, Burst& burst) override;
  Cycle arrival(const Burst& burst, std::int32_t beat, Cycle horizon) override;
  std::int32_t in_a_row(const Burst& burst, std::int32_t beat, std::int32_t n, Cycle first) const override;
  Cycle next_change(Cycle) const override { return kNever; }  // all is known at once

 private:
  const std::int64_t latency_, bytes_num_, bytes_den_, jitter_;
  const std::uint64_t seed_;
  std::int64_t bus_free_ = 0;  // in 1/bytes_num cycles
};

// A fraction of positive integers below 2^31, by which cycles of one clock become those of another.
class Ratio {
 public:
  Ratio(std::int64_t num, std::int64_t den) : num_(num), den_(den), shift_((den & (den - 1)) == 0 ? log2_of(den) : -1) {}
  Cycle up(Cycle n) const;    // ceil(n * num / den)
  Cycle down(Cycle n) const;  // floor

 private:
  std::int64_t num_, den_;
  int shift_;  // den = 2^shift, or -1
};

// A DRAM whose clock makes `num` cycles while the accelerator's makes `den`. Both clocks have an edge at time
// zero. A request of accelerator cycle c enters at the first memory edge at or after its edge,
// ceil(c * num / den); a burst complete in memory cycle m is there in accelerator cycle ceil(m * den / num),
// plus `latency` cycles for the way through the chip.
class DramMemory : public Memory, private Sink {
 public:
  DramMemory(const DramConfig& config, std::int64_t num, std::int64_t den, std::int64_t latency,
             std::int64_t outstanding);
  static std::string check(const DramConfig& config, std::int64_t num, std::int64_t den, std::int64_t latency,
                           std::int64_t outstanding);
  const Dram* dram() const override { return &dram_; }
  const char* broken() const override;

 protected:
  bool holds(std::uint64_t end) const override;
  void start(Cycle cycle, Burst& burst) override;
  Cycle arrival(const Burst& burst, std::int32_t beat, Cycle horizon) override;
  std::int32_t in_a_row(const Burst& burst, std::int32_t beat, std::int32_t n, Cycle first) const override;
  Cycle next_change(Cycle cycle) const override;
  Cycle drain() override;

 private:
  void decided(std::uint64_t id, Cycle entered, Cycle complete) override;
  static DramConfig with_port(DramConfig config, std::int64_t outstanding);

  Dram dram_;
  const Ratio to_dram_, from_dram_;
  const std::int64_t latency_;
  int burst_shift_;
  std::int64_t mask_;
  std::int64_t sent_[2] = {0, 0};  // DRAM requests of each direction
  std::vector<Cycle> done_[2];     // by request number, in accelerator cycles; -1: not decided
};

}  // namespace atalanta

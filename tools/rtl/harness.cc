// Drives the decoder's core, cycle by cycle: descriptors in, AXI4 reads answered, values collected.
//
// Compiled together with the Verilated core into a shared library. The memory's timing comes from
// outside, through C functions on an opaque object (sim/native/memory.h has the contract); what the
// memory holds, the job says. Whatever the decoder does, a run ends: after max_cycles at the latest.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>

#include "Vcore.h"
#include "verilated.h"

namespace {

using i32 = std::int32_t;
using i64 = std::int64_t;
using u64 = std::uint64_t;
using u8 = std::uint8_t;

constexpr i64 kBusBytes = ATALANTA_AXI_BYTES;
constexpr i64 kOutBytes = ATALANTA_OUT_BYTES;
constexpr int kAddressBits = ATALANTA_ADDRESS_BITS;
constexpr i32 kOkay = 0, kSlverr = 2;

// A port of any width is an integer or an array of 32-bit words: the same bytes either way.
template <typename Port>
void write_port(Port& port, const u8* bytes, std::size_t n) {
  std::memset(&port, 0, sizeof port);
  std::memcpy(&port, bytes, std::min(n, sizeof port));
}
template <typename Port>
void read_port(const Port& port, u8* bytes, std::size_t n) {
  std::memcpy(bytes, &port, std::min(n, sizeof port));
}

struct Burst {
  u64 address;
  i64 beats;
};

}  // namespace

extern "C" {

struct Job {
  // The memory: its timing, and the bytes from `base` on. Other addresses read as 0xAA.
  void* memory;
  i32 (*ready)(void*, i64, i32);
  i32 (*request)(void*, i64, u64, i32, i32, i32);
  i32 (*beat)(void*, i64);
  const u8* image;
  i64 image_bytes;
  u64 base;
  // Descriptors, offered one after the other from cycle 0 on.
  const u64* addresses;
  const i64* lengths;
  i64 descriptors;
  // TREADY in cycle c is ready_pattern[c % ready_period].
  const u8* ready_pattern;
  i64 ready_period;
  // The n-th bus word answers SLVERR if n is this; -1: none. i_abort is high in cycle abort_cycle.
  i64 error_word;
  i64 abort_cycle;
  i64 max_cycles;
  // Where values go; packets: bytes so far, cycle and TUSER of each packet's end.
  u8* out;
  i64 out_bytes;
  i64* packet_end;
  i64* packet_cycle;
  u8* packet_bad;
};

struct Result {
  i64 cycles;        // cycles run; cycle 0 is the one in which the first descriptor is offered
  i64 first_cycle;   // cycle of the first output word, -1: none
  i64 bytes;         // bytes put out
  i64 packets;       // packets ended
  i64 code;          // error code at the end
  i64 finished;      // every descriptor gave its packet, or the decoder has halted after an error
  i64 bursts;        // read bursts
  i64 refused;       // the memory's answer to an illegal request, else 0
  i64 overflow;      // more came out than there was room for
  i64 counters[ATALANTA_COUNTER_COUNT];  // in the order of ATALANTA_COUNTERS
};

namespace {

class Session {
 public:
  Session() {
    core_.rst = 1;
    for (int i = 0; i < 3; ++i) edge();
    core_.rst = 0;
  }

  void run(const Job& job, Result& result) {
    result = Result{};
    result.first_cycle = -1;
    prepare();
    std::deque<Burst> bursts;  // asked for and not yet answered
    i64 taken = 0, words = 0, offered = 0, held = 0, settle = 0;
    bool arrived = false;  // is the next beat in this cycle?
    for (i64 cycle = 0; cycle < job.max_cycles && settle < kSettle; ++cycle) {
      core_.i_abort = cycle == job.abort_cycle;
      core_.i_valid = offered < job.descriptors;
      if (core_.i_valid) offer(job.addresses[offered], job.lengths[offered]);
      core_.m_axis_tready = job.ready_pattern[cycle % job.ready_period];
      arrived = job.beat(job.memory, cycle) != 0;
      core_.m_axi_rvalid = arrived;
      if (arrived) answer(job, bursts.front(), taken, words);
      const bool ready = job.ready(job.memory, cycle, 0) != 0;
      core_.m_axi_arready = ready;
      core_.eval();

      if (core_.i_valid && core_.i_ready) ++offered;
      if (core_.m_axi_arvalid && ready) {
        const Burst burst{core_.m_axi_araddr, core_.m_axi_arlen + 1};
        const i32 accepted = job.request(job.memory, cycle, burst.address, static_cast<i32>(burst.beats),
                                         static_cast<i32>(kBusBytes), 0);
        if (accepted != 1) {
          result.refused = accepted;
          break;
        }
        bursts.push_back(burst);
        ++result.bursts;
      }
      if (arrived) {
        ++words;
        if (++taken == bursts.front().beats) {
          taken = 0;
          bursts.pop_front();
        }
      }
      if (core_.m_axis_tvalid && core_.m_axis_tready) collect(job, result, cycle, held);
      edge();
      result.cycles = cycle + 1;
      result.finished = (offered == job.descriptors && !core_.o_busy) || core_.o_halted;
      settle = result.finished ? settle + 1 : 0;
    }
    result.cycles -= settle;
    result.code = core_.o_code;
    const i64 counters[] = {ATALANTA_COUNTERS};
    std::copy(std::begin(counters), std::end(counters), result.counters);
  }

 private:
  static constexpr i64 kSettle = 4;  // cycles until the counters have counted the last cycle

  void edge() {
    core_.clk = 1;
    core_.eval();
    core_.clk = 0;
    core_.eval();
  }

  void prepare() {
    core_.i_valid = core_.i_abort = core_.m_axi_rvalid = core_.m_axi_arready = core_.m_axis_tready = 0;
    core_.i_clear = core_.i_clear_counters = 1;
    edge();
    core_.i_clear = core_.i_clear_counters = 0;
  }

  void offer(u64 address, i64 length) {
    const unsigned __int128 both =
        static_cast<unsigned __int128>(length) << kAddressBits | static_cast<unsigned __int128>(address);
    u8 bytes[sizeof both];
    std::memcpy(bytes, &both, sizeof both);
    write_port(core_.i_payload, bytes, sizeof both);
  }

  void answer(const Job& job, const Burst& burst, i64 beat, i64 word) {
    u8 bytes[kBusBytes];
    std::memset(bytes, 0xAA, sizeof bytes);
    const u64 address = burst.address + static_cast<u64>(beat * kBusBytes);
    for (i64 i = 0; i < kBusBytes; ++i) {
      const u64 at = address + static_cast<u64>(i) - job.base;
      if (at < static_cast<u64>(job.image_bytes)) bytes[i] = job.image[at];
    }
    write_port(core_.m_axi_rdata, bytes, sizeof bytes);
    core_.m_axi_rlast = beat + 1 == burst.beats;
    core_.m_axi_rresp = word == job.error_word ? kSlverr : kOkay;
  }

  void collect(const Job& job, Result& result, i64 cycle, i64& held) {
    u8 bytes[kOutBytes], keep[8] = {};
    read_port(core_.m_axis_tdata, bytes, sizeof bytes);
    read_port(core_.m_axis_tkeep, keep, sizeof keep);
    if (result.first_cycle < 0) result.first_cycle = cycle;
    for (i64 i = 0; i < kOutBytes; ++i) {
      if (!(keep[i / 8] >> (i % 8) & 1)) continue;
      if (held < job.out_bytes) {
        job.out[held++] = bytes[i];
      } else {
        result.overflow = 1;
      }
    }
    result.bytes = held;
    if (core_.m_axis_tlast) {
      if (result.packets < job.descriptors) {
        job.packet_end[result.packets] = held;
        job.packet_cycle[result.packets] = cycle;
        job.packet_bad[result.packets] = core_.m_axis_tuser;
      } else {
        result.overflow = 1;
      }
      ++result.packets;
    }
  }

  VerilatedContext context_;
  Vcore core_{&context_};
};

}  // namespace

void* core_new() { return new Session; }
void core_free(void* session) { delete static_cast<Session*>(session); }
void core_run(void* session, const Job* job, Result* result) { static_cast<Session*>(session)->run(*job, *result); }

}  // extern "C"

// The C functions that sim/native.py and other compiled clients call. No exception leaves them.
//
// A client in another shared object takes the addresses of memory_ready, memory_request, memory_beat (and
// memory_response) and the handle; it needs no header, only these signatures.
#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>

#include "decoder.h"
#include "dram.h"
#include "memory.h"

using namespace atalanta;

namespace {

void say(char* message, std::int64_t size, const std::string& text) {
  if (message == nullptr || size < 1) return;
  const std::size_t n = std::min(text.size(), static_cast<std::size_t>(size - 1));
  std::memcpy(message, text.data(), n);
  message[n] = '\0';
}

struct TraceSink : Sink {
  std::int64_t* entered;
  std::int64_t* complete;
  void decided(std::uint64_t id, Cycle in, Cycle out) override {
    entered[id] = in;
    complete[id] = out;
  }
};

void sum_histograms(const Dram& dram, std::int64_t* histogram) {
  std::fill(histogram, histogram + kLatencyBins, 0);
  for (int i = 0; i < dram.channels(); ++i) {
    const auto& bins = dram.channel(i).histogram();
    for (std::size_t b = 0; b < bins.size(); ++b) histogram[b] += bins[b];
  }
}

// Feeds each channel its requests in order; a request that finds the port full waits for it.
std::string run_trace(const DramConfig& config, std::int64_t n, const std::uint64_t* addresses,
                      const std::uint8_t* writes, const std::int64_t* arrivals, Cycle until, std::int64_t* entered,
                      std::int64_t* complete, DramStats* stats, std::int64_t* histogram, LogEntry* log,
                      std::int64_t log_capacity, std::int64_t* log_count) {
  std::string error = Dram::check(config);
  if (!error.empty()) return error;
  TraceSink sink;
  sink.entered = entered;
  sink.complete = complete;
  Dram dram(config, sink);
  std::vector<LogEntry> entries;
  for (int i = 0; i < dram.channels() && log_capacity > 0; ++i) {
    dram.channel(i).log(&entries, static_cast<std::size_t>(log_capacity));
  }
  std::fill(entered, entered + n, -1);
  std::fill(complete, complete + n, -1);
  std::vector<bool> over(static_cast<std::size_t>(dram.channels()), false);  // channels that reached `until`
  const auto bytes = static_cast<std::uint64_t>(dram.burst_bytes());
  std::int64_t last = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint64_t burst = addresses[i] / bytes;
    if (burst >= dram.bursts()) return "request " + std::to_string(i) + " lies beyond the capacity";
    if (arrivals[i] < last) return "request " + std::to_string(i) + " arrives before its predecessor";
    last = arrivals[i];
    Channel& channel = dram.channel_of(burst);
    std::vector<bool>::reference beyond = over[static_cast<std::size_t>(channel.index())];
    while (channel.port_full() && channel.step(until)) {
    }
    if (channel.port_full()) beyond = true;
    if (beyond) continue;
    // It waits in front of a full port, not in the past: it arrives when there is a place.
    channel.submit(std::max(last, channel.now()), burst, 1, writes[i] != 0, static_cast<std::uint64_t>(i));
  }
  for (int i = 0; i < dram.channels(); ++i) {
    if (until == kNever) {
      dram.channel(i).finish(kNever);
    } else {
      dram.channel(i).run(until);
    }
  }
  if (until == kNever) {  // all channels end together: the last one's cycles count for background energy
    const Cycle end = dram.stats().cycles;
    for (int i = 0; i < dram.channels(); ++i) dram.channel(i).run(end);
  }
  *stats = dram.stats();
  sum_histograms(dram, histogram);
  if (log_count != nullptr) {
    *log_count = static_cast<std::int64_t>(entries.size());
    std::copy(entries.begin(), entries.end(), log);
  }
  const char* law = dram.broken();
  return law == nullptr ? std::string() : std::string("conservation law broken: ") + law;
}

template <typename M, typename... Args>
Memory* make(char* message, std::int64_t size, Args... args) {
  try {
    const std::string error = M::check(args...);
    if (error.empty()) return new M(args...);
    say(message, size, error);
  } catch (const std::exception& e) {
    say(message, size, e.what());
  }
  return nullptr;
}

}  // namespace

extern "C" {

#define X(name) #name ","
const char* dram_config_fields() { return ATALANTA_DRAM_CONFIG(X); }
const char* dram_stats_fields() { return ATALANTA_DRAM_STATS(X); }
const char* memory_stats_fields() { return ATALANTA_MEMORY_STATS(X); }
const char* decoder_params_fields() { return ATALANTA_DECODER_PARAMS(X); }
const char* decoder_stats_fields() { return ATALANTA_DECODER_STATS(X); }
#undef X

std::int64_t dram_latency_bins() { return kLatencyBins; }
std::int64_t dram_latency_bin_cycles() { return kLatencyBinCycles; }

// 0 if the trace ran, else -1 and a message. `until` kNever: to the end, buffered writes included.
std::int32_t dram_trace(const DramConfig* config, std::int64_t n, const std::uint64_t* addresses,
                        const std::uint8_t* writes, const std::int64_t* arrivals, std::int64_t until,
                        std::int64_t* entered, std::int64_t* complete, DramStats* stats, std::int64_t* histogram,
                        LogEntry* log, std::int64_t log_capacity, std::int64_t* log_count, char* message,
                        std::int64_t size) {
  try {
    const std::string error = run_trace(*config, n, addresses, writes, arrivals, until, entered, complete, stats,
                                        histogram, log, log_capacity, log_count);
    if (error.empty()) return 0;
    say(message, size, error);
  } catch (const std::exception& e) {
    say(message, size, e.what());
  }
  return -1;
}

// A handle, or null and a message.
Memory* memory_new_ideal(std::int64_t latency, std::int64_t bytes_num, std::int64_t bytes_den, std::int64_t jitter,
                         std::uint64_t seed, std::int64_t outstanding, char* message, std::int64_t size) {
  return make<IdealMemory>(message, size, latency, bytes_num, bytes_den, jitter, seed, outstanding);
}

Memory* memory_new_dram(const DramConfig* config, std::int64_t num, std::int64_t den, std::int64_t latency,
                        std::int64_t outstanding, char* message, std::int64_t size) {
  return make<DramMemory>(message, size, *config, num, den, latency, outstanding);
}

void memory_free(Memory* memory) { delete memory; }

std::int32_t memory_ready(const Memory* memory, std::int64_t cycle, std::int32_t write) {
  return memory->ready(cycle, write != 0) ? 1 : 0;
}

std::int64_t memory_next_ready(const Memory* memory, std::int64_t cycle, std::int32_t write) {
  return memory->next_ready(cycle, write != 0);
}

// 1 accepted, 0 refused (no place), negative: see Accept.
std::int32_t memory_request(Memory* memory, std::int64_t cycle, std::uint64_t address, std::int32_t beats,
                            std::int32_t beat_bytes, std::int32_t write) {
  return static_cast<std::int32_t>(memory->request(cycle, address, beats, beat_bytes, write != 0));
}

std::int64_t memory_next_beat(Memory* memory, std::int64_t horizon) { return memory->next_beat(horizon); }
void memory_take_beat(Memory* memory) { memory->take_beat(); }
std::int64_t memory_next_response(Memory* memory, std::int64_t horizon) { return memory->next_response(horizon); }
void memory_take_response(Memory* memory) { memory->take_response(); }

// The cycle of the next beat or response, whichever comes first; *response is 1 if it is a response.
std::int64_t memory_next_event(Memory* memory, std::int64_t horizon, std::int32_t* response) {
  const Memory::Event event = memory->next_event(horizon);
  *response = event.response ? 1 : 0;
  return event.cycle;
}

// For a client of every cycle: 1 and consumed if there is one in this cycle.
std::int32_t memory_beat(Memory* memory, std::int64_t cycle) { return memory->beat(cycle) ? 1 : 0; }
std::int32_t memory_response(Memory* memory, std::int64_t cycle) { return memory->response(cycle) ? 1 : 0; }

void memory_record(Memory* memory) { memory->record(); }
std::int64_t memory_requests(const Memory* memory) { return static_cast<std::int64_t>(memory->requests().size()); }

// The requests recorded so far; every array holds memory_requests() entries.
void memory_read_requests(const Memory* memory, std::int64_t* cycles, std::uint64_t* addresses, std::int64_t* bytes,
                          std::uint8_t* writes) {
  for (const Memory::Request& request : memory->requests()) {
    *cycles++ = request.cycle;
    *addresses++ = request.address;
    *bytes++ = request.bytes;
    *writes++ = request.write ? 1 : 0;
  }
}

std::int64_t memory_finish(Memory* memory) { return memory->finish(); }

// 0, or -1 and a message if a conservation law does not hold. The DRAM's part stays as it is for others.
std::int32_t memory_stats(const Memory* memory, MemoryStats* stats, DramStats* dram, char* message,
                          std::int64_t size) {
  *stats = memory->stats();
  if (const Dram* d = memory->dram()) *dram = d->stats();
  const char* law = memory->broken();
  if (law == nullptr) return 0;
  say(message, size, std::string("conservation law broken: ") + law);
  return -1;
}

// See decoder.h.
std::int64_t decoder_shortest_run() { return kShortestRun; }
std::int64_t decoder_pace_of(const DecoderSegment* segment, std::int64_t beat_bytes, DecoderBeat* beats,
                             std::int32_t* pace, DecoderRun* runs) {
  return decoder_pace(*segment, beat_bytes, beats, pace, runs);
}

// See decoder.h; 0, or -1 and a message.
std::int32_t decoder_run(const DecoderParams* params, Memory* memory, const DecoderTensor* tensors,
                         std::int64_t count, const DecoderSegment* segments, const std::uint8_t* ready,
                         std::int64_t period, DecoderStats* stats, std::int64_t* ends, char* message,
                         std::int64_t size) {
  try {
    const std::string error =
        decode_cycles(*params, *memory, tensors, count, segments, ready, period, stats, ends);
    if (error.empty()) return 0;
    say(message, size, error);
  } catch (const std::exception& error) {
    say(message, size, error.what());
  }
  return -1;
}

// Read latencies in memory cycles, dram_latency_bins() of them; an ideal memory leaves them as they are.
void memory_histogram(const Memory* memory, std::int64_t* histogram) {
  if (const Dram* d = memory->dram()) sum_histograms(*d, histogram);
}

}  // extern "C"

// The decoder's cycles, without its netlist: a recurrence over beats, equal to the RTL cycle for cycle.
//
// Which slot asks for a beat and which slot needs it are facts of the stream (golden.lanes.Schedule). So a
// beat's arrival is a maximum of a few earlier times, a slot's cycle is one more than the slot's before or
// the arrival of a beat it needs, and nothing is ever visited cycle by cycle. Each component of `hw` is one
// class here and its comments name the registers that its constants count.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "memory.h"

namespace atalanta {

// The decoder as built: golden.decoder.DecoderParams.
#define ATALANTA_DECODER_PARAMS(X)                                                              \
  X(ways) X(beat_bytes) X(lane_fifo) X(axi_bytes) X(burst_beats) X(outstanding) X(prefetch)     \
  X(out_values) X(value_bits)

struct DecoderParams {
#define X(name) std::int64_t name;
  ATALANTA_DECODER_PARAMS(X)
#undef X
};

// One beat: see golden.lanes.Schedule, and `decoder_pace` below for `fresh`. Packed, since the recurrence does
// little else than read them.
struct DecoderBeat {
  std::int32_t ask, need, free;
  std::uint8_t lane, nbytes;
  std::uint8_t fresh;
  std::uint8_t reserved;
};

// Beats from .. to - 1 of a segment that a decoder which never waits for memory pulls without a pause in its slots.
struct DecoderRun {
  std::int32_t from, to;
};

// A segment: its header, and its beats in the order of the stream.
struct DecoderSegment {
  std::int64_t atalanta;       // lanes decode it; otherwise the unpacker
  std::int64_t header_bytes;
  std::int64_t payload_bytes;
  std::int64_t count;
  std::int64_t more;
  std::int64_t lanes;
  std::int64_t lane_depth;
  std::int64_t slots;          // slots of the RTL
  std::int64_t beats;
  const DecoderBeat* beat;
  const std::int32_t* pace;    // by beat, and the runs for which it holds: see `decoder_pace`
  const DecoderRun* run;
  std::int64_t runs;
};

// A tensor in memory: its address, its length, and its segments, numbered among all.
struct DecoderTensor {
  std::int64_t address;
  std::int64_t length;
  std::int64_t first_segment;
  std::int64_t segments;
};

// Cycles by cause (golden.decoder.CAUSES), and what was moved.
#define ATALANTA_DECODER_STATS(X)                                                              \
  X(slot) X(output) X(memory) X(router) X(setup) X(drain) X(words) X(values) X(cycles) X(bursts)

struct DecoderStats {
#define X(name) std::int64_t name = 0;
  ATALANTA_DECODER_STATS(X)
#undef X
};

// Runs all tensors, offered back to back from cycle 0 on. `ready`: TREADY by cycle, repeated. `ends`: for each
// tensor the cycle of its last output word. Returns an error, empty if there is none: "conservation law broken: ..."
// if the segments do not fit their tensors or the recurrence errs, else what the memory refused.
std::string decode_cycles(const DecoderParams& params, Memory& memory, const DecoderTensor* tensors,
                          std::int64_t count, const DecoderSegment* segments, const std::uint8_t* ready,
                          std::int64_t period, DecoderStats* stats, std::int64_t* ends);

// The pace of a segment for lanes: in which cycle each beat is pulled if memory never is late, counted from the
// cycle in which slot 0 would run if the slots so far had run without a pause. It is a fact of the stream and the
// recurrence alone, so a decoder that keeps its pace need not be followed beat by beat. Marks the beats that are
// `fresh`: asked for when no other asking was under way. Writes `pace` and at most beats / kShortestRun runs;
// returns how many.
inline constexpr std::int64_t kShortestRun = 32;
std::int64_t decoder_pace(const DecoderSegment& segment, std::int64_t beat_bytes, DecoderBeat* beats,
                          std::int32_t* pace, DecoderRun* runs);

}  // namespace atalanta

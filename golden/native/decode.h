// The decoder's state, shared by the scalar code and the vector bodies.
#pragma once

#include "beats.h"
#include "group_events.h"

namespace atalanta {

// A row in one word: cum from bit 0, then the fields named here, the last two of 16 bits.
struct PackedRow {
  static constexpr unsigned kCumEnd = 10, kOffsetBits = 21, kLowest = 26, kLastOffset = 42;
};

struct Decoder {
  // recorder: notes the schedule, or null.
  Decoder(const uint8_t* payload, const uint32_t* lane_bytes, const Segment& p, Recorder* recorder);

  // The lowest value of a row, in two's complement.
  uint32_t lowest(const Row& r) const { return (r.v_min - static_cast<uint32_t>(p.bias)) & 0xffff; }

  // Hands out the beats that lanes asked for in a group whose first slot is `slot`.
  void route(const GroupEvents& asks, uint64_t slot) {
    asks.each([&](unsigned s, unsigned lane) { beats.give(lane, static_cast<int64_t>(slot + s)); });
  }

  const Segment& p;
  unsigned beat_shift;  // log2 of the bits of a beat
  Recorder* recorder;

  // Only rows with counts take part; `number` has their numbers in the table.
  unsigned rows = 0;
  Row row[kMaxRows];
  uint8_t number[kMaxRows];
  uint8_t row_of_count[kTotal];
  uint64_t packed_rows[kTotal];  // by count

  Ways ways;
  alignas(64) uint32_t used[kMaxLanes] = {};
  Beats beats;
};

// Decodes 4 * groups slots from the one of value 0 on, in all of which every lane has a value and
// its way another one to come. Returns false on an offset beyond its row.
template <class Out>
using DecodeBody = bool (*)(Decoder&, uint64_t groups, Out*);

// The fastest body that this machine runs for that many lanes and rows.
template <class Out>
DecodeBody<Out> decode_body(unsigned lanes, unsigned rows);

}  // namespace atalanta

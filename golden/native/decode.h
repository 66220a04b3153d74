// The decoder's state, shared by the scalar code and the vector bodies.
#pragma once

#include "beats.h"
#include "group_events.h"

namespace atalanta {

struct Decoder {
  Decoder(const uint8_t* payload, const uint32_t* lane_bytes, const Segment& p,
          const ScheduleColumns* columns);

  // Hands out the beats that the lanes asked for in a group whose first slot is `slot`.
  void route(const GroupEvents& asks, const GroupEvents& reached, uint64_t slot) {
    asks.each([&](unsigned s, unsigned lane) { beats.give(lane, static_cast<int64_t>(slot + s)); });
    if (schedule) {
      reached.each([&](unsigned s, unsigned lane) {
        needs.push_back({static_cast<uint32_t>(slot + s), lane});
      });
    }
  }

  const Segment& p;
  unsigned beat_shift;  // log2 of the bits of a beat
  bool schedule;        // whether the schedule is recorded

  // Only rows with counts take part; `number` has their numbers in the table.
  unsigned rows = 0;
  Row row[kMaxRows];
  uint8_t number[kMaxRows];
  uint8_t row_of_count[kTotal];

  Ways ways;
  alignas(64) uint32_t used[kMaxLanes] = {};
  Beats beats;
  std::vector<Event> needs;
};

// Decodes 4 * groups slots from the one of value 0 on, in all of which every lane has a value and
// its way another one to come. Returns false on an offset beyond its row.
template <class Out>
using DecodeBody = bool (*)(Decoder&, uint64_t groups, Out*);

// The fastest body that this machine runs for that many lanes, or null.
template <class Out>
DecodeBody<Out> decode_body(unsigned lanes, unsigned rows);

}  // namespace atalanta

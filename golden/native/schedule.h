// The order of beats as arrays: golden.lanes.Schedule.
#pragma once

#include <vector>

#include "coder.h"

namespace atalanta {

// Something that happens to a lane in a slot: it asks for a beat, or first needs one.
struct Event {
  uint32_t slot;
  uint32_t lane;
};

// The columns of a schedule, each one entry per beat; the caller owns the memory.
struct ScheduleColumns {
  int64_t* lane;
  int64_t* nbytes;
  int64_t* ask;
  int64_t* need;
};

// Fills `need`, the other columns being complete. needs: the slots before which lanes that have run
// reach their beats 1, 2, ..., in any order that is right for each lane.
void fill_needs(const ScheduleColumns& columns, size_t beats, const std::vector<Event>& needs);

}  // namespace atalanta

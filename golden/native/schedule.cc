#include "schedule.h"

namespace atalanta {

void fill_needs(const ScheduleColumns& columns, size_t beats, const std::vector<Event>& needs) {
  std::vector<size_t> of_lane[kMaxLanes];
  for (size_t beat = 0; beat < beats; ++beat) {
    of_lane[columns.lane[beat]].push_back(beat);
    columns.need[beat] = 0;  // right for a lane's first beat
  }
  size_t reached[kMaxLanes] = {};
  for (const Event& event : needs) {
    const size_t next = ++reached[event.lane];
    if (next < of_lane[event.lane].size()) columns.need[of_lane[event.lane][next]] = event.slot + 1;
  }
}

}  // namespace atalanta

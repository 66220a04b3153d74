// The order of beats as golden.lanes.Schedule tells it, noted while a segment is decoded.
#pragma once

#include <vector>

#include "coder.h"

namespace atalanta {

// The columns of a schedule, one entry per beat of the payload; the caller owns the memory.
struct ScheduleColumns {
  int64_t* lane;
  int64_t* nbytes;
  int64_t* ask;
  int64_t* need;
  int64_t* free;
};

class Recorder {
 public:
  Recorder(const ScheduleColumns& columns, unsigned beat_shift)
      : columns_(columns), beat_shift_(beat_shift) {}

  // The lane is given its next beat, of `size` bytes, for which it asked in `slot`; -1 is the start.
  void given(unsigned lane, uint32_t size, int64_t slot) {
    columns_.lane[beats_] = lane;
    columns_.nbytes[beats_] = size;
    columns_.ask[beats_] = slot;
    of_lane_[lane].beats.push_back(beats_++);
    advance(lane, 0, -1);
  }

  // After `slot` the lane has used `used` bits.
  void advance(unsigned lane, int64_t used, int64_t slot) {
    Lane& l = of_lane_[lane];
    for (; l.needed < l.beats.size() && used >= needed_at(l.needed); ++l.needed) {
      columns_.need[l.beats[l.needed]] = slot + 1;
    }
    for (; l.freed < l.beats.size() && used >= freed_at(l.freed, l.beats[l.freed]); ++l.freed) {
      columns_.free[l.beats[l.freed]] = slot;
    }
  }

 private:
  // Bits used when a lane's beat `index` is needed, and when its last word has moved on.
  int64_t needed_at(size_t index) const { return (static_cast<int64_t>(index) << beat_shift_) - kNeedBits; }
  int64_t freed_at(size_t index, size_t beat) const {
    const int64_t words = (columns_.nbytes[beat] + 3) / 4;
    return (static_cast<int64_t>(index) << beat_shift_) + 32 * words - kAskBits;
  }

  struct Lane {
    std::vector<size_t> beats;  // where its beats stand in the stream
    size_t needed = 0, freed = 0;
  };

  ScheduleColumns columns_;
  unsigned beat_shift_;
  size_t beats_ = 0;
  Lane of_lane_[kMaxLanes];
};

}  // namespace atalanta

// A decoder's slots, which beats and the output hold up.
#pragma once

#include <algorithm>
#include <deque>
#include <iterator>
#include <vector>

#include "output.h"
#include "times.h"

namespace atalanta {

// The slots of one segment: hw.lanes.Lanes or hw.unpacker.Unpacker moving on.
//
// Slots follow each other without a pause but where one needs a beat that is not there, or the output is full.
// So a beat that comes no later than its slot would without any pause is of no further interest.
class Slots {
 public:
  Slots(Emitter& emitter, i64 count, i64 silent, i64 width, i64 start)
      : emitter_(emitter), count_(count), silent_(silent), width_(width), cycle_(start) {}

  // Slot `slot`, which has not run, cannot run before `cycle`.
  void need(i64 slot, i64 cycle) {
    if (cycle <= cycle_ + (slot - slot_)) return;
    auto place = late_.end();
    while (place != late_.begin() && std::prev(place)->slot > slot) --place;
    late_.insert(place, {slot, cycle});
  }

  // The cycle of `slot`, which has run.
  i64 at(i64 slot) const {
    auto from = std::upper_bound(runs_.begin(), runs_.end(), slot, [](i64 s, const Run& r) { return s < r.slot; });
    --from;
    return from->cycle + (slot - from->slot);
  }

  // Runs up to `to`, of which all needs must be known.
  void run(i64 to) {
    to = std::min(to, count_ - 1);
    while (!late_.empty() && late_.front().slot <= to) {
      const Run late = late_.front();
      late_.pop_front();
      go(late.slot - 1);
      earliest_ = std::max(earliest_, late.cycle);
    }
    go(to);
  }

  i64 last() const { return cycle_; }
  i64 base() const { return cycle_ - slot_; }  // the cycle of slot 0 if there had been no pause
  bool on_time() const { return late_.empty(); }  // no slot to come is known to wait
  i64 ran() const { return slot_ + 1; }

  std::vector<Interval> waits;  // cycles without a slot in which some beat was not there
  i64 blocked = 0;              // cycles in which only the output was not ready

 private:
  struct Run {  // from this slot on, one slot a cycle
    i64 slot, cycle;
  };

  void go(i64 to) {
    while (slot_ < to) {
      const i64 ready = std::max(cycle_ + 1, earliest_);
      const i64 cycle = emitter_.moves(ready);
      append(waits, cycle_ + 1, ready - 1);
      blocked += cycle - ready;
      if (runs_.empty() || cycle != cycle_ + 1) runs_.push_back({slot_ + 1, cycle});
      const i64 steps = emitter_.always() ? to - slot_ : 1;
      slot_ += steps;
      cycle_ = cycle + steps - 1;
      if (!emitter_.always() && slot_ >= silent_ && slot_ + 1 < count_) emitter_.vector(cycle_, 0, width_, false);
    }
  }

  Emitter& emitter_;
  const i64 count_, silent_, width_;
  i64 slot_ = -1, cycle_, earliest_ = 0;
  std::vector<Run> runs_;
  std::deque<Run> late_;  // beats that hold up their slots, by slot
};

}  // namespace atalanta

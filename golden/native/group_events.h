// What happens to lanes in the slots of one group, as bit masks.
#pragma once

#include "coder.h"

namespace atalanta {

// Events of the slots of one group, in the order in which hardware sees them: by slot, then by lane.
class GroupEvents {
 public:
  explicit GroupEvents(unsigned lanes)
      : log2_lanes_(log2_floor(lanes)), words_(lanes * kGroup > 64 ? lanes * kGroup / 64 : 1) {}

  // Bit i of `mask`: lane `first` + i has the event in slot `slot` of the group.
  void add(unsigned slot, unsigned first, uint64_t mask) {
    const unsigned bit = (slot << log2_lanes_) + first;
    word_[bit / 64] |= mask << bit % 64;
  }

  // Calls f(slot of the group, lane) for every event.
  template <class F>
  void each(F&& f) const {
    for (unsigned w = 0; w < words_; ++w) {
      for (uint64_t left = word_[w]; left; left &= left - 1) {
        const unsigned bit = w * 64 + static_cast<unsigned>(__builtin_ctzll(left));
        f(bit >> log2_lanes_, bit & ((1u << log2_lanes_) - 1));
      }
    }
  }

 private:
  unsigned log2_lanes_, words_;
  uint64_t word_[kGroup] = {};
};

}  // namespace atalanta

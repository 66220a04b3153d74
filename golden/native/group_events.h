// What happens to lanes in the slots of one group, as bit masks.
#pragma once

#include <array>

#include "coder.h"

namespace atalanta {

// The places of the bits of a byte that are set, one per byte from the lowest, and their number.
struct SetBits {
  uint64_t places;
  uint32_t count;
};
extern const std::array<SetBits, 256> set_bits;

// Events of the slots of one group, in the order in which hardware sees them: by slot, then by lane.
class GroupEvents {
 public:
  explicit GroupEvents(unsigned lanes)
      : log2_lanes_(log2_floor(lanes)), words_(lanes * kGroup > 64 ? lanes * kGroup / 64 : 1) {}

  void clear() {
    for (unsigned w = 0; w < words_; ++w) word_[w] = 0;
  }

  // Bit i of `mask`: lane `first` + i has the event in slot `slot` of the group.
  void add(unsigned slot, unsigned first, uint64_t mask) {
    const unsigned bit = (slot << log2_lanes_) + first;
    word_[bit / 64] |= mask << bit % 64;
  }

  // Appends the events' lanes to `lanes`, up to 8 bytes further than they reach; returns their end. No
  // branch depends on the events, which are hard to predict.
  uint8_t* list(uint8_t* lanes) const {
    const unsigned bytes = (kGroup << log2_lanes_) / 8;  // 8 lanes or more
    for (unsigned i = 0; i < bytes; ++i) {
      const SetBits& set = set_bits[word_[i / 8] >> i % 8 * 8 & 0xff];
      const uint64_t first = i * 8 & ((1u << log2_lanes_) - 1);
      store(lanes, set.places + first * 0x0101010101010101);
      lanes += set.count;
    }
    return lanes;
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

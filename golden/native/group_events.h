// What happens to lanes in the slots of one group, as bit masks.
#pragma once

#include <array>

#include "coder.h"

namespace atalanta {

// The places of the bits of a byte that are set, one per byte from the lowest, and their number.
extern const std::array<uint64_t, 256> bit_places;
extern const std::array<uint8_t, 256> bit_counts;

// Events of the slots of one group, in the order in which hardware sees them: by slot, then by lane.
class GroupEvents {
 public:
  explicit GroupEvents(unsigned lanes)
      : log2_lanes_(log2_floor(lanes)), words_(lanes * kGroup > 64 ? lanes * kGroup / 64 : 1) {
    for (unsigned byte = 0; byte < 8; ++byte) {
      first_lanes_[byte] = (byte * 8 & (lanes - 1)) * 0x0101010101010101;
    }
  }

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
    for (unsigned w = 0; w < words_; ++w) {
      const uint64_t word = word_[w];
#pragma GCC unroll 8
      for (unsigned byte = 0; byte < 8; ++byte) {
        const unsigned set = word >> byte * 8 & 0xff;
        store(lanes, bit_places[set] + first_lanes_[byte]);
        lanes += bit_counts[set];
      }
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
  uint64_t first_lanes_[8];  // of each byte of a word, eight times
};

}  // namespace atalanta

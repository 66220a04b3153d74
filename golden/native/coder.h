// Atalanta segments: parameters, the table as the coder wants it, and the state of all ways.
#pragma once

#include "common.h"

namespace atalanta {

// As golden.params.AtalantaParams, with the table of `rows` rows.
struct Segment {
  int32_t bits, lanes, ways, beat_bytes, lane_depth, rows;
  int32_t bias;           // of codes over the values they stand for, modulo the size of an element
  const uint16_t* v_min;  // lowest value of each row
  const uint16_t* cum;    // counts before each row

  // Whether everything is within the limits that the code relies on. A table has been checked by
  // golden.table.Table; this repeats what memory safety needs.
  bool legal() const;

  uint32_t v_end(int32_t row) const { return row + 1 < rows ? v_min[row + 1] : 1u << bits; }
  uint32_t cum_end(int32_t row) const { return row + 1 < rows ? cum[row + 1] : kTotal; }

  // log2 of the bits of a beat.
  unsigned beat_shift() const { return log2_floor(static_cast<uint32_t>(beat_bytes)) + 3; }

  // Values of a lane.
  uint64_t lane_values(uint64_t count, unsigned lane) const {
    return (count + static_cast<uint64_t>(lanes) - 1 - lane) / static_cast<uint64_t>(lanes);
  }
};

struct Row {
  uint32_t cum, cum_end;
  uint32_t offset_bits;
  uint32_t v_min, last_offset;  // v_min is a code
};

Row make_row(const Segment& segment, int32_t row);

// Coder states by way and lane; vector code takes several lanes of one way at a time.
struct Ways {
  alignas(64) uint32_t low[kMaxWays][kMaxLanes];
  alignas(64) uint32_t range[kMaxWays][kMaxLanes];
  alignas(64) uint32_t delta[kMaxWays][kMaxLanes];  // code - low
};

constexpr unsigned kGroup = 4;
// Slots that run between two visits to the beat router. A slot takes up to 28 bits of a lane, so a
// group takes up to 112, which one 16-byte read from any bit of a byte covers.

constexpr uint32_t kAskBits = 64;
constexpr uint32_t kNeedBits = 32;
// With B bits in a beat, a lane that has used u bits holds the last word of its beats before number
// (u + 95) / B, and needs the beats up to number (u + 63) / B: held_word() of golden/lanes.py, plus
// one word and as it is, in bits.

// First code, relative to low, of the counts from `cum` on.
inline uint32_t bound(uint32_t range, uint32_t cum) { return (range * cum) >> kCountBits; }

// Bits by which the window [low, high] moves: common leading bits, then underflows. Below the first
// bit m in which the ends differ, every bit that is 1 in low and 0 in high is an underflow.
inline unsigned shift_count(uint32_t low, uint32_t high) {
  const uint32_t below = low_mask(log2_floor(low ^ high));
  return kCodeBits - 2 - log2_floor(below & ~(low & ~high));
}

// The code in [low, high] with the most trailing zeros.
inline uint32_t roundest(uint32_t low, uint32_t high) {
  unsigned zeros = 0;
  while ((high >> zeros) != 0 && ((high >> (zeros + 1)) << (zeros + 1)) >= low) ++zeros;
  return (high >> zeros) << zeros;
}

}  // namespace atalanta

// The decoder's bulk without vectors: few lanes, or a machine without wide registers. What it lacks in
// width it makes up for with ways, whose long chains of dependent steps run side by side.
// Define TARGET before including it, and name the machine: each needs functions of its own.
#pragma once

#include "decode.h"

namespace atalanta {

template <class Machine, class Out>
TARGET bool decode_groups_scalar(Decoder& d, uint64_t groups, Out* out) {
  using Packed = PackedRow;
  const unsigned lanes = static_cast<unsigned>(d.p.lanes), ways = static_cast<unsigned>(d.p.ways);
  const uint32_t beat_bit = 1u << d.beat_shift;
  const uint64_t* const rows = d.packed_rows;
  Ways& state = d.ways;
  unsigned way = 0;
  uint64_t bad = 0;
  for (uint64_t k = 0; k < groups * kGroup; ++k) {
    for (unsigned lane = 0; lane < lanes; ++lane) {
      const uint32_t range = state.range[way][lane], delta = state.delta[way][lane];
      const uint64_t row = rows[(((delta + 1) << kCountBits) - 1) / range];
      const uint32_t from = bound(range, row & low_mask(Packed::kCumEnd));
      const uint32_t size = bound(range, row >> Packed::kCumEnd & low_mask(11)) - from;
      const uint32_t low = state.low[way][lane] + from;
      const unsigned shift = shift_count(low, low + size - 1);
      const uint32_t used = d.used[lane];
      const uint64_t window = load<uint64_t>(d.beats.at(lane, used)) >> used % 8;
      const unsigned offset_bits = row >> Packed::kOffsetBits & 31;
      const uint32_t refill = static_cast<uint32_t>(window) & low_mask(shift);
      const uint32_t offset = static_cast<uint32_t>(window >> shift) & low_mask(offset_bits);
      state.delta[way][lane] = (delta - from) << shift | refill;
      state.low[way][lane] = low << shift & 0x7fff;
      state.range[way][lane] = size << shift;
      bad |= (row >> Packed::kLastOffset) - offset;
      *out++ = static_cast<Out>((row >> Packed::kLowest) + offset);
      const uint32_t after = used + offset_bits + shift;
      d.used[lane] = after;
      if (((used + kAskBits) ^ (after + kAskBits)) & beat_bit)
        d.beats.give(lane, static_cast<int64_t>(k + ways));
    }
    if (bad >> 63) return false;
    way = way + 1 == ways ? 0 : way + 1;
  }
  return true;
}

}  // namespace atalanta

#include "coder.h"

namespace atalanta {

bool Segment::legal() const {
  if (bits < 2 || bits > static_cast<int32_t>(kMaxBits)) return false;
  if (!aligned_power(lanes, 1, kMaxLanes) || ways < 2 || ways > static_cast<int32_t>(kMaxWays)) return false;
  if (!aligned_power(beat_bytes, 16, 64) || lane_depth < 2 || lane_depth > 8) return false;
  if (bias != 0 && bias != 1 << (bits - 1)) return false;
  if (rows < 1 || rows > static_cast<int32_t>(kMaxRows) || v_min[0] != 0 || cum[0] != 0) return false;
  for (int32_t row = 0; row < rows; ++row) {
    if (v_min[row] >= v_end(row) || v_end(row) > 1u << bits) return false;
    if (cum[row] > cum_end(row) || cum_end(row) > kTotal) return false;
  }
  return true;
}

Row make_row(const Segment& segment, int32_t row) {
  const uint32_t last_offset = segment.v_end(row) - segment.v_min[row] - 1;
  return {segment.cum[row], segment.cum_end(row), bit_length(last_offset), segment.v_min[row], last_offset};
}

}  // namespace atalanta

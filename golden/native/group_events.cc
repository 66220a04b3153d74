#include "group_events.h"

namespace atalanta {

const std::array<uint64_t, 256> bit_places = [] {
  std::array<uint64_t, 256> all = {};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned found = 0;
    for (unsigned place = 0; place < 8; ++place) {
      if (byte >> place & 1) all[byte] |= static_cast<uint64_t>(place) << 8 * found++;
    }
  }
  return all;
}();

const std::array<uint8_t, 256> bit_counts = [] {
  std::array<uint8_t, 256> all = {};
  for (unsigned byte = 1; byte < 256; ++byte) all[byte] = all[byte / 2] + byte % 2;
  return all;
}();

}  // namespace atalanta

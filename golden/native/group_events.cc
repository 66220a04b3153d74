#include "group_events.h"

namespace atalanta {

const std::array<SetBits, 256> set_bits = [] {
  std::array<SetBits, 256> all = {};
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (unsigned place = 0; place < 8; ++place) {
      if (byte >> place & 1) all[byte].places |= static_cast<uint64_t>(place) << 8 * all[byte].count++;
    }
  }
  return all;
}();

}  // namespace atalanta

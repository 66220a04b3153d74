// Prefix codes of at most 16 bits: golden/reference/huffman.py. The caller makes the tables, whose
// entries are a code's bits or its symbol in the low 16 bits and its length above.

#include "bit_io.h"

namespace atalanta {
namespace {

constexpr unsigned kMaxLength = 16;
constexpr unsigned kAtOnce = kMostBits / kMaxLength;

template <class Code>
void encode(const Code* codes, uint64_t count, const uint32_t* table, uint8_t* payload) {
  BitWriter out(payload);
  uint64_t i = 0;
  while (i < count) {
    uint64_t fields = 0;
    unsigned used = 0;
    for (unsigned k = 0; k < kAtOnce && i < count; ++k, ++i) {
      const uint32_t entry = table[codes[i]];
      fields |= static_cast<uint64_t>(entry & low_mask(16)) << used;
      used += entry >> 16;
    }
    out.put(fields, used);
  }
}

template <class Code>
uint64_t decode(const uint8_t* payload, uint64_t bytes, uint64_t count, const uint32_t* table,
                unsigned window_bits, Code* codes) {
  BitReader in(payload, bytes);
  const uint32_t mask = low_mask(window_bits);
  uint64_t i = 0;
  while (i < count) {
    uint64_t fields = in.look();
    unsigned used = 0;
    for (unsigned k = 0; k < kAtOnce && i < count; ++k, ++i) {
      const uint32_t entry = table[fields & mask];
      codes[i] = static_cast<Code>(entry & low_mask(16));
      fields >>= entry >> 16;
      used += entry >> 16;
    }
    in.skip(used);
  }
  return in.position();
}

}  // namespace
}  // namespace atalanta

using namespace atalanta;

// table: an entry for each value of `code_bytes` bytes, the code's first bit lowest.
// payload: the bytes that the codes take and 8 more that may be written.
ATALANTA_API int32_t atalanta_huffman_encode(const void* codes, int32_t code_bytes, uint64_t count,
                                             const uint32_t* table, uint8_t* payload) {
  if (count > kMaxValues || (code_bytes != 1 && code_bytes != 2)) return kBadArgument;
  if (code_bytes == 1) {
    encode(static_cast<const uint8_t*>(codes), count, table, payload);
  } else {
    encode(static_cast<const uint16_t*>(codes), count, table, payload);
  }
  return kOk;
}

// table: an entry for every string of `window_bits` bits, its first bit lowest.
// used: set to the bits that the codes take; bits beyond the payload count as zeros.
ATALANTA_API int32_t atalanta_huffman_decode(const uint8_t* payload, uint64_t bytes, uint64_t count,
                                             const uint32_t* table, int32_t window_bits, void* codes,
                                             int32_t code_bytes, int64_t* used) {
  if (count > kMaxValues || (code_bytes != 1 && code_bytes != 2)) return kBadArgument;
  if (window_bits < 1 || window_bits > static_cast<int32_t>(kMaxLength)) return kBadArgument;
  const unsigned window = static_cast<unsigned>(window_bits);
  const uint64_t position = code_bytes == 1
                                ? decode(payload, bytes, count, table, window, static_cast<uint8_t*>(codes))
                                : decode(payload, bytes, count, table, window, static_cast<uint16_t*>(codes));
  *used = static_cast<int64_t>(position);
  return kOk;
}

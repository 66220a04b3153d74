// Values of n bits, one after the other: golden/reference/raw.py.

#include "bit_io.h"

namespace atalanta {
namespace {

template <class Code>
void pack(const Code* codes, uint64_t count, unsigned bits, uint8_t* payload) {
  BitWriter out(payload);
  const unsigned at_once = kMostBits / bits;
  uint64_t i = 0;
  for (; i + at_once <= count; i += at_once) {
    uint64_t fields = 0;
    for (unsigned k = 0; k < at_once; ++k) fields |= static_cast<uint64_t>(codes[i + k]) << k * bits;
    out.put(fields, at_once * bits);
  }
  for (; i < count; ++i) out.put(codes[i], bits);
}

template <class Code>
void unpack(const uint8_t* payload, uint64_t bytes, uint64_t count, unsigned bits, Code* codes) {
  BitReader in(payload, bytes);
  const unsigned at_once = kMostBits / bits;
  const uint64_t mask = low_mask(bits);
  uint64_t i = 0;
  for (; i + at_once <= count; i += at_once) {
    const uint64_t fields = in.look();
    for (unsigned k = 0; k < at_once; ++k) codes[i + k] = static_cast<Code>(fields >> k * bits & mask);
    in.skip(at_once * bits);
  }
  for (; i < count; ++i) codes[i] = static_cast<Code>(in.get(bits));
}

bool legal(uint64_t count, int32_t bits, int32_t code_bytes) {
  return count <= kMaxValues && bits >= 2 && (code_bytes == 1 || code_bytes == 2) && bits <= 8 * code_bytes;
}

}  // namespace
}  // namespace atalanta

using namespace atalanta;

// payload: ceil(count * bits / 8) bytes and 8 more that may be written. Codes are below 2^bits.
ATALANTA_API int32_t atalanta_raw_encode(const void* codes, int32_t code_bytes, uint64_t count, int32_t bits,
                                         uint8_t* payload) {
  if (!legal(count, bits, code_bytes)) return kBadArgument;
  const unsigned n = static_cast<unsigned>(bits);
  if (bits == 8 * code_bytes) {
    std::memcpy(payload, codes, count * static_cast<uint64_t>(code_bytes));
  } else if (code_bytes == 1) {
    pack(static_cast<const uint8_t*>(codes), count, n, payload);
  } else {
    pack(static_cast<const uint16_t*>(codes), count, n, payload);
  }
  return kOk;
}

ATALANTA_API int32_t atalanta_raw_decode(const uint8_t* payload, uint64_t bytes, uint64_t count, int32_t bits,
                                         void* codes, int32_t code_bytes) {
  if (!legal(count, bits, code_bytes)) return kBadArgument;
  const unsigned n = static_cast<unsigned>(bits);
  if (bytes < (count * n + 7) / 8) return kBadArgument;
  if (bits == 8 * code_bytes) {
    std::memcpy(codes, payload, count * static_cast<uint64_t>(code_bytes));
  } else if (code_bytes == 1) {
    unpack(payload, bytes, count, n, static_cast<uint8_t*>(codes));
  } else {
    unpack(payload, bytes, count, n, static_cast<uint16_t*>(codes));
  }
  return kOk;
}

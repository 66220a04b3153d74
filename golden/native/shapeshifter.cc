// ShapeShifter segments: golden/reference/shapeshifter.py, with the same bits and errors.

#include <algorithm>

#include "bit_io.h"

namespace atalanta {
namespace {

// As golden.params.ShapeShifterParams, with the width of a group's width field.
struct Params {
  int32_t bits, group, mask, zero_width, lead, width_bits;
};

constexpr unsigned kMaxGroup = 256;
constexpr unsigned kHeld = 8;       // groups whose header is known and whose values are not: lead and one
constexpr unsigned kMaskBits = 32;  // of a mask that are written or read at a time

bool legal(const Params& p, uint64_t count, int32_t code_bytes) {
  const int32_t most = p.zero_width ? p.bits : p.bits - 1;
  return count <= kMaxValues && p.bits >= 2 && (code_bytes == 1 || code_bytes == 2) &&
         p.bits <= 8 * code_bytes && p.group >= 8 && p.group <= static_cast<int32_t>(kMaxGroup) &&
         p.lead >= 1 && p.lead < static_cast<int32_t>(kHeld) &&
         p.width_bits == static_cast<int32_t>(bit_length(most));
}

// Bits of the widest of n codes.
template <class Code>
unsigned widest(const Code* codes, uint64_t n) {
  uint32_t all = 0;
  for (uint64_t i = 0; i < n; ++i) all |= codes[i];
  return bit_length(all);
}

// Value bits of all groups: at their width, at least one; at their width; non-zero values alone.
struct ValueBits {
  int64_t wide, narrow, masked;
};

template <class Code>
ValueBits measure(const Code* codes, uint64_t count, uint64_t group) {
  ValueBits sum = {};
  for (uint64_t at = 0; at < count; at += group) {
    const uint64_t n = std::min(group, count - at);
    const unsigned width = widest(codes + at, n);
    uint64_t stored = 0;
    for (uint64_t i = 0; i < n; ++i) stored += codes[at + i] != 0;
    sum.wide += static_cast<int64_t>(n * std::max(width, 1u));
    sum.narrow += static_cast<int64_t>(n * width);
    sum.masked += static_cast<int64_t>(stored * width);
  }
  return sum;
}

template <class Code>
void put_header(BitWriter& out, const Code* codes, uint64_t n, unsigned width, const Params& p) {
  out.put(p.zero_width ? width : width - 1, static_cast<unsigned>(p.width_bits));
  if (!p.mask) return;
  for (uint64_t at = 0; at < n; at += kMaskBits) {
    const unsigned part = static_cast<unsigned>(std::min<uint64_t>(kMaskBits, n - at));
    uint64_t mask = 0;
    for (unsigned i = 0; i < part; ++i) mask |= static_cast<uint64_t>(codes[at + i] != 0) << i;
    out.put(mask, part);
  }
}

template <class Code>
void put_values(BitWriter& out, const Code* codes, uint64_t n, unsigned width, const Params& p) {
  if (!width) return;
  const unsigned at_once = kMostBits / width;
  for (uint64_t at = 0; at < n; at += at_once) {
    const unsigned part = static_cast<unsigned>(std::min<uint64_t>(at_once, n - at));
    uint64_t fields = 0;
    unsigned used = 0;
    for (unsigned i = 0; i < part; ++i) {
      fields |= static_cast<uint64_t>(codes[at + i]) << used;
      used += p.mask && codes[at + i] == 0 ? 0 : width;
    }
    out.put(fields, used);
  }
}

template <class Code>
void encode(const Code* codes, uint64_t count, const Params& p, uint8_t* payload) {
  BitWriter out(payload);
  const uint64_t group = static_cast<uint64_t>(p.group), lead = static_cast<uint64_t>(p.lead);
  const uint64_t groups = (count + group - 1) / group;
  unsigned width[kHeld];
  for (uint64_t t = 0; groups && t < groups + lead; ++t) {
    if (t < groups) {
      const Code* here = codes + t * group;
      const uint64_t n = std::min(group, count - t * group);
      const unsigned w = widest(here, n);
      width[t % kHeld] = p.zero_width ? w : std::max(w, 1u);
      put_header(out, here, n, width[t % kHeld], p);
    }
    if (t >= lead) {
      const uint64_t at = (t - lead) * group;
      put_values(out, codes + at, std::min(group, count - at), width[(t - lead) % kHeld], p);
    }
  }
}

struct Header {
  unsigned width;
  uint32_t mask[kMaxGroup / kMaskBits];
};

Header get_header(BitReader& in, uint64_t n, const Params& p) {
  Header header = {};
  header.width = in.get(static_cast<unsigned>(p.width_bits)) + (p.zero_width ? 0 : 1);
  if (!p.mask) return header;
  for (uint64_t at = 0; at < n; at += kMaskBits) {
    const unsigned part = static_cast<unsigned>(std::min<uint64_t>(kMaskBits, n - at));
    header.mask[at / kMaskBits] = static_cast<uint32_t>(in.look() & ((uint64_t{1} << part) - 1));
    in.skip(part);
  }
  return header;
}

template <class Code>
void get_values(BitReader& in, Code* codes, uint64_t n, const Header& header, const Params& p) {
  if (!header.width) {
    std::memset(codes, 0, n * sizeof(Code));
    return;
  }
  const unsigned width = header.width, at_once = std::min(kMostBits / width, kMaskBits);
  const uint32_t value_mask = low_mask(width);
  for (uint64_t at = 0; at < n; at += at_once) {
    const unsigned part = static_cast<unsigned>(std::min<uint64_t>(at_once, n - at));
    const uint64_t fields = in.look();
    unsigned used = 0;
    for (unsigned i = 0; i < part; ++i) {
      const uint64_t k = at + i;
      const bool stored = !p.mask || (header.mask[k / kMaskBits] >> k % kMaskBits & 1);
      codes[k] = static_cast<Code>(stored ? static_cast<uint32_t>(fields >> used) & value_mask : 0);
      used += stored ? width : 0;
    }
    in.skip(used);
  }
}

// where: the group and its width (VALUE), or the bits used (LANE).
template <class Code>
Status decode(const uint8_t* payload, uint64_t bytes, uint64_t count, const Params& p, Code* codes,
              int64_t* slot_bits, int64_t where[2]) {
  BitReader in(payload, bytes);
  const uint64_t group = static_cast<uint64_t>(p.group), lead = static_cast<uint64_t>(p.lead);
  const uint64_t groups = (count + group - 1) / group;
  Header header[kHeld];
  for (uint64_t t = 0; groups && t < groups + lead; ++t) {
    const uint64_t before = in.position();
    if (t < groups) {
      Header& here = header[t % kHeld];
      here = get_header(in, std::min(group, count - t * group), p);
      if (here.width > static_cast<unsigned>(p.bits)) {
        where[0] = static_cast<int64_t>(t);
        where[1] = here.width;
        return kValueError;
      }
    }
    if (t >= lead) {
      const uint64_t at = (t - lead) * group;
      get_values(in, codes + at, std::min(group, count - at), header[(t - lead) % kHeld], p);
    }
    if (slot_bits) slot_bits[t] = static_cast<int64_t>(in.position() - before);
  }
  where[0] = static_cast<int64_t>(in.position());
  return (in.position() + 7) / 8 == bytes ? kOk : kLaneError;
}

}  // namespace
}  // namespace atalanta

using namespace atalanta;

// Fills in the value bits that a segment takes in every mode; see ValueBits.
ATALANTA_API int32_t atalanta_shapeshifter_measure(const void* codes, int32_t code_bytes, uint64_t count,
                                                   int32_t group, ValueBits* sum) {
  if (group < 1 || (code_bytes != 1 && code_bytes != 2)) return kBadArgument;
  const uint64_t n = static_cast<uint64_t>(group);
  *sum = code_bytes == 1 ? measure(static_cast<const uint8_t*>(codes), count, n)
                         : measure(static_cast<const uint16_t*>(codes), count, n);
  return kOk;
}

// payload: as many bytes as the segment takes, and 8 more that may be written. Codes are below 2^bits.
ATALANTA_API int32_t atalanta_shapeshifter_encode(const Params* p, const void* codes, int32_t code_bytes,
                                                  uint64_t count, uint8_t* payload) {
  if (!legal(*p, count, code_bytes)) return kBadArgument;
  if (code_bytes == 1) {
    encode(static_cast<const uint8_t*>(codes), count, *p, payload);
  } else {
    encode(static_cast<const uint16_t*>(codes), count, *p, payload);
  }
  return kOk;
}

// slot_bits: the bits taken in each slot, or null. where: two numbers that locate an error.
ATALANTA_API int32_t atalanta_shapeshifter_decode(const Params* p, const uint8_t* payload, uint64_t bytes,
                                                  uint64_t count, void* codes, int32_t code_bytes,
                                                  int64_t* slot_bits, int64_t* where) {
  if (!legal(*p, count, code_bytes)) return kBadArgument;
  return code_bytes == 1 ? decode(payload, bytes, count, *p, static_cast<uint8_t*>(codes), slot_bits, where)
                         : decode(payload, bytes, count, *p, static_cast<uint16_t*>(codes), slot_bits, where);
}

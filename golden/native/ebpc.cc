// Extended bit-plane compression: golden/reference/ebpc.py, with the same bits and errors.

#include <algorithm>

#include "bit_io.h"

namespace atalanta {
namespace {

// As golden.reference.ebpc.EbpcParams.
struct Params {
  int32_t bits, block, run_bits, zero;
};

constexpr unsigned kMaxBlock = 32;
constexpr unsigned kMaxPlanes = kMaxBits + 1;

// Codes of planes, the first bit lowest.
constexpr uint32_t kOneZero = 0b10, kZeroRun = 0b100;
constexpr uint32_t kAllOnes = 0b00000, kDbpZero = 0b10000, kTwoOnes = 0b01000, kSingleOne = 0b11000;
constexpr unsigned kOneZeroBits = 2, kZeroRunBits = 3, kRareBits = 5;

struct Layout {
  unsigned bits, block, run_bits, position_bits, plane_run_bits;
  uint32_t zero, plane_mask;

  explicit Layout(const Params& p)
      : bits(static_cast<unsigned>(p.bits)),
        block(static_cast<unsigned>(p.block)),
        run_bits(static_cast<unsigned>(p.run_bits)),
        position_bits(bit_length(block - 1)),
        plane_run_bits(bit_length(bits - 1)),
        zero(static_cast<uint32_t>(p.zero)),
        plane_mask(low_mask(block - 1)) {}
};

bool legal(const Params& p, uint64_t count, int32_t code_bytes) {
  return count <= kMaxValues && p.bits >= 2 && (code_bytes == 1 || code_bytes == 2) &&
         p.bits <= 8 * code_bytes && aligned_power(p.block, 4, kMaxBlock) && p.run_bits >= 1 &&
         p.run_bits <= 8 && p.zero >= 0 && p.zero < 1 << p.bits;
}

// Takes the place of a BitWriter where only the length matters.
class BitCounter {
 public:
  void put(uint64_t, unsigned width) { bits_ += width; }
  int64_t bits() const { return bits_; }

 private:
  int64_t bits_ = 0;
};

template <class Out>
void put_zero_planes(Out& out, unsigned run, const Layout& l) {
  if (run == 1) {
    out.put(kOneZero, kOneZeroBits);
  } else if (run > 1) {
    out.put(kZeroRun | (run - 2) << kZeroRunBits, kZeroRunBits + l.plane_run_bits);
  }
}

template <class Out>
void put_plane(Out& out, uint32_t dbx, uint32_t dbp, const Layout& l) {
  const uint32_t lowest = dbx & -dbx;
  if (dbx == l.plane_mask) {
    out.put(kAllOnes, kRareBits);
  } else if (!dbp) {
    out.put(kDbpZero, kRareBits);
  } else if (dbx == lowest || dbx == 3 * lowest) {
    const uint32_t code = dbx == lowest ? kSingleOne : kTwoOnes;
    out.put(code | log2_floor(lowest) << kRareBits, kRareBits + l.position_bits);
  } else {
    out.put(uint64_t{1} | static_cast<uint64_t>(dbx) << 1, l.block);
  }
}

// values: a whole block.
template <class Out>
void put_block(Out& out, const uint16_t* values, const Layout& l) {
  out.put(values[0], l.bits);
  uint32_t differences[kMaxBlock - 1];
  for (unsigned i = 0; i + 1 < l.block; ++i) differences[i] = uint32_t{values[i + 1]} - values[i];
  uint32_t above = 0;
  unsigned run = 0;
  for (unsigned bit = l.bits + 1; bit-- > 0;) {
    uint32_t dbp = 0;
    for (unsigned i = 0; i + 1 < l.block; ++i) dbp |= (differences[i] >> bit & 1) << i;
    const uint32_t dbx = dbp ^ above;
    above = dbp;
    if (!dbx) {
      ++run;
      continue;
    }
    put_zero_planes(out, run, l);
    put_plane(out, dbx, dbp, l);
    run = 0;
  }
  put_zero_planes(out, run, l);
}

template <class Out, class Code>
void put_blocks(Out& out, const Code* codes, uint64_t count, const Layout& l) {
  uint16_t block[kMaxBlock];
  unsigned held = 0;
  for (uint64_t i = 0; i < count; ++i) {
    block[held] = codes[i];
    held += codes[i] != l.zero;
    if (held == l.block) {
      put_block(out, block, l);
      held = 0;
    }
  }
  if (!held) return;
  std::fill(block + held, block + l.block, block[held - 1]);
  put_block(out, block, l);
}

template <class Out, class Code>
void put_zeros(Out& out, const Code* codes, uint64_t count, const Layout& l) {
  const uint64_t most = uint64_t{1} << l.run_bits;
  for (uint64_t i = 0; i < count;) {
    if (codes[i] != l.zero) {
      out.put(1, 1);
      ++i;
      continue;
    }
    const uint64_t end = std::min(count, i + most);
    uint64_t run = 1;
    while (i + run < end && codes[i + run] == l.zero) ++run;
    out.put((run - 1) << 1, 1 + l.run_bits);
    i += run;
  }
}

// Where something went wrong, for the error's text: numbers by error, as the caller knows them.
struct Where {
  int64_t what, number, value;
};
enum What : int64_t { kZeros, kPlanes, kValue };

template <class Code>
bool get_zeros(BitReader& in, Code* codes, uint64_t count, const Layout& l, Where& where) {
  uint64_t i = 0;
  while (i < count) {
    if (in.get(1)) {
      codes[i++] = static_cast<Code>(l.zero ^ 1);  // until its value is known
      continue;
    }
    const uint64_t end = i + in.get(l.run_bits) + 1;
    if (end > count) {
      where = {kZeros, static_cast<int64_t>(end), 0};
      return false;
    }
    std::fill(codes + i, codes + end, static_cast<Code>(l.zero));
    i = end;
  }
  return true;
}

uint32_t get_rare(BitReader& in, uint32_t above, const Layout& l) {
  const uint32_t code = in.get(2) << 3;
  if (code == kAllOnes) return l.plane_mask;
  if (code == kDbpZero) return above;
  const uint64_t ones = code == kTwoOnes ? 3 : 1;
  return static_cast<uint32_t>(ones << in.get(l.position_bits)) & l.plane_mask;
}

bool get_planes(BitReader& in, uint32_t* planes, const Layout& l, int64_t block, Where& where) {
  unsigned n = 0;
  uint32_t above = 0;
  while (n <= l.bits) {
    if (in.get(1)) {
      planes[n++] = above ^= in.get(l.block - 1);
    } else if (in.get(1)) {
      planes[n++] = above;
    } else if (in.get(1)) {
      const unsigned run = in.get(l.plane_run_bits) + 2;
      if (n + run > l.bits + 1) {
        where = {kPlanes, block, n + run};
        return false;
      }
      std::fill(planes + n, planes + n + run, above);
      n += run;
    } else {
      planes[n++] = above ^= get_rare(in, above, l);
    }
  }
  return true;
}

bool get_block(BitReader& in, uint16_t* values, const Layout& l, int64_t block, Where& where) {
  uint32_t planes[kMaxPlanes];
  int32_t value = static_cast<int32_t>(in.get(l.bits));
  if (!get_planes(in, planes, l, block, where)) return false;
  values[0] = static_cast<uint16_t>(value);
  for (unsigned i = 0; i + 1 < l.block; ++i) {
    int32_t difference = -static_cast<int32_t>(planes[0] >> i & 1);  // the sign
    for (unsigned k = 1; k <= l.bits; ++k) {
      difference = difference * 2 + static_cast<int32_t>(planes[k] >> i & 1);
    }
    value += difference;
    if (value < 0 || value >> l.bits) {
      where = {kValue, block, value};
      return false;
    }
    values[i + 1] = static_cast<uint16_t>(value);
  }
  return true;
}

template <class Code>
int32_t decode(BitReader& in, Code* codes, uint64_t count, const Layout& l, Where& where) {
  if (!get_zeros(in, codes, count, l, where)) return kValueError;
  uint16_t values[kMaxBlock];
  unsigned left = 0;
  int64_t blocks = 0;
  for (uint64_t i = 0; i < count; ++i) {
    if (codes[i] == l.zero) continue;
    if (!left) {
      if (!get_block(in, values, l, blocks++, where)) return kValueError;
      left = l.block;
    }
    codes[i] = static_cast<Code>(values[l.block - left--]);
  }
  return kOk;
}

template <class Out, class Code>
void encode(Out& out, const Code* codes, uint64_t count, const Layout& l) {
  put_zeros(out, codes, count, l);
  put_blocks(out, codes, count, l);
}

}  // namespace
}  // namespace atalanta

using namespace atalanta;

// bits: set to those of the blocks; those of the zeros follow from the histogram of runs.
ATALANTA_API int32_t atalanta_ebpc_measure(const Params* p, const void* codes, int32_t code_bytes,
                                           uint64_t count, int64_t* bits) {
  if (!legal(*p, count, code_bytes)) return kBadArgument;
  const Layout layout(*p);
  BitCounter out;
  if (code_bytes == 1) {
    put_blocks(out, static_cast<const uint8_t*>(codes), count, layout);
  } else {
    put_blocks(out, static_cast<const uint16_t*>(codes), count, layout);
  }
  *bits = out.bits();
  return kOk;
}

// payload: the bytes that the bits take and 8 more that may be written.
ATALANTA_API int32_t atalanta_ebpc_encode(const Params* p, const void* codes, int32_t code_bytes,
                                          uint64_t count, uint8_t* payload) {
  if (!legal(*p, count, code_bytes)) return kBadArgument;
  const Layout layout(*p);
  BitWriter out(payload);
  if (code_bytes == 1) {
    encode(out, static_cast<const uint8_t*>(codes), count, layout);
  } else {
    encode(out, static_cast<const uint16_t*>(codes), count, layout);
  }
  return kOk;
}

// where: for kValueError what is wrong, its number and its value; for kLaneError the bits used.
ATALANTA_API int32_t atalanta_ebpc_decode(const Params* p, const uint8_t* payload, uint64_t bytes,
                                          uint64_t count, void* codes, int32_t code_bytes, int64_t* where) {
  if (!legal(*p, count, code_bytes)) return kBadArgument;
  const Layout layout(*p);
  BitReader in(payload, bytes);
  Where found = {};
  const int32_t status = code_bytes == 1 ? decode(in, static_cast<uint8_t*>(codes), count, layout, found)
                                         : decode(in, static_cast<uint16_t*>(codes), count, layout, found);
  where[0] = found.what;
  where[1] = found.number;
  where[2] = found.value;
  if (status != kOk) return status;
  where[0] = static_cast<int64_t>(in.position());
  return (in.position() + 7) / 8 == bytes ? kOk : kLaneError;
}

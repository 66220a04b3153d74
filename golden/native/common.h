// What every part of the library shares: little-endian memory access, limits and status codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the compressed bits are read and written as little-endian words"
#endif

#define ATALANTA_API extern "C" __attribute__((visibility("default")))

namespace atalanta {

// Version of the API functions; golden/compiled.py checks it. Raise both with any change to one.
constexpr int32_t kInterface = 3;

constexpr unsigned kMaxLanes = 64;
constexpr unsigned kMaxWays = 8;
constexpr unsigned kMaxRows = 32;
constexpr unsigned kMaxBits = 16;
constexpr unsigned kCountBits = 10;
constexpr unsigned kTotal = 1u << kCountBits;
constexpr unsigned kCodeBits = 16;
constexpr uint64_t kMaxValues = 1u << 24;

// Results of the library's functions; VALUE and LANE have the numbers of golden/errors.py.
enum Status : int32_t { kOk = 0, kValueError = 12, kLaneError = 13, kBadArgument = -1, kNoMemory = -2 };

template <class T>
inline T load(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
inline void store(void* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

constexpr uint32_t low_mask(unsigned bits) { return (1u << bits) - 1; }  // bits < 32

// Position of the highest set bit; x is not 0.
inline unsigned log2_floor(uint32_t x) { return 31 - static_cast<unsigned>(__builtin_clz(x)); }

// Bits of a number: 0 for 0.
inline unsigned bit_length(uint32_t x) { return x ? log2_floor(x) + 1 : 0; }

inline bool aligned_power(int64_t x, int64_t low, int64_t high) {
  return low <= x && x <= high && (x & (x - 1)) == 0;
}

}  // namespace atalanta

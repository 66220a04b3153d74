// How often each value occurs.

#include <memory>
#include <new>

#include "search.h"

namespace atalanta {
namespace {

constexpr uint64_t kPart = uint64_t{1} << 31;  // values among which no 32-bit count overflows

template <class Value>
void count(const Value* values, uint64_t n, int64_t* counts) {
  constexpr size_t kBins = size_t{1} << 8 * sizeof(Value);
  constexpr unsigned kBits = 8 * sizeof(Value), kAtOnce = 64 / kBits;
  // Neighbouring bytes are often equal; counting them in different arrays spares the processor the
  // wait for a count that it has just written.
  constexpr unsigned kArrays = sizeof(Value) == 1 ? 8 : 1;
  const std::unique_ptr<uint32_t[]> memory(new uint32_t[kArrays * kBins]);
  uint32_t* bins = memory.get();
  for (uint64_t from = 0; from < n; from += kPart) {
    const uint64_t to = n - from < kPart ? n : from + kPart;
    std::memset(bins, 0, kArrays * kBins * sizeof(uint32_t));
    uint64_t i = from;
    for (; i + kAtOnce <= to; i += kAtOnce) {
      const uint64_t several = load<uint64_t>(values + i);
      for (unsigned k = 0; k < kAtOnce; ++k) {
        ++bins[k % kArrays * kBins + static_cast<Value>(several >> k * kBits)];
      }
    }
    for (; i < to; ++i) ++bins[values[i]];
    for (size_t bin = 0; bin < kBins; ++bin) {
      for (unsigned k = 0; k < kArrays; ++k) counts[bin] += bins[k * kBins + bin];
    }
  }
}

}  // namespace
}  // namespace atalanta

int32_t atalanta_histogram(const void* values, int32_t value_bytes, uint64_t n, int64_t* counts) try {
  if (value_bytes == 1) {
    atalanta::count(static_cast<const uint8_t*>(values), n, counts);
  } else if (value_bytes == 2) {
    atalanta::count(static_cast<const uint16_t*>(values), n, counts);
  } else {
    return atalanta::kBadArgument;
  }
  return atalanta::kOk;
} catch (const std::bad_alloc&) {
  return atalanta::kNoMemory;
}

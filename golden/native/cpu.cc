#include "cpu.h"

#include <algorithm>
#include <atomic>

#include "common.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace atalanta {
namespace {

std::atomic<unsigned> limit{16};

#if defined(__x86_64__)
bool has_lzcnt() {  // not every compiler's __builtin_cpu_supports knows it
  unsigned a, b, c = 0, d;
  return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT);
}
#endif

unsigned detect() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vbmi") &&
      __builtin_cpu_supports("avx512vbmi2")) {
    return 16;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
      has_lzcnt()) {
    return 8;
  }
#endif
  return 0;
}

}  // namespace

unsigned vector_lanes() {
  static const unsigned found = detect();
  return std::min(found, limit.load(std::memory_order_relaxed));
}

}  // namespace atalanta

// Keeps to vectors of `lanes` elements or fewer from now on: 16, 8 or 0. Returns the width in use. No
// result depends on it; tests take it to run all code that a machine has.
ATALANTA_API int32_t atalanta_limit_vectors(int32_t lanes) {
  atalanta::limit.store(static_cast<unsigned>(lanes), std::memory_order_relaxed);
  return static_cast<int32_t>(atalanta::vector_lanes());
}

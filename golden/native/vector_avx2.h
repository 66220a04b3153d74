// Eight lanes in one AVX2 register. Include it in a file that defines TARGET for AVX2.
#pragma once

#include <immintrin.h>

#include "coder.h"

namespace atalanta {

struct Avx2 {
  static constexpr unsigned N = 8;
  using U = __m256i;

  TARGET static U set(uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  TARGET static U load(const uint32_t* from) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
  }
  TARGET static void store(uint32_t* to, U x) { _mm256_store_si256(reinterpret_cast<__m256i*>(to), x); }
  TARGET static U load_unaligned(const uint32_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  TARGET static void store_unaligned(uint32_t* to, U x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x);
  }
  TARGET static U add(U a, U b) { return _mm256_add_epi32(a, b); }
  TARGET static U sub(U a, U b) { return _mm256_sub_epi32(a, b); }
  TARGET static U mul(U a, U b) { return _mm256_mullo_epi32(a, b); }
  TARGET static U both(U a, U b) { return _mm256_and_si256(a, b); }
  TARGET static U either(U a, U b) { return _mm256_or_si256(a, b); }
  TARGET static U differ(U a, U b) { return _mm256_xor_si256(a, b); }
  TARGET static U without(U a, U b) { return _mm256_andnot_si256(b, a); }  // a & ~b
  TARGET static U left(U a, U n) { return _mm256_sllv_epi32(a, n); }
  TARGET static U right(U a, U n) { return _mm256_srlv_epi32(a, n); }
  template <unsigned n>
  TARGET static U left(U a) {
    return _mm256_slli_epi32(a, n);
  }
  template <unsigned n>
  TARGET static U right(U a) {
    return _mm256_srli_epi32(a, n);
  }

  // a | (b & ~c)
  TARGET static U merge(U a, U b, U c) { return either(a, without(b, c)); }

  // Bit i: whether element i has the bit of `bit`.
  TARGET static uint64_t test(U a, U bit) {
    const U found = _mm256_cmpeq_epi32(both(a, bit), bit);
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(found)));
  }

  // Bits n .. n+31 of high:low, n < 32.
  TARGET static U funnel(U low, U high, U n) { return either(right(low, n), left(high, sub(set(32), n))); }

  // shift_count() of coder.h.
  TARGET static U shift_count(U low, U high) {
    const U below = sub(left(set(1), log2_floor(differ(low, high))), set(1));
    return sub(set(kCodeBits - 2), log2_floor(without(below, without(low, high))));
  }

  // A table of 16 or 32 entries.
  template <bool kLong>
  struct Lookup {
    U part[kLong ? 4 : 2];
    TARGET explicit Lookup(const uint32_t* entries) {
      for (unsigned i = 0; i < (kLong ? 4 : 2); ++i) {
        part[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(entries + 8 * i));
      }
    }
    TARGET U operator[](U index) const {
      const __m256 bit3 = _mm256_castsi256_ps(left<28>(index));
      const __m256 low = choose(index, part[0], part[1], bit3);
      if constexpr (kLong) {
        const __m256 high = choose(index, part[2], part[3], bit3);
        return _mm256_castps_si256(_mm256_blendv_ps(low, high, _mm256_castsi256_ps(left<27>(index))));
      }
      return _mm256_castps_si256(low);
    }

   private:
    TARGET static __m256 choose(U index, U if_clear, U if_set, __m256 bit) {
      return _mm256_blendv_ps(_mm256_permutevar8x32_ps(_mm256_castsi256_ps(if_clear), index),
                              _mm256_permutevar8x32_ps(_mm256_castsi256_ps(if_set), index), bit);
    }
  };

  // The number of limits[1..] below numerator / denominator, which both are exact as floats; limits
  // rise. The row decoder's search; see decode_body.h.
  template <bool kLong>
  struct Search {
    // A binary search whose level k has its 2^k limits in one register, all but the fifth.
    __m256 level[4];
    Lookup<false> fifth;
    TARGET explicit Search(const float* limits) : fifth(odd(limits).entries) {
      constexpr unsigned rows = kLong ? 32 : 16;
      for (unsigned k = 0; k < 4; ++k) {
        alignas(32) float here[8] = {};
        for (unsigned i = 0; i < 1u << k; ++i) here[i] = limits[(2 * i + 1) * (rows >> (k + 1))];
        level[k] = _mm256_load_ps(here);
      }
    }
    TARGET U operator()(U numerator, U denominator) const {
      const __m256 x = _mm256_div_ps(_mm256_cvtepi32_ps(numerator), _mm256_cvtepi32_ps(denominator));
      U index = _mm256_setzero_si256();
#pragma GCC unroll 4
      for (unsigned k = 0; k < 4; ++k) index = step(x, index, _mm256_permutevar8x32_ps(level[k], index));
      if constexpr (kLong) index = step(x, index, _mm256_castsi256_ps(fifth[index]));
      return index;
    }

   private:
    struct Entries {
      uint32_t entries[16];
    };
    TARGET static Entries odd(const float* limits) {
      Entries all;
      for (unsigned i = 0; i < 16; ++i) std::memcpy(&all.entries[i], &limits[2 * i + 1], sizeof(float));
      return all;
    }
    TARGET static U step(__m256 x, U index, __m256 limit) {
      return sub(add(index, index), _mm256_castps_si256(_mm256_cmp_ps(x, limit, _CMP_GT_OQ)));
    }
  };

  TARGET static U load_narrow(const uint8_t* from) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
  }
  TARGET static U load_narrow(const uint16_t* from) {
    return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  TARGET static void store_narrow(uint8_t* to, U x) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(halves(x), halves(x)));
  }
  TARGET static void store_narrow(uint16_t* to, U x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), halves(x));
  }

  // word[w] element i = 32-bit word w of the 16 bytes at base + at[i].
  TARGET static void load_words(const uint8_t* base, const uint32_t* at, U word[4]) {
    const U a = pair(base, at + 0), b = pair(base, at + 1), c = pair(base, at + 2), d = pair(base, at + 3);
    const U ab_low = _mm256_unpacklo_epi32(a, b), ab_high = _mm256_unpackhi_epi32(a, b);
    const U cd_low = _mm256_unpacklo_epi32(c, d), cd_high = _mm256_unpackhi_epi32(c, d);
    word[0] = _mm256_unpacklo_epi64(ab_low, cd_low);
    word[1] = _mm256_unpackhi_epi64(ab_low, cd_low);
    word[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
    word[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
  }

  // 64-bit numbers, one per lane: those of lanes 4q, 4q+1 and those of lanes 4q+2, 4q+3.
  struct Pair {
    U low, high;
  };

  // first | second << width, fields of up to 32 bits.
  TARGET static Pair join(U first, U second, U width) {
    const U low = either(first, left(second, width)), high = right(second, sub(set(32), width));
    return {_mm256_unpacklo_epi32(low, high), _mm256_unpackhi_epi32(low, high)};
  }

  // Element i: early << early_at | late << late_at, 128 bits, to base + at[i]; the bits that stood in
  // the last of the 16 bytes stay. 0 <= early_at, 64 <= late_at.
  TARGET static void store_pairs(uint8_t* base, const uint32_t* at, Pair early, Pair late, U early_at,
                                 U late_at) {
    // Shifts by 64 and more, and by less than none, give 0.
    const Pair by = widen(early_at), over = widen(sub(early_at, set(64)));
    const Pair under = widen(sub(set(64), early_at)), late_by = widen(sub(late_at, set(64)));
    store_half(base, at, early.low, late.low, by.low, over.low, under.low, late_by.low);
    store_half(base, at + 2, early.high, late.high, by.high, over.high, under.high, late_by.high);
  }

 private:
  TARGET static Pair widen(U x) {
    const U zero = _mm256_setzero_si256();
    return {_mm256_unpacklo_epi32(x, zero), _mm256_unpackhi_epi32(x, zero)};
  }
  TARGET static void store_half(uint8_t* base, const uint32_t* at, U early, U late, U by, U over, U under,
                                U late_by) {
    const U low = _mm256_sllv_epi64(early, by);
    const U high = either(either(_mm256_sllv_epi64(early, over), _mm256_srlv_epi64(early, under)),
                          _mm256_sllv_epi64(late, late_by));
    const U even = _mm256_unpacklo_epi64(low, high), odd = _mm256_unpackhi_epi64(low, high);
    store_onto(base + at[0], _mm256_castsi256_si128(even));
    store_onto(base + at[1], _mm256_castsi256_si128(odd));
    store_onto(base + at[4], _mm256_extracti128_si256(even, 1));
    store_onto(base + at[5], _mm256_extracti128_si256(odd, 1));
  }
  TARGET static void store_onto(uint8_t* to, __m128i x) {
    const uint8_t last = to[15];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), x);
    to[15] |= last;
  }

  // floor(log2 x) for x from 1 to 2^24: the exponent of the float.
  TARGET static U log2_floor(U x) {
    return sub(right<23>(_mm256_castps_si256(_mm256_cvtepi32_ps(x))), set(127));
  }
  // The low halves of all elements.
  TARGET static __m128i halves(U x) {
    return _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  }
  // The 16 bytes at base + at[0] and at base + at[4].
  TARGET static U pair(const uint8_t* base, const uint32_t* at) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(bytes(base + at[0])), bytes(base + at[4]), 1);
  }
  TARGET static __m128i bytes(const uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
};

}  // namespace atalanta

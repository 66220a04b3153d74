// Sixteen lanes in one AVX-512 register (VL, BW, CD and VBMI2 too: Ice Lake, Zen 4 and later).
// Include it in a file that defines TARGET for these extensions.
#pragma once

#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // false alarms in GCC 12's own header
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

#include "coder.h"

namespace atalanta {

struct Avx512 {
  static constexpr unsigned N = 16;
  using U = __m512i;

  TARGET static U set(uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  TARGET static U load(const uint32_t* from) { return _mm512_load_si512(from); }
  TARGET static void store(uint32_t* to, U x) { _mm512_store_si512(to, x); }
  TARGET static U load_unaligned(const uint32_t* from) { return _mm512_loadu_si512(from); }
  TARGET static void store_unaligned(uint32_t* to, U x) { _mm512_storeu_si512(to, x); }
  TARGET static U add(U a, U b) { return _mm512_add_epi32(a, b); }
  TARGET static U sub(U a, U b) { return _mm512_sub_epi32(a, b); }
  TARGET static U mul(U a, U b) { return _mm512_mullo_epi32(a, b); }
  TARGET static U both(U a, U b) { return _mm512_and_si512(a, b); }
  TARGET static U either(U a, U b) { return _mm512_or_si512(a, b); }
  TARGET static U differ(U a, U b) { return _mm512_xor_si512(a, b); }
  TARGET static U without(U a, U b) { return _mm512_andnot_si512(b, a); }  // a & ~b
  TARGET static U left(U a, U n) { return _mm512_sllv_epi32(a, n); }
  TARGET static U right(U a, U n) { return _mm512_srlv_epi32(a, n); }
  template <unsigned n>
  TARGET static U left(U a) {
    return _mm512_slli_epi32(a, n);
  }
  template <unsigned n>
  TARGET static U right(U a) {
    return _mm512_srli_epi32(a, n);
  }

  // a | (b & ~c)
  TARGET static U merge(U a, U b, U c) { return _mm512_ternarylogic_epi32(a, b, c, 0xf4); }

  // Bit i: whether element i has a bit of `bits`.
  TARGET static uint64_t test(U a, U bits) { return _mm512_test_epi32_mask(a, bits); }

  // Bits n .. n+31 of high:low, n < 32.
  TARGET static U funnel(U low, U high, U n) { return _mm512_shrdv_epi32(low, high, n); }

  // shift_count() of coder.h.
  TARGET static U shift_count(U low, U high) {
    const U below = right(set(0x7fffffff), _mm512_lzcnt_epi32(differ(low, high)));
    const U stop = _mm512_ternarylogic_epi32(low, high, below, 0x8a);  // (~low | high) & below
    return sub(_mm512_lzcnt_epi32(stop), set(32 - (kCodeBits - 1)));
  }

  // A table of 16 or 32 entries.
  template <bool kLong>
  struct Lookup {
    U low, high;
    TARGET explicit Lookup(const uint32_t* entries) : low(_mm512_loadu_si512(entries)), high(low) {
      if constexpr (kLong) high = _mm512_loadu_si512(entries + 16);
    }
    TARGET U operator[](U index) const {
      if constexpr (kLong) return _mm512_permutex2var_epi32(low, index, high);
      return _mm512_permutexvar_epi32(index, low);
    }
  };

  // The number of limits[1..] below numerator / denominator, which both are exact as floats; limits
  // rise. The row decoder's search; see decode_body.h.
  template <bool kLong>
  struct Search {
    Lookup<kLong> at8, at4, at2, at1;  // atS[i] = limits[i + S]
    __m512 first;
    TARGET explicit Search(const float* limits)
        : at8(bits(limits, 8)),
          at4(bits(limits, 4)),
          at2(bits(limits, 2)),
          at1(bits(limits, 1)),
          first(_mm512_set1_ps(limits[kLong ? 16 : 8])) {}
    TARGET U operator()(U numerator, U denominator) const {
      const __m512 x = _mm512_div_ps(_mm512_cvtepi32_ps(numerator), _mm512_cvtepi32_ps(denominator));
      U index = _mm512_maskz_set1_epi32(_mm512_cmp_ps_mask(x, first, _CMP_GT_OQ), kLong ? 16 : 8);
      if constexpr (kLong) index = step<8>(x, index, at8);
      index = step<4>(x, index, at4);
      index = step<2>(x, index, at2);
      return step<1>(x, index, at1);
    }

   private:
    static const uint32_t* bits(const float* limits, unsigned from) {
      return reinterpret_cast<const uint32_t*>(limits + from);
    }
    template <int kStep>
    TARGET static U step(__m512 x, U index, const Lookup<kLong>& table) {
      const __mmask16 above = _mm512_cmp_ps_mask(x, _mm512_castsi512_ps(table[index]), _CMP_GT_OQ);
      return _mm512_mask_add_epi32(index, above, index, _mm512_set1_epi32(kStep));
    }
  };

  TARGET static U load_narrow(const uint8_t* from) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  TARGET static U load_narrow(const uint16_t* from) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  TARGET static void store_narrow(uint8_t* to, U x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(x));
  }
  TARGET static void store_narrow(uint16_t* to, U x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(x));
  }

  // word[w] element i = 32-bit word w of the 16 bytes at base + at[i].
  TARGET static void load_words(const uint8_t* base, const uint32_t* at, U word[4]) {
    const U a = quarters(base, at + 0), b = quarters(base, at + 1);
    const U c = quarters(base, at + 2), d = quarters(base, at + 3);
    const U ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
    const U cd_low = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);
    word[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
    word[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
    word[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
    word[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
  }

  // 64-bit numbers, one per lane: those of lanes 4q, 4q+1 and those of lanes 4q+2, 4q+3.
  struct Pair {
    U low, high;
  };

  // first | second << width, fields of up to 32 bits.
  TARGET static Pair join(U first, U second, U width) {
    const U low = either(first, left(second, width)), high = right(second, sub(set(32), width));
    return {_mm512_unpacklo_epi32(low, high), _mm512_unpackhi_epi32(low, high)};
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
    const U zero = _mm512_setzero_si512();
    return {_mm512_unpacklo_epi32(x, zero), _mm512_unpackhi_epi32(x, zero)};
  }
  TARGET static void store_half(uint8_t* base, const uint32_t* at, U early, U late, U by, U over, U under,
                                U late_by) {
    const U low = _mm512_sllv_epi64(early, by);
    const U high = either(either(_mm512_sllv_epi64(early, over), _mm512_srlv_epi64(early, under)),
                          _mm512_sllv_epi64(late, late_by));
    const U even = _mm512_unpacklo_epi64(low, high), odd = _mm512_unpackhi_epi64(low, high);
    store_onto(base + at[0], _mm512_castsi512_si128(even));
    store_onto(base + at[1], _mm512_castsi512_si128(odd));
    store_onto(base + at[4], _mm512_extracti32x4_epi32(even, 1));
    store_onto(base + at[5], _mm512_extracti32x4_epi32(odd, 1));
    store_onto(base + at[8], _mm512_extracti32x4_epi32(even, 2));
    store_onto(base + at[9], _mm512_extracti32x4_epi32(odd, 2));
    store_onto(base + at[12], _mm512_extracti32x4_epi32(even, 3));
    store_onto(base + at[13], _mm512_extracti32x4_epi32(odd, 3));
  }
  TARGET static void store_onto(uint8_t* to, __m128i x) {
    const uint8_t last = to[15];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), x);
    to[15] |= last;
  }

  // The 16 bytes at base + at[0], at[4], at[8], at[12].
  TARGET static U quarters(const uint8_t* base, const uint32_t* at) {
    const U one = _mm512_castsi128_si512(bytes(base + at[0]));
    const U two = _mm512_inserti32x4(one, bytes(base + at[4]), 1);
    const U three = _mm512_inserti32x4(two, bytes(base + at[8]), 2);
    return _mm512_inserti32x4(three, bytes(base + at[12]), 3);
  }
  TARGET static __m128i bytes(const uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
};

}  // namespace atalanta

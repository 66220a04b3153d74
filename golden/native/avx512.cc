// Atalanta's bulk with AVX-512: sixteen lanes at a time.

#if defined(__x86_64__)

#define TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512cd,avx512vbmi,avx512vbmi2")))
#include "vector_avx512.h"
//
#include "decode_body.h"
#include "encode_body.h"
#include "vector.h"

namespace atalanta {

template <class Out>
DecodeBody<Out> decode_body_avx512(unsigned rows) {
  return rows > 16 ? decode_groups<Avx512, true, Out> : decode_groups<Avx512, false, Out>;
}

template DecodeBody<uint8_t> decode_body_avx512(unsigned);
template DecodeBody<uint16_t> decode_body_avx512(unsigned);

// Looks up 64 values at a time.
TARGET static bool find_rows(const uint8_t* row_of, const void* values, uint64_t n, uint8_t* rows) {
  const __m512i part0 = _mm512_loadu_si512(row_of), part1 = _mm512_loadu_si512(row_of + 64);
  const __m512i part2 = _mm512_loadu_si512(row_of + 128), part3 = _mm512_loadu_si512(row_of + 192);
  const uint8_t* from = static_cast<const uint8_t*>(values);
  __m512i all = _mm512_setzero_si512();
  for (uint64_t i = 0; i < n; i += 64) {
    const __mmask64 here = n - i < 64 ? (uint64_t{1} << (n - i)) - 1 : ~uint64_t{0};
    const __m512i value = _mm512_maskz_loadu_epi8(here, from + i);
    const __m512i row =
        _mm512_mask_blend_epi8(_mm512_movepi8_mask(value), _mm512_permutex2var_epi8(part0, value, part1),
                               _mm512_permutex2var_epi8(part2, value, part3));
    all = _mm512_or_si512(all, _mm512_maskz_mov_epi8(here, row));
    _mm512_mask_storeu_epi8(rows + i, here, row);
  }
  return _mm512_movepi8_mask(all) == 0;
}

template <bool kLong>
static EncodeBodies encode_bodies_for(unsigned value_bytes) {
  return {
      forward_groups<Avx512, kLong>,
      value_bytes == 1 ? backward_groups<Avx512, kLong, uint8_t> : backward_groups<Avx512, kLong, uint16_t>,
      value_bytes == 1 ? find_rows : nullptr};
}

EncodeBodies encode_bodies_avx512(unsigned rows, unsigned value_bytes) {
  return rows > 16 ? encode_bodies_for<true>(value_bytes) : encode_bodies_for<false>(value_bytes);
}

}  // namespace atalanta

#endif

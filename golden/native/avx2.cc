// Atalanta's bulk with AVX2, eight lanes at a time, and without vectors but with the bit instructions
// of the same machines.

#if defined(__x86_64__)

#define TARGET __attribute__((target("avx2,bmi,bmi2,lzcnt")))
#include "vector_avx2.h"
//
#include "decode_body.h"
#include "decode_scalar.h"
#include "encode_body.h"
#include "vector.h"

namespace atalanta {

template <class Out>
DecodeBody<Out> decode_body_avx2(unsigned lanes, unsigned rows) {
  if (lanes < Avx2::N) return decode_groups_scalar<Avx2, Out>;
  return rows > 16 ? decode_groups<Avx2, true, Out> : decode_groups<Avx2, false, Out>;
}

template DecodeBody<uint8_t> decode_body_avx2(unsigned, unsigned);
template DecodeBody<uint16_t> decode_body_avx2(unsigned, unsigned);

template <bool kLong>
static EncodeBodies encode_bodies_for(unsigned value_bytes) {
  return {forward_groups<Avx2, kLong>,
          value_bytes == 1 ? backward_groups<Avx2, kLong, uint8_t> : backward_groups<Avx2, kLong, uint16_t>,
          nullptr};
}

EncodeBodies encode_bodies_avx2(unsigned rows, unsigned value_bytes) {
  return rows > 16 ? encode_bodies_for<true>(value_bytes) : encode_bodies_for<false>(value_bytes);
}

}  // namespace atalanta

#endif

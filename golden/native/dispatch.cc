// Chooses, at run time, among the vector code that the machine has.

#include "cpu.h"
#include "vector.h"

#define TARGET
#include "decode_scalar.h"

namespace atalanta {

struct AnyMachine;

#if defined(__x86_64__)

template <class Out>
DecodeBody<Out> decode_body(unsigned lanes, unsigned rows) {
  if (lanes >= 16 && vector_lanes() >= 16) return decode_body_avx512<Out>(rows);
  if (vector_lanes() >= 8) return decode_body_avx2<Out>(lanes, rows);
  return decode_groups_scalar<AnyMachine, Out>;
}

EncodeBodies encode_bodies(unsigned lanes, unsigned rows, unsigned value_bytes) {
  if (lanes >= 16 && vector_lanes() >= 16) return encode_bodies_avx512(rows, value_bytes);
  if (lanes >= 8 && vector_lanes() >= 8) return encode_bodies_avx2(rows, value_bytes);
  return {};
}

#else

EncodeBodies encode_bodies(unsigned, unsigned, unsigned) { return {}; }

template <class Out>
DecodeBody<Out> decode_body(unsigned, unsigned) {
  return decode_groups_scalar<AnyMachine, Out>;
}

#endif

template DecodeBody<uint8_t> decode_body(unsigned, unsigned);
template DecodeBody<uint16_t> decode_body(unsigned, unsigned);

}  // namespace atalanta

ATALANTA_API int32_t atalanta_interface() { return atalanta::kInterface; }

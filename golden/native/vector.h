// The vector code that there is; dispatch.cc chooses among it at run time.
#pragma once

#include "decode.h"
#include "encode.h"

namespace atalanta {

template <class Out>
DecodeBody<Out> decode_body_avx2(unsigned lanes, unsigned rows);
EncodeBodies encode_bodies_avx2(unsigned rows, unsigned value_bytes);

template <class Out>
DecodeBody<Out> decode_body_avx512(unsigned rows);
EncodeBodies encode_bodies_avx512(unsigned rows, unsigned value_bytes);

}  // namespace atalanta

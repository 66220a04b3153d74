// What the processor can do.
#pragma once

namespace atalanta {

// 32-bit elements of the widest vectors that there is code for: 16 with AVX-512, 8 with AVX2, else 0;
// no more than atalanta_limit_vectors allows.
unsigned vector_lanes();

}  // namespace atalanta

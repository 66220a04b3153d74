// The table search; see search.cc.
#pragma once

#include "common.h"

namespace atalanta {

// What to search; golden/native.py fills it (golden/compiled.py has the same structure).
struct Problem {
  const int64_t* before;  // values seen below each cut point
  const int64_t* cuts;    // cut points, rising
  const int64_t* logs;    // log2_table(total)
  int32_t size;           // intervals between cut points
  int32_t rows, row_bits, total, unseen, max_visits;
};

struct Answer {
  int64_t cost, bound;
  int32_t rows;
  int32_t cut[kMaxRows + 1];  // indices of the chosen cut points
  int32_t count[kMaxRows];
};

}  // namespace atalanta

// Finds the cheapest table with rows between the problem's cut points.
ATALANTA_API int32_t atalanta_search(const atalanta::Problem* problem, atalanta::Answer* answer);

// Adds to counts[v], of 2^8 or 2^16, how often each of n unsigned values of `value_bytes` occurs.
ATALANTA_API int32_t atalanta_histogram(const void* values, int32_t value_bytes, uint64_t n,
                                        int64_t* counts);

// When lanes ask for beats, and when they can use them.
#pragma once

#include <algorithm>

#include "decoder.h"
#include "times.h"

namespace atalanta {

// hw.router: lanes that ask in one slot are a mask, which goes through a register, a queue, out of it and into the
// register `asks`; from there one lane a cycle is picked.
struct Asking {
  i64 picked = -1, noted = -1;  // when the last beat's lane was picked and its pull noted

  bool free(i64 asked) const { return asked + 2 >= std::max(picked + 1, noted); }
  void mask(i64 asked) { picked = std::max({picked + 1, asked + 2, noted}); }
  void same_mask() { picked = noted; }
};

// Is a beat asked for with the one before it?
inline bool same_mask(const DecoderBeat* beats, i64 b) {
  return b > 0 && beats[b].ask == beats[b - 1].ask && beats[b].lane > beats[b - 1].lane;
}

// A beat goes through the aligner, the lane's FIFO and its word register; the first also fills the window. When the
// slot that needs it can run.
inline i64 needed(const DecoderBeat& beat, i64 cut, i64 start) {
  return beat.need == 0 ? std::max(cut + 4, start + 3) : cut + 3;
}

// The state after beat `b` of a run: a few beats back, one was asked for when no other asking was under way.
inline Asking asking_at(const DecoderSegment& segment, i64 b, i64 base) {
  i64 fresh = b;
  while (segment.beat[fresh].fresh == 0) --fresh;
  Asking asking;
  for (i64 i = fresh; i <= b; ++i) {
    if (same_mask(segment.beat, i)) {
      asking.same_mask();
    } else {
      asking.mask(base + segment.beat[i].ask + 1);
    }
    asking.noted = std::max(asking.picked + 1, base + segment.pace[i - 2] + 1);
  }
  return asking;
}

}  // namespace atalanta

#include <algorithm>

#include "asking.h"
#include "decoder.h"
#include "output.h"
#include "slots.h"

namespace atalanta {

std::int64_t decoder_pace(const DecoderSegment& segment, std::int64_t beat_bytes, DecoderBeat* beats,
                          std::int32_t* pace, DecoderRun* runs) {
  DecoderParams p{};
  p.out_values = 1;
  const std::uint8_t ready = 1;
  Output output(p, &ready, 1);
  Emitter emitter(output, kValueStages);
  Slots slots(emitter, segment.slots, segment.slots, segment.lanes, 0);
  Asking asking;
  i64 cut = -1, cut_before = -1, round = -1, from = 0, count = 0;
  for (i64 b = 0; b < segment.beats; ++b) {
    DecoderBeat& beat = beats[b];
    beat.fresh = 0;
    if (same_mask(beats, b)) {
      asking.same_mask();
    } else if (beat.ask < 0) {
      asking.mask(++round);
    } else {
      slots.run(beat.ask);
      beat.fresh = asking.free(slots.last() + 1) ? 1 : 0;
      asking.mask(slots.last() + 1);
    }
    asking.noted = std::max(asking.picked + 1, cut_before + 1);
    cut_before = cut;
    cut = std::max(asking.noted, cut) + 1;
    pace[b] = static_cast<std::int32_t>(cut - slots.base());
    bool steady = slots.on_time();
    slots.need(beat.need, needed(beat, cut, 0));
    steady = steady && slots.on_time() && beat.nbytes == beat_bytes && beat.ask >= 0 && b + 1 < segment.beats;
    if (steady) continue;
    if (b - from >= kShortestRun) {
      runs[count++] = DecoderRun{static_cast<std::int32_t>(from), static_cast<std::int32_t>(b)};
    }
    from = b + 1;
  }
  return count;
}

}  // namespace atalanta

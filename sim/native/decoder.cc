#include "decoder.h"

#include <algorithm>
#include <array>

#include "aligner.h"
#include "asking.h"
#include "output.h"
#include "slots.h"
#include "times.h"
#include "words.h"

namespace atalanta {
namespace {

constexpr i64 kBlockBytes = 16;
constexpr i64 kCheckCycles = 5;  // hw.header: a block's latency, then CHECK_CYCLES
constexpr i64 kBaseBlocks = 2;   // hw.header.BASE_BLOCKS
constexpr i64 kQueueBeats = 4;   // hw.unpacker.QUEUE_BEATS
constexpr i64 kUnpackSlots = 8;  // hw.unpacker: slots before the first vector (LEAD + STAGES)
constexpr std::size_t kLanes = 64;  // golden.params.LANES
constexpr i64 kWordBytes = 4;    // golden.format.WORD_BITS
const std::string kLawBroken = "conservation law broken: ";

class Decoder {
 public:
  Decoder(const DecoderParams& p, Memory& memory, const DecoderTensor* tensors, i64 count,
          const DecoderSegment* segments, const std::uint8_t* ready, i64 period)
      : p_(p),
        memory_(memory),
        tensors_(tensors),
        count_(count),
        segments_(segments),
        words_(p, memory, tensors, count),
        aligner_(p, words_),
        output_(p, ready, period),
        emitters_{Emitter(output_, 0), Emitter(output_, kValueStages)},
        pops_(kLanes) {}

  std::string run(DecoderStats* stats, i64* ends);

 private:
  i64 header(const DecoderSegment& segment, i64 from);
  i64 crc_done(const DecoderSegment& segment, i64 start, i64 at) const;
  i64 lanes(const DecoderSegment& segment, i64 checked);
  i64 groups(const DecoderSegment& segment, i64 checked);
  void close(Slots& slots);
  void finish(const DecoderSegment& segment, i64 good);
  std::string broken(const DecoderStats& stats, const MemoryStats& before) const;
  std::string refusal(i64 tensor) const;

  const DecoderParams& p_;
  const Memory& memory_;
  const DecoderTensor* tensors_;
  const i64 count_;
  const DecoderSegment* segments_;
  Words words_;
  Aligner aligner_;
  Output output_;
  Emitter emitters_[2];  // of the unpacker and of the lanes

  i64 start_ = 0;                      // the segment's first cycle in its decoder
  i64 passed_ = -1;                    // when the last vector left its decoder
  i64 lasted_ = -1;                    // the segment's last slot, or its start
  bool was_atalanta_ = true;
  std::vector<std::deque<i64>> pops_;  // per lane: when the places of its last beats became free
  std::vector<i64> pulled_;            // by beat of the segment: when it was pulled from the aligner
  struct Kept {                        // but for those that were pulled at their pace
    i64 from, to, base;
  };
  std::vector<Kept> kept_;
  std::vector<Interval> waits_, active_;
  i64 slots_ = 0, blocked_ = 0, values_ = 0;
};

// Parses one header from cycle `from` on; the cycle in which its checks are done.
i64 Decoder::header(const DecoderSegment& segment, i64 from) {
  Aligner::Pull pull{from - 1, 0};
  for (i64 at = 0; at < segment.header_bytes; at += kBlockBytes) {
    // How many more blocks there are is known a cycle after the base's last one.
    from = at == kBaseBlocks * kBlockBytes ? pull.cut + 2 : pull.noted + 1;
    pull = aligner_.pull(from, std::min(kBlockBytes, segment.header_bytes - at));
  }
  return pull.cut + 1 + kCheckCycles;
}

// hw.payload_crc.PayloadCrc: when o_done is high.
i64 Decoder::crc_done(const DecoderSegment& segment, i64 start, i64 at) const {
  const i64 zeros = (p_.beat_bytes - (at + segment.payload_bytes) % p_.beat_bytes) % p_.beat_bytes;
  i64 done = start + std::max<i64>(zeros + 1, 4);  // the announced CRC sets out a cycle before
  if (segment.payload_bytes != 0) done = std::max(done, std::max(start + 2, aligner_.last_used() + 1) + 3);
  return done;
}

i64 Decoder::lanes(const DecoderSegment& segment, i64 checked) {
  start_ = std::max(checked, passed_) + 1;  // the last vector of the segment before has left
  Slots slots(emitters_[1], segment.slots, p_.ways, segment.lanes, start_);
  const DecoderBeat* const beats = segment.beat;
  if (static_cast<i64>(pulled_.size()) < segment.beats) pulled_.resize(static_cast<std::size_t>(segment.beats));
  i64* const pulled = pulled_.data();
  kept_.clear();
  std::array<i64, kLanes> places{};
  i64 settled = 0;  // lanes whose places all were this segment's
  const DecoderRun* run = segment.run;
  const DecoderRun* const runs_end = emitters_[1].always() ? run + segment.runs : run;
  Asking asking;
  i64 round = -1;
  for (i64 b = 0; b < segment.beats; ++b) {
    const DecoderBeat& beat = beats[b];
    if (same_mask(beats, b)) {
      asking.same_mask();
    } else {
      i64 asked;
      if (beat.ask < 0) {
        asked = checked + 2 + ++round;
      } else {
        slots.run(beat.ask);
        asked = slots.last() + 1;
      }
      if (beat.fresh && settled == segment.lanes && asking.free(asked) && slots.on_time()) {
        while (run != runs_end && run->to <= b) ++run;
        const bool inside = run != runs_end && b >= run->from + 2;
        const i64 n = inside ? aligner_.keep_pace(segment.pace + b, slots.base(), run->to - b) : 0;
        if (n > 0) {
          kept_.push_back({b, b + n, slots.base()});
          asking = asking_at(segment, b + n - 1, slots.base());
          b += n - 1;
          continue;
        }
      }
      asking.mask(asked);
    }
    i64 from = asking.picked + 1;
    const i64 place = places[beat.lane]++;
    if (place < p_.lane_fifo) {  // a place that the segment before may still hold
      settled += place == p_.lane_fifo - 1;
      const std::deque<i64>& pops = pops_[beat.lane];
      const i64 held = static_cast<i64>(pops.size()) - (p_.lane_fifo - place);
      if (held >= 0) from = std::max(from, pops[static_cast<std::size_t>(held)] + 1);
    }
    const Aligner::Pull pull = aligner_.pull(from, beat.nbytes);
    asking.noted = pull.noted;
    pulled[b] = pull.cut;
    slots.need(beat.need, needed(beat, pull.cut, start_));
  }
  slots.run(segment.slots - 1);

  // When places became free: with a beat's last word, which for a lane's last beat may come with the beat.
  i64 open = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const i64 last = std::min(places[lane], p_.lane_fifo);
    std::deque<i64>& pops = pops_[lane];
    pops.insert(pops.end(), static_cast<std::size_t>(last), 0);
    while (static_cast<i64>(pops.size()) > p_.lane_fifo) pops.pop_front();
    open += last;
  }
  std::array<i64, kLanes> behind{};
  for (i64 b = segment.beats - 1; open > 0; --b) {
    const DecoderBeat& beat = beats[b];
    const i64 left = behind[beat.lane]++;
    if (left >= p_.lane_fifo) continue;
    while (!kept_.empty() && kept_.back().from > b) kept_.pop_back();
    const bool kept = !kept_.empty() && b < kept_.back().to;
    const i64 there = (kept ? kept_.back().base + segment.pace[b] : pulled[b]) + 2;
    i64 pop;
    if (beat.free < 0) {
      pop = std::max(there, start_ + 1) + (beat.nbytes > kWordBytes ? 1 : 0);
    } else {
      pop = slots.at(beat.free);
      if (left == 0) pop = std::max(pop, there);
    }
    pops_[beat.lane][pops_[beat.lane].size() - 1 - static_cast<std::size_t>(left)] = pop + 1;  // a register later
    --open;
  }
  close(slots);
  return asking.noted;
}

i64 Decoder::groups(const DecoderSegment& segment, i64 checked) {
  start_ = std::max(checked, passed_) + 1;  // the last vector of the segment before has left
  const i64 beat_bits = 8 * p_.beat_bytes;
  i64 width_bits = 0;
  while (p_.value_bits >> width_bits) ++width_bits;
  const i64 most = width_bits + 16 + 16 * p_.value_bits;          // hw.unpacker.BitWindow.most
  const i64 window = (beat_bits - 1 + most + beat_bits - 1) / beat_bits + 1;
  Slots slots(emitters_[0], segment.slots, kUnpackSlots, 16, start_);
  std::vector<i64> loaded(static_cast<std::size_t>(segment.beats));
  Aligner::Pull pull{-1, -1};
  for (i64 beat = 0; beat < segment.beats; ++beat) {
    i64 from = std::max(start_, pull.noted) + 1;
    if (beat >= kQueueBeats) from = std::max(from, loaded[static_cast<std::size_t>(beat - kQueueBeats)] + 1);
    pull = aligner_.pull(from, segment.beat[beat].nbytes);
    i64 load = pull.cut + 2;
    if (beat > 0) load = std::max(load, loaded[static_cast<std::size_t>(beat - 1)] + 1);
    if (beat >= window) {
      const i64 slot = segment.beat[beat - window].free;
      slots.run(slot);
      load = std::max(load, slots.last() + 1);
    }
    loaded[static_cast<std::size_t>(beat)] = load;
    slots.need(segment.beat[beat].need, load + 1);
  }
  slots.run(segment.slots - 1);
  close(slots);
  return pull.noted;
}

// Takes over what a segment's slots came to.
void Decoder::close(Slots& slots) {
  lasted_ = std::max(slots.last(), start_);
  slots_ += slots.ran();
  blocked_ += slots.blocked;
  append(active_, start_ + 1, slots.ran() ? slots.last() : start_);
  waits_.insert(waits_.end(), slots.waits.begin(), slots.waits.end());
}

// The segment's last vector goes out; a tensor's waits for errors, two cycles, and for the verdict.
void Decoder::finish(const DecoderSegment& segment, i64 good) {
  values_ += segment.count;
  was_atalanta_ = segment.atalanta != 0;
  if (segment.count == 0 && segment.more) {
    passed_ = start_;
    return;
  }
  Emitter& emitter = emitters_[was_atalanta_];
  i64 earliest = 0;
  if (!segment.more) earliest = std::max(emitter.shown(lasted_) + 2, good + 1);
  passed_ = emitter.vector(lasted_, earliest, was_atalanta_ ? segment.lanes : 16, !segment.more);
}

// The first conservation law that does not hold once all is decoded, or nothing.
std::string Decoder::broken(const DecoderStats& stats, const MemoryStats& before) const {
  const MemoryStats& after = memory_.stats();
  i64 claimed = 0, offered = 0;
  for (i64 t = 0; t < count_; ++t) {
    claimed += tensors_[t].length;
    offered += words_.bus_words_of(tensors_[t]);
  }
  if (aligner_.bytes != claimed) return "bytes decoded = bytes of the tensors";
  if (words_.bus_words() != words_.bus_words_used()) return "bus words in = used + held, and none is held at the end";
  if (words_.bus_words() != offered) return "bus words in = bus words that the tensors touch";
  if (after.beats_taken - before.beats_taken != stats.words) return "beats of the memory = bus words in";
  if (after.bytes_read - before.bytes_read != stats.words * p_.axi_bytes) return "bytes of the memory = bytes of bus words";
  const i64 sum = stats.slot + stats.output + stats.memory + stats.router + stats.setup + stats.drain;
  if (sum != stats.cycles) return "cycles by cause sum to the cycles";
  if (stats.memory < 0 || stats.router < 0 || stats.setup < 0 || stats.drain < 0) return "no cause has less than no cycles";
  const char* law = memory_.broken();
  return law == nullptr ? std::string() : law;
}

std::string Decoder::run(DecoderStats* stats, i64* ends) {
  const MemoryStats before = memory_.stats();
  i64 idle = 1;
  std::vector<Interval> idles;
  for (i64 tensor = 0; tensor < count_; ++tensor) {
    const i64 taken = std::max(idle, words_.accepted(tensor) + 1);
    append(idles, idle, taken - 1);
    words_.parsed(taken);
    aligner_.open(tensor);
    i64 from = taken + 1, verdict = 0, gone = 0;
    for (i64 s = 0; s < tensors_[tensor].segments; ++s) {
      const DecoderSegment& segment = segments_[tensors_[tensor].first_segment + s];
      const i64 checked = header(segment, from);
      const i64 at = aligner_.at();
      const i64 pulled = segment.atalanta ? lanes(segment, checked) : groups(segment, checked);
      if (words_.failed()) return refusal(tensor);
      const i64 primed = checked + 1 + (segment.atalanta ? segment.lane_depth : 0);
      verdict = std::max({primed, segment.payload_bytes ? pulled + 2 : 0, start_ + 1,
                          crc_done(segment, checked, at)});
      finish(segment, verdict);
      from = verdict + 1;
      gone = segment.payload_bytes ? std::max(pulled + 2, checked + 4) : checked + 2;  // hw.header: o_drop
    }
    ends[tensor] = output_.left();
    idle = std::max(from, aligner_.drop(gone));
    if (words_.failed()) return refusal(tensor);
  }
  const i64 end = output_.left();
  append(idles, idle, end);

  stats->slot = slots_;
  stats->output = blocked_;
  // Waiting for bytes counts in cycles without a slot, whether a decoder was active or not.
  std::vector<Interval> inactive;
  i64 from = 1;
  for (const Interval& active : active_) {
    append(inactive, from, active.from - 1);
    from = active.to + 1;
  }
  append(inactive, from, end);
  const i64 late_active = overlap(aligner_.starved, waits_);
  const i64 late_inactive = overlap(aligner_.starved, inactive);
  stats->memory = late_active + late_inactive;
  stats->router = length(waits_) - late_active;
  stats->drain = overlap(idles, inactive);
  stats->setup = length(inactive) - late_inactive - stats->drain;
  stats->words = words_.bus_words();
  stats->values = values_;
  stats->cycles = end;
  stats->bursts = words_.bursts();
  const std::string law = broken(*stats, before);
  return law.empty() ? law : kLawBroken + law;
}

std::string Decoder::refusal(i64 tensor) const {
  switch (words_.answer()) {
    case Accept::accepted:  // nothing was asked for that could be refused
      return kLawBroken + "tensor " + std::to_string(tensor) + " has the bytes that its segments claim";
    case Accept::beyond:
      return "tensor " + std::to_string(words_.asking()) + " does not lie within the memory's capacity";
    default:
      return kLawBroken + "every burst is one that AXI allows";
  }
}

}  // namespace

std::string decode_cycles(const DecoderParams& params, Memory& memory, const DecoderTensor* tensors,
                          std::int64_t count, const DecoderSegment* segments, const std::uint8_t* ready,
                          std::int64_t period, DecoderStats* stats, std::int64_t* ends) {
  return Decoder(params, memory, tensors, count, segments, ready, period).run(stats, ends);
}

}  // namespace atalanta

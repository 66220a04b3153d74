#include "decoder.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace atalanta {
namespace {

using i64 = std::int64_t;
constexpr i64 kUnknown = std::numeric_limits<i64>::max() / 4;
constexpr i64 kPageBytes = 4096;
constexpr i64 kBlockBytes = 16;
constexpr i64 kDescriptors = 4;   // hw.core.DESCRIPTORS
constexpr i64 kCheckCycles = 4;   // hw.header: a block's latency, then CHECK_CYCLES
constexpr i64 kQueueBeats = 4;    // hw.unpacker.QUEUE_BEATS
constexpr i64 kUnpackSlots = 8;   // hw.unpacker: slots before the first vector (LEAD + STAGES)
constexpr i64 kWordBytes = 4;     // golden.format.WORD_BITS

struct Interval {  // cycles from .. to, both included
  i64 from, to;
};

// The cycles that two sorted lists of disjoint intervals share.
i64 overlap(const std::vector<Interval>& a, const std::vector<Interval>& b) {
  i64 shared = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    shared += std::max<i64>(0, std::min(a[i].to, b[j].to) - std::max(a[i].from, b[j].from) + 1);
    (a[i].to < b[j].to) ? ++i : ++j;
  }
  return shared;
}

i64 length(const std::vector<Interval>& intervals) {
  i64 sum = 0;
  for (const Interval& interval : intervals) sum += interval.to - interval.from + 1;
  return sum;
}

void append(std::vector<Interval>& list, i64 from, i64 to) {
  if (from <= to) list.push_back({from, to});
}

// hw.reader.Reader and hw.gearbox.Gearbox: when each word of one beat is offered to the aligner.
//
// Words are asked about in order, and each is popped before the next one is asked about. Then whatever the
// next burst still waits for lies behind the next beat's arrival, which is what Memory::next_beat wants to hear.
class Words {
 public:
  Words(const DecoderParams& p, Memory& memory, const DecoderTensor* tensors, i64 count)
      : p_(p),
        memory_(memory),
        tensors_(tensors),
        count_(count),
        narrow_(std::min(p.axi_bytes, p.beat_bytes)),
        ratio_(std::max(p.axi_bytes, p.beat_bytes) / narrow_) {}

  i64 accepted(i64 tensor) {
    while (tensor >= static_cast<i64>(accepted_.size())) advance();
    return accepted_[static_cast<std::size_t>(tensor)];
  }
  void parsed(i64 cycle) { parsed_.push_back(cycle); }  // the parser has taken the next descriptor
  bool failed() const { return refused_ != 0; }
  i64 bursts() const { return bursts_; }
  i64 bus_words() const { return static_cast<i64>(arrived_); }

  // Words that the descriptor fills, and the byte of the first at which it starts.
  i64 words(i64 tensor) const {
    const DecoderTensor& t = tensors_[tensor];
    const i64 bus = bus_words_of(t);
    if (p_.axi_bytes <= p_.beat_bytes) {
      return (t.address % p_.beat_bytes + t.length + p_.beat_bytes - 1) / p_.beat_bytes;
    }
    return bus * ratio_ - place(t);
  }
  i64 offset(i64 tensor) const { return tensors_[tensor].address % p_.beat_bytes; }

  // A descriptor's words begin. Call it before its first `next`.
  void open(i64 tensor) {
    place_ = place(tensors_[tensor]);
    bus_left_ = bus_words_of(tensors_[tensor]);
  }

  // The first cycle in which the next word can be popped.
  i64 next() {
    if (next_ == kUnknown) {
      if (ratio_ == 1) {
        next_ = arrival() + 1;
      } else if (p_.axi_bytes < p_.beat_bytes) {
        i64 accept = 0;
        do {  // join: o is refilled from the cycle on in which the word before is popped
          accept = std::max({arrival() + 1, accepted_bus_ + 1, popped_});
          pop_bus(accept);
          ++place_;
          --bus_left_;
        } while (place_ % ratio_ != 0 && bus_left_ > 0);
        place_ = 0;
        next_ = accept + 1;
      } else if (fresh_) {  // split: a bus word is taken in with the last part of the one before
        const i64 accept = std::max(arrival() + 1, popped_);
        pop_bus(accept);
        next_ = accept + 1;
      } else {
        next_ = popped_ + 1;
      }
    }
    return next_;
  }

  void pop(i64 cycle) {
    if (ratio_ == 1) {
      pop_bus(cycle);
    } else if (p_.axi_bytes > p_.beat_bytes) {
      fresh_ = ++place_ % ratio_ == 0;
      if (fresh_) place_ = 0;
    }
    popped_ = cycle;
    next_ = kUnknown;
  }

 private:
  i64 bus_words_of(const DecoderTensor& t) const {
    return (t.address % p_.axi_bytes + t.length + p_.axi_bytes - 1) / p_.axi_bytes;
  }
  i64 place(const DecoderTensor& t) const {
    return t.address % std::max(p_.axi_bytes, p_.beat_bytes) / narrow_;
  }

  // The bus word leaves the prefetch FIFO: its place can be promised to a burst from the next cycle on.
  void pop_bus(i64 cycle) {
    accepted_bus_ = cycle;
    pops_.push_back(cycle);
  }

  // Arrival of the next bus word at the prefetch FIFO.
  i64 arrival() {
    while (arrivals_.empty() && !failed()) advance();
    if (failed()) return 0;
    const i64 cycle = arrivals_.front();
    arrivals_.pop_front();
    return cycle;
  }

  // Either the next burst is asked for or the next beat is taken in.
  void advance() {
    const i64 want = ask();
    const i64 beat = memory_.next_beat(want == kUnknown ? kNever : want);
    if (beat != kNever && (want == kUnknown || beat <= want)) {
      memory_.take_beat();
      arrivals_.push_back(beat);
      ++arrived_;
      Burst& burst = open_.front();
      if (--burst.beats == 0) {
        ends_.push_back(beat);
        open_.pop_front();
      }
      return;
    }
    if (want == kUnknown) {  // nothing under way and nothing to ask for: a caller's error
      refused_ = 1;
      return;
    }
    const Accept answer = memory_.request(want, static_cast<std::uint64_t>(burst_at_ * p_.axi_bytes),
                                          static_cast<std::int32_t>(burst_), static_cast<std::int32_t>(p_.axi_bytes),
                                          false);
    if (answer != Accept::accepted) {
      refused_ = static_cast<i64>(answer) - 1;
      return;
    }
    handshake_ = want;
    issued_ = issue_;
    words_issued_ += burst_;
    open_.push_back({burst_});
    ++bursts_;
    burst_ = 0;
  }

  // The cycle of the next AR handshake, or kUnknown if that waits for something that is yet to happen.
  i64 ask() {
    if (burst_ == 0 && !load()) return kUnknown;
    i64 issue = std::max(load_ + 1, handshake_);
    if (bursts_ >= p_.outstanding) {  // `bursts` has a free place in the cycle after a burst's last beat
      const std::size_t end = static_cast<std::size_t>(bursts_ - p_.outstanding - ends_dropped_);
      if (end >= ends_.size()) return kUnknown;
      issue = std::max(issue, ends_[end] + 1);
      while (end > 0 && ends_.size() > 1 && ends_dropped_ < bursts_ - p_.outstanding) {
        ends_.pop_front();
        ++ends_dropped_;
      }
    }
    const i64 pops_needed = words_issued_ + burst_ - p_.prefetch;
    if (pops_needed > 0) {  // `free` counts a pop in the cycle after
      while (pops_dropped_ + 1 < pops_needed && !pops_.empty()) {
        pops_.pop_front();
        ++pops_dropped_;
      }
      if (pops_dropped_ + static_cast<i64>(pops_.size()) < pops_needed) return kUnknown;
      issue = std::max(issue, pops_.front() + 1);
    }
    issue_ = issue;
    const i64 want = memory_.next_ready(issue + 1, false);
    return want == kNever ? kUnknown : want;
  }

  // Brings the next burst into the register `burst`; false if there is none or its time is not known.
  bool load() {
    i64 from;
    if (left_ == 0) {
      const i64 tensor = static_cast<i64>(accepted_.size());
      if (tensor == count_) return false;
      i64 accept = tensor == 0 ? 0 : std::max(load_ + 1, accepted_.back() + 1);
      if (tensor >= kDescriptors) {  // `starts` is full until the parser takes one
        const std::size_t taken = static_cast<std::size_t>(tensor - kDescriptors);
        if (taken >= parsed_.size()) return false;
        accept = std::max(accept, parsed_[taken] + 1);
      }
      accepted_.push_back(accept);
      at_ = tensors_[tensor].address / p_.axi_bytes;
      left_ = bus_words_of(tensors_[tensor]);
      from = accept + 1;
    } else {
      from = load_ + 1;
    }
    const i64 page_words = kPageBytes / p_.axi_bytes;
    burst_ = std::min({left_, p_.burst_beats, page_words - at_ % page_words});
    burst_at_ = at_;
    at_ += burst_;
    left_ -= burst_;
    load_ = std::max(from, issued_);
    return true;
  }

  struct Burst {
    i64 beats;
  };

  const DecoderParams& p_;
  Memory& memory_;
  const DecoderTensor* tensors_;
  const i64 count_, narrow_, ratio_;

  std::vector<i64> accepted_, parsed_;          // by descriptor
  i64 at_ = 0, left_ = 0;                       // registers at, left
  i64 burst_ = 0, burst_at_ = 0, load_ = -1;    // register burst, and when it was loaded
  i64 issue_ = 0, issued_ = -1, handshake_ = -1;
  i64 words_issued_ = 0, bursts_ = 0, arrived_ = 0, refused_ = 0;
  std::deque<Burst> open_;                      // asked for, not all there
  std::deque<i64> arrivals_, ends_, pops_;
  i64 ends_dropped_ = 0, pops_dropped_ = 0;

  i64 place_ = 0, bus_left_ = 0, accepted_bus_ = -1, popped_ = -1, next_ = kUnknown;
  bool fresh_ = true;
};

// hw.aligner.Aligner: when a piece of the stream can be pulled.
class Aligner {
 public:
  Aligner(const DecoderParams& p, Words& words) : p_(p), words_(words) {}

  void open(i64 tensor, i64 cycle) {
    words_.open(tensor);
    left_ = words_.words(tensor);
    at_ = words_.offset(tensor);
    load(cycle + 1);
  }

  // Pulls `size` bytes, asked for from cycle `from` on; the cycle in which they are pulled.
  i64 pull(i64 from, i64 size) {
    const i64 end = at_ + size;
    i64 cycle = std::max(from, loaded_ + 1);
    if (end > p_.beat_bytes) {
      cycle = std::max(cycle, words_.next());
      words_.pop(cycle);
      --left_;
      loaded_ = cycle;
      last_used_ = cycle;
      at_ = end - p_.beat_bytes;
    } else {
      last_used_ = loaded_;
      at_ = end;
      if (end == p_.beat_bytes) {
        at_ = 0;
        load(cycle);
      }
    }
    append(starved, from, cycle - 1);
    return cycle;
  }

  // Throws away what is left, from cycle `from` on; the first cycle in which nothing is.
  i64 drop(i64 from) {
    i64 cycle = from;
    while (loaded_ != kUnknown) {
      cycle = std::max(cycle, loaded_ + 1);
      load(cycle);
      if (loaded_ == kUnknown) ++cycle;
    }
    return cycle;
  }

  bool held(i64 cycle) const { return loaded_ < cycle; }
  i64 at() const { return at_; }
  i64 loaded() const { return loaded_; }
  i64 last_used() const { return last_used_; }  // when the word with the last byte pulled had come in

  std::vector<Interval> starved;

 private:
  void load(i64 from) {
    loaded_ = kUnknown;
    if (left_ == 0) return;
    loaded_ = std::max(from, words_.next());
    words_.pop(loaded_);
    --left_;
  }

  const DecoderParams& p_;
  Words& words_;
  i64 left_ = 0, at_ = 0, loaded_ = kUnknown, last_used_ = 0;
};

// hw.output: packer, skid buffer and whoever takes the words.
class Output {
 public:
  Output(const DecoderParams& p, const std::uint8_t* ready, i64 period) : out_values_(p.out_values) {
    always_ = std::all_of(ready, ready + period, [](std::uint8_t r) { return r != 0; });
    wait_.resize(static_cast<std::size_t>(period));
    i64 next = kUnknown;
    for (i64 i = 2 * period - 1; i >= 0; --i) {
      if (ready[i % period]) next = i;
      if (i < period) wait_[static_cast<std::size_t>(i)] = next - i;
    }
  }

  bool always() const { return always_; }
  i64 left() const { return left_; }  // the cycle in which the last word left

  // A vector of `width` values is in the decoder's register from cycle `from` on; when it passes on.
  i64 vector(i64 from, i64 width, bool end) {
    const i64 pass = std::max(from, word_gone_);
    filled_ += width;
    if (end || filled_ == out_values_) {
      filled_ = 0;
      word(pass + 1);
    }
    return pass;
  }

 private:
  void word(i64 from) {  // in the packer's register from this cycle on
    const i64 moves = std::max(from, spare_free_);
    word_gone_ = moves;
    const bool direct = left_ <= moves;  // the output register is empty or emptied in that cycle
    const i64 shown = direct ? moves + 1 : left_ + 1;
    left_ = shown + wait_[static_cast<std::size_t>(shown % static_cast<i64>(wait_.size()))];
    spare_free_ = direct ? moves + 1 : shown;
  }

  const i64 out_values_;
  bool always_;
  std::vector<i64> wait_;  // by phase: cycles until TREADY
  i64 filled_ = 0, word_gone_ = -1, spare_free_ = -1, left_ = -1;
};

// The slots of one segment: hw.lanes.Lanes or hw.unpacker.Unpacker moving on.
//
// Slots follow each other without a pause but where one needs a beat that is not there, or the output is full.
class Slots {
 public:
  Slots(Output& output, i64 count, i64 silent, i64 width, i64 start)
      : output_(output), count_(count), silent_(silent), width_(width), start_(start), cycle_(start) {}

  // Slot `slot` cannot run before `cycle`. Slots before it must not have been run.
  void need(i64 slot, i64 cycle) {
    run(slot - 1);
    earliest_ = std::max(earliest_, cycle);
  }

  // The cycle of `slot`, which must be known to have all its beats.
  i64 at(i64 slot) {
    run(slot);
    auto from = std::upper_bound(runs_.begin(), runs_.end(), slot, [](i64 s, const Run& r) { return s < r.slot; });
    --from;
    return from->cycle + (slot - from->slot);
  }

  void run(i64 to) {
    to = std::min(to, count_ - 1);
    while (slot_ < to) {
      const i64 ready = std::max(cycle_ + 1, earliest_);
      const i64 cycle = std::max(ready, accepts_);
      append(waits, cycle_ + 1, ready - 1);
      blocked += cycle - ready;
      if (runs_.empty() || cycle != cycle_ + 1) runs_.push_back({slot_ + 1, cycle});
      const i64 steps = output_.always() ? to - slot_ : 1;
      slot_ += steps;
      cycle_ = cycle + steps - 1;
      if (!output_.always() && slot_ >= silent_ && slot_ + 1 < count_) {
        accepts_ = output_.vector(cycle_ + 1, width_, false);
      }
    }
  }

  i64 last() const { return cycle_; }
  i64 start() const { return start_; }
  i64 ran() const { return slot_ + 1; }

  std::vector<Interval> waits;  // cycles without a slot in which some beat was not there
  i64 blocked = 0;              // cycles in which only the output was not ready

 private:
  struct Run {
    i64 slot, cycle;
  };

  Output& output_;
  const i64 count_, silent_, width_, start_;
  i64 slot_ = -1, cycle_, earliest_ = 0, accepts_ = 0;
  std::vector<Run> runs_;
};

class Decoder {
 public:
  Decoder(const DecoderParams& p, Memory& memory, const DecoderTensor* tensors, i64 count,
          const DecoderSegment* segments, const std::uint8_t* ready, i64 period)
      : p_(p),
        tensors_(tensors),
        count_(count),
        segments_(segments),
        words_(p, memory, tensors, count),
        aligner_(p, words_),
        output_(p, ready, period),
        pops_(64) {}

  std::string run(DecoderStats* stats, i64* ends);

 private:
  i64 header(const DecoderSegment& segment, i64 from);
  i64 crc_done(const DecoderSegment& segment, i64 start, i64 at, bool used, i64 last_use) const;
  i64 lanes(const DecoderSegment& segment, i64 checked);
  i64 groups(const DecoderSegment& segment, i64 checked);
  void close(Slots& slots);
  void finish(const DecoderSegment& segment, i64 good);

  const DecoderParams& p_;
  const DecoderTensor* tensors_;
  const i64 count_;
  const DecoderSegment* segments_;
  Words words_;
  Aligner aligner_;
  Output output_;

  i64 start_ = 0;                      // the segment's first cycle in its decoder
  i64 passed_ = -1;                    // when the last vector left its decoder
  i64 lasted_ = -1;                    // the segment's last slot, or its start
  bool was_atalanta_ = true;
  std::vector<std::deque<i64>> pops_;  // per lane: when the places of its last beats became free
  std::vector<Interval> waits_, active_;
  i64 slots_ = 0, blocked_ = 0, values_ = 0;
};

// Parses one header from cycle `from` on; the cycle in which its checks are done.
i64 Decoder::header(const DecoderSegment& segment, i64 from) {
  i64 pulled = from - 1;
  for (i64 at = 0; at < segment.header_bytes; at += kBlockBytes) {
    pulled = aligner_.pull(pulled + 1, std::min(kBlockBytes, segment.header_bytes - at));
  }
  return pulled + 1 + kCheckCycles;
}

// hw.payload_crc.PayloadCrc: when o_done is high.
i64 Decoder::crc_done(const DecoderSegment& segment, i64 start, i64 at, bool used, i64 last_use) const {
  const i64 zeros = (p_.beat_bytes - (at + segment.payload_bytes) % p_.beat_bytes) % p_.beat_bytes;
  return std::max(start + 2 + zeros, used ? last_use + 3 : 0);
}

i64 Decoder::lanes(const DecoderSegment& segment, i64 checked) {
  start_ = std::max(checked + 1, passed_ + (was_atalanta_ ? 0 : 1));
  Slots slots(output_, segment.slots, p_.ways, segment.lanes, start_);
  std::vector<i64> order(static_cast<std::size_t>(segment.beats));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](i64 a, i64 b) { return segment.need[a] < segment.need[b]; });
  std::vector<i64> pulled(order.size());
  std::size_t needed = 0;
  const auto advance = [&](i64 slot) {
    for (; needed < order.size() && segment.need[order[needed]] <= slot; ++needed) {
      const i64 need = segment.need[order[needed]];
      const i64 there = pulled[static_cast<std::size_t>(order[needed])];
      // A beat goes through the aligner, the lane's FIFO and its word register; the first also fills the window.
      slots.need(need, need == 0 ? std::max(there + 4, start_ + 3) : there + 3);
    }
    slots.run(slot);
  };

  std::vector<i64> places(static_cast<std::size_t>(segment.lanes), 0);
  i64 picked = -1, before = -1, round = -1;
  for (i64 beat = 0; beat < segment.beats; ++beat) {
    const i64 lane = segment.lane[beat], ask = segment.ask[beat];
    const bool same = beat > 0 && ask == segment.ask[beat - 1] && lane > segment.lane[beat - 1];
    i64 pick = before;
    if (!same) {  // another mask: into the queue, out of it, into the register `asks`
      i64 asked;
      if (ask < 0) {
        asked = checked + 1 + ++round;
      } else {
        advance(ask);
        asked = slots.at(ask);
      }
      pick = std::max({picked, asked + 1}) + 1;
      pick = std::max(pick, before);
    }
    picked = pick;
    i64 from = pick + 1;
    const i64 place = places[static_cast<std::size_t>(lane)]++;
    std::deque<i64>& pops = pops_[static_cast<std::size_t>(lane)];
    if (place < p_.lane_fifo) {  // a place that the segment before may still hold
      const i64 held = static_cast<i64>(pops.size()) - (p_.lane_fifo - place);
      if (held >= 0) from = std::max(from, pops[static_cast<std::size_t>(held)] + 1);
    }
    before = pulled[static_cast<std::size_t>(beat)] = aligner_.pull(from, segment.nbytes[beat]);
  }
  advance(segment.slots - 1);

  // When places became free: with a beat's last word, which for a lane's last beat may come with the beat.
  std::vector<i64> seen(static_cast<std::size_t>(segment.lanes), 0);
  for (i64 beat = 0; beat < segment.beats; ++beat) {
    const i64 lane = segment.lane[beat];
    const i64 left = places[static_cast<std::size_t>(lane)] - ++seen[static_cast<std::size_t>(lane)];
    if (left >= p_.lane_fifo) continue;
    const i64 there = pulled[static_cast<std::size_t>(beat)] + 2;
    i64 pop;
    if (segment.free[beat] < 0) {
      pop = std::max(there, start_ + 1) + (segment.nbytes[beat] > kWordBytes ? 1 : 0);
    } else {
      pop = slots.at(segment.free[beat]);
      if (left == 0) pop = std::max(pop, there);
    }
    std::deque<i64>& pops = pops_[static_cast<std::size_t>(lane)];
    pops.push_back(pop);
    while (static_cast<i64>(pops.size()) > p_.lane_fifo) pops.pop_front();
  }
  close(slots);
  return before;
}

i64 Decoder::groups(const DecoderSegment& segment, i64 checked) {
  start_ = std::max(checked + 1, passed_ + (was_atalanta_ ? 1 : 0));
  const i64 beat_bits = 8 * p_.beat_bytes;
  i64 width_bits = 0;
  while (p_.value_bits >> width_bits) ++width_bits;
  const i64 most = width_bits + 16 + 16 * p_.value_bits;          // hw.unpacker.BitWindow.most
  const i64 window = (beat_bits - 1 + most + beat_bits - 1) / beat_bits;
  Slots slots(output_, segment.slots, kUnpackSlots, 16, start_);
  std::vector<i64> loaded(static_cast<std::size_t>(segment.beats));
  i64 pulled = -1, needed = 0;
  const auto advance = [&](i64 slot) {
    for (; needed < segment.beats && segment.need[needed] <= slot; ++needed) {
      slots.need(segment.need[needed], loaded[static_cast<std::size_t>(needed)] + 1);
    }
    slots.run(slot);
  };
  for (i64 beat = 0; beat < segment.beats; ++beat) {
    i64 from = std::max(start_ + 1, pulled + 1);
    if (beat >= kQueueBeats) from = std::max(from, loaded[static_cast<std::size_t>(beat - kQueueBeats)] + 1);
    pulled = aligner_.pull(from, segment.nbytes[beat]);
    i64 load = pulled + 2;
    if (beat > 0) load = std::max(load, loaded[static_cast<std::size_t>(beat - 1)] + 1);
    if (beat >= window) {
      const i64 slot = segment.free[beat - window];
      advance(slot);
      load = std::max(load, slots.at(slot) + 1);
    }
    loaded[static_cast<std::size_t>(beat)] = load;
  }
  advance(segment.slots - 1);
  close(slots);
  return pulled;
}

// Takes over what a segment's slots came to.
void Decoder::close(Slots& slots) {
  lasted_ = std::max(slots.last(), start_);
  slots_ += slots.ran();
  blocked_ += slots.blocked;
  append(active_, start_ + 1, slots.ran() ? slots.last() : start_);
  waits_.insert(waits_.end(), slots.waits.begin(), slots.waits.end());
}

// The segment's last vector goes out; a tensor's waits for the decoder to be quiet and for the verdict.
void Decoder::finish(const DecoderSegment& segment, i64 good) {
  values_ += segment.count;
  was_atalanta_ = segment.atalanta != 0;
  if (segment.count == 0 && segment.more) {
    passed_ = start_;
    return;
  }
  i64 from = lasted_ + 1;
  if (!segment.more) from = std::max(segment.count ? lasted_ + 2 : from, good + 1);
  passed_ = output_.vector(from, was_atalanta_ ? segment.lanes : 16, !segment.more);
}

std::string Decoder::run(DecoderStats* stats, i64* ends) {
  i64 idle = 1;
  std::vector<Interval> idles;
  for (i64 tensor = 0; tensor < count_; ++tensor) {
    const i64 taken = std::max(idle, words_.accepted(tensor) + 1);
    append(idles, idle, taken - 1);
    words_.parsed(taken);
    aligner_.open(tensor, taken);
    i64 from = taken + 1, verdict = 0;
    for (i64 s = 0; s < tensors_[tensor].segments; ++s) {
      const DecoderSegment& segment = segments_[tensors_[tensor].first_segment + s];
      const i64 checked = header(segment, from);
      const i64 at = aligner_.at();
      const bool used = aligner_.held(checked + 1) || segment.payload_bytes > 0;
      const i64 first_use = std::max(checked, aligner_.loaded());
      const i64 pulled = segment.atalanta ? lanes(segment, checked) : groups(segment, checked);
      if (words_.failed()) return "the memory refused a read burst";
      const i64 last_use = segment.payload_bytes ? std::max(first_use, aligner_.last_used()) : checked;
      const i64 entry = checked + 1 + (segment.atalanta ? segment.lane_depth : 0);
      verdict = std::max({entry, segment.payload_bytes ? pulled + 1 : 0, start_ + 1,
                          crc_done(segment, checked, at, used, last_use)});
      finish(segment, verdict);
      from = verdict + 1;
    }
    ends[tensor] = output_.left();
    idle = aligner_.drop(from) + 1;
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
  const i64 sum = stats->slot + stats->output + stats->memory + stats->router + stats->setup + stats->drain;
  if (sum != end) return "cycles by cause do not sum to the cycles";
  return "";
}

}  // namespace

std::string decode_cycles(const DecoderParams& params, Memory& memory, const DecoderTensor* tensors,
                          std::int64_t count, const DecoderSegment* segments, const std::uint8_t* ready,
                          std::int64_t period, DecoderStats* stats, std::int64_t* ends) {
  return Decoder(params, memory, tensors, count, segments, ready, period).run(stats, ends);
}

}  // namespace atalanta

#include "decoder.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>

namespace atalanta {
namespace {

using i64 = std::int64_t;
constexpr i64 kUnknown = std::numeric_limits<i64>::max() / 4;
constexpr i64 kPageBytes = 4096;
constexpr i64 kBlockBytes = 16;
constexpr i64 kDescriptors = 4;   // hw.core.DESCRIPTORS
constexpr i64 kCheckCycles = 5;   // hw.header: a block's latency, then CHECK_CYCLES
constexpr i64 kValueStages = 2;   // hw.coder.VALUE_STAGES
constexpr i64 kBaseBlocks = 2;    // hw.header.BASE_BLOCKS
constexpr i64 kQueueBeats = 4;    // hw.unpacker.QUEUE_BEATS
constexpr i64 kUnpackSlots = 8;   // hw.unpacker: slots before the first vector (LEAD + STAGES)
constexpr std::size_t kLanes = 64;     // golden.params.LANES
const std::string kLawBroken = "conservation law broken: ";
constexpr i64 kPrefetch = 2;      // hw.reader: from R to the prefetch FIFO's output
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

// The last cycles of something counted, by number; how many back anybody asks is known beforehand.
class History {
 public:
  explicit History(i64 most) {
    std::size_t size = 1;
    while (static_cast<i64>(size) <= most) size *= 2;
    ring_.resize(size);
  }
  i64 count() const { return count_; }
  i64 operator[](i64 number) const { return ring_[static_cast<std::size_t>(number) & (ring_.size() - 1)]; }
  void push(i64 cycle) { ring_[static_cast<std::size_t>(count_++) & (ring_.size() - 1)] = cycle; }
  void skip(i64 count) { count_ += count; }  // that nobody will ask about

 private:
  std::vector<i64> ring_;
  i64 count_ = 0;
};

// The same, of which the last may follow a pace that is known: then they are not written down one by one.
class PacedHistory {
 public:
  explicit PacedHistory(i64 most) : history_(most), most_(most) {}
  i64 count() const { return history_.count() + paced_; }
  i64 operator[](i64 number) const {
    const i64 behind = number - history_.count();
    return behind < 0 ? history_[number] : base_ + pace_[behind];
  }
  void push(i64 cycle) { history_.push(cycle); }

  void expect(const std::int32_t* pace, i64 base) {
    pace_ = pace;
    base_ = base;
  }
  void push_expected(i64 count) { paced_ += count; }
  void settle() {  // as far as anybody will ask back
    const i64 from = std::max<i64>(0, paced_ - most_ - 1);
    history_.skip(from);
    for (i64 i = from; i < paced_; ++i) history_.push(base_ + pace_[i]);
    paced_ = 0;
  }

 private:
  History history_;
  const i64 most_;
  const std::int32_t* pace_ = nullptr;
  i64 base_ = 0, paced_ = 0;
};

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
        ratio_(std::max(p.axi_bytes, p.beat_bytes) / narrow_),
        page_words_(kPageBytes / p.axi_bytes),
        ends_(p.outstanding),
        pops_(p.prefetch) {}

  i64 accepted(i64 tensor) {
    while (tensor >= static_cast<i64>(accepted_.size())) advance();
    return accepted_[static_cast<std::size_t>(tensor)];
  }
  void parsed(i64 cycle) { parsed_.push_back(cycle); }  // the parser has taken the next descriptor
  bool failed() const { return refused_; }
  Accept answer() const { return answer_; }
  i64 asking() const { return static_cast<i64>(accepted_.size()) - 1; }  // the tensor whose words are asked for
  i64 bursts() const { return bursts_; }
  i64 bus_words() const { return arrived_; }
  i64 bus_words_used() const { return pops_.count(); }

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
        next_ = arrival() + kPrefetch;
      } else if (p_.axi_bytes < p_.beat_bytes) {
        i64 accept = 0;
        do {  // join: o is refilled from the cycle on in which the word before is popped
          accept = std::max({arrival() + kPrefetch, accepted_bus_ + 1, popped_});
          pop_bus(accept);
          ++place_;
          --bus_left_;
        } while (place_ % ratio_ != 0 && bus_left_ > 0);
        place_ = 0;
        next_ = accept + 1;
      } else if (fresh_) {  // split: a bus word is taken in with the last part of the one before
        const i64 accept = std::max(arrival() + kPrefetch, popped_);
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

  // Pops words, the first in cycle base + pace[0] and so on, as long as they are there by then: at most `most`, and
  // only where words are beats. Returns how many.
  i64 keep_pace(const std::int32_t* pace, i64 base, i64 most) {
    i64 popped = 0;
    pops_.expect(pace, base);
    while (popped < most) {
      while (next_span_ == spans_end_ && !failed()) advance();
      if (failed()) break;
      Memory::Span& span = spans_[next_span_];
      // A pace takes one word a cycle at most, so what arrives one a cycle is there if the first is.
      if (span.first + kPrefetch > base + pace[popped]) break;
      const i64 n = std::min(most - popped, span.beats);
      pops_.push_expected(n);
      popped += n;
      span.first += n;
      span.beats -= n;
      if (span.beats == 0) ++next_span_;
    }
    pops_.settle();
    if (popped > 0) accepted_bus_ = popped_ = base + pace[popped - 1];
    return popped;
  }
  bool words_are_beats() const { return ratio_ == 1; }

  i64 bus_words_of(const DecoderTensor& t) const {
    return (t.address % p_.axi_bytes + t.length + p_.axi_bytes - 1) / p_.axi_bytes;
  }

 private:
  i64 place(const DecoderTensor& t) const {
    return t.address % std::max(p_.axi_bytes, p_.beat_bytes) / narrow_;
  }

  // The bus word leaves the prefetch FIFO: its place can be promised to a burst from the next cycle on.
  void pop_bus(i64 cycle) {
    accepted_bus_ = cycle;
    pops_.push(cycle);
  }

  // Arrival of the next bus word at the prefetch FIFO.
  i64 arrival() {
    while (next_span_ == spans_end_ && !failed()) advance();
    if (failed()) return 0;
    Memory::Span& span = spans_[next_span_];
    if (--span.beats == 0) ++next_span_;
    return span.first++;
  }

  // Takes in beats as far as that cannot depend on the next burst, and asks for that one if it is known when.
  void advance() {
    i64 most = 1;
    const i64 want = ask(&most);
    const bool known = want != kUnknown;
    if (known) most = kBatch;
    // Called when no arrival is left, so all spans are free.
    next_span_ = 0;
    spans_end_ = memory_.take_beats(known ? want : kNever, std::min<i64>(most, kBatch), spans_.data());
    i64 taken = 0;
    for (std::size_t i = 0; i < spans_end_; ++i) {
      Memory::Span span = spans_[i];
      taken += span.beats;
      while (span.beats > 0) {
        i64& beats = open_.front();
        const i64 now = std::min(span.beats, beats);
        span.first += now;
        span.beats -= now;
        beats -= now;
        if (beats == 0) {
          ends_.push(span.first - 1);
          open_.pop_front();
        }
      }
    }
    arrived_ += taken;
    if (!known) {  // nothing under way and nothing to ask for: the segments claim more than the tensor has
      refused_ = taken == 0;
      return;
    }
    if (taken == kBatch) return;  // there may be more before the burst is asked for
    answer_ = memory_.request(want, static_cast<std::uint64_t>(burst_at_ * p_.axi_bytes),
                              static_cast<std::int32_t>(burst_), static_cast<std::int32_t>(p_.axi_bytes), false);
    if (answer_ != Accept::accepted) {
      refused_ = true;
      return;
    }
    handshake_ = want;
    issued_ = issue_;
    words_issued_ += burst_;
    open_.push_back(burst_);
    ++bursts_;
    burst_ = 0;
  }

  // The cycle of the next AR handshake, or kUnknown if that waits for something that is yet to happen: then not
  // before `*most` more beats have arrived.
  i64 ask(i64* most) {
    if (burst_ == 0 && !load()) return kUnknown;
    i64 issue = std::max(load_ + 2, handshake_);  // `fits` lies between
    const i64 end = bursts_ - p_.outstanding;
    if (end >= 0) {  // `bursts` has a free place in the cycle after a burst's last beat
      if (ends_.count() <= end) {
        *most = open_.front();
        return kUnknown;
      }
      issue = std::max(issue, ends_[end] + 1);
    }
    const i64 needed = words_issued_ + burst_ - p_.prefetch;
    if (needed > 0) {  // `free` counts a pop in the cycle after, `fits` sees that in the next
      if (pops_.count() < needed) {
        *most = needed - pops_.count();
        return kUnknown;
      }
      issue = std::max(issue, pops_[needed - 1] + 2);
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
      from = accept + 2;  // `length` lies between
    } else {
      from = load_ + 2;
    }
    burst_ = std::min({left_, p_.burst_beats, page_words_ - (at_ & (page_words_ - 1))});
    burst_at_ = at_;
    at_ += burst_;
    left_ -= burst_;
    load_ = std::max(from, issued_);
    return true;
  }

  const DecoderParams& p_;
  Memory& memory_;
  const DecoderTensor* tensors_;
  const i64 count_, narrow_, ratio_, page_words_;

  std::vector<i64> accepted_, parsed_;          // by descriptor
  i64 at_ = 0, left_ = 0;                       // registers at, left
  i64 burst_ = 0, burst_at_ = 0, load_ = -1;    // register burst, and when it was loaded
  i64 issue_ = 0, issued_ = -1, handshake_ = -1;
  i64 words_issued_ = 0, bursts_ = 0, arrived_ = 0;
  bool refused_ = false;
  Accept answer_ = Accept::accepted;
  std::deque<i64> open_;                        // bursts asked for and not all there: beats that are not
  History ends_;                                // when bursts ended
  PacedHistory pops_;                           // when bus words left the prefetch FIFO
  static constexpr i64 kBatch = 64;
  std::array<Memory::Span, kBatch> spans_;      // of bus words that arrived, from next_span_ to spans_end_
  std::size_t next_span_ = 0, spans_end_ = 0;

  i64 place_ = 0, bus_left_ = 0, accepted_bus_ = -1, popped_ = -1, next_ = kUnknown;
  bool fresh_ = true;
};

// hw.aligner.Aligner: when a piece of the stream can be pulled.
//
// Words come into the register `next` and from there into `word`, pulls into a queue of two.
class Aligner {
 public:
  struct Pull {  // cycles in which a pull is noted and in which its piece is cut out
    i64 noted, cut;
  };

  Aligner(const DecoderParams& p, Words& words) : p_(p), words_(words) {}

  void open(i64 tensor, i64 cycle) {
    words_.open(tensor);
    left_ = words_.words(tensor);
    at_ = words_.offset(tensor);
    next_ = cycle;
    fetch(cycle + 1);
    advance(0);
  }

  // Pulls `size` bytes, asked for from cycle `from` on.
  Pull pull(i64 from, i64 size) {
    const i64 end = at_ + size;
    bytes += size;
    const i64 noted = std::max(from, cut_before_ + 1);
    const i64 first = std::max(noted, cut_) + 1;
    i64 cut = std::max(first, word_ + 1);
    if (end > p_.beat_bytes) cut = std::max(cut, next_ + 1);
    last_used_ = word_;
    at_ = end % p_.beat_bytes;
    if (end >= p_.beat_bytes) advance(cut);
    if (end > p_.beat_bytes) last_used_ = word_;
    append(starved, first, cut - 1);
    cut_before_ = cut_;
    cut_ = cut;
    return {noted, cut};
  }

  // Were beats b - 2 and b - 1 cut, and words taken in, at their pace, as far as beat b can tell? `pace`: of beat b.
  bool at_pace(const std::int32_t* pace, i64 base) const {
    return words_.words_are_beats() && cut_ == base + pace[-1] && cut_before_ == base + pace[-2] && word_ == cut_ &&
           next_ == cut_;
  }

  // Pulls whole beats at their pace as long as each one's advance finds a word there; at most `most`. How many.
  i64 keep_pace(const std::int32_t* pace, i64 base, i64 most) {
    // `fetch` takes a word in the cycle behind that in which the word before came into `next`: the beat before was cut.
    const i64 pulled = words_.keep_pace(pace - 1, base + 1, std::min(most, left_));
    if (pulled == 0) return 0;
    bytes += pulled * p_.beat_bytes;
    left_ -= pulled;
    cut_ = word_ = next_ = last_used_ = base + pace[pulled - 1];
    cut_before_ = base + pace[pulled - 2];
    return pulled;
  }

  // Throws away what is left, from cycle `from` on; the first cycle in which nothing is.
  i64 drop(i64 from) {
    i64 cycle = from;
    while (word_ != kUnknown) {
      cycle = std::max(cycle, word_ + 1);
      advance(cycle);
      if (word_ == kUnknown) ++cycle;
    }
    return cycle;
  }

  i64 at() const { return at_; }
  i64 last_used() const { return last_used_; }  // when the word with the last byte pulled came into `word`

  std::vector<Interval> starved;
  i64 bytes = 0;  // pulled

 private:
  void fetch(i64 from) {
    const i64 before = next_;
    next_ = kUnknown;
    if (left_ == 0) return;
    const i64 taken = std::max(before + 1, words_.next());  // there are two places ahead of `word`
    words_.pop(taken);
    next_ = std::max(from, taken);
    --left_;
  }

  // `word` is free from cycle `from` on.
  void advance(i64 from) {
    word_ = kUnknown;
    if (next_ == kUnknown) return;
    word_ = std::max(from, next_ + 1);
    fetch(word_);
  }

  const DecoderParams& p_;
  Words& words_;
  i64 left_ = 0, at_ = 0, last_used_ = 0;
  i64 word_ = kUnknown, next_ = kUnknown;  // when these came to be what they are
  i64 cut_before_ = -1, cut_ = -1;
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

// From slots to the packer: registers that all move on together, unless the last one's vector has to wait.
class Emitter {
 public:
  Emitter(Output& output, i64 stages) : output_(output), stages_(stages) {}

  // The first cycle from `cycle` on in which the registers move.
  i64 moves(i64 cycle) const {
    for (const Interval& hold : holds_) {
      if (hold.from <= cycle && cycle <= hold.to) cycle = hold.to + 1;
    }
    return cycle;
  }

  // When the vector of a slot in cycle `slot` comes into the last register.
  i64 shown(i64 slot) const {
    for (i64 i = 0; i < stages_; ++i) slot = moves(slot + 1);
    return slot + 1;
  }

  // The vector of that slot: when it passes on, which it does not before `earliest`.
  i64 vector(i64 slot, i64 earliest, i64 width, bool end) {
    const i64 from = shown(slot);
    const i64 pass = output_.vector(std::max(from, earliest), width, end);
    holds_.push_back({from, pass - 1});
    if (static_cast<i64>(holds_.size()) > stages_ + 1) holds_.pop_front();
    return pass;
  }

  bool always() const { return output_.always(); }

 private:
  Output& output_;
  const i64 stages_;
  std::deque<Interval> holds_;  // of the last vectors; older ones are past
};

// The slots of one segment: hw.lanes.Lanes or hw.unpacker.Unpacker moving on.
//
// Slots follow each other without a pause but where one needs a beat that is not there, or the output is full.
// So a beat that comes no later than its slot would without any pause is of no further interest.
class Slots {
 public:
  Slots(Emitter& emitter, i64 count, i64 silent, i64 width, i64 start)
      : emitter_(emitter), count_(count), silent_(silent), width_(width), start_(start), cycle_(start) {}

  // Slot `slot`, which has not run, cannot run before `cycle`.
  void need(i64 slot, i64 cycle) {
    if (cycle <= cycle_ + (slot - slot_)) return;
    auto place = late_.end();
    while (place != late_.begin() && std::prev(place)->slot > slot) --place;
    late_.insert(place, {slot, cycle});
  }

  // The cycle of `slot`, which has run.
  i64 at(i64 slot) const {
    auto from = std::upper_bound(runs_.begin(), runs_.end(), slot, [](i64 s, const Run& r) { return s < r.slot; });
    --from;
    return from->cycle + (slot - from->slot);
  }

  // Runs up to `to`, of which all needs must be known.
  void run(i64 to) {
    to = std::min(to, count_ - 1);
    while (!late_.empty() && late_.front().slot <= to) {
      const Run late = late_.front();
      late_.pop_front();
      go(late.slot - 1);
      earliest_ = std::max(earliest_, late.cycle);
    }
    go(to);
  }

  i64 last() const { return cycle_; }
  i64 base() const { return cycle_ - slot_; }  // the cycle of slot 0 if there had been no pause
  bool on_time() const { return late_.empty(); }  // no slot to come is known to wait
  i64 start() const { return start_; }
  i64 ran() const { return slot_ + 1; }

  std::vector<Interval> waits;  // cycles without a slot in which some beat was not there
  i64 blocked = 0;              // cycles in which only the output was not ready

 private:
  struct Run {  // from this slot on, one slot a cycle
    i64 slot, cycle;
  };

  void go(i64 to) {
    while (slot_ < to) {
      const i64 ready = std::max(cycle_ + 1, earliest_);
      const i64 cycle = emitter_.moves(ready);
      append(waits, cycle_ + 1, ready - 1);
      blocked += cycle - ready;
      if (runs_.empty() || cycle != cycle_ + 1) runs_.push_back({slot_ + 1, cycle});
      const i64 steps = emitter_.always() ? to - slot_ : 1;
      slot_ += steps;
      cycle_ = cycle + steps - 1;
      if (!emitter_.always() && slot_ >= silent_ && slot_ + 1 < count_) emitter_.vector(cycle_, 0, width_, false);
    }
  }

  Emitter& emitter_;
  const i64 count_, silent_, width_, start_;
  i64 slot_ = -1, cycle_, earliest_ = 0;
  std::vector<Run> runs_;
  std::deque<Run> late_;  // beats that hold up their slots, by slot
};

// hw.router: lanes that ask in one slot are a mask, which goes through a register, a queue, out of it and into the
// register `asks`; from there one lane a cycle is picked.
struct Asking {
  i64 picked = -1, noted = -1;  // when the last beat's lane was picked and its pull noted

  bool free(i64 asked) const { return asked + 2 >= std::max(picked + 1, noted); }
  void mask(i64 asked) { picked = std::max({picked + 1, asked + 2, noted}); }
  void same_mask() { picked = noted; }
};

// Is a beat asked for with the one before it?
bool same_mask(const DecoderBeat* beats, i64 b) {
  return b > 0 && beats[b].ask == beats[b - 1].ask && beats[b].lane > beats[b - 1].lane;
}

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
  i64 done = start + 2 + std::max<i64>(zeros, 2);
  if (segment.payload_bytes != 0) done = std::max(done, std::max(start + 2, aligner_.last_used() + 1) + 3);
  return done;
}

// A beat goes through the aligner, the lane's FIFO and its word register; the first also fills the window. When the
// slot that needs it can run.
i64 needed(const DecoderBeat& beat, i64 cut, i64 start) {
  return beat.need == 0 ? std::max(cut + 4, start + 3) : cut + 3;
}

// The state after beat `b` of a run: a few beats back, one was asked for when no other asking was under way.
Asking asking_at(const DecoderSegment& segment, i64 b, i64 base) {
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
        if (run != runs_end && b >= run->from + 2 && aligner_.at_pace(segment.pace + b, slots.base())) {
          const i64 n = aligner_.keep_pace(segment.pace + b, slots.base(), run->to - b);
          if (n > 0) {
            kept_.push_back({b, b + n, slots.base()});
            asking = asking_at(segment, b + n - 1, slots.base());
            b += n - 1;
            continue;
          }
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
  const i64 window = (beat_bits - 1 + most + beat_bits - 1) / beat_bits;
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
    aligner_.open(tensor, taken);
    i64 from = taken + 1, verdict = 0;
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
    }
    ends[tensor] = output_.left();
    idle = aligner_.drop(from) + 1;
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
    if (b - from >= kShortestRun) runs[count++] = DecoderRun{static_cast<std::int32_t>(from), static_cast<std::int32_t>(b)};
    from = b + 1;
  }
  return count;
}

std::string decode_cycles(const DecoderParams& params, Memory& memory, const DecoderTensor* tensors,
                          std::int64_t count, const DecoderSegment* segments, const std::uint8_t* ready,
                          std::int64_t period, DecoderStats* stats, std::int64_t* ends) {
  return Decoder(params, memory, tensors, count, segments, ready, period).run(stats, ends);
}

}  // namespace atalanta

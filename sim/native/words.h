// Words on their way from the memory to the aligner.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <vector>

#include "decoder.h"
#include "memory.h"
#include "times.h"

namespace atalanta {

inline constexpr i64 kPageBytes = 4096;
inline constexpr i64 kDescriptors = 4;  // hw.core.DESCRIPTORS
inline constexpr i64 kPrefetch = 3;     // hw.reader: from R to the prefetch FIFO's output

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
  i64 tensors() const { return count_; }
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
      if (!arrived()) break;
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

  // Brings the arrival of the next bus word into `spans`; false if there will be none.
  bool arrived() {
    while (next_span_ == spans_end_ && !failed()) advance();
    return !failed();
  }

  // Arrival of the next bus word at the prefetch FIFO.
  i64 arrival() {
    if (!arrived()) return 0;
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
    if (end >= 0) {  // `bursts` has a free place in the cycle after a burst's last beat, `fits` sees that in the next
      if (ends_.count() <= end) {
        *most = open_.front();
        return kUnknown;
      }
      issue = std::max(issue, ends_[end] + 2);
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

}  // namespace atalanta

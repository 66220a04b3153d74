// Vectors on their way out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "decoder.h"
#include "times.h"

namespace atalanta {

inline constexpr i64 kValueStages = 2;  // hw.coder.VALUE_STAGES

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

}  // namespace atalanta

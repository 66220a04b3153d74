// Cycles of events, as the recurrence keeps them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace atalanta {

using i64 = std::int64_t;
inline constexpr i64 kUnknown = std::numeric_limits<i64>::max() / 4;

struct Interval {  // cycles from .. to, both included
  i64 from, to;
};

// The cycles that two sorted lists of disjoint intervals share.
inline i64 overlap(const std::vector<Interval>& a, const std::vector<Interval>& b) {
  i64 shared = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    shared += std::max<i64>(0, std::min(a[i].to, b[j].to) - std::max(a[i].from, b[j].from) + 1);
    (a[i].to < b[j].to) ? ++i : ++j;
  }
  return shared;
}

inline i64 length(const std::vector<Interval>& intervals) {
  i64 sum = 0;
  for (const Interval& interval : intervals) sum += interval.to - interval.from + 1;
  return sum;
}

inline void append(std::vector<Interval>& list, i64 from, i64 to) {
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

}  // namespace atalanta

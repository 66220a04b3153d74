// The table search of golden/search.py: the same integers, the same order of ties, the same result.

#include <algorithm>
#include <memory>
#include <new>
#include <vector>

#include "common.h"
#include "cpu.h"
#include "scratch.h"

namespace atalanta {
namespace {

constexpr int64_t kInfinite = int64_t{1} << 61;
constexpr unsigned kFraction = 24;
constexpr int kMaxPrices = 12;
constexpr int64_t kUnitPrice = 23637;
constexpr int32_t kMaxCutPoints = 512;
constexpr int64_t kMaxSeen = int64_t{1} << 31;  // keeps every cost below kInfinite

// What to search; golden/native.py fills it.
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
  int32_t cut[kMaxRows + 1];   // indices of the chosen cut points
  int32_t count[kMaxRows];
};

// best[j] = min(best[j], from + costs[j]), the inner loop of the dynamic programme.
inline __attribute__((always_inline)) void relax(int64_t* best, const int64_t* costs, int64_t from, int32_t n) {
  for (int32_t j = 0; j < n; ++j) best[j] = std::min(best[j], from + costs[j]);
}

using Relax = void (*)(int64_t*, const int64_t*, int64_t, int32_t);
void relax_plain(int64_t* best, const int64_t* costs, int64_t from, int32_t n) { relax(best, costs, from, n); }

#if defined(__x86_64__)
__attribute__((target("avx2"))) void relax_avx2(int64_t* best, const int64_t* costs, int64_t from, int32_t n) {
  relax(best, costs, from, n);
}
__attribute__((target("avx512f,avx512vl"))) void relax_avx512(int64_t* best, const int64_t* costs, int64_t from,
                                                              int32_t n) {
  relax(best, costs, from, n);
}

Relax fastest_relax() {
  if (vector_lanes() >= 16) return relax_avx512;
  return vector_lanes() >= 8 ? relax_avx2 : relax_plain;
}
#else
Relax fastest_relax() { return relax_plain; }
#endif

// Row boundaries: indices of cut points, the first 0 and the last `size`.
struct Cuts {
  int32_t rows = 0;
  int32_t at[kMaxRows + 1];
};

// The dynamic programme at one price: best(k, j) is the cost of covering cut j with k rows.
struct Priced {
  int64_t price = 0, bound = 0, spent = 0;
  Cuts cuts;
  std::vector<int64_t> best;
  int64_t* costs() const { return reinterpret_cast<int64_t*>(memory.data()); }
  Scratch memory;  // of the costs of all rows
};

class Search {
 public:
  explicit Search(const Problem& problem)
      : p_(problem), size_(problem.size), width_(problem.size + 1), most_rows_(std::min(problem.rows, problem.size)),
        relax_(fastest_relax()) {
    widths_.resize(static_cast<size_t>(width_) * width_);
    for (int32_t i = 0; i < size_; ++i) {
      for (int32_t j = i + 1; j <= size_; ++j) {
        widths_[at(i, j)] = bit_length(static_cast<uint32_t>(p_.cuts[j] - p_.cuts[i] - 1));
      }
    }
  }

  void run(Answer* answer) {
    raise_bound();
    answer->bound = close();
    answer->cost = cost_;
    answer->rows = chosen_.rows;
    std::copy_n(chosen_.at, chosen_.rows + 1, answer->cut);
    std::copy_n(counts_, chosen_.rows, answer->count);
  }

 private:
  size_t at(int32_t i, int32_t j) const { return static_cast<size_t>(i) * width_ + j; }
  int64_t values(int32_t i, int32_t j) const { return p_.before[j] - p_.before[i]; }
  int64_t gain(int32_t count) const { return p_.logs[count + 1] - p_.logs[count]; }
  int32_t least(int64_t values) const { return values > 0 || p_.unseen ? 1 : 0; }

  // Cost of row (i, j) but for its counts.
  int64_t fixed(int32_t i, int32_t j) const {
    const int64_t per_value = p_.logs[p_.total] + (static_cast<int64_t>(widths_[at(i, j)]) << kFraction);
    return values(i, j) * per_value + (static_cast<int64_t>(p_.row_bits) << kFraction);
  }

  // The best count of a row when a count costs `price`: the last whose gain pays.
  int32_t count_at(int64_t price, int64_t values) const {
    if (!values) return least(0);
    const int32_t most = p_.total - 1;
    int32_t low = 1, high = most + 1;  // the first count c in low .. high whose gain does not pay
    while (low < high) {
      const int32_t c = (low + high) / 2;
      if (values * gain(c) > price) low = c + 1; else high = c;
    }
    return low;
  }

  // The least of price * c - values * log2(c) over all counts c. The best c is 1 / (2^(1/y) - 1)
  // rounded up, with y = values * 2^24 / (price ln 2) (in units of the gains): y - 1/2 to y + 1/2 in
  // real numbers and one less or more for the rounding of the logarithms.
  int64_t counts_cost(int64_t price, double per_value, int64_t values) const {
    const int32_t middle = static_cast<int32_t>(std::min<double>(static_cast<double>(values) * per_value + 0.5, p_.total));
    int64_t least_cost = kInfinite;
    for (int32_t c = middle - 1; c <= middle + 1; ++c) {
      const int32_t count = std::max(1, std::min(c, p_.total));
      least_cost = std::min(least_cost, price * count - values * p_.logs[count]);
    }
    return least_cost;
  }

  void solve(int64_t price, Priced& s) const {
    s.price = price;
    if (!s.memory.data()) s.memory = Scratch(at(width_, 0) * sizeof(int64_t));
    s.best.assign(static_cast<size_t>(most_rows_ + 1) * width_, kInfinite);
    s.best[0] = 0;
    const double per_value = 16777216.0 / 0.69314718055994530942 / static_cast<double>(price);
    for (int32_t i = 0; i < size_; ++i) {
      int64_t* costs = s.costs() + at(i, 0);
      for (int32_t j = i + 1; j <= size_; ++j) {
        const int64_t n = values(i, j);
        costs[j] = fixed(i, j) + (n ? counts_cost(price, per_value, n) : price * least(0));
      }
      for (int32_t k = 1; k <= most_rows_; ++k) {
        const int64_t from = s.best[at(k - 1, i)];
        if (from < kInfinite) relax_(s.best.data() + at(k, i + 1), costs + i + 1, from, size_ - i);
      }
    }
    int32_t k = 0;
    for (int32_t other = 1; other <= most_rows_; ++other) {
      if (s.best[at(other, size_)] < s.best[at(k, size_)]) k = other;
    }
    s.bound = s.best[at(k, size_)] - price * p_.total;
    s.cuts.rows = k;
    s.cuts.at[k] = size_;
    s.spent = 0;
    for (; k > 0; --k) {
      const int32_t j = s.cuts.at[k];
      int32_t i = 0;
      while (s.best[at(k - 1, i)] + s.costs()[at(i, j)] != s.best[at(k, j)]) ++i;
      s.cuts.at[k - 1] = i;
      s.spent += count_at(price, values(i, j));
    }
  }

  // Counts that sum to the total with the fewest bits: those at `price`, then one at a time what
  // gains most or costs least; the same counts as from the least ones up, since gains fall.
  void allocate(const Cuts& cuts, int64_t price, int32_t* counts) const {
    int64_t n[kMaxRows];
    int32_t spent = 0, seen = 0;
    for (int32_t r = 0; r < cuts.rows; ++r) {
      n[r] = values(cuts.at[r], cuts.at[r + 1]);
      counts[r] = count_at(price, n[r]);
      spent += counts[r];
      seen += n[r] > 0;
    }
    if (!seen) counts[0] += p_.total - spent;
    for (; seen && spent < p_.total; ++spent) {
      int32_t best = -1;
      int64_t most = -1;
      for (int32_t r = 0; r < cuts.rows; ++r) {
        const int64_t saved = n[r] ? n[r] * (counts[r] < p_.total ? gain(counts[r]) : 0) : -1;
        if (saved > most) most = saved, best = r;
      }
      ++counts[best];
    }
    for (; seen && spent > p_.total; --spent) {
      int32_t best = -1;
      int64_t fewest = kInfinite;
      for (int32_t r = 0; r < cuts.rows; ++r) {
        if (!n[r] || counts[r] == 1) continue;
        const int64_t lost = n[r] * gain(counts[r] - 1);
        if (lost <= fewest) fewest = lost, best = r;
      }
      if (best < 0) return;
      --counts[best];
    }
  }

  // Takes these boundaries, with their best counts, if they are better.
  void offer(const Cuts& cuts, int64_t price) {
    int32_t counts[kMaxRows] = {};
    allocate(cuts, price, counts);
    int64_t cost = 0;
    for (int32_t r = 0; r < cuts.rows; ++r) {
      cost += fixed(cuts.at[r], cuts.at[r + 1]) - values(cuts.at[r], cuts.at[r + 1]) * p_.logs[counts[r]];
    }
    if (cost < cost_) {
      cost_ = cost;
      chosen_ = cuts;
      std::copy_n(counts, cuts.rows, counts_);
    }
  }

  // Finds the price with the highest bound, for highest_.
  void raise_bound() {
    int64_t price = std::max<int64_t>(values(0, size_) * kUnitPrice, 1), low = 0, high = kInfinite;
    for (int step = 0; step < kMaxPrices; ++step) {
      solve(price, last_);
      offer(last_.cuts, price);
      const int64_t spent = last_.spent;
      if (step == 0 || last_.bound > highest_.bound) std::swap(last_, highest_);
      if (spent == p_.total) break;
      (spent > p_.total ? low : high) = price;
      price = price * spent / p_.total;
      if (price <= low || price >= high) price = high < kInfinite ? (low + high) / 2 : low + 1;
      if (price == low) break;
    }
  }

  // Tries every boundary set whose bound is below the best cost; returns the bound that remains.
  int64_t close() {
    lowest_ = kInfinite;
    for (int32_t k = 1; k <= most_rows_; ++k) {
      tail_.rows = k;
      tail_.at[k] = size_;
      visit(k, 0);
    }
    return std::min(lowest_, cost_);
  }

  // tail_.at[k ..] are chosen, at `cost`.
  void visit(int32_t k, int64_t cost) {
    const int64_t spend = highest_.price * p_.total;
    if (k == 0) {
      if (visits_ < p_.max_visits) {
        ++visits_;
        offer(tail_, highest_.price);
      } else {
        lowest_ = std::min(lowest_, cost - spend);
      }
      return;
    }
    const int32_t j = tail_.at[k];
    for (int32_t i = 0; i < j; ++i) {
      const int64_t row = highest_.costs()[at(i, j)], reach = highest_.best[at(k - 1, i)] + row + cost;
      if (reach - spend >= cost_) continue;
      if (visits_ < p_.max_visits) {
        tail_.at[k - 1] = i;
        visit(k - 1, cost + row);
      } else {
        lowest_ = std::min(lowest_, reach - spend);
      }
    }
  }

  const Problem& p_;
  int32_t size_, width_, most_rows_;
  Relax relax_;
  std::vector<uint8_t> widths_;  // ceil(log2(width)) of each row
  Priced last_, highest_;
  int64_t cost_ = kInfinite;
  Cuts chosen_, tail_;
  int32_t counts_[kMaxRows];
  int32_t visits_ = 0;
  int64_t lowest_ = kInfinite;
};

bool legal(const Problem& p) {
  if (p.size < 1 || p.size > kMaxCutPoints || p.rows < 1 || p.rows > static_cast<int32_t>(kMaxRows)) return false;
  if (p.total < 2 || p.total > static_cast<int32_t>(kTotal) || p.cuts[0] != 0 || p.before[0] != 0) return false;
  if (p.cuts[p.size] > int64_t{1} << kMaxBits || p.before[p.size] > kMaxSeen) return false;
  for (int32_t i = 0; i < p.size; ++i) {
    if (p.cuts[i] >= p.cuts[i + 1] || p.before[i] > p.before[i + 1]) return false;
  }
  return true;
}

}  // namespace
}  // namespace atalanta

// Finds the cheapest table with rows between the problem's cut points.
ATALANTA_API int32_t atalanta_search(const atalanta::Problem* problem, atalanta::Answer* answer) try {
  if (!atalanta::legal(*problem)) return atalanta::kBadArgument;
  atalanta::Search(*problem).run(answer);
  return atalanta::kOk;
} catch (const std::bad_alloc&) {
  return atalanta::kNoMemory;
}

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
  int32_t cut[kMaxRows + 1];  // indices of the chosen cut points
  int32_t count[kMaxRows];
};

// What the costs of rows that begin at one cut point follow from.
struct Prices {
  const int64_t* fixed;   // by end: the cost of the row but for its counts
  const int64_t* before;  // by end: values seen below it
  const int64_t* logs;
  const int64_t* gains;  // gains[c] = logs[c + 1] - logs[c], 0 from the total on
  int64_t seen;          // values below the rows' beginning
  int64_t price;         // of one count
  double per_value;      // counts per value, roughly
  int32_t total, unseen;
};

#define INLINE inline __attribute__((always_inline))

// The two inner loops of the dynamic programme, for each kind of machine.
struct Loops {
  // costs[end] for the rows that end at from .. to.
  void (*costs)(const Prices& p, int32_t from, int32_t to, int64_t* costs);
  // best[j] = min(best[j], before + costs[j]), j < n.
  void (*relax)(int64_t* best, const int64_t* costs, int64_t before, int32_t n);
};

// The best count of a row of n values is 1 / (2^(1/y) - 1) rounded up, with y = counts per value * n:
// from y - 1/2 to y + 1/2 in real numbers, and one less or more for the rounding of logarithms. So it
// is `first` or one or two more, as two gains decide.
INLINE void all_costs(const Prices& p, int32_t from, int32_t to, int64_t* __restrict costs) {
  const int64_t* const gains = p.gains;
  const int64_t seen = p.seen, price = p.price, total = p.total, unseen = p.unseen;
  const double per_value = p.per_value;
  for (int32_t end = from; end <= to; ++end) {
    const int64_t n = p.before[end] - seen;
    const int64_t rough = static_cast<int64_t>(static_cast<double>(n) * per_value + 0.5);
    const int64_t first = std::max<int64_t>(std::min(rough, total) - 1, 1);
    int64_t count = first + (n * gains[first] > price) + (n * gains[first + 1] > price);
    count -= (n == 0) & !unseen;
    costs[end] = p.fixed[end] - n * p.logs[count] + price * count;
  }
}

INLINE void relax(int64_t* __restrict best, const int64_t* __restrict costs, int64_t before, int32_t n) {
  for (int32_t j = 0; j < n; ++j) best[j] = std::min(best[j], before + costs[j]);
}

#define LOOPS(name, attribute)                                                                  \
  attribute void costs_##name(const Prices& p, int32_t from, int32_t to, int64_t* costs) {      \
    all_costs(p, from, to, costs);                                                              \
  }                                                                                             \
  attribute void relax_##name(int64_t* best, const int64_t* costs, int64_t before, int32_t n) { \
    relax(best, costs, before, n);                                                              \
  }

LOOPS(plain, )
#if defined(__x86_64__)
LOOPS(avx2, __attribute__((target("avx2"))))
LOOPS(avx512, __attribute__((target("avx512f,avx512vl,avx512dq"))))
#endif

Loops fastest_loops() {
#if defined(__x86_64__)
  if (vector_lanes() >= 16) return {costs_avx512, relax_avx512};
  if (vector_lanes() >= 8) return {costs_avx2, relax_avx2};
#endif
  return {costs_plain, relax_plain};
}

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
      : p_(problem),
        size_(problem.size),
        width_(problem.size + 1),
        most_rows_(std::min(problem.rows, problem.size)),
        loops_(fastest_loops()),
        fixed_(at(size_, 0) * sizeof(int64_t)),
        gains_(p_.total + 2, 0) {
    for (int32_t count = 1; count < p_.total; ++count) gains_[count] = p_.logs[count + 1] - p_.logs[count];
    const int64_t row = static_cast<int64_t>(p_.row_bits) << kFraction;
    for (int32_t i = 0; i < size_; ++i) {
      int64_t* const costs = fixed(i);
      int64_t per_value = p_.logs[p_.total], width = 1;  // as many offset bits as width has
      for (int32_t j = i + 1; j <= size_; ++j) {
        for (; width < p_.cuts[j] - p_.cuts[i]; width *= 2) per_value += int64_t{1} << kFraction;
        costs[j] = values(i, j) * per_value + row;
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
  int32_t least(int64_t values) const { return values > 0 || p_.unseen ? 1 : 0; }

  // Costs of the rows from cut i but for their counts, by end.
  int64_t* fixed(int32_t i) const { return reinterpret_cast<int64_t*>(fixed_.data()) + at(i, 0); }

  // The best count of a row when a count costs `price`: the last whose gain pays.
  int32_t count_at(int64_t price, int64_t values) const {
    if (!values) return least(0);
    const int32_t most = p_.total - 1;
    int32_t low = 1, high = most + 1;  // the first count c in low .. high whose gain does not pay
    while (low < high) {
      const int32_t c = (low + high) / 2;
      if (values * gains_[c] > price)
        low = c + 1;
      else
        high = c;
    }
    return low;
  }

  void solve(int64_t price, Priced& s) const {
    s.price = price;
    if (!s.memory.data()) s.memory = Scratch(at(width_, 0) * sizeof(int64_t));
    s.best.assign(static_cast<size_t>(most_rows_ + 1) * width_, kInfinite);
    s.best[0] = 0;
    const double ln2 = 0.69314718055994530942;
    Prices prices = {nullptr,
                     p_.before,
                     p_.logs,
                     gains_.data(),
                     0,
                     price,
                     (1 << kFraction) / (ln2 * static_cast<double>(price)),
                     p_.total,
                     p_.unseen};
    for (int32_t i = 0; i < size_; ++i) {
      int64_t* costs = s.costs() + at(i, 0);
      prices.fixed = fixed(i);
      prices.seen = p_.before[i];
      loops_.costs(prices, i + 1, size_, costs);
      for (int32_t k = 1; k <= most_rows_; ++k) {
        const int64_t before = s.best[at(k - 1, i)];
        if (before < kInfinite) loops_.relax(s.best.data() + at(k, i + 1), costs + i + 1, before, size_ - i);
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
        const int64_t saved = n[r] ? n[r] * gains_[counts[r]] : -1;
        if (saved > most) most = saved, best = r;
      }
      ++counts[best];
    }
    for (; seen && spent > p_.total; --spent) {
      int32_t best = -1;
      int64_t fewest = kInfinite;
      for (int32_t r = 0; r < cuts.rows; ++r) {
        if (!n[r] || counts[r] == 1) continue;
        const int64_t lost = n[r] * gains_[counts[r] - 1];
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
      cost += fixed(cuts.at[r])[cuts.at[r + 1]] - values(cuts.at[r], cuts.at[r + 1]) * p_.logs[counts[r]];
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
  Loops loops_;
  Scratch fixed_;
  std::vector<int64_t> gains_;
  Priced last_, highest_;
  int64_t cost_ = kInfinite;
  Cuts chosen_, tail_;
  int32_t counts_[kMaxRows];
  int32_t visits_ = 0;
  int64_t lowest_ = kInfinite;
};

bool legal(const Problem& p) {
  if (p.size < 1 || p.size > kMaxCutPoints || p.rows < 1 || p.rows > static_cast<int32_t>(kMaxRows))
    return false;
  if (p.total < 2 || p.total > static_cast<int32_t>(kTotal) || p.cuts[0] != 0 || p.before[0] != 0)
    return false;
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

// The table search of golden/search.py: the same integers, the same order of ties, the same result.

#include "search.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <vector>

#include "cpu.h"
#include "scratch.h"

namespace atalanta {
namespace {

constexpr int64_t kInfinite = int64_t{1} << 61;
constexpr unsigned kFraction = 24;
constexpr int kMaxPrices = 12;
constexpr int64_t kUnitPrice = 23637;
constexpr double kLn2 = 0.69314718055994530942;
constexpr int32_t kMaxCutPoints = 512;
constexpr int32_t kCoarseParts = 32;
constexpr int64_t kMaxSeen = int64_t{1} << 31;  // keeps every cost below kInfinite

// What the costs of rows that end at one cut point follow from.
struct Prices {
  const int64_t* cuts;    // cut points, rising
  const int64_t* before;  // values seen below each
  const uint64_t* steps;  // by count: its logarithm, and from bit 32 on what the next count gains
  int64_t row, log_total; // the cost of a row in the table; logs[total]
  int64_t price;          // of one count
  double per_value;       // counts per value, roughly
  int32_t total, unseen;
};

#define INLINE inline __attribute__((always_inline))

typedef int64_t Eight __attribute__((vector_size(64), aligned(8), may_alias));
constexpr int32_t kRelaxed = 16;  // numbers of rows that are relaxed together

// The two inner loops of the dynamic programme, for each kind of machine.
struct Loops {
  // costs[i] of the row from cut i to cut `end`, first <= i < end.
  void (*costs)(const Prices& p, int32_t first, int32_t end, int64_t* costs);
  // best[k] = the least of before[i * stride + k] + costs[i], i < n, for k < width: a multiple of
  // kRelaxed.
  void (*relax)(const int64_t* before, size_t stride, const int64_t* costs, int32_t n, int32_t width,
                int64_t* best);
};

// As many as offsets of `width` values need: the exponent of the double.
INLINE int64_t offset_bits(int64_t width) {
  const double last = static_cast<double>(width - 1);
  return std::max<int64_t>((load<int64_t>(&last) >> 52) - 1022, 0);
}

// The best count of a row of n values is 1 / (2^(1/y) - 1) rounded up, with y = counts per value * n:
// between y - 1/2 and y - 0.33 in real numbers before it is rounded, and 0.05 off either way for the
// rounding of logarithms. So it is `low` or one more, as a gain decides.
INLINE void all_costs(const Prices& p, int32_t first, int32_t end, int64_t* __restrict costs) {
  const int64_t* const before = p.before;
  const int64_t* const cuts = p.cuts;
  const uint64_t* const steps = p.steps;
  const int64_t seen = before[end], cut = cuts[end], price = p.price, row = p.row, log_total = p.log_total;
  const int64_t unseen = p.unseen;
  const double per_value = p.per_value, total = p.total;
  for (int32_t i = first; i < end; ++i) {
    const int64_t n = seen - before[i];
    const double rough = static_cast<double>(n) * per_value + 0.44;
    const double capped = rough < total ? rough : total;
    const int64_t low = static_cast<int64_t>(capped > 1 ? capped : 1);
    const uint64_t step = steps[low];
    const int64_t gain = static_cast<int64_t>(step >> 32), log = static_cast<int64_t>(step & 0xffffffff);
    const bool pays = n * gain > price;
    const int64_t count = low + pays - ((n == 0) & !unseen);
    const int64_t per = log_total + (offset_bits(cut - cuts[i]) << kFraction) - log - (pays ? gain : 0);
    costs[i] = n * per + row + price * count;
  }
}

INLINE void relax(const int64_t* before, size_t stride, const int64_t* costs, int32_t n, int32_t width,
                  int64_t* best) {
  for (int32_t k = 0; k < width; k += kRelaxed) {
    Eight* const to = reinterpret_cast<Eight*>(best + k);
    Eight low = to[0], high = to[1];
    for (int32_t i = 0; i < n; ++i) {
      const Eight* const from = reinterpret_cast<const Eight*>(before + i * stride + k);
      const Eight a = from[0] + costs[i], b = from[1] + costs[i];
      low = a < low ? a : low;
      high = b < high ? b : high;
    }
    to[0] = low;
    to[1] = high;
  }
}

#define LOOPS(name, attribute)                                                                            \
  attribute void costs_##name(const Prices& p, int32_t first, int32_t end, int64_t* costs) {              \
    all_costs(p, first, end, costs);                                                                      \
  }                                                                                                       \
  attribute void relax_##name(const int64_t* before, size_t stride, const int64_t* costs, int32_t n,      \
                              int32_t width, int64_t* best) {                                             \
    relax(before, stride, costs, n, width, best);                                                         \
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

// log2(x) * 2^kFraction, at most kLogError too low: interpolated in `logs`, which is concave. x > 0.
constexpr int64_t kLogError = 32;
int64_t log2_below(const int64_t* logs, int64_t x) {
  const int shift = std::max(54 - __builtin_clzll(static_cast<uint64_t>(x)), 0);  // to 10 bits
  const int64_t whole = x >> shift, rest = x - (whole << shift);
  const int64_t step = rest ? (logs[whole + 1] - logs[whole]) * rest >> shift : 0;
  return logs[whole] + step + (static_cast<int64_t>(shift) << kFraction);
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
  Scratch best, costs;
  int32_t first[kMaxCutPoints + 1];  // rows that end at a cut start here or later
};

// What keeps rows out of the dynamic programme that no table worth having contains.
//
// If every interval between cuts were a row and counts were real numbers, a table would cost `least` at a
// given price. A row of several intervals costs more than its intervals by n * KL(its values || evenly
// spread ones) at least, at any price. That rises with every interval that it takes in. So if some table
// is known to cost `known`, then rows that end at a cut are out from the first one on that is too wide.
class Narrowing {
 public:
  explicit Narrowing(const Problem& p) : p_(p), sums_(p.size + 1) {
    for (int32_t i = 0; i < p.size; ++i) {
      const int64_t n = p.before[i + 1] - p.before[i], width = p.cuts[i + 1] - p.cuts[i];
      sums_[i + 1] = sums_[i];
      if (n) sums_[i + 1] += n * (log2_below(p.logs, n) - kLogError - log2_below(p.logs, width));
    }
  }

  // What any table costs at least, when a count costs `price`.
  double least(int64_t price) const {
    const double n = static_cast<double>(p_.before[p_.size]), one = 1 << kFraction;
    const double per_value = static_cast<double>(p_.logs[p_.total]) +
                             one * (std::log2(static_cast<double>(price) / one * kLn2) + 1 / kLn2);
    const double values = static_cast<double>(sums_[p_.size]) + 2 * kLogError * n;
    return n * per_value - values - static_cast<double>(price) * p_.total;
  }

  // For each cut j, the first cut at which a row that ends at j can start.
  void first_starts(int64_t price, int64_t known, int32_t* first) const {
    const int64_t n = p_.before[p_.size];
    const double room = n ? static_cast<double>(known) - least(price) : kInfinite;
    const double slack = 1e-9 * static_cast<double>(known);  // of the doubles' own errors
    const int64_t most = static_cast<int64_t>(std::min<double>(room + slack, kInfinite));
    int32_t i = 0;
    for (int32_t j = 1; j <= p_.size; ++j) {
      while (i + 1 < j && excess(i, j) > most) ++i;
      first[j] = i;
    }
  }

 private:
  // At most what the row from cut i to cut j costs beyond its intervals.
  int64_t excess(int32_t i, int32_t j) const {
    const int64_t n = p_.before[j] - p_.before[i], width = p_.cuts[j] - p_.cuts[i];
    if (!n) return 0;
    return n * (log2_below(p_.logs, width) - log2_below(p_.logs, n) - kLogError) + sums_[j] - sums_[i];
  }

  const Problem& p_;
  std::vector<int64_t> sums_;  // of n * log2(n / width) over the intervals before each cut, at most
};

class Search {
 public:
  explicit Search(const Problem& problem)
      : p_(problem),
        size_(problem.size),
        most_rows_(std::min(problem.rows, problem.size)),
        width_((most_rows_ + kRelaxed - 1) / kRelaxed * kRelaxed),
        loops_(fastest_loops()),
        steps_(p_.total + 1),
        narrowing_(problem),
        narrows_(p_.total == static_cast<int32_t>(kTotal)) {
    while (p_.before[last_seen_] != p_.before[size_]) ++last_seen_;
    for (int32_t count = 1; count <= p_.total; ++count) {
      const int64_t gain = count < p_.total ? p_.logs[count + 1] - p_.logs[count] : 0;
      steps_[count] = static_cast<uint64_t>(gain) << 32 | static_cast<uint64_t>(p_.logs[count]);
    }
  }

  void run(Answer* answer) {
    if (narrows_) known_ = coarse_cost();
    raise_bound();
    if (cost_ > known_) {  // rows may be missing that tables between the two costs have
      known_ = cost_;
      raise_bound();
    }
    answer->bound = close();
    answer->cost = cost_;
    answer->rows = chosen_.rows;
    std::copy_n(chosen_.at, chosen_.rows + 1, answer->cut);
    std::copy_n(counts_, chosen_.rows, answer->count);
  }

 private:
  // What the best table costs whose rows begin at some of the cut points only.
  int64_t coarse_cost() const {
    if (size_ <= 2 * kCoarseParts || !values(0, size_)) return kInfinite;
    int64_t before[3 * kCoarseParts + 1], cuts[3 * kCoarseParts + 1];
    int32_t n = 0;
    const int64_t seen = values(0, size_);
    for (int32_t i = 0, even = 0, mass = 0; i <= size_; ++i) {
      const bool at_even = i * kCoarseParts >= even * size_;
      const bool at_mass = i == size_ || p_.before[i + 1] * kCoarseParts > mass * seen;
      if (!at_even && !at_mass) continue;
      even += at_even;
      if (at_mass && i < size_) mass = static_cast<int32_t>(p_.before[i + 1] * kCoarseParts / seen) + 1;
      before[n] = p_.before[i];
      cuts[n++] = p_.cuts[i];
    }
    Problem coarse = p_;
    coarse.before = before;
    coarse.cuts = cuts;
    coarse.size = n - 1;
    Search search(coarse);
    search.solve(first_price(), search.last_);
    search.offer(search.last_.cuts, search.last_.price);
    return search.cost_;
  }

  int64_t first_price() const { return std::max<int64_t>(values(0, size_) * kUnitPrice, 1); }

  int64_t values(int32_t i, int32_t j) const { return p_.before[j] - p_.before[i]; }
  int32_t least(int64_t values) const { return values > 0 || p_.unseen ? 1 : 0; }

  // What one more count than `count` gains a row, per value.
  int64_t gain(int32_t count) const { return static_cast<int64_t>(steps_[count] >> 32); }

  // Of the row from cut i to cut j, by the price that `s` was solved at.
  int64_t& cost(const Priced& s, int32_t i, int32_t j) const {
    return reinterpret_cast<int64_t*>(s.costs.data())[static_cast<size_t>(j) * size_ + i];
  }

  // Of covering cut j with k = 0 .. most_rows_ rows; there is room for one more than width_.
  int64_t& best(const Priced& s, int32_t k, int32_t j) const {
    return reinterpret_cast<int64_t*>(s.best.data())[j * stride() + k];
  }
  size_t stride() const { return static_cast<size_t>(width_) + 8; }

  // The best count of a row when a count costs `price`: the last whose gain pays.
  int32_t count_at(int64_t price, int64_t values) const {
    if (!values) return least(0);
    const int32_t most = p_.total - 1;
    int32_t low = 1, high = most + 1;  // the first count c in low .. high whose gain does not pay
    while (low < high) {
      const int32_t c = (low + high) / 2;
      if (values * gain(c) > price)
        low = c + 1;
      else
        high = c;
    }
    return low;
  }

  void solve(int64_t price, Priced& s) const {
    s.price = price;
    if (!s.best.data()) {
      s.costs = Scratch(static_cast<size_t>(size_ + 1) * size_ * sizeof(int64_t));
      s.best = Scratch(static_cast<size_t>(size_ + 1) * stride() * sizeof(int64_t));
    }
    std::fill_n(&best(s, 0, 0), (size_ + 1) * stride(), kInfinite);
    best(s, 0, 0) = 0;
    const Prices prices = {p_.cuts,
                           p_.before,
                           steps_.data(),
                           static_cast<int64_t>(p_.row_bits) << kFraction,
                           p_.logs[p_.total],
                           price,
                           (1 << kFraction) / (kLn2 * static_cast<double>(price)),
                           p_.total,
                           p_.unseen};
    std::fill_n(s.first, size_ + 1, 0);
    if (narrows_) narrowing_.first_starts(price, known_, s.first);
    for (int32_t j = 1; j <= size_; ++j) {
      if (last_seen_ < j && j < size_) s.first[j] = j;
      const int32_t i = s.first[j];
      loops_.costs(prices, i, j, &cost(s, 0, j));
      loops_.relax(&best(s, 0, i), stride(), &cost(s, i, j), j - i, width_, &best(s, 1, j));
    }
    int32_t k = 0;
    for (int32_t other = 1; other <= most_rows_; ++other) {
      if (best(s, other, size_) < best(s, k, size_)) k = other;
    }
    s.bound = best(s, k, size_) - price * p_.total;
    s.cuts.rows = k;
    s.cuts.at[k] = size_;
    s.spent = 0;
    for (; k > 0; --k) {
      const int32_t j = s.cuts.at[k];
      int32_t i = s.first[j];
      while (best(s, k - 1, i) + cost(s, i, j) != best(s, k, j)) ++i;
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
        const int64_t saved = n[r] ? n[r] * gain(counts[r]) : -1;
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

  // Takes these boundaries, with their best counts, if they are better. Returns the price at which those
  // counts are the best and sum to the total: what the next count would gain.
  int64_t offer(const Cuts& cuts, int64_t price) {
    int32_t counts[kMaxRows] = {};
    allocate(cuts, price, counts);
    int64_t cost = 0, next = 0;
    for (int32_t r = 0; r < cuts.rows; ++r) {
      const int32_t i = cuts.at[r], j = cuts.at[r + 1];
      const int64_t n = values(i, j), bits = p_.row_bits + n * offset_bits(p_.cuts[j] - p_.cuts[i]);
      cost += (bits << kFraction) + n * (p_.logs[p_.total] - p_.logs[counts[r]]);
      next = std::max(next, n * gain(counts[r]));
    }
    if (cost < cost_) {
      cost_ = cost;
      chosen_ = cuts;
      std::copy_n(counts, cuts.rows, counts_);
    }
    return next;
  }

  // Finds the price with the highest bound, for highest_.
  void raise_bound() {
    int64_t price = first_price(), low = 0, high = kInfinite;
    for (int step = 0; step < kMaxPrices; ++step) {
      solve(price, last_);
      const int64_t suited = offer(last_.cuts, price), spent = last_.spent;
      if (narrows_) known_ = std::min(known_, cost_);
      if (step == 0 || last_.bound > highest_.bound) std::swap(last_, highest_);
      if (spent == p_.total || highest_.bound == cost_) break;
      (spent > p_.total ? low : high) = price;
      price = suited;
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
    for (int32_t i = highest_.first[j]; i < j; ++i) {
      const int64_t row = this->cost(highest_, i, j), reach = best(highest_, k - 1, i) + row + cost;
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
  int32_t size_, most_rows_;
  int32_t width_;  // of the relaxation, in rows
  Loops loops_;
  std::vector<uint64_t> steps_;  // as in Prices
  Narrowing narrowing_;
  int32_t last_seen_ = 0;  // the cut behind the last value seen: no row ends between it and the last cut
  bool narrows_;
  int64_t known_ = kInfinite;  // a cost that some table has
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

int32_t atalanta_search(const atalanta::Problem* problem, atalanta::Answer* answer) try {
  if (!atalanta::legal(*problem)) return atalanta::kBadArgument;
  atalanta::Search(*problem).run(answer);
  return atalanta::kOk;
} catch (const std::bad_alloc&) {
  return atalanta::kNoMemory;
}

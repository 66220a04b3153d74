// The decoder's bulk for machines with wide registers: as many lanes at a time as a register holds.
// V names the register; include its header and define TARGET before this one.
#pragma once

#include <limits>

#include "decode.h"

namespace atalanta {

// The table in the form that vector code looks up, its rows numbered as in Decoder.
struct VectorTable {
  alignas(64) float limits[kMaxRows + 16];
  // Row r's range starts where 2 (delta + 1) / range - 1 exceeds limits[r] = cum / 512 - 1:
  // bound(range, cum) <= delta  <=>  range * cum < 1024 (delta + 1).
  // A float decides this exactly. Numerator 2 (delta + 1) - range and denominator have 17 bits. A
  // quotient that is not a limit differs from it by at least 1 / (512 range) > 2^-25 (range is
  // below 2^16, or equal to it and then the difference is a multiple of 2^-15), and floats up to 1
  // lie at most 2^-24 apart: rounding to nearest cannot make one reach the other.

  alignas(64) uint32_t coding[kMaxRows];   // cum | cum_end << 11 | offset_bits << 22
  alignas(64) uint32_t offsets[kMaxRows];  // lowest value | last_offset << 16

  explicit VectorTable(const Decoder& d) : coding(), offsets() {
    for (float& limit : limits) limit = std::numeric_limits<float>::infinity();
    for (unsigned r = 0; r < d.rows; ++r) {
      const Row& row = d.row[r];
      limits[r] = static_cast<float>(row.cum) / (kTotal / 2) - 1;
      coding[r] = row.cum | row.cum_end << 11 | row.offset_bits << 22;
      offsets[r] = d.lowest(row) | row.last_offset << 16;
    }
  }
};

template <class V, bool kLong, class Out>
TARGET bool decode_groups(Decoder& d, uint64_t groups, Out* out) {
  using U = typename V::U;
  const VectorTable table(d);
  const typename V::template Search<kLong> find_row(table.limits);
  const typename V::template Lookup<kLong> coding(table.coding), offsets(table.offsets);
  const unsigned lanes = static_cast<unsigned>(d.p.lanes), ways = static_cast<unsigned>(d.p.ways);
  const U ones = V::set(~0u), count_mask = V::set(2 * kTotal - 1), code_mask = V::set(0x7fff);
  const U beat_bit = V::set(1u << d.beat_shift), value_mask = V::set(static_cast<Out>(~0u));
  alignas(64) uint32_t ring_of[kMaxLanes], at[V::N];
  for (unsigned lane = 0; lane < lanes; ++lane) ring_of[lane] = lane * d.beats.stride();
  unsigned way = 0;
  // A group's beats are handed out after the next group has been decoded: whether there are any is
  // hard to predict, and known by then. F >= 2 beats and one word of lookahead are 192 bits ahead of
  // a lane, twice what a group takes.
  GroupEvents asks[2] = {GroupEvents(lanes), GroupEvents(lanes)};
  for (uint64_t group = 0; group < groups; ++group, out += kGroup * lanes) {
    asks[group % 2].clear();
    U bad = V::set(0);
    unsigned next_way = way;
    for (unsigned first = 0; first < lanes; first += V::N) {
      U used = V::load(d.used + first);
      U word[4];
      V::store(at,
               V::add(V::load(ring_of + first), V::both(V::template right<3>(used), V::set(d.beats.mask()))));
      V::load_words(d.beats.rings(), at, word);
      U take = V::both(used, V::set(7));
      U ahead = V::add(used, V::set(kAskBits));
      next_way = way;
#pragma GCC unroll 4
      for (unsigned slot = 0; slot < kGroup; ++slot) {
        // Drop what is behind, in those words that the rest of the group may need.
        const unsigned last = slot == 0 ? 2 : 3 - slot;
#pragma GCC unroll 4
        for (unsigned w = 0; w <= last; ++w) word[w] = V::funnel(word[w], word[w + 1], take);
        if (slot == 0) word[3] = V::right(word[3], take);
        uint32_t* low_at = d.ways.low[next_way] + first;
        uint32_t* range_at = d.ways.range[next_way] + first;
        uint32_t* delta_at = d.ways.delta[next_way] + first;
        U low = V::load(low_at), range = V::load(range_at), delta = V::load(delta_at);
        const U row = find_row(V::sub(V::add(delta, delta), V::sub(range, V::set(2))), range);
        const U code = coding[row], place = offsets[row];
        const U from = V::template right<kCountBits>(V::mul(range, V::both(code, count_mask)));
        const U cum_end = V::both(V::template right<11>(code), count_mask);
        const U offset_bits = V::template right<22>(code);
        range = V::sub(V::template right<kCountBits>(V::mul(range, cum_end)), from);
        low = V::add(low, from);
        const U shift = V::shift_count(low, V::sub(V::add(low, range), V::set(1)));
        const U offset = V::without(V::right(word[0], shift), V::left(ones, offset_bits));
        delta = V::merge(V::left(V::sub(delta, from), shift), word[0], V::left(ones, shift));
        V::store(low_at, V::both(V::left(low, shift), code_mask));
        V::store(range_at, V::left(range, shift));
        V::store(delta_at, delta);
        bad = V::either(bad, V::sub(V::template right<16>(place), offset));
        V::store_narrow(out + slot * lanes + first, V::both(V::add(place, offset), value_mask));
        take = V::add(offset_bits, shift);
        const U after = V::add(ahead, take);
        asks[group % 2].add(slot, first, V::test(V::differ(ahead, after), beat_bit));
        ahead = after;
        next_way = next_way + 1 == ways ? 0 : next_way + 1;
      }
      V::store(d.used + first, V::sub(ahead, V::set(kAskBits)));
    }
    way = next_way;
    if (V::test(bad, V::set(1u << 31))) return false;
    d.route(asks[(group + 1) % 2], ways + group * kGroup - kGroup);
  }
  d.route(asks[(groups + 1) % 2], ways + groups * kGroup - kGroup);
  return true;
}

}  // namespace atalanta

// The encoder's bulk for machines with wide registers; see decode_body.h.
#pragma once

#include "encode.h"

namespace atalanta {

template <class V, bool kLong>
TARGET void forward_groups(Encoder& e, uint64_t k, uint64_t groups, const uint8_t* rows, uint32_t* records) {
  using U = typename V::U;
  alignas(64) uint32_t coding_of[kMaxRows] = {};  // cum | cum_end << 11 | offset_bits << 22
  for (int32_t r = 0; r < e.p.rows; ++r) {
    coding_of[r] = e.row[r].cum | e.row[r].cum_end << 11 | e.row[r].offset_bits << 22;
  }
  const typename V::template Lookup<kLong> coding(coding_of);
  const unsigned lanes = static_cast<unsigned>(e.p.lanes), ways = static_cast<unsigned>(e.p.ways);
  const U count_mask = V::set(2 * kTotal - 1), code_mask = V::set(0x7fff);
  const U beat_bit = V::set(1u << e.beat_shift);
  unsigned way = static_cast<unsigned>(k % ways);
  GroupEvents asks(lanes);
  for (uint64_t group = 0; group < groups; ++group) {
    asks.clear();
    unsigned next_way = way;
    for (unsigned first = 0; first < lanes; first += V::N) {
      U ahead = V::add(V::load(e.used + first), V::set(kAskBits));
      next_way = way;
#pragma GCC unroll 4
      for (unsigned slot = 0; slot < kGroup; ++slot) {
        const U row = V::load_narrow(rows + slot * lanes + first);
        const U code = coding[row];
        uint32_t* low_at = e.ways.low[next_way] + first;
        uint32_t* range_at = e.ways.range[next_way] + first;
        U low = V::load(low_at), range = V::load(range_at);
        const U from = V::template right<kCountBits>(V::mul(range, V::both(code, count_mask)));
        const U cum_end = V::both(V::template right<11>(code), count_mask);
        range = V::sub(V::template right<kCountBits>(V::mul(range, cum_end)), from);
        low = V::add(low, from);
        const U shift = V::shift_count(low, V::sub(V::add(low, range), V::set(1)));
        V::store(low_at, V::both(V::left(low, shift), code_mask));
        V::store(range_at, V::left(range, shift));
        const U upper = V::either(V::template left<kShiftAt>(shift), V::template left<kRowAt>(row));
        V::store_unaligned(records + slot * lanes + first, V::either(from, upper));
        const U after = V::add(ahead, V::add(V::template right<22>(code), shift));
        asks.add(slot, first, V::test(V::differ(ahead, after), beat_bit));
        ahead = after;
        next_way = next_way + 1 == ways ? 0 : next_way + 1;
      }
      V::store(e.used + first, V::sub(ahead, V::set(kAskBits)));
    }
    way = next_way;
    if (e.noting) e.ask_end = asks.list(e.ask_end);
    rows += kGroup * lanes;
    records += kGroup * lanes;
  }
}

template <class V, bool kLong, class Value>
TARGET void backward_groups(Encoder& e, uint64_t k, uint64_t groups, const uint32_t* records) {
  using U = typename V::U;
  alignas(64) uint32_t offsets_of[kMaxRows] = {};  // lowest value | offset_bits << 16
  for (int32_t r = 0; r < e.p.rows; ++r) {
    const uint32_t lowest = (e.row[r].v_min - static_cast<uint32_t>(e.p.bias)) & 0xffff;
    offsets_of[r] = lowest | e.row[r].offset_bits << 16;
  }
  const typename V::template Lookup<kLong> offsets(offsets_of);
  const unsigned lanes = static_cast<unsigned>(e.p.lanes), ways = static_cast<unsigned>(e.p.ways);
  const U ones = V::set(~0u), low_half = V::set(0xffff), value_mask = V::set(e.value_mask());
  const uint64_t end = k + groups * kGroup;
  const Value* values = static_cast<const Value*>(e.values) + end * lanes;
  records += groups * kGroup * lanes;
  unsigned way = static_cast<unsigned>(end % ways);
  alignas(64) uint32_t at[V::N];
  for (uint64_t group = 0; group < groups; ++group) {
    values -= kGroup * lanes;
    records -= kGroup * lanes;
    unsigned next_way = way;
    for (unsigned first = 0; first < lanes; first += V::N) {
      U field[kGroup], width[kGroup];
      next_way = way;
#pragma GCC unroll 4
      for (unsigned back = 1; back <= kGroup; ++back) {
        const unsigned slot = kGroup - back;
        next_way = next_way ? next_way - 1 : ways - 1;
        uint32_t* delta_at = e.ways.delta[next_way] + first;
        const U record = V::load_unaligned(records + slot * lanes + first);
        const U place = offsets[V::template right<kRowAt>(record)];
        const U shift = V::both(V::template right<kShiftAt>(record), V::set(15));
        const U delta = V::load(delta_at);
        V::store(delta_at, V::add(V::both(record, low_half), V::right(delta, shift)));
        const U offset_bits = V::template right<16>(place);
        const U offset = V::both(V::sub(V::load_narrow(values + slot * lanes + first), place), value_mask);
        const U refill = V::without(delta, V::left(ones, shift));
        field[slot] = V::either(refill, V::left(offset, shift));
        width[slot] = V::add(offset_bits, shift);
      }
      // The group's bits as a 128-bit number per lane whose top byte is the byte in which the lane's
      // bits so far begin: two fields make 64 bits, both pairs then move to their places.
      const U used = V::load(e.used + first);
      const U late = V::add(width[2], width[3]);
      const U all = V::add(V::add(width[0], width[1]), late);
      const U stop = V::add(V::both(used, V::set(7)), V::set(120));
      const U start = V::sub(stop, all);
      V::store(e.used + first, V::sub(used, all));
      V::store(at, V::sub(V::add(V::load(e.string_at + first), V::template right<3>(used)), V::set(15)));
      V::store_pairs(e.strings.data(), at, V::join(field[0], field[1], width[0]),
                     V::join(field[2], field[3], width[2]), start, V::sub(stop, late));
    }
    way = next_way;
  }
}

}  // namespace atalanta

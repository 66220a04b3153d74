// The encoder's state, shared by the scalar code and the vector bodies.
//
// A code string's bits depend on what follows them: carries run backwards. So a lane is coded in two
// passes. The forward pass moves every way's window as the decoder will, and records each value's
// row, shift and `from`, the distance by which low rises; that fixes all lengths and the order of
// beats. The backward pass knows, from the last value on, the decoder's delta = code - low:
//
//     refill = delta_after mod 2^shift,  delta_before = from + (delta_after >> shift)
//
// so every field comes out final, and each lane is written from its end to its start.
#pragma once

#include <vector>

#include "coder.h"
#include "group_events.h"
#include "scratch.h"

namespace atalanta {

constexpr unsigned kShiftAt = 16, kRowAt = 20;  // bits of a record; `from` is lowest

struct Encoder {
  // The values must stay in place until the payload is written.
  Encoder(const Segment& segment, const void* values, unsigned value_bytes, uint64_t count);

  // Of values and codes: the numbers that one can hold.
  uint32_t value_mask() const { return value_bytes == 1 ? 0xff : 0xffff; }

  Segment p;
  const void* values;
  unsigned value_bytes;
  uint64_t count;
  unsigned beat_shift;  // log2 of the bits of a beat

  Row row[kMaxRows];

  Ways ways;
  alignas(64) uint32_t used[kMaxLanes] = {};  // forward: bits before the slot; backward: bits after it

  // The lanes that ask for beats, in order, while `noting`; behind ask_end is room for a chunk's.
  bool noting = true;
  std::vector<uint8_t> asks;
  uint8_t* ask_end = nullptr;

  // Lanes' strings stand in one buffer, each with kSlack bytes on both sides that writes may touch.
  static constexpr size_t kSlack = 16;
  Scratch strings;
  alignas(64) uint32_t string_at[kMaxLanes] = {};
};

// Slots k .. k + 4 * groups - 1, in all of which every lane has a value and its way another one to
// come. rows: of the values of these slots. records: one each.
using ForwardBody = void (*)(Encoder&, uint64_t k, uint64_t groups, const uint8_t* rows, uint32_t* records);
using BackwardBody = void (*)(Encoder&, uint64_t k, uint64_t groups, const uint32_t* records);

constexpr uint8_t kNoRow = 0xff;  // of a value for which the table has no counts

// rows[i] = row_of[values[i]], n of them. False if one is kNoRow.
using RowFinder = bool (*)(const uint8_t* row_of, const void* values, uint64_t n, uint8_t* rows);

struct EncodeBodies {
  ForwardBody forward;
  BackwardBody backward;
  RowFinder rows;
};

// The fastest bodies that this machine runs, or nulls.
EncodeBodies encode_bodies(unsigned lanes, unsigned rows, unsigned value_bytes);

}  // namespace atalanta

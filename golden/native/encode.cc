// Encoding Atalanta segments: golden/reference/atalanta.py, with the same bits.

#include "encode.h"

#include "search.h"

#include <algorithm>
#include <memory>
#include <new>

namespace atalanta {

Encoder::Encoder(const Segment& segment, const void* from, unsigned bytes, uint64_t n)
    : p(segment), values(from), value_bytes(bytes), count(n), beat_shift(segment.beat_shift()) {
  for (int32_t r = 0; r < p.rows; ++r) row[r] = make_row(p, r);
}

namespace {

constexpr uint64_t kChunkValues = 4096;     // values whose rows are looked up at a time
constexpr uint64_t kBlockValues = 1 << 20;  // values whose records are kept
constexpr size_t kAskRoom = kChunkValues + kMaxLanes * kMaxWays + 8;  // beats asked for in a chunk, at most

template <class Value>
bool find_rows(const uint8_t* row_of, const void* values, uint64_t n, uint8_t* rows) {
  const Value* value = static_cast<const Value*>(values);
  unsigned all = 0;
  for (uint64_t i = 0; i < n; ++i) all |= rows[i] = row_of[value[i]];
  return all < kMaxRows;
}

// Writes one lane's string from its end to its start.
class BackWriter {
 public:
  // end: bits of the string that are still to come.
  BackWriter(uint8_t* string, uint32_t end) : string_(string), words_((end + 31) / 32), held_(-end % 32) {
    if (held_) bits_ = load<uint32_t>(string_ + 4 * (words_ - 1)) >> end % 32;
  }

  // Puts `field` of `width` <= 28 bits before what has been put so far.
  void put(uint32_t field, unsigned width) {
    bits_ = bits_ << width | field;
    held_ += width;
    store(string_ + 4 * (static_cast<ptrdiff_t>(words_) - 2), bits_ << (63 - held_) << 1);
    words_ -= held_ / 32;
    held_ %= 32;
  }

 private:
  uint8_t* string_;
  uint32_t words_;     // whole 32-bit words of the string that are still to come
  uint64_t bits_ = 0;  // the lowest `held_` of them stand in word words_ - 1, at its upper end
  uint32_t held_;
};

class Encoding {
 public:
  Encoding(const Segment& segment, const void* values, unsigned value_bytes, uint64_t count)
      : v_min_(segment.v_min, segment.v_min + segment.rows),
        cum_(segment.cum, segment.cum + segment.rows),
        e_(own(segment), values, value_bytes, count),
        lanes_(static_cast<unsigned>(segment.lanes)),
        ways_(static_cast<unsigned>(segment.ways)),
        slots_((count + lanes_ - 1) / lanes_),
        block_(kBlockValues / lanes_),
        bodies_(encode_bodies(lanes_, static_cast<unsigned>(segment.rows), value_bytes)),
        find_rows_(bodies_.rows) {
    if (!find_rows_) find_rows_ = value_bytes == 1 ? find_rows<uint8_t> : find_rows<uint16_t>;
    const uint64_t whole = count / lanes_;
    if (bodies_.forward && whole > ways_) body_end_ = (whole - ways_) / kGroup * kGroup;
    row_of_.assign(size_t{1} << 8 * value_bytes, kNoRow);
    for (int32_t r = 0; r < segment.rows; ++r) {
      if (segment.cum[r] != segment.cum_end(r)) note_row(segment.v_min[r], segment.v_end(r), r);
    }
    records_ = Scratch(std::min(block_, slots_) * lanes_ * sizeof(uint32_t));
  }

  // The forward pass. False if the table has no counts for some value.
  bool measure() {
    e_.asks.resize(2 * kAskRoom);
    e_.ask_end = e_.asks.data();
    for (unsigned way = 0; way < ways_ && way < slots_; ++way) {
      for (unsigned lane = 0; lane < lanes_with(way); ++lane) {
        e_.ways.low[way][lane] = 0;
        e_.ways.range[way][lane] = 1u << kCodeBits;
        advance(lane, kCodeBits);
      }
    }
    for (uint64_t k = 0; k < slots_; k += block_) {
      starts_.push_back(state());
      if (!forward(k, std::min(k + block_, slots_))) return false;
    }
    std::copy(e_.used, e_.used + lanes_, lane_bits_);
    return true;
  }

  uint32_t lane_bits(unsigned lane) const { return lane_bits_[lane]; }
  uint32_t lane_bytes(unsigned lane) const { return (lane_bits_[lane] + 7) / 8; }

  // The backward pass and the payload, of as many bytes as all lanes have.
  void write(uint8_t* payload) {
    allocate_strings();
    e_.noting = false;
    uint32_t end[kMaxLanes];
    std::copy(lane_bits_, lane_bits_ + lanes_, end);
    for (size_t block = starts_.size(); block-- > 0;) {
      const uint64_t k = block * block_, k_end = std::min(k + block_, slots_);
      if (block + 1 < starts_.size()) {  // the records at hand are of another block
        restore(starts_[block]);
        forward(k, k_end);
      }
      std::copy(end, end + lanes_, e_.used);
      backward(k, k_end);
      std::copy(e_.used, e_.used + lanes_, end);
    }
    for (unsigned lane = 0; lane < lanes_; ++lane) {
      BackWriter writer(string(lane), end[lane]);
      for (uint64_t way = std::min<uint64_t>(ways_, slots_); way-- > 0;) {
        if (lane < lanes_with(way)) writer.put(e_.ways.delta[way][lane], kCodeBits);
      }
    }
    interleave(payload);
  }

 private:
  // What the forward pass needs to start again at a block.
  struct State {
    std::vector<uint32_t> low, range;
  };

  // Row `row` holds the codes from `first` to before `end`; the values they stand for may wrap around.
  void note_row(uint32_t first, uint32_t end, int32_t row) {
    const size_t at = (first - static_cast<uint32_t>(e_.p.bias)) & e_.value_mask(), n = end - first;
    const size_t before = std::min(n, row_of_.size() - at);
    std::memset(row_of_.data() + at, row, before);
    std::memset(row_of_.data(), row, n - before);
  }

  Segment own(Segment segment) const {
    segment.v_min = v_min_.data();
    segment.cum = cum_.data();
    return segment;
  }

  unsigned lanes_with(uint64_t k) const {
    const uint64_t before = k * lanes_;
    return before >= e_.count ? 0 : static_cast<unsigned>(std::min<uint64_t>(e_.count - before, lanes_));
  }

  State state() const {
    State now;
    for (unsigned way = 0; way < ways_; ++way) {
      now.low.insert(now.low.end(), e_.ways.low[way], e_.ways.low[way] + lanes_);
      now.range.insert(now.range.end(), e_.ways.range[way], e_.ways.range[way] + lanes_);
    }
    return now;
  }

  void restore(const State& then) {
    for (unsigned way = 0; way < ways_; ++way) {
      std::copy_n(then.low.data() + way * lanes_, lanes_, e_.ways.low[way]);
      std::copy_n(then.range.data() + way * lanes_, lanes_, e_.ways.range[way]);
    }
  }

  void advance(unsigned lane, unsigned bits) {
    const uint32_t before = e_.used[lane], after = before + bits;
    e_.used[lane] = after;
    const bool asks = (before + kAskBits) >> e_.beat_shift != (after + kAskBits) >> e_.beat_shift;
    if (asks && e_.noting) *e_.ask_end++ = static_cast<uint8_t>(lane);
  }

  uint32_t code(uint64_t i) const {
    const uint32_t value = e_.value_bytes == 1 ? static_cast<const uint8_t*>(e_.values)[i]
                                               : static_cast<const uint16_t*>(e_.values)[i];
    return (value + static_cast<uint32_t>(e_.p.bias)) & e_.value_mask();
  }

  void make_ask_room() {
    const size_t asked = static_cast<size_t>(e_.ask_end - e_.asks.data());
    if (e_.asks.size() - asked >= kAskRoom) return;
    e_.asks.resize(2 * e_.asks.size());
    e_.ask_end = e_.asks.data() + asked;
  }

  bool forward(uint64_t k, uint64_t k_end) {
    uint8_t rows[kChunkValues];
    uint32_t* records = this->records();
    while (k < k_end) {
      make_ask_room();
      const uint64_t next = std::min(k + kChunkValues / lanes_, k_end);
      const uint64_t first = k * lanes_, n = std::min(next * lanes_, e_.count) - first;
      const uint8_t* values = static_cast<const uint8_t*>(e_.values) + first * e_.value_bytes;
      if (!find_rows_(row_of_.data(), values, n, rows)) return false;
      const uint64_t groups = k < body_end_ ? (std::min(next, body_end_) - k) / kGroup : 0;
      if (groups) bodies_.forward(e_, k, groups, rows, records);
      unsigned way = static_cast<unsigned>((k + groups * kGroup) % ways_);
      for (uint64_t t = groups * kGroup; k + t < next; ++t) {
        forward_slot(k + t, way, rows + t * lanes_, records + t * lanes_);
        way = way + 1 == ways_ ? 0 : way + 1;
      }
      records += n;
      k = next;
    }
    return true;
  }

  void forward_slot(uint64_t k, unsigned way, const uint8_t* rows, uint32_t* records) {
    const unsigned lanes = lanes_with(k), refilled = lanes_with(k + ways_);
    for (unsigned lane = 0; lane < lanes; ++lane) {
      const Row row = e_.row[rows[lane]];
      const uint32_t range = e_.ways.range[way][lane], before = e_.ways.low[way][lane];
      const uint32_t from = bound(range, row.cum), size = bound(range, row.cum_end) - from;
      const uint32_t low = before + from, high = low + size - 1;
      unsigned shift = 0;
      if (lane < refilled) {
        shift = shift_count(low, high);
        e_.ways.low[way][lane] = low << shift & 0x7fff;
        e_.ways.range[way][lane] = size << shift;
      } else {
        e_.ways.delta[way][lane] = roundest(low, high) - before;
      }
      records[lane] = from | shift << kShiftAt | static_cast<uint32_t>(rows[lane]) << kRowAt;
      advance(lane, row.offset_bits + shift);
    }
  }

  void backward(uint64_t k, uint64_t k_end) {
    const uint64_t body_end = std::max(k, std::min(k_end, body_end_));
    for (unsigned lane = 0; lane < lanes_; ++lane)
      backward_lane(lane, body_end, k_end, records() + (body_end - k) * lanes_);
    if (body_end > k) bodies_.backward(e_, k, (body_end - k) / kGroup, records());
  }

  // One lane's values k_end-1 .. k. records: those of slot k and later.
  void backward_lane(unsigned lane, uint64_t k, uint64_t k_end, const uint32_t* records) {
    const uint64_t values = e_.p.lane_values(e_.count, lane);
    const uint64_t last = std::min(k_end, values);
    if (last <= k) return;
    BackWriter writer(string(lane), e_.used[lane]);
    unsigned way = static_cast<unsigned>((last - 1) % ways_);
    uint32_t taken = 0;
    for (uint64_t slot = last; slot-- > k;) {
      const uint32_t record = records[(slot - k) * lanes_ + lane];
      const Row& row = e_.row[record >> kRowAt];
      const unsigned shift = record >> kShiftAt & 15;
      uint32_t field = (code(slot * lanes_ + lane) - row.v_min) << shift;
      if (slot + ways_ < values) {
        uint32_t& delta = e_.ways.delta[way][lane];
        field |= delta & low_mask(shift);
        delta = (record & 0xffff) + (delta >> shift);
      }
      writer.put(field, row.offset_bits + shift);
      taken += row.offset_bits + shift;
      way = way ? way - 1 : ways_ - 1;
    }
    e_.used[lane] -= taken;
  }

  void allocate_strings() {
    size_t at = 0;
    for (unsigned lane = 0; lane < lanes_; ++lane) {
      e_.string_at[lane] = static_cast<uint32_t>(at + Encoder::kSlack);
      at += lane_bytes(lane) + 2 * Encoder::kSlack;
    }
    e_.strings = Scratch(at);
    for (unsigned lane = 0; lane < lanes_; ++lane) {
      // Only the word in which a string ends is read before it is written.
      std::memset(string(lane) + lane_bits_[lane] / 32 * 4, 0, 4);
    }
  }

  uint32_t* records() const { return reinterpret_cast<uint32_t*>(records_.data()); }

  uint8_t* string(unsigned lane) const { return e_.strings.data() + e_.string_at[lane]; }

  void interleave(uint8_t* payload) const {
    const uint32_t beat_bytes = static_cast<uint32_t>(e_.p.beat_bytes);
    uint32_t left[kMaxLanes];
    const uint8_t* from[kMaxLanes];
    for (unsigned lane = 0; lane < lanes_; ++lane) {
      left[lane] = lane_bytes(lane);
      from[lane] = string(lane);
    }
    const auto give = [&](unsigned lane) {
      const uint32_t size = std::min(left[lane], beat_bytes);
      if (size == beat_bytes) {
        for (uint32_t i = 0; i < beat_bytes; i += 16) std::memcpy(payload + i, from[lane] + i, 16);
      } else {
        std::memcpy(payload, from[lane], size);
      }
      payload += size;
      from[lane] += size;
      left[lane] -= size;
    };
    for (int32_t round = 0; round < e_.p.lane_depth; ++round) {
      for (unsigned lane = 0; lane < lanes_; ++lane) give(lane);
    }
    for (const uint8_t* lane = e_.asks.data(); lane != e_.ask_end; ++lane) give(*lane);
  }

  std::vector<uint16_t> v_min_, cum_;
  Encoder e_;
  unsigned lanes_, ways_;
  uint64_t slots_, block_;
  EncodeBodies bodies_;
  RowFinder find_rows_;
  uint64_t body_end_ = 0;  // slots before this one are the bodies'
  std::vector<uint8_t> row_of_;
  Scratch records_;
  std::vector<State> starts_;  // of each block
  uint32_t lane_bits_[kMaxLanes] = {};
};

}  // namespace

}  // namespace atalanta

using namespace atalanta;

namespace {

// Measures a segment whose table is known.
void* measure(const Segment& p, const void* values, int32_t value_bytes, uint64_t count, uint32_t* lane_bits,
              int32_t* status) {
  *status = kBadArgument;
  if (!p.legal() || count > kMaxValues || (value_bytes != 1 && value_bytes != 2)) return nullptr;
  if (p.bits > 8 * value_bytes) return nullptr;
  auto encoding = std::make_unique<Encoding>(p, values, static_cast<unsigned>(value_bytes), count);
  *status = kValueError;
  if (!encoding->measure()) return nullptr;
  for (int32_t lane = 0; lane < p.lanes; ++lane) {
    lane_bits[lane] = encoding->lane_bits(static_cast<unsigned>(lane));
  }
  *status = kOk;
  return encoding.release();
}

// Counts the values and finds the best table for them, of codes of up to 8 bits. counts: of each code.
Status fit(Segment* p, Problem problem, const void* values, int32_t value_bytes, uint64_t count,
           int64_t* counts, Answer* answer, uint16_t* v_min, uint16_t* cum) {
  constexpr uint32_t kCodes = 1 << 8;
  if (value_bytes != 1 || p->bits < 2 || p->bits > 8) return kBadArgument;
  int64_t seen[kCodes] = {}, before[kCodes + 1] = {}, cuts[kCodes + 1];
  int32_t status = atalanta_histogram(values, value_bytes, count, seen);
  if (status != kOk) return static_cast<Status>(status);
  const uint32_t codes = 1u << p->bits;
  for (uint32_t code = 0; code < kCodes; ++code) {
    const int64_t n = seen[(code - static_cast<uint32_t>(p->bias)) % kCodes];
    if (code >= codes) {
      if (n) return kValueError;
      continue;
    }
    counts[code] = n;
    before[code + 1] = before[code] + n;
    cuts[code] = code;
  }
  cuts[codes] = codes;
  problem.before = before;
  problem.cuts = cuts;
  problem.size = static_cast<int32_t>(codes);
  status = atalanta_search(&problem, answer);
  if (status != kOk) return static_cast<Status>(status);
  uint32_t sum = 0;
  for (int32_t row = 0; row < answer->rows; ++row) {
    v_min[row] = static_cast<uint16_t>(answer->cut[row]);
    cum[row] = static_cast<uint16_t>(sum);
    sum += static_cast<uint32_t>(answer->count[row]);
  }
  p->v_min = v_min;
  p->cum = cum;
  p->rows = answer->rows;
  return kOk;
}

}  // namespace

// Measures a segment: all but its bits. Returns what atalanta_encode_write takes, or null; `status`
// says why: VALUE if the table has no counts for a value. lane_bits: bits of each lane.
ATALANTA_API void* atalanta_encode_measure(const Segment* p, const void* values, int32_t value_bytes,
                                           uint64_t count, uint32_t* lane_bits, int32_t* status) try {
  return measure(*p, values, value_bytes, count, lane_bits, status);
} catch (const std::bad_alloc&) {
  *status = kNoMemory;
  return nullptr;
}

// The same with the best table, which goes to `answer`; for codes of up to 8 bits. problem: without cut
// points. counts: of each code, 2^bits of them; VALUE if some code needs more bits.
ATALANTA_API void* atalanta_encode_fit(const Segment* p, const Problem* problem, const void* values,
                                       int32_t value_bytes, uint64_t count, int64_t* counts, Answer* answer,
                                       uint32_t* lane_bits, int32_t* status) try {
  Segment fitted = *p;
  uint16_t v_min[kMaxRows], cum[kMaxRows];
  *status = fit(&fitted, *problem, values, value_bytes, count, counts, answer, v_min, cum);
  if (*status != kOk) return nullptr;
  return measure(fitted, values, value_bytes, count, lane_bits, status);
} catch (const std::bad_alloc&) {
  *status = kNoMemory;
  return nullptr;
}

// Makes the payload, as many bytes as all lanes have.
ATALANTA_API int32_t atalanta_encode_write(void* encoding, uint8_t* payload) try {
  static_cast<Encoding*>(encoding)->write(payload);
  return kOk;
} catch (const std::bad_alloc&) {
  return kNoMemory;
}

ATALANTA_API void atalanta_encode_free(void* encoding) { delete static_cast<Encoding*>(encoding); }

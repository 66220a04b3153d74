// Decoding Atalanta segments: golden/reference/atalanta.py, with the same results and errors.

#include "decode.h"

#include <algorithm>
#include <memory>
#include <new>

namespace atalanta {

Decoder::Decoder(const uint8_t* payload, const uint32_t* lane_bytes, const Segment& segment, Recorder* notes)
    : p(segment),
      beat_shift(segment.beat_shift()),
      recorder(notes),
      beats(payload, lane_bytes, segment, notes) {
  for (int32_t r = 0; r < p.rows; ++r) {
    const Row made = make_row(p, r);
    if (made.cum == made.cum_end) continue;
    std::memset(row_of_count + made.cum, static_cast<int>(rows), made.cum_end - made.cum);
    std::fill(packed_rows + made.cum, packed_rows + made.cum_end,
              made.cum | static_cast<uint64_t>(made.cum_end) << PackedRow::kCumEnd |
                  static_cast<uint64_t>(made.offset_bits) << PackedRow::kOffsetBits |
                  static_cast<uint64_t>(lowest(made)) << PackedRow::kLowest |
                  static_cast<uint64_t>(made.last_offset) << PackedRow::kLastOffset);
    row[rows] = made;
    number[rows++] = static_cast<uint8_t>(r);
  }
}

namespace {

// Where the first error lies: value, row, slot for VALUE; lane, bits used for LANE.
struct Where {
  int64_t what[3];
};

template <class Out>
class Run {
 public:
  Run(Decoder& decoder, uint64_t count, Out* out, Where& where)
      : d_(decoder),
        count_(count),
        lanes_(static_cast<unsigned>(decoder.p.lanes)),
        ways_(static_cast<unsigned>(decoder.p.ways)),
        out_(out),
        where_(where) {}

  // body: for the bulk of the values, or null. On its word that some value is bad the caller runs
  // everything again without it, to learn which.
  Status all(DecodeBody<Out> body) {
    if (!count_) return kOk;
    for (unsigned way = 0; way < ways_; ++way) initial_codes(way);
    const uint64_t whole = count_ / lanes_;
    const uint64_t slots = (count_ + lanes_ - 1) / lanes_;
    uint64_t k = 0;
    if (body && whole > ways_) {
      const uint64_t groups = (whole - ways_) / kGroup;
      if (!body(d_, groups, out_)) return kValueError;
      k = groups * kGroup;
    }
    unsigned way = static_cast<unsigned>(k % ways_);
    for (; k < slots; ++k) {
      if (!values(k, way)) return kValueError;
      way = way + 1 == ways_ ? 0 : way + 1;
    }
    return kOk;
  }

 private:
  unsigned lanes_with(uint64_t k) const {
    const uint64_t before = k * lanes_;
    return before >= count_ ? 0 : static_cast<unsigned>(std::min<uint64_t>(count_ - before, lanes_));
  }

  void initial_codes(unsigned way) {
    const unsigned lanes = lanes_with(way);
    for (unsigned lane = 0; lane < lanes; ++lane) {
      const uint32_t used = d_.used[lane];
      d_.ways.low[way][lane] = 0;
      d_.ways.range[way][lane] = 1u << kCodeBits;
      d_.ways.delta[way][lane] = load<uint32_t>(d_.beats.at(lane, used)) >> used % 8 & 0xffff;
      advance(lane, kCodeBits, way);
    }
  }

  // Value k of every lane that has one.
  bool values(uint64_t k, unsigned way) {
    const unsigned lanes = lanes_with(k), refilled = lanes_with(k + ways_);
    Out* out = out_ + k * lanes_;
    for (unsigned lane = 0; lane < lanes; ++lane) {
      const uint32_t range = d_.ways.range[way][lane], delta = d_.ways.delta[way][lane];
      // bound(range, cum) <= delta  <=>  cum <= q
      const uint32_t q = (((delta + 1) << kCountBits) - 1) / range;
      const unsigned index = d_.row_of_count[q];
      const Row& row = d_.row[index];
      const uint32_t used = d_.used[lane];
      const uint64_t window = load<uint64_t>(d_.beats.at(lane, used)) >> used % 8;
      const unsigned shift = lane < refilled ? narrow(way, lane, row, static_cast<uint32_t>(window)) : 0;
      const uint32_t offset = static_cast<uint32_t>(window >> shift) & low_mask(row.offset_bits);
      if (offset > row.last_offset) {
        where_ = {{row.v_min + offset, d_.number[index], static_cast<int64_t>(k + ways_)}};
        return false;
      }
      out[lane] = static_cast<Out>(d_.lowest(row) + offset);
      advance(lane, shift + row.offset_bits, k + ways_);
    }
    return true;
  }

  // Narrows the window to `row` and takes the refill from `bits`; returns its length.
  unsigned narrow(unsigned way, unsigned lane, const Row& row, uint32_t bits) {
    const uint32_t range = d_.ways.range[way][lane];
    const uint32_t from = bound(range, row.cum), size = bound(range, row.cum_end) - from;
    const uint32_t low = d_.ways.low[way][lane] + from;
    const unsigned shift = shift_count(low, low + size - 1);
    d_.ways.low[way][lane] = low << shift & 0x7fff;
    d_.ways.range[way][lane] = size << shift;
    d_.ways.delta[way][lane] = (d_.ways.delta[way][lane] - from) << shift | (bits & low_mask(shift));
    return shift;
  }

  void advance(unsigned lane, unsigned bits, uint64_t slot) {
    const uint32_t before = d_.used[lane], after = before + bits;
    d_.used[lane] = after;
    const unsigned shift = d_.beat_shift;
    if ((before + kAskBits) >> shift != (after + kAskBits) >> shift) {
      d_.beats.give(lane, static_cast<int64_t>(slot));
    }
    if (d_.recorder) d_.recorder->advance(lane, after, static_cast<int64_t>(slot));
  }

  Decoder& d_;
  uint64_t count_;
  unsigned lanes_, ways_;
  Out* out_;
  Where& where_;
};

template <class Out>
Status decode(const uint8_t* payload, const uint32_t* lane_bytes, uint64_t count, const Segment& p, Out* out,
              Recorder* recorder, Where& where) {
  Decoder decoder(payload, lane_bytes, p, recorder);
  // A schedule is noted slot by slot, for which the bodies have no time.
  const DecodeBody<Out> body =
      recorder ? nullptr : decode_body<Out>(static_cast<unsigned>(p.lanes), decoder.rows);
  Status status = Run<Out>(decoder, count, out, where).all(body);
  if (status == kValueError && body) {
    Decoder again(payload, lane_bytes, p, nullptr);
    return Run<Out>(again, count, out, where).all(nullptr);
  }
  for (unsigned lane = 0; status == kOk && lane < static_cast<unsigned>(p.lanes); ++lane) {
    if ((decoder.used[lane] + 7) / 8 != lane_bytes[lane]) {
      where = {{lane, decoder.used[lane], 0}};
      status = kLaneError;
    }
  }
  return status;
}

}  // namespace

}  // namespace atalanta

using namespace atalanta;

// Decodes a segment. out: `count` values of `out_bytes` bytes each. columns: room for all beats of the
// schedule, or null. where: three numbers that locate an error; see Where.
ATALANTA_API int32_t atalanta_decode(const Segment* p, const uint8_t* payload, uint64_t payload_bytes,
                                     const uint32_t* lane_bytes, uint64_t count, void* out, int32_t out_bytes,
                                     const ScheduleColumns* columns, int64_t* where) try {
  const bool wide = out_bytes == 2;
  if (!p->legal() || count > kMaxValues || (out_bytes != 1 && !wide) || (p->bits > 8 && !wide)) {
    return kBadArgument;
  }
  uint64_t total = 0;
  for (int32_t lane = 0; lane < p->lanes; ++lane) total += lane_bytes[lane];
  if (total != payload_bytes) return kBadArgument;
  std::unique_ptr<Recorder> recorder;
  if (columns) recorder = std::make_unique<Recorder>(*columns, p->beat_shift());
  Where found = {};
  const Status status =
      wide ? decode(payload, lane_bytes, count, *p, static_cast<uint16_t*>(out), recorder.get(), found)
           : decode(payload, lane_bytes, count, *p, static_cast<uint8_t*>(out), recorder.get(), found);
  std::memcpy(where, found.what, sizeof found.what);
  return status;
} catch (const std::bad_alloc&) {
  return kNoMemory;
}

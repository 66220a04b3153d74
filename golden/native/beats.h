// The decoder's beat router: hands a payload's beats to lanes in the order of their asking.
#pragma once

#include <memory>

#include "coder.h"
#include "schedule.h"

namespace atalanta {

// Every lane's next bytes, in rings that hold little more than the beats a lane may have. Behind a
// lane's last byte come zeros without end, as the format says, so a lane reads no further than that.
class Beats {
 public:
  static constexpr unsigned kReadBytes = 16;  // a read may begin at any byte of a ring

  // recorder: notes what is handed out, or null.
  Beats(const uint8_t* payload, const uint32_t* lane_bytes, const Segment& p, Recorder* recorder)
      : next_(payload), beat_bytes_(static_cast<uint32_t>(p.beat_bytes)), recorder_(recorder) {
    const uint32_t held = beat_bytes_ * static_cast<uint32_t>(p.lane_depth + 1);
    uint32_t ring = 64;
    while (ring < held) ring *= 2;
    mask_ = ring - 1;
    stride_ = ring + kReadBytes;
    rings_.reset(new uint8_t[stride_ * static_cast<size_t>(p.lanes)]());
    for (int32_t lane = 0; lane < p.lanes; ++lane) left_[lane] = lane_bytes[lane];
    for (int32_t round = 0; round < p.lane_depth; ++round) {
      for (int32_t lane = 0; lane < p.lanes; ++lane) give(static_cast<unsigned>(lane), -1);
    }
  }

  // The next kReadBytes bytes of a lane that has used `bits` bits.
  const uint8_t* at(unsigned lane, uint32_t bits) const {
    return rings_.get() + lane * static_cast<size_t>(stride_) + (bits / 8 & mask_);
  }

  // For vector code: rings of consecutive lanes are `stride` bytes apart; byte i is at i & mask.
  const uint8_t* rings() const { return rings_.get(); }
  uint32_t stride() const { return stride_; }
  uint32_t mask() const { return mask_; }

  // The lane asks for its next beat in `slot`.
  void give(unsigned lane, int64_t slot) {
    uint8_t* ring = rings_.get() + lane * static_cast<size_t>(stride_);
    const uint32_t at = written_[lane] & mask_;
    const uint32_t size = left_[lane] < beat_bytes_ ? left_[lane] : beat_bytes_;
    if (size == beat_bytes_) {
      for (uint32_t i = 0; i < beat_bytes_; i += 16) std::memcpy(ring + at + i, next_ + i, 16);
    } else {
      std::memset(ring + at, 0, beat_bytes_);
      std::memcpy(ring + at, next_, size);
    }
    if (at == 0) std::memcpy(ring + mask_ + 1, ring, kReadBytes);
    written_[lane] += beat_bytes_;
    left_[lane] -= size;
    next_ += size;
    if (recorder_ && size) recorder_->given(lane, size, slot);
  }

 private:
  const uint8_t* next_;
  uint32_t beat_bytes_;
  uint32_t mask_, stride_;
  Recorder* recorder_;
  std::unique_ptr<uint8_t[]> rings_;
  uint32_t written_[kMaxLanes] = {};
  uint32_t left_[kMaxLanes] = {};
};

}  // namespace atalanta

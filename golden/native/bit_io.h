// Strings of bits, least significant end first: golden/bits.py.
#pragma once

#include "common.h"

namespace atalanta {

constexpr unsigned kMostBits = 56;  // that one put or look handles

// Writes to memory that has 8 bytes more than the string needs.
class BitWriter {
 public:
  explicit BitWriter(uint8_t* to) : to_(to) {}

  // Appends `field` of `width` <= kMostBits bits.
  void put(uint64_t field, unsigned width) {
    held_ |= field << held_bits_;
    held_bits_ += width;
    store(to_, held_);
    to_ += held_bits_ / 8;
    held_ >>= held_bits_ / 8 * 8;
    held_bits_ %= 8;
  }

 private:
  uint8_t* to_;
  uint64_t held_ = 0;
  unsigned held_bits_ = 0;
};

// Reads from `bytes` bytes; zeros follow them without end.
class BitReader {
 public:
  BitReader(const uint8_t* from, uint64_t bytes) : from_(from), bytes_(bytes) {}

  // The next kMostBits bits or more, what is beyond them above.
  uint64_t look() const {
    const uint64_t byte = position_ / 8;
    uint64_t word = 0;
    if (bytes_ >= 8 && byte <= bytes_ - 8) {
      word = load<uint64_t>(from_ + byte);
    } else if (byte < bytes_) {
      std::memcpy(&word, from_ + byte, bytes_ - byte);
    }
    return word >> position_ % 8;
  }

  void skip(unsigned width) { position_ += width; }

  uint32_t get(unsigned width) {  // width < 32
    const uint32_t field = static_cast<uint32_t>(look()) & low_mask(width);
    skip(width);
    return field;
  }

  uint64_t position() const { return position_; }

 private:
  const uint8_t* from_;
  uint64_t bytes_;
  uint64_t position_ = 0;
};

}  // namespace atalanta

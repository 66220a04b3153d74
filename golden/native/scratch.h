// Working memory that is kept for the next segment, whichever thread codes it: fetching fresh pages from
// the system for each one would take as long as the work that is done in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace atalanta {

// Memory aligned to 64 bytes, as wide registers like it.
struct Piece {
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(uint8_t* memory) const { ::operator delete(memory, kAlignment); }
  };
  std::unique_ptr<uint8_t, Free> memory;
  size_t bytes = 0;
};

class Scratch {
 public:
  Scratch() = default;
  explicit Scratch(size_t bytes);  // not initialised
  Scratch(Scratch&&) = default;
  Scratch& operator=(Scratch&& other) noexcept {
    std::swap(piece_, other.piece_);
    return *this;
  }
  ~Scratch();

  uint8_t* data() const { return piece_.memory.get(); }

 private:
  Piece piece_;
};

}  // namespace atalanta

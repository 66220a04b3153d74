// Working memory that a thread keeps for its next segment: fetching fresh pages from the system for
// each one would take as long as the work that is done in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace atalanta {

class Scratch {
 public:
  Scratch() = default;
  explicit Scratch(size_t bytes);  // not initialised
  Scratch(Scratch&&) = default;
  Scratch& operator=(Scratch&&) = default;
  ~Scratch();

  uint8_t* data() const { return memory_.get(); }

 private:
  std::unique_ptr<uint8_t[]> memory_;
  size_t bytes_ = 0;
};

}  // namespace atalanta

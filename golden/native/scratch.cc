#include "scratch.h"

#include <utility>

namespace atalanta {
namespace {

constexpr size_t kKept = 4 << 20;  // bytes of the largest memory that is kept
constexpr int kPieces = 6;         // that are kept

struct Kept {
  std::unique_ptr<uint8_t[]> memory;
  size_t bytes = 0;
};

thread_local Kept kept[kPieces];

}  // namespace

Scratch::Scratch(size_t bytes) {
  Kept* best = nullptr;
  for (Kept& one : kept) {
    if (one.memory && one.bytes >= bytes && (!best || one.bytes < best->bytes)) best = &one;
  }
  if (best) {
    memory_ = std::move(best->memory);
    bytes_ = std::exchange(best->bytes, 0);
  } else {
    memory_.reset(new uint8_t[bytes]);
    bytes_ = bytes;
  }
}

Scratch::~Scratch() {
  if (!memory_ || bytes_ > kKept) return;
  Kept* smallest = kept;
  for (Kept& one : kept) {
    if (one.bytes < smallest->bytes) smallest = &one;
  }
  if (smallest->bytes >= bytes_) return;
  smallest->memory = std::move(memory_);
  smallest->bytes = bytes_;
}

}  // namespace atalanta

#include "scratch.h"

#include <mutex>
#include <utility>

namespace atalanta {
namespace {

constexpr size_t kMostKept = 24 << 20;  // bytes of all pieces

// The pieces that nobody uses.
class Shelf {
 public:
  // One of `bytes` or somewhat more; none if there is none.
  Piece take(size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Piece* best = nullptr;
    for (Piece& one : pieces_) {
      if (one.bytes < bytes || one.bytes / 4 > bytes) continue;
      if (!best || one.bytes < best->bytes) best = &one;
    }
    if (!best) return {};
    kept_ -= best->bytes;
    return std::exchange(*best, {});
  }

  // Keeps a piece if there is room. Those that have lain longest make room for it.
  void put(Piece piece) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (piece.bytes > kMostKept) return;
    while (pieces_[oldest_].memory || kept_ + piece.bytes > kMostKept) {
      kept_ -= pieces_[oldest_].bytes;
      pieces_[oldest_] = {};
      oldest_ = (oldest_ + 1) % kPieces;
    }
    kept_ += piece.bytes;
    std::swap(pieces_[oldest_], piece);
    oldest_ = (oldest_ + 1) % kPieces;
  }

 private:
  static constexpr size_t kPieces = 32;
  std::mutex mutex_;
  Piece pieces_[kPieces];
  size_t oldest_ = 0, kept_ = 0;
};

Shelf& shelf() {
  static Shelf* const only = new Shelf;  // for threads that outlive the library's statics
  return *only;
}

}  // namespace

Scratch::Scratch(size_t bytes) : piece_(shelf().take(bytes)) {
  if (piece_.memory) return;
  piece_.memory.reset(static_cast<uint8_t*>(::operator new(bytes, Piece::kAlignment)));
  piece_.bytes = bytes;
}

Scratch::~Scratch() {
  if (piece_.memory) shelf().put(std::move(piece_));
}

}  // namespace atalanta

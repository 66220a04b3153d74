// Pieces of the stream, cut out of words.
#pragma once

#include <algorithm>
#include <vector>

#include "decoder.h"
#include "times.h"
#include "words.h"

namespace atalanta {

// hw.aligner.Aligner: when a piece of the stream can be pulled.
//
// Words come into the register `next` and from there into `word`, the next descriptor's behind this one's; pulls
// into a queue of two.
class Aligner {
 public:
  struct Pull {  // cycles in which a pull is noted and in which its piece is cut out
    i64 noted, cut;
  };

  Aligner(const DecoderParams& p, Words& words) : p_(p), words_(words) {}

  void open(i64 tensor) {
    if (tensor == 0) {
      fetch(0);
      advance(0);
    }
    held_ = words_.words(tensor);
    at_ = words_.offset(tensor);
  }

  // Pulls `size` bytes, asked for from cycle `from` on.
  Pull pull(i64 from, i64 size) {
    const i64 end = at_ + size;
    bytes += size;
    const i64 noted = std::max(from, cut_before_ + 1);
    const i64 first = std::max(noted, cut_) + 1;
    i64 cut = std::max(first, word_ + 1);
    if (end > p_.beat_bytes) cut = std::max(cut, next_ + 1);
    last_used_ = word_;
    at_ = end % p_.beat_bytes;
    if (end >= p_.beat_bytes) use_up(cut);
    if (end > p_.beat_bytes) last_used_ = word_;
    append(starved, first, cut - 1);
    cut_before_ = cut_;
    cut_ = cut;
    return {noted, cut};
  }

  // Pulls whole beats at their pace, the first in cycle base + pace[0], as long as each one's advance finds a word
  // there: at most `most`. Returns how many; none if the two beats before did not keep it, or their words.
  i64 keep_pace(const std::int32_t* pace, i64 base, i64 most) {
    const bool kept = cut_ == base + pace[-1] && cut_before_ == base + pace[-2] && word_ == cut_ && next_ == cut_;
    if (!kept || !words_.words_are_beats()) return 0;
    // `fetch` takes a word in the cycle behind that in which the word before came into `next`: the beat before was cut.
    const i64 pulled = words_.keep_pace(pace - 1, base + 1, std::min(most, left_));
    if (pulled == 0) return 0;
    bytes += pulled * p_.beat_bytes;
    left_ -= pulled;
    held_ -= pulled;
    cut_ = word_ = next_ = last_used_ = base + pace[pulled - 1];
    cut_before_ = base + pace[pulled - 2];
    return pulled;
  }

  // Throws away what is left of the descriptor, from cycle `from` on; the first cycle in which nothing is.
  i64 drop(i64 from) {
    while (held_ > 0 && word_ != kUnknown) use_up(std::max({from, word_ + 1, cut_ + 1}));
    return closed_;
  }

  i64 at() const { return at_; }
  i64 last_used() const { return last_used_; }  // when the word with the last byte pulled came into `word`

  std::vector<Interval> starved;
  i64 bytes = 0;  // pulled

 private:
  void fetch(i64 from) {
    const i64 before = next_;
    next_ = kUnknown;
    if (left_ == 0) {
      if (fetching_ + 1 == words_.tensors()) return;
      words_.open(++fetching_);
      left_ = words_.words(fetching_);
    }
    const i64 taken = std::max(before + 1, words_.next());  // there are two places ahead of `word`
    words_.pop(taken);
    next_ = std::max(from, taken);
    --left_;
  }

  // The word at hand goes, in cycle `cycle`.
  void use_up(i64 cycle) {
    if (--held_ == 0) closed_ = cycle + 1;
    advance(cycle);
  }

  // `word` is free from cycle `from` on.
  void advance(i64 from) {
    word_ = kUnknown;
    if (next_ == kUnknown) return;
    word_ = std::max(from, next_ + 1);
    fetch(word_);
  }

  const DecoderParams& p_;
  Words& words_;
  i64 fetching_ = -1, left_ = 0;           // the tensor whose words come in, and how many are yet to come
  i64 held_ = 0, closed_ = 0;              // words of the descriptor that have not gone; when none was left
  i64 at_ = 0, last_used_ = 0;
  i64 word_ = kUnknown, next_ = -1;        // when these came to be what they are
  i64 cut_before_ = -1, cut_ = -1;
};

}  // namespace atalanta

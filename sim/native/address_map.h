// Where in a memory system an address lies.
#pragma once

#include <algorithm>
#include <cstdint>

namespace atalanta {

struct DramConfig;

// Where a burst lives. queue: (rank * groups + group) * banks + bank.
struct Place {
  std::int32_t channel, queue, row, column;
};

// The address mapping of a configuration; a burst's number is its address in bursts.
class AddressMap {
 public:
  explicit AddressMap(const DramConfig& config);

  Place place(std::uint64_t burst) const {
    const auto field = [burst](const Field& f) { return static_cast<std::int32_t>(burst >> f.pos & f.mask); };
    const std::int32_t queue = (field(rank_) << queue_of_rank_) + (field(group_) << queue_of_group_) + field(bank_);
    return Place{field(channel_), queue, field(row_), field(column_) << column_of_burst_};
  }
  // The same if `at` is the place of the burst before.
  Place next(const Place& at, std::uint64_t burst) const {
    if ((burst & lowest_) == 0) return place(burst);
    return Place{at.channel + step_.channel, at.queue + step_.queue, at.row + step_.row, at.column + step_.column};
  }
  std::int32_t channel(std::uint64_t burst) const {
    return static_cast<std::int32_t>(burst >> channel_.pos & channel_.mask);
  }
  // The first burst behind `burst`, or `end`, such that all between are in its channel.
  std::uint64_t channel_end(std::uint64_t burst, std::uint64_t end) const {
    return channel_.mask == 0 ? end : std::min(end, ((burst >> channel_.pos) + 1) << channel_.pos);
  }

 private:
  struct Field {
    int pos;
    std::uint64_t mask;
  };
  Field channel_, rank_, group_, bank_, row_, column_;
  int queue_of_rank_, queue_of_group_, column_of_burst_;
  std::uint64_t lowest_ = 0;  // mask of the field that changes from one burst to the next
  Place step_{};              // by which it does
};

}  // namespace atalanta

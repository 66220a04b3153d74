#include "address_map.h"

#include "dram.h"

namespace atalanta {

AddressMap::AddressMap(const DramConfig& c) {
  const auto field = [](std::int64_t pos, std::int64_t values) {
    return Field{static_cast<int>(pos), static_cast<std::uint64_t>(values - 1)};
  };
  channel_ = field(c.pos_channel, c.channels);
  rank_ = field(c.pos_rank, c.ranks);
  group_ = field(c.pos_group, c.bank_groups);
  bank_ = field(c.pos_bank, c.banks);
  row_ = field(c.pos_row, c.rows);
  column_ = field(c.pos_column, c.columns / c.burst_length);
  queue_of_group_ = log2_of(c.banks);
  queue_of_rank_ = queue_of_group_ + log2_of(c.bank_groups);
  column_of_burst_ = log2_of(c.burst_length);
  for (const Field& f : {channel_, rank_, group_, bank_, row_, column_}) {
    if (f.pos == 0 && f.mask != 0) lowest_ = f.mask;
  }
  step_ = place(1);
}

}  // namespace atalanta

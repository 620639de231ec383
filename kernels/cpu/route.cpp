#include "kernels/cpu/route.h"

#include <algorithm>

namespace moetune::cpu {

void count_slots(std::span<const std::int32_t> topk_ids, const ExpertMap& map, std::span<std::int64_t> counts) {
  for (const std::int32_t id : topk_ids)
    if (const int expert = local_expert(map, id); expert >= 0) ++counts[static_cast<std::size_t>(expert)];
}

void place_slots(std::span<const std::int32_t> topk_ids, const ExpertMap& map, std::int64_t first_slot,
                 std::span<std::int64_t> next, std::int32_t* sorted_slots) {
  auto slot = static_cast<std::int32_t>(first_slot);
  for (const std::int32_t id : topk_ids) {
    if (const int expert = local_expert(map, id); expert >= 0)
      sorted_slots[next[static_cast<std::size_t>(expert)]++] = slot;
    ++slot;
  }
}

void TileTable::build(std::span<const std::int64_t> group_begin, const TileShape& shape, Epilogue epilogue,
                      std::int64_t width) {
  block_m_ = shape.block_m;
  block_columns_ = tile_columns(shape, epilogue);
  width_ = width;
  groups_.clear();
  size_ = 0;
  const std::int64_t column_tiles = (width + block_columns_ - 1) / block_columns_;
  for (std::size_t e = 0; e + 1 < group_begin.size(); ++e) {
    const std::int64_t rows = group_begin[e + 1] - group_begin[e];
    if (rows == 0) continue;
    groups_.push_back(
        {.expert = static_cast<std::int64_t>(e), .row_begin = group_begin[e], .rows = rows, .first_tile = size_});
    size_ += (rows + block_m_ - 1) / block_m_ * column_tiles;
  }
}

Tile TileTable::at(std::int64_t index) const {
  const auto after = std::upper_bound(groups_.begin(), groups_.end(), index,
                                      [](std::int64_t i, const Group& group) { return i < group.first_tile; });
  const Group& group = *(after - 1);
  // Row tiles are of nearly equal height; a full one and a sliver would leave the sliver's threads idle.
  const std::int64_t row_tiles = (group.rows + block_m_ - 1) / block_m_;
  const std::int64_t row = (index - group.first_tile) % row_tiles;
  const std::int64_t column = (index - group.first_tile) / row_tiles * block_columns_;
  const std::int64_t begin = group.rows * row / row_tiles;
  return {.expert = group.expert,
          .row_begin = group.row_begin + begin,
          .rows = group.rows * (row + 1) / row_tiles - begin,
          .column_begin = column,
          .columns = std::min(block_columns_, width_ - column)};
}

}  // namespace moetune::cpu

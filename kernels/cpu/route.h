// moe_align_block_size on the CPU: slots grouped by expert, and the groups cut into tiles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/cpu/gemm.h"
#include "kernels/lib/expert_map.h"

namespace moetune::cpu {

/// Adds the slots of each expert that is here among `topk_ids` to `counts` [E].
void count_slots(std::span<const std::int32_t> topk_ids, const ExpertMap& map, std::span<std::int64_t> counts);

/// Writes slot numbers first_slot, first_slot + 1, … to where their experts' groups go on: `next` [E] is the position
/// of each expert's next slot in `sorted_slots`, and is moved on. Slots of experts that are not here are left out.
void place_slots(std::span<const std::int32_t> topk_ids, const ExpertMap& map, std::int64_t first_slot,
                 std::span<std::int64_t> next, std::int32_t* sorted_slots);

/// The tiles of a grouped GEMM, numbered. Tiles that share weights are neighbours, so that these are read from memory
/// once.
class TileTable {
 public:
  /// `group_begin` [E + 1] are positions in sorted_slots.
  void build(std::span<const std::int64_t> group_begin, const TileShape& shape, Epilogue epilogue, std::int64_t width);

  std::int64_t size() const { return size_; }
  std::span<const std::byte> memory() const { return std::as_bytes(std::span(groups_)); }
  Tile at(std::int64_t index) const;

 private:
  struct Group {
    std::int64_t expert, row_begin, rows, first_tile;
  };
  std::vector<Group> groups_;  // experts that have rows
  std::int64_t size_ = 0, block_m_ = 1, block_columns_ = 1, width_ = 0;
};

}  // namespace moetune::cpu

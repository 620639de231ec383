#include "kernels/cpu/route.h"

#include <gtest/gtest.h>

#include <numeric>

namespace moetune::cpu {
namespace {

TEST(CpuRoute, SortsSlotsByExpertAndKeepsTheirOrder) {
  const std::vector<std::int32_t> ids{2, 0, 3, 2, 0, 2, 3, 0};
  std::vector<std::int64_t> counts(5);
  const ExpertMap all{.local = nullptr, .global = 5, .experts = 5};
  count_slots(ids, all, counts);
  EXPECT_EQ(counts, (std::vector<std::int64_t>{3, 0, 3, 2, 0}));
  std::vector<std::int64_t> next{0, 3, 3, 6, 8};
  std::vector<std::int32_t> sorted(ids.size());
  place_slots(std::span(ids).first(3), all, 0, next, sorted.data());  // two parts, as two threads would
  place_slots(std::span(ids).subspan(3), all, 3, next, sorted.data());
  EXPECT_EQ(sorted, (std::vector<std::int32_t>{1, 4, 7, 0, 3, 5, 2, 6}));
  EXPECT_EQ(next, (std::vector<std::int64_t>{3, 3, 6, 8, 8}));
}

// Experts 1 and 3 of four live here, in turned order; ids and entries out of range are left out.
TEST(CpuRoute, LeavesOutWhatLivesElsewhere) {
  const std::vector<int> local{-1, 1, 2, 0};
  const ExpertMap map{.local = local.data(), .global = 4, .experts = 2};
  const std::vector<std::int32_t> ids{1, 0, 3, 2, 3, -1, 1, 4, 1 << 30, 3};
  std::vector<std::int64_t> counts(2);
  count_slots(ids, map, counts);
  EXPECT_EQ(counts, (std::vector<std::int64_t>{3, 3 - 1}));
  std::vector<std::int64_t> next{0, 3};
  std::vector<std::int32_t> sorted(5);
  place_slots(ids, map, 0, next, sorted.data());
  EXPECT_EQ(sorted, (std::vector<std::int32_t>{2, 4, 9, 0, 6}));
}

TEST(CpuRoute, TilesCoverEveryElementOnce) {
  const std::vector<std::int64_t> group_begin{0, 0, 1, 18, 18, 50};  // experts with 0, 1, 17, 0 and 32 rows
  for (const Epilogue epilogue : {Epilogue::plain, Epilogue::gated, Epilogue::final})
    for (const std::int64_t width : {8, 64, 88, 176})
      for (const int block_m : {1, 16, 256})
        for (const int block_n : {16, 64, 128}) {
          const TileShape shape{.block_m = block_m, .block_n = block_n, .block_k = 128, .stream_rows = 8};
          TileTable table;
          table.build(group_begin, shape, epilogue, width);
          std::vector<int> covered(static_cast<std::size_t>(50 * width));
          for (std::int64_t i = 0; i < table.size(); ++i) {
            const Tile tile = table.at(i);
            ASSERT_GT(tile.rows, 0);
            ASSERT_LE(tile.rows, block_m);
            ASSERT_GT(tile.columns, 0);
            ASSERT_LE(tile.columns, tile_columns(shape, epilogue));
            ASSERT_EQ(tile.columns % 8, 0);
            ASSERT_GE(tile.row_begin, group_begin[static_cast<std::size_t>(tile.expert)]);
            ASSERT_LE(tile.row_begin + tile.rows, group_begin[static_cast<std::size_t>(tile.expert) + 1]);
            for (std::int64_t r = 0; r < tile.rows; ++r)
              for (std::int64_t c = 0; c < tile.columns; ++c)
                ++covered[static_cast<std::size_t>((tile.row_begin + r) * width + tile.column_begin + c)];
          }
          for (const int times : covered) ASSERT_EQ(times, 1);
        }
}

TEST(CpuRoute, NoRowsMakeNoTiles) {
  const std::vector<std::int64_t> group_begin(9, 0);
  TileTable table;
  table.build(group_begin, {.block_m = 16, .block_n = 64, .block_k = 128, .stream_rows = 8}, Epilogue::plain, 64);
  EXPECT_EQ(table.size(), 0);
}

}  // namespace
}  // namespace moetune::cpu

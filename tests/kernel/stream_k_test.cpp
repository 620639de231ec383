// What all blocks together multiply under stream-K, walked as the kernel walks it.
#include "kernels/wgmma/stream_k.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

namespace moetune::wgmma {
namespace {

/// Each block's fragments in the order in which it multiplies them.
std::vector<std::vector<Fragment>> fragments(const StreamK& shared) {
  std::vector<std::vector<Fragment>> all(static_cast<std::size_t>(shared.blocks));
  for (int block = 0; block < shared.blocks; block++)
    for (int unit = shared.begin_of(block); unit < shared.begin_of(block + 1);) {
      const Fragment fragment = shared.fragment_at(block, unit);
      EXPECT_EQ(fragment.tile * shared.k_tiles + fragment.first_k_tile, unit);
      EXPECT_LT(fragment.first_k_tile, fragment.end_k_tile);
      EXPECT_LE(fragment.end_k_tile, shared.k_tiles);
      if (fragment.first_k_tile >= fragment.end_k_tile) return all;
      all[static_cast<std::size_t>(block)].push_back(fragment);
      unit += fragment.end_k_tile - fragment.first_k_tile;
    }
  return all;
}

class Shared : public testing::TestWithParam<StreamK> {};
INSTANTIATE_TEST_SUITE_P(, Shared,
                         testing::Values(StreamK{224, 64, 132},     // a wave and most of a second
                                         StreamK{140, 64, 132},     // a wave and a little
                                         StreamK{92, 64, 132},      // less than a wave: tiles of three parts
                                         StreamK{3, 5, 132},        // more blocks than k tiles
                                         StreamK{1, 112, 132},      // one tile for all
                                         StreamK{1, 1, 1},          //
                                         StreamK{7, 1, 4},          // nothing to cut
                                         StreamK{0, 16, 132},       // nothing at all
                                         StreamK{263, 8192, 1056},  // counts past 2^31
                                         StreamK{2111, 8192, 1056}));

TEST_P(Shared, EveryKTileIsMultipliedOnceAndPartsAreNumberedInTheOrderOfK) {
  const StreamK shared = GetParam();
  std::map<int, std::vector<Fragment>> of_tile;  // blocks come in order, and so do the parts
  for (const auto& of_block : fragments(shared))
    for (const Fragment& fragment : of_block) of_tile[fragment.tile].push_back(fragment);
  EXPECT_EQ(of_tile.size(), static_cast<std::size_t>(shared.tiles));
  for (const auto& [tile, parts] : of_tile) {
    int k_tile = 0;
    for (std::size_t i = 0; i < parts.size(); i++) {
      EXPECT_EQ(parts[i].first_k_tile, k_tile) << tile;
      EXPECT_EQ(parts[i].part, static_cast<int>(i)) << tile;
      EXPECT_EQ(parts[i].parts, static_cast<int>(parts.size())) << tile;
      k_tile = parts[i].end_k_tile;
    }
    EXPECT_EQ(k_tile, shared.k_tiles) << tile;
  }
}

TEST_P(Shared, BlocksHaveEquallyMuchToDo) {
  const StreamK shared = GetParam();
  std::set<int> lengths;
  for (int block = 0; block < shared.blocks; block++)
    lengths.insert(shared.begin_of(block + 1) - shared.begin_of(block));
  EXPECT_LE(*lengths.rbegin() - *lengths.begin(), 1);
}

TEST_P(Shared, NoTwoPartsArePutDownInOnePlace) {
  const StreamK shared = GetParam();
  const auto all = fragments(shared);
  std::set<int> places;
  for (std::size_t block = 0; block < all.size(); block++)
    for (const Fragment& fragment : all[block]) {
      if (fragment.parts == 1) continue;
      const int place = place_of(static_cast<int>(block), fragment.part);
      EXPECT_TRUE(places.insert(place).second) << place;
      EXPECT_LT(place, 2 * shared.blocks);
    }
}

// Where they are looked for: as many blocks further on as parts.
TEST_P(Shared, APartIsOfTheBlockAsManyPlacesOn) {
  const StreamK shared = GetParam();
  const auto all = fragments(shared);
  std::map<int, int> first;  // block of each tile's first part
  for (std::size_t block = 0; block < all.size(); block++)
    for (const Fragment& fragment : all[block]) {
      const int first_block = static_cast<int>(block) - fragment.part;
      EXPECT_EQ(first.try_emplace(fragment.tile, first_block).first->second, first_block);
    }
}

TEST(StreamK, SharesWhatDoesNotFillWavesAndOneWaveMore) {
  EXPECT_EQ(StreamK::shared_tiles(0, 132), 0);
  EXPECT_EQ(StreamK::shared_tiles(131, 132), 131);
  EXPECT_EQ(StreamK::shared_tiles(132, 132), 0);
  EXPECT_EQ(StreamK::shared_tiles(133, 132), 133);
  EXPECT_EQ(StreamK::shared_tiles(224, 132), 224);
  EXPECT_EQ(StreamK::shared_tiles(952, 132), 132 + 952 % 132);
  for (int tiles = 0; tiles < 500; tiles++) EXPECT_EQ((tiles - StreamK::shared_tiles(tiles, 132)) % 132, 0) << tiles;
}

TEST(StreamK, CutsNoTileTwiceWhereThereAreMoreTilesThanBlocks) {
  for (int tiles = 133; tiles < 264; tiles++)
    for (const auto& of_block : fragments({.tiles = tiles, .k_tiles = 12, .blocks = 132}))
      for (const Fragment& fragment : of_block) EXPECT_LE(fragment.parts, 2) << tiles;
}

}  // namespace
}  // namespace moetune::wgmma

#include "kernels/wgmma/bands.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace moetune::wgmma {
namespace {

TEST(Bands, HoldEveryTileOnceOneBandAfterTheOther) {
  for (const int row_tiles : {1, 2, 7, 130})
    for (int column_tiles = 1; column_tiles <= 30; column_tiles++)
      for (int most = 1; most <= kMostBands; most++) {
        const Bands bands{.column_tiles = column_tiles, .most = most};
        ASSERT_LE(bands.count(), most);
        ASSERT_LT(bands.last(), column_tiles);
        std::set<std::pair<int, int>> seen;
        int band_before = 0;
        for (int tile = 0; tile < row_tiles * column_tiles; tile++) {
          const BandTile found = band_tile(bands, tile, row_tiles);
          const int band = found.band, first = band * bands.width();
          ASSERT_GE(band, band_before);
          band_before = band;
          ASSERT_EQ(found.column_tiles, band + 1 < bands.count() ? bands.width() : column_tiles - bands.last());
          const int row_tile = found.index / found.column_tiles, column = found.index % found.column_tiles;
          ASSERT_GE(found.index, 0);
          ASSERT_LT(row_tile, row_tiles);
          ASSERT_LT(first + column, column_tiles);
          ASSERT_TRUE(seen.emplace(row_tile, first + column).second) << tile;
        }
        ASSERT_EQ(band_before, bands.count() - 1);
      }
}

TEST(Bands, AreAsManyAsAskedForWhereColumnTilesGo) {
  EXPECT_EQ((Bands{.column_tiles = 8, .most = 4}.count()), 4);
  EXPECT_EQ((Bands{.column_tiles = 8, .most = 4}.last()), 6);
  EXPECT_EQ((Bands{.column_tiles = 12, .most = 8}.count()), 6);  // of 2 column tiles each
  EXPECT_EQ((Bands{.column_tiles = 3, .most = 8}.count()), 3);
  EXPECT_EQ((Bands{.column_tiles = 1, .most = 4}.last()), 0);  // nothing is fused
}

}  // namespace
}  // namespace moetune::wgmma

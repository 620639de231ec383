// Column tiles in bands (fuse_combine from 2 on): all row tiles of a band come before those of the next one, so that
// the band before is all there to be summed up meanwhile. One formula for the kernel and the host.
#pragma once

#include "kernels/lib/float16.h"

namespace moetune::wgmma {

constexpr int kMostBands = 16;

struct Bands {
  int column_tiles;
  int most;  ///< there are not more bands

  /// Of all bands but the last, in column tiles.
  constexpr MOETUNE_HOST_DEVICE int width() const { return (column_tiles + most - 1) / most; }
  constexpr MOETUNE_HOST_DEVICE int count() const { return (column_tiles + width() - 1) / width(); }
  /// The first column tile of the last band, which is left to moe_sum.
  constexpr MOETUNE_HOST_DEVICE int last() const { return (count() - 1) * width(); }
};

/// A tile among those of its band.
struct BandTile {
  int index;         ///< of row tiles × column_tiles
  int column_tiles;  ///< of the band
  int band;
};

/// Tile `tile` of all, of which each row tile has one in each column tile.
constexpr MOETUNE_HOST_DEVICE BandTile band_tile(const Bands& bands, int tile, int row_tiles) {
  const int width = bands.width(), band = tile / (row_tiles * width), left = bands.column_tiles - band * width;
  return {.index = tile - band * width * row_tiles, .column_tiles = left < width ? left : width, .band = band};
}

}  // namespace moetune::wgmma

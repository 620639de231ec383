// Stream-K (SPLIT_K=0): tiles that would leave the last wave half empty are shared out evenly over all blocks, by k
// tiles. One formula for the kernel and the host's tests. The two-tile variant of Osama, Merrill, Cecka, Garland and
// Owens, "Stream-K: Work-Centric Parallel Decomposition for Dense Matrix-Matrix Multiplication on the GPU", PPoPP 2023.
#pragma once

#include "kernels/lib/float16.h"

namespace moetune::wgmma {

/// What a block multiplies of one tile.
struct Fragment {
  int tile;
  int first_k_tile, end_k_tile;
  int part, parts;  ///< which of the tile's fragments, in the order of K, and how many there are
};

/// `tiles` of `k_tiles` each and `blocks` to share them. All that there is, counted in k tiles, is cut into one range
/// for each block; a range that ends within a tile leaves the rest of it to the next block.
struct StreamK {
  int tiles, k_tiles, blocks;

  /// Of all `tiles`, the first ones that are shared out; the others make full waves. A wave more than has to be, so
  /// that a range is one tile long or longer, and no tile is cut more than once; where there are more tiles than
  /// blocks.
  static constexpr MOETUNE_HOST_DEVICE int shared_tiles(int tiles, int blocks) {
    const int rest = tiles % blocks;
    return rest == 0 ? 0 : tiles < blocks ? rest : blocks + rest;
  }

  constexpr MOETUNE_HOST_DEVICE long long units() const { return static_cast<long long>(tiles) * k_tiles; }
  /// Blocks that have a range: with an empty one between a tile's fragments, those could not be counted.
  constexpr MOETUNE_HOST_DEVICE long long sharers() const { return blocks < units() ? blocks : units(); }

  /// Where the range of `block` begins, and that of the block before ends.
  constexpr MOETUNE_HOST_DEVICE int begin_of(int block) const {
    return static_cast<int>(block < sharers() ? block * units() / sharers() : units());
  }
  /// Whose range holds `unit`.
  constexpr MOETUNE_HOST_DEVICE int block_of(int unit) const {
    return static_cast<int>(((unit + 1LL) * sharers() - 1) / units());
  }

  /// The fragment at `unit`, in the range of `block`; the next one is at the unit after its end.
  constexpr MOETUNE_HOST_DEVICE Fragment fragment_at(int block, int unit) const {
    const int tile = unit / k_tiles, first = unit - tile * k_tiles;
    const int left = begin_of(block + 1) - unit, first_block = block_of(tile * k_tiles);
    return {.tile = tile,
            .first_k_tile = first,
            .end_k_tile = first + left < k_tiles ? first + left : k_tiles,
            .part = block - first_block,
            .parts = block_of(tile * k_tiles + k_tiles - 1) - first_block + 1};
  }
};

/// Where the fragment `part` of a tile is put down, of 2 places that `block` has: of its tiles only the first can have
/// begun before its range, and only the last go on after it.
constexpr MOETUNE_HOST_DEVICE int place_of(int block, int part) {
  return 2 * block + (part == 0 ? 1 : 0);
}

}  // namespace moetune::wgmma

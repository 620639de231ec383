// Which tile a block has.
#pragma once

#include "kernels/lib/early_tile.cuh"
#include "kernels/mma/settings.cuh"

namespace moetune::mma {

constexpr TileShape kTileShape{.rows = kBlockM, .columns = kOutColumns, .even = false, .token_tiles = kTokenTiles};

__device__ __forceinline__ int column_tiles_of(const GemmArguments& args) {
  return (args.out_columns + kOutColumns - 1) / kOutColumns;
}

/// This block's tile, from what is known of its row tile.
__device__ __forceinline__ Tile own_tile(const GemmArguments& args, const RowTile& entry) {
  Tile tile = tile_at<kTileShape>(args, entry, blockIdx.x, column_tiles_of(args));
  // The last column tile is moved left until it ends with the output: it computes some columns again, to the same bits,
  // and the copies of weights need no bounds.
  if constexpr (!kNarrow) tile.column = min(tile.column, args.out_columns - kOutColumns);
  return tile;
}

/// Finds this block's tile; false where there are fewer, or nothing to do in it.
__device__ __forceinline__ bool find_tile(const GemmArguments& args, Tile& tile) {
  const int row_tiles = kTokenTiles ? args.slots / kSummedSlots : *args.tile_count;
  const int column_tiles = column_tiles_of(args), index = blockIdx.x;
  if (index >= row_tiles * column_tiles) return false;
  if constexpr (kSums) {
    tile = own_tile(args, {});
    tile.row *= kSummedSlots;
    tile.rows = kSummedSlots;
    return true;
  }
  tile = own_tile(args, tile_entry<kTileShape>(args, index, column_tiles));
  if constexpr (kTokenTiles) {
    if (tile.expert < 0) return false;
    tile.rows = 1;  // known to the compiler
  }
  return true;
}

/// Blocks of the first GEMM that are there from the start find their tile, its weights and where slots do not weigh
/// its tokens too while slots are still being grouped.
constexpr int kCountBytes = 1024 * sizeof(int);  // a count for each expert
constexpr bool kMayStartEarly = !kSecond && !kTokenTiles && kStageBytes >= kCountBytes + kBlockM * int(sizeof(int));
constexpr bool kFindsSlots = kMayStartEarly && !kWeighted;

/// What they keep in the shared memory of a stage that is filled after the next two __syncthreads.
struct EarlyScratch {
  int counts[kCountBytes / sizeof(int)];
  int slots[kBlockM];
};

/// The tile's first row among its expert's, in `skipped`.
__device__ __forceinline__ bool find_early_tile(const GemmArguments& args, Tile& tile, EarlyScratch& scratch,
                                                int& skipped) {
  const RowTile entry = count_entry<kTileShape, kThreads>(args, blockIdx.x / column_tiles_of(args), scratch.counts,
                                                          [] { __syncthreads(); });
  if (entry.rows == 0) return false;
  tile = own_tile(args, entry);
  skipped = tile.row - entry.row;
  return true;
}

}  // namespace moetune::mma

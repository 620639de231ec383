// Which tile of a grouped GEMM comes when.
#pragma once

#include "kernels/lib/gemm_settings.cuh"

namespace moetune {

struct Tile {
  int expert;     ///< -1: not here, and no rows
  int row, rows;  ///< rows [row, row + rows) of the sorted order
  int column;     ///< first output column
  int row_tile;   ///< number of the row tile among all experts'
};

/// How a kernel cuts its output.
struct TileShape {
  int rows, columns;
  bool even;  ///< an expert's rows are shared out evenly, in steps of 8, rather than the rest left to the last tile
  bool token_tiles;  ///< each slot is a tile of its own, taken from topk_ids; without rows where its expert is not here
};

/// What memory knows of tile `index`. Apart from tile_at, so that it can be on its way while a kernel does other work.
template <TileShape Shape>
__device__ __forceinline__ RowTile tile_entry(const GemmArguments& args, int index, int column_tiles) {
  if constexpr (Shape.token_tiles) {
    return {.expert = chosen_expert(args.map, args.topk_ids[index / column_tiles]), .row = 0, .rows = 0, .first = 0};
  } else {
    return args.tiles[index / column_tiles];
  }
}

/// Tile `index` of row tiles × column_tiles. Experts come one after the other; of each, group_m row tiles are walked
/// down before the next column tile, so that blocks which run together share weights. Groups that straddle experts
/// would read the weights of both twice.
template <TileShape Shape>
__device__ __forceinline__ Tile tile_at(const GemmArguments& args, const RowTile& entry, int index, int column_tiles) {
  if constexpr (Shape.token_tiles) {
    return {.expert = entry.expert,
            .row = index / column_tiles,
            .rows = entry.expert < 0 ? 0 : 1,
            .column = index % column_tiles * Shape.columns,
            .row_tile = index / column_tiles};
  } else {
    const int tiles = (entry.rows + Shape.rows - 1) / Shape.rows;
    int row_tile = 0, column_tile = index - entry.first * column_tiles;
    if (tiles > 1) {
      const int band = args.group_m * column_tiles;
      const int first = column_tile / band * args.group_m;
      const int height = min(tiles - first, args.group_m);
      const int within = column_tile % band;
      row_tile = first + within % height;
      column_tile = within / height;
    }
    const int rows = Shape.even ? ((entry.rows + tiles - 1) / tiles + 7) / 8 * 8 : Shape.rows;
    const int begin = row_tile * rows;
    return {.expert = entry.expert,
            .row = entry.row + begin,
            .rows = max(0, min(rows, entry.rows - begin)),
            .column = column_tile * Shape.columns,
            .row_tile = entry.first + row_tile};
  }
}

/// The slot of a row in the sorted order.
template <bool TokenTiles>
__device__ __forceinline__ int slot_of(const GemmArguments& args, int row) {
  return TokenTiles ? row : args.sorted_slots[row];
}

}  // namespace moetune

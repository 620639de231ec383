// What the host passes to the kernels. Read by both sides; plain pointers and sizes only.
#pragma once

#include "kernels/lib/expert_map.h"
#include "kernels/lib/fill.h"
#include "kernels/lib/tensor_map.h"
#include "kernels/lib/types.h"

namespace moetune {

/// An entry for each row tile of a table: what is known of all tiles of its expert, whose rows are
/// [row, row + rows) of the expert-sorted order. tile_at() (kernels/lib/row_tiles.cuh) makes tiles of it.
struct alignas(16) RowTile {
  int expert;
  int row, rows;
  int first;  ///< index of the expert's first entry
};

/// The tiles of one BLOCK_SIZE_M. block_m = 0: not wanted.
struct TileTable {
  int block_m;
  RowTile* tiles;  ///< [tile_bound(slots, experts, block_m)]; ceil(rows / block_m) for each expert
  int* count;      ///< [1]
};

/// The most tiles that `slots` rows of `experts` experts can make: an expert with one row already makes one.
constexpr long long tile_bound(long long slots, long long experts, long long block_m) {
  const long long partial = slots < experts ? slots : experts;
  const long long bound = slots / block_m + partial;
  return bound < slots ? bound : slots;
}

/// kernels/routing. Rows are put in order of expert, then of slot. Slots whose expert is not here get none: they may
/// hold any number.
struct RouteArguments {
  const int* topk_ids;        ///< [slots]
  const float* topk_weights;  ///< [slots]
  ExpertMap map;              ///< of the experts in topk_ids
  int slots;                  ///< M·topk
  int slots_per_block;        ///< a multiple of 32
  int* block_counts;          ///< [blocks, experts], by count_experts; null where that does not run
  int* expert_offsets;        ///< [experts + 1]: where each expert's rows begin, and how many there are in all
  int* sorted_slots;          ///< [slots]: row -> slot
  int* slot_rows;             ///< [slots]: slot -> row, the inverse; -1 where there is none
  float* row_weights;         ///< [slots]: topk_weights by row
  TileTable tables[2];        ///< for the first and the second GEMM
  int* zeros;                 ///< [zero_count]: set to zero, for the kernels that follow
  int zero_count;
};

/// What partials and parts_done have room for.
inline constexpr long long kPartialBytes = 64 << 20, kPartCounters = kPartialBytes / 4096;

/// A grouped GEMM.
struct GemmArguments {
  const unsigned short* a;        ///< first GEMM: [M, K], gathered by slot / topk; second: [slots, K] in row order
  int a_pitch;                    ///< elements from one row of `a` to the next, a multiple of 8
  const unsigned short* weights;  ///< [E, weight_rows, K]
  const unsigned short* bias;     ///< [E, weight_rows] or null
  unsigned short* out;            ///< [slots, out_columns] in row order; final of the mma engine: in slot order
  const float* routing_weights;   ///< [slots], by slot
  const float* row_weights;       ///< the same by row
  const int* sorted_slots;        ///< [slots]; null where rows are slots
  const RowTile* tiles;           ///< null where each slot is a tile of its own
  const int* tile_count;          ///< [1]
  int tile_bound;                 ///< entries that `tiles` has room for
  int* progress;                  ///< [2] zeros, which a kernel leaves as zeros: tiles handed out, blocks that are done
  float* partials;                ///< SPLIT_K: [tiles, parts, elements of a tile]
  int* parts_done;                ///< SPLIT_K: [tiles, consumers] zeros, which a kernel leaves as zeros
  unsigned short* combined;       ///< where the second GEMM sums up over topk: [M, out_columns]; zeros if by adding
  int combined_pitch;             ///< elements from one row of `combined` to the next, a multiple of 8
  const int* slot_rows;           ///< fused combine: [slots]: slot -> row, -1: none; null where rows are slots
  const int* row_count;           ///< fused combine: [1]: rows in all; null where rows are slots
  int* arrivals;                  ///< fused combine: [M, column tiles] zeros, which a kernel leaves as zeros
  int* rows_done;                 ///< a kernel of both GEMMs: [row tiles] zeros, which it leaves as zeros
  int rows_expected;              ///< its count for a row tile that the first GEMM is done with
  const int* topk_ids;     ///< [slots]: the experts, where tiles is null; slots whose expert is not here have no row
  ExpertMap map;           ///< of the experts in topk_ids
  int early_blocks;        ///< first GEMM: so many blocks start before slots are grouped, on what topk_ids tell
  int reads_weights_once;  ///< hardly an expert has a second row tile: the L2 may let go of weights first
  int slots;
  int topk;
  int group_m;  ///< row tiles of an expert walked before the next column tile
  int K;
  int weight_rows;  ///< N1, or N2 in the second GEMM
  int out_columns;  ///< N1 (plain), N1/2 (gated), N2 (final)
};

/// A grouped GEMM whose kernel copies boxes of tensors.
struct TensorGemmArguments {
  /// w as (K, row, E); gated as (K, row, half, E), or grouped as (K, row % 8, half, row / 8, E), whose boxes hold 8
  /// gate rows, their 8 up rows, the next 8 gate rows …
  TensorMap weights;
  TensorMap tokens;  ///< as (K, slots): cache2, or of the first GEMM what moe_permute has put in order
  /// The output as (column, row in a window, the window's end). A window is 2^30 rows, of which a box at
  /// row 2^30 - n of the window that ends with row r stores the n rows before r: rows of the next expert stay
  /// untouched.
  TensorMap out;
  GemmArguments gemm;
};

/// Both GEMMs of the merged implementation in one kernel; tokens of both are gathered, so that `tokens` is unused.
struct BothGemmsArguments {
  TensorGemmArguments first, second;
};

/// Tokens in the order of rows: [tokens, columns] -> [rows, columns].
struct PermuteArguments {
  const unsigned short* in;
  int in_pitch;          ///< elements from one row of `in` to the next, a multiple of 8
  const int* slot_rows;  ///< [tokens·topk]: slot -> row, -1: none; null: rows are slots
  const int* row_count;  ///< [1]: rows in all; null where rows are slots
  unsigned short* out;   ///< room for tokens·topk rows
  long long tokens;
  int topk;
  int columns;  ///< a multiple of 8
};

/// cache2 = activation(cache1): [rows, 2·columns] -> [rows, columns]. Rows that there are not may be left out.
struct ActivateArguments {
  const unsigned short* in;
  unsigned short* out;
  const int* row_count;  ///< [1]: how many of the rows there are; null: all
  const int* topk_ids;   ///< rows are slots, of which there are those whose expert is here; null: all
  ExpertMap map;         ///< of the experts in topk_ids
  long long rows;
  int columns;
};

/// out [tokens, columns] = 0, for what is added up there.
struct ClearArguments {
  unsigned short* out;
  int out_pitch;  ///< elements from one row of `out` to the next, a multiple of 8
  long long tokens;
  int columns;  ///< a multiple of 8
};

/// out [tokens, columns] = sum over topk of in [tokens, topk, columns], in ascending order, without the slots whose
/// expert is not here.
struct CombineArguments {
  const unsigned short* in;
  const int* slot_rows;  ///< [tokens·topk]: slot -> row, -1: none; null where no routing has run: topk_ids tell
  const int* topk_ids;   ///< [tokens·topk]
  ExpertMap map;         ///< of the experts in topk_ids
  unsigned short* out;
  int out_pitch;  ///< elements from one row of `out` to the next, a multiple of 8
  long long tokens;
  int topk;
  int columns;
};

/// Fills `count` elements.
struct FillArguments {
  FillSpec spec;
  unsigned short* out;
  long long count;
};

/// What a scan of an output found; accumulated with atomics, so zeroed beforehand.
struct ScanResult {
  unsigned long long hash;
  unsigned long long nonfinite;
  unsigned long long unwritten;
};

struct ScanArguments {
  const unsigned short* in;
  long long count;
  DType dtype;
  unsigned short poison;
  ScanResult* result;
};

/// Reads `count` 16-byte words and keeps nothing: flushes the cache, or measures bandwidth.
struct ReadArguments {
  const void* in;
  long long count;
  unsigned* sink;  ///< written only if the words' xor has one value that the data does not give
};

}  // namespace moetune

// The fused sum over topk: whoever stores a token's last row in a column tile has its rows summed up, in the order of
// its choices as moe_sum does it, so the result does not depend on who that is. Done by warps that would idle, beside
// the products of the following tiles. Choices whose expert is not here have no row and are not waited for.
#pragma once

#include "kernels/lib/eight.cuh"
#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/global_memory.cuh"
#include "kernels/ptx/grid_dependency.cuh"
#include "kernels/wgmma/pipeline.cuh"

namespace moetune::wgmma {

/// One warp, `number` among kCombiners.
template <class G>
class Combiner {
 public:
  __device__ __forceinline__ Combiner(const GemmArguments& args, const Stages& stages, int number)
      : args_(args),
        stages_(stages),
        number_(number),
        lane_(threadIdx.x % 32),
        column_tiles_(column_tiles_of<G>(args)),
        all_have_rows_(!kTokenTiles && *args.row_count == args.slots) {}

  __device__ __forceinline__ void run() const {
    // Few tokens are looked at before the first tile is stored; of many, only where some have no row, and not before
    // tiles that others are waiting to be handed out.
    if constexpr (kTokenTiles) clear_others();
    Walk<G> walk(args_, stages_);
    typename Walk<G>::Next next;
    for (int tiles = 1; walk.ask(next); tiles++) {
      const Tile tile = walk.get(next).tile;
      // On its way while the tile is: of a tile of one token, how many rows that has.
      const int rows_of_one = kTokenTiles && tile.rows > 0 ? rows_of(tile.row / args_.topk) : 0;
      wait_until_stored(tiles);
      // Every lane counts a row in; those who were last for their token share the work on its columns.
      for (int first = number_ * 32; first < tile.rows; first += kCombiners * 32) {
        const int row = first + lane_;
        int token = 0;
        bool is_last = false;
        if (row < tile.rows) {
          token = slot_of<kTokenTiles>(args_, tile.row + row) / args_.topk;
          int* const arrived =
              args_.arrivals + static_cast<long long>(token) * column_tiles_ + tile.column / G::kOutColumns;
          const int rows = kTokenTiles ? rows_of_one : all_have_rows_ ? args_.topk : rows_of(token);
          is_last = ptx::fetch_add_ordered(arrived, 1) == rows - 1;
          if (is_last) *arrived = 0;
        }
        combine(__ballot_sync(~0u, is_last), token, tile.column);
      }
    }
    if (!kTokenTiles && !all_have_rows_) clear_others();
  }

 private:
  /// Lanes that a token's columns take: of eight columns each.
  static constexpr int kPieces = G::kOutColumns / 8, kTokensAtOnce = 32 / kPieces;
  static_assert(kPieces <= 32);

  __device__ __forceinline__ void wait_until_stored(int tiles) const {
    for (int consumer = 0; consumer < kConsumers; consumer++)
      while (ptx::watch_shared(stages_.stored(consumer)) < tiles) __nanosleep(200);
    __syncwarp();
  }

  /// Where a slot's row lies in the output; -1 where it has none.
  __device__ __forceinline__ int row_of(int slot) const {
    if constexpr (kTokenTiles) return chosen_expert(args_.map, args_.topk_ids[slot]) < 0 ? -1 : slot;
    return args_.slot_rows[slot];
  }

  __device__ __forceinline__ int rows_of(int token) const {
    int rows = 0;
    for (int s = 0; s < args_.topk; s++) rows += row_of(token * args_.topk + s) >= 0 ? 1 : 0;
    return rows;
  }

  /// Tokens without any row, which nobody stores the last one of: their sums are zero. Every combiner gets some,
  /// however few there are.
  __device__ __forceinline__ void clear_others() const {
    ptx::grid_dependency_wait();  // the kernel before may still read what is to be written over
    const int combiners = gridDim.x * kCombiners, own = blockIdx.x * kCombiners + number_;
    const int tokens = args_.slots / args_.topk;
    for (int first = own; first < tokens; first += 32 * combiners) {
      const int token_of_lane = first + lane_ * combiners;
      const bool has_none = token_of_lane < tokens && rows_of(token_of_lane) == 0;
      for (unsigned left = __ballot_sync(~0u, has_none); left != 0; left &= left - 1) {
        const long long token = first + (__ffs(left) - 1) * combiners;
        for (int column = lane_ * 8; column < args_.out_columns; column += 32 * 8)
          *reinterpret_cast<uint4*>(args_.combined + token * args_.combined_pitch + column) = make_uint4(0, 0, 0, 0);
      }
    }
  }

  /// Of the tokens that the lanes in `ready` hold.
  __device__ __forceinline__ void combine(unsigned ready, int token_of_lane, int first_column) const {
    while (ready != 0) {
      const int own = lane_ / kPieces;
      unsigned rest = ready;
      for (int i = 0; i < own; i++) rest &= rest - 1;
      const bool has_token = own < kTokensAtOnce && rest != 0;
      const int token = __shfl_sync(~0u, token_of_lane, has_token ? __ffs(rest) - 1 : 0);
      const int column = first_column + lane_ % kPieces * 8;
      if (has_token && column < args_.out_columns) sum(token, column);
      for (int i = 0; i < kTokensAtOnce; i++) ready &= ready - 1;
    }
  }

  __device__ __forceinline__ void sum(int token, int column) const {
    constexpr int kBatch = 8;
    Eight sum = {};
    for (int first = 0; first < args_.topk; first += kBatch) {
      long long rows[kBatch];
#pragma unroll
      for (int s = 0; s < kBatch; s++) {
        rows[s] = row_of(token * args_.topk + min(first + s, args_.topk - 1));
      }
      uint4 pieces[kBatch];
#pragma unroll
      for (int s = 0; s < kBatch; s++)
        if (first + s < args_.topk && rows[s] >= 0)
          pieces[s] = ptx::load_global_l2(args_.out + rows[s] * args_.out_columns + column);
#pragma unroll
      for (int s = 0; s < kBatch; s++) {
        if (first + s >= args_.topk) break;
        if (rows[s] < 0) continue;
        const Eight next = unpack_eight<kType>(pieces[s]);
#pragma unroll
        for (int k = 0; k < 8; k++) sum.v[k] += next.v[k];
      }
    }
    *reinterpret_cast<uint4*>(args_.combined + static_cast<long long>(token) * args_.combined_pitch + column) =
        pack_eight<kType>(sum);
  }

  const GemmArguments& args_;
  const Stages& stages_;
  int number_, lane_, column_tiles_;
  bool all_have_rows_;
};

}  // namespace moetune::wgmma

// What a block of the first GEMM can know of its first tile while slots are still being grouped: enough to ask for the
// tile's weights, whose way from memory then takes as long as grouping does, and for its tokens.
#pragma once

#include "kernels/lib/row_tiles.cuh"
#include "kernels/ptx/warp.cuh"

namespace moetune {

/// The entry of `row_tile` as the tile table is going to have it, counted from topk_ids, which are there before the
/// kernel that groups slots lets this one start. No rows: there is no such row tile. By `Threads` threads, numbered
/// from 0, that `sync` joins; `counts` [experts] is shared memory that nobody else uses until they are joined again.
/// Not with an expert map.
template <TileShape Shape, int Threads, class Sync>
__device__ __forceinline__ RowTile count_entry(const GemmArguments& args, int row_tile, int* counts, Sync sync) {
  constexpr int kAhead = 8;  // loads on their way: their latency is what counting costs
  const int E = args.map.experts, lane = threadIdx.x % 32;
  // Loops stay loops: where caches are cold, each instruction has to be fetched.
#pragma unroll 1
  for (int e = threadIdx.x; e < E; e += Threads) counts[e] = 0;
#pragma unroll 1
  for (int first = 0; first < args.slots; first += kAhead * Threads) {
    int ids[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      const int slot = first + i * Threads + static_cast<int>(threadIdx.x);
      ids[i] = slot < args.slots ? args.topk_ids[slot] : -1;
    }
    if (first == 0) sync();  // the counts are zero
#pragma unroll
    for (int i = 0; i < kAhead; i++)
      if (static_cast<unsigned>(ids[i]) < static_cast<unsigned>(E)) atomicAdd(&counts[ids[i]], 1);
  }
  sync();

  // Each lane adds up neighbouring experts, so that the warp exchanges sums only once; all warps do the same.
  const int share = (E + 31) / 32, begin = min(lane * share, E), end = min(begin + share, E);
  const auto tiles_of = [](int rows) { return (rows + Shape.rows - 1) / Shape.rows; };
  int rows = 0, tiles = 0;
#pragma unroll 1
  for (int e = begin; e < end; e++) rows += counts[e], tiles += tiles_of(counts[e]);
  int rows_to = rows, tiles_to = tiles;
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const int more_rows = __shfl_up_sync(~0u, rows_to, distance), more_tiles = __shfl_up_sync(~0u, tiles_to, distance);
    if (lane >= distance) rows_to += more_rows, tiles_to += more_tiles;
  }
  RowTile entry{.expert = begin, .row = rows_to - rows, .rows = 0, .first = tiles_to - tiles};
  const unsigned owners = __ballot_sync(~0u, row_tile < tiles_to);
  const int owner = owners != 0 ? __ffs(owners) - 1 : 0;
  if (owners != 0 && lane == owner) {
#pragma unroll 1
    while (row_tile >= entry.first + tiles_of(counts[entry.expert])) {
      entry.row += counts[entry.expert];
      entry.first += tiles_of(counts[entry.expert]);
      entry.expert++;
    }
    entry.rows = counts[entry.expert];
  }
  return {.expert = __shfl_sync(~0u, entry.expert, owner),
          .row = __shfl_sync(~0u, entry.row, owner),
          .rows = __shfl_sync(~0u, entry.rows, owner),
          .first = __shfl_sync(~0u, entry.first, owner)};
}

/// slots[0 … rows) = the slots of `expert` in their order, without the first `skipped`. By a warp, after count_entry.
__device__ __forceinline__ void find_slots(const GemmArguments& args, int expert, int skipped, int rows, int* slots) {
  constexpr int kAhead = 8;
  const int lane = threadIdx.x % 32;
  int next = -skipped;
#pragma unroll 1
  for (int first = lane; __any_sync(~0u, first < args.slots) && next < rows; first += kAhead * 32) {
    int ids[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; i++) ids[i] = first + i * 32 < args.slots ? args.topk_ids[first + i * 32] : -1;
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      const unsigned own = __ballot_sync(~0u, ids[i] == expert);
      const int at = next + __popc(own & ptx::lanes_below());
      if (ids[i] == expert && at >= 0 && at < rows) slots[at] = first + i * 32;
      next += __popc(own);
    }
  }
}

}  // namespace moetune

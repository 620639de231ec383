// Groups slots by expert: a counting sort that keeps the slots' order within an expert, so that every run makes the same
// tables. One launch where a block can take all slots, else count_experts first. E <= 1024, slots <= 2^24.
#include "kernels/lib/arguments.h"
#include "kernels/ptx/grid_dependency.cuh"
#include "kernels/ptx/warp.cuh"

namespace moetune::routing {

/// Calls visit(slot, expert, peers, present) for every slot of this warp's share, 32 at a time, in order: peers are the lanes
/// with the same expert, present those with a slot.
template <class Visit>
__device__ __forceinline__ void for_each_slot(const RouteArguments& args, Visit visit) {
  const int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int share = args.slots_per_block / warps;
  const int begin = blockIdx.x * args.slots_per_block + warp * share;
  const int end = min(begin + share, args.slots);
  for (int first = begin; first < end; first += 32) {
    const int slot = first + lane;
    const unsigned present = __ballot_sync(~0u, slot < end);
    if (slot < end) {
      const int expert = args.topk_ids[slot];
      visit(slot, expert, __match_any_sync(present, expert), present);
    }
    __syncwarp();
  }
}

/// block_counts[block, expert] = slots of the expert in this block's share. Shared memory: experts ints.
extern "C" __global__ void count_experts(const __grid_constant__ RouteArguments args) {
  extern __shared__ int counts[];
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  for (int e = threadIdx.x; e < args.experts; e += blockDim.x) counts[e] = 0;
  __syncthreads();
  for_each_slot(args, [&](int, int expert, unsigned peers, unsigned) {
    if ((peers & ptx::lanes_below()) == 0) atomicAdd(&counts[expert], __popc(peers));
  });
  __syncthreads();
  for (int e = threadIdx.x; e < args.experts; e += blockDim.x) args.block_counts[blockIdx.x * args.experts + e] = counts[e];
}

/// Exclusive prefix sums over the experts by one warp: out[e] = sum of value(0…e-1), out[experts] = the total.
template <class Value>
__device__ __forceinline__ void scan_experts(int experts, int* out, Value value) {
  const int lane = threadIdx.x % 32;
  int carried = 0;
  for (int first = 0; first < experts; first += 32) {
    const int e = first + lane;
    const int own = e < experts ? value(e) : 0;
    int sum = own;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
      const int other = __shfl_up_sync(~0u, sum, distance);
      if (lane >= distance) sum += other;
    }
    if (e < experts) out[e] = carried + sum - own;
    carried += __shfl_sync(~0u, sum, 31);
  }
  if (lane == 0) out[experts] = carried;
}

/// Shared memory: (warps + 2)·experts + 3·(experts + 1) ints.
extern "C" __global__ void moe_align_block_size(const __grid_constant__ RouteArguments args) {
  extern __shared__ int memory[];
  const int E = args.experts, warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int* warp_rows = memory;             // [warps, E]: counts, then the next row of this warp's slots
  int* totals = warp_rows + warps * E; // [E]: over all blocks
  int* earlier = totals + E;           // [E]: in the blocks before this one
  int* offsets = earlier + E;          // [E + 1]
  int* tile_offsets = offsets + E + 1; // [2, E + 1]

  for (int i = threadIdx.x; i < warps * E; i += blockDim.x) warp_rows[i] = 0;
  __syncthreads();
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  for_each_slot(args, [&](int, int expert, unsigned peers, unsigned) {
    if ((peers & ptx::lanes_below()) == 0) warp_rows[warp * E + expert] += __popc(peers);
  });
  __syncthreads();

  for (int e = threadIdx.x; e < E; e += blockDim.x) {
    int own = 0;
    for (int w = 0; w < warps; w++) {
      const int count = warp_rows[w * E + e];
      warp_rows[w * E + e] = own;
      own += count;
    }
    int before = 0, total = own;
    if (gridDim.x > 1) {
      total = 0;
      for (int b = 0; b < static_cast<int>(gridDim.x); b++) {
        const int count = args.block_counts[b * E + e];
        before += b < static_cast<int>(blockIdx.x) ? count : 0;
        total += count;
      }
    }
    totals[e] = total;
    earlier[e] = before;
  }
  __syncthreads();

  if (warp == 0) scan_experts(E, offsets, [&](int e) { return totals[e]; });
#pragma unroll
  for (int t = 0; t < 2; t++)
    if (warp == (t + 1) % warps && args.tables[t].block_m > 0)
      scan_experts(E, tile_offsets + t * (E + 1),
                   [&](int e) { return (totals[e] + args.tables[t].block_m - 1) / args.tables[t].block_m; });
  __syncthreads();

  for (int i = threadIdx.x; i < warps * E; i += blockDim.x) warp_rows[i] += offsets[i % E] + earlier[i % E];
  __syncthreads();
  for_each_slot(args, [&](int slot, int expert, unsigned peers, unsigned present) {
    const unsigned below = peers & ptx::lanes_below();
    const int row = warp_rows[warp * E + expert] + __popc(below);
    args.sorted_slots[row] = slot;
    args.slot_rows[slot] = row;
    __syncwarp(present);
    if (below == 0) warp_rows[warp * E + expert] += __popc(peers);
  });

  // The tables: a warp for each expert, the experts dealt out over the blocks.
  for (int e = blockIdx.x + warp * gridDim.x; e < E; e += warps * gridDim.x)
#pragma unroll
    for (int t = 0; t < 2; t++) {
      const TileTable& table = args.tables[t];
      if (table.block_m == 0) continue;
      const int first = tile_offsets[t * (E + 1) + e], count = tile_offsets[t * (E + 1) + e + 1] - first;
      for (int i = lane; i < count; i += 32)
        table.tiles[first + i] = {.expert = e,
                                  .row = offsets[e] + i * table.block_m,
                                  .rows = min(table.block_m, totals[e] - i * table.block_m),
                                  .unused = 0};
    }
  if (blockIdx.x == 0) {
    for (int e = threadIdx.x; e <= E; e += blockDim.x) args.expert_offsets[e] = offsets[e];
    if (threadIdx.x < 2 && args.tables[threadIdx.x].block_m > 0)
      *args.tables[threadIdx.x].count = tile_offsets[threadIdx.x * (E + 1) + E];
  }
}

}  // namespace moetune::routing

// Groups slots by expert: a counting sort that keeps the slots' order within an expert, so that every run makes the
// same tables. One launch where a block can take all slots, else count_experts first. E <= 1024, slots <= 2^24.
#include "kernels/lib/arguments.h"
#include "kernels/ptx/grid_dependency.cuh"
#include "kernels/ptx/warp.cuh"

namespace moetune::routing {

/// Calls visit(slot, expert, weight, peers, present) for every slot of this warp's share, 32 at a time, in order: peers
/// are the lanes with the same expert, present those with a slot; weight only where asked for. Experts and weights of
/// several steps are loaded at once: what a step costs is their way from memory.
template <bool WithWeights, class Visit>
__device__ __forceinline__ void for_each_slot(const RouteArguments& args, Visit visit) {
  constexpr int kAhead = 8;
  const int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int share = args.slots_per_block / warps;
  const int begin = blockIdx.x * args.slots_per_block + warp * share;
  const int end = min(begin + share, args.slots);
  for (int first = begin; first < end; first += 32 * kAhead) {
    int experts[kAhead];
    float weights[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      const int slot = first + i * 32 + lane;
      experts[i] = slot < end ? args.topk_ids[slot] : 0;
      weights[i] = WithWeights && slot < end ? args.topk_weights[slot] : 0.0f;
    }
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      const int slot = first + i * 32 + lane;
      const unsigned present = __ballot_sync(~0u, slot < end);
      if (present == 0) break;
      if (slot < end) visit(slot, experts[i], weights[i], __match_any_sync(present, experts[i]), present);
      __syncwarp();
    }
  }
}

/// block_counts[block, expert] = slots of the expert in this block's share. Shared memory: experts ints.
extern "C" __global__ void count_experts(const __grid_constant__ RouteArguments args) {
  extern __shared__ int counts[];
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  for (int e = threadIdx.x; e < args.experts; e += blockDim.x) counts[e] = 0;
  __syncthreads();
  for_each_slot<false>(args, [&](int, int expert, float, unsigned peers, unsigned) {
    if ((peers & ptx::lanes_below()) == 0) atomicAdd(&counts[expert], __popc(peers));
  });
  __syncthreads();
  for (int e = threadIdx.x; e < args.experts; e += blockDim.x)
    args.block_counts[blockIdx.x * args.experts + e] = counts[e];
}

/// Exclusive prefix sums over the experts by one warp: out[e] = sum of value(0…e-1), out[experts] = the total. Each
/// lane adds up neighbouring experts first, so that the warp exchanges sums only once.
template <class Value>
__device__ __forceinline__ void scan_experts(int experts, int* out, Value value) {
  const int lane = threadIdx.x % 32;
  const int share = (experts + 31) / 32;
  const int begin = min(lane * share, experts), end = min(begin + share, experts);
  int own = 0;
  for (int e = begin; e < end; e++) own += value(e);
  int sum = own;
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    const int other = __shfl_up_sync(~0u, sum, distance);
    if (lane >= distance) sum += other;
  }
  int before = sum - own;
  for (int e = begin; e < end; e++) {
    out[e] = before;
    before += value(e);
  }
  if (lane == 31) out[experts] = sum;
}

/// Replaces `count` values, `stride` apart, by their exclusive prefix sums and returns the total. Loads go eight at a
/// time: their latencies, not the sums, are what this costs.
__device__ __forceinline__ int scan_column(int* values, int count, int stride) {
  int sum = 0;
  for (int first = 0; first < count; first += 8) {
    int own[8];
#pragma unroll
    for (int i = 0; i < 8; i++) own[i] = first + i < count ? values[(first + i) * stride] : 0;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      if (first + i < count) values[(first + i) * stride] = sum;
      sum += own[i];
    }
  }
  return sum;
}

/// Shared memory: (warps + 2)·experts + 3·(experts + 1) ints.
extern "C" __global__ void moe_align_block_size(const __grid_constant__ RouteArguments args) {
  extern __shared__ int memory[];
  const int E = args.experts, warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int* warp_rows = memory;              // [warps, E]: counts, then where this warp's slots go within the block's share
  int* totals = warp_rows + warps * E;  // [E]: over all blocks
  int* earlier = totals + E;            // [E]: in the blocks before this one
  int* offsets = earlier + E;           // [E + 1]
  int* tile_offsets = offsets + E + 1;  // [2, E + 1]

  for (int i = threadIdx.x; i < warps * E; i += blockDim.x) warp_rows[i] = 0;
  __syncthreads();
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  for_each_slot<false>(args, [&](int, int expert, float, unsigned peers, unsigned) {
    if ((peers & ptx::lanes_below()) == 0) warp_rows[warp * E + expert] += __popc(peers);
  });
  __syncthreads();

  const int blocks = gridDim.x, block = blockIdx.x;
  for (int e = threadIdx.x; e < E; e += blockDim.x) {
    const int own = scan_column(warp_rows + e, warps, E);
    int before = 0, total = blocks > 1 ? 0 : own;
    for (int first = 0; blocks > 1 && first < blocks; first += 8) {
      int counts[8];
#pragma unroll
      for (int i = 0; i < 8; i++) counts[i] = first + i < blocks ? args.block_counts[(first + i) * E + e] : 0;
#pragma unroll
      for (int i = 0; i < 8; i++) {
        before += first + i < block ? counts[i] : 0;
        total += counts[i];
      }
    }
    totals[e] = total;
    earlier[e] = before;
  }
  __syncthreads();

  if (warp == 0) scan_experts(E, offsets, [&](int e) { return totals[e]; });
#pragma unroll
  for (int t = 0; t < 2; t++)
    if (warp == t + 1 && args.tables[t].block_m > 0)
      scan_experts(E, tile_offsets + t * (E + 1),
                   [&](int e) { return (totals[e] + args.tables[t].block_m - 1) / args.tables[t].block_m; });
  __syncthreads();

  for_each_slot<true>(args, [&](int slot, int expert, float weight, unsigned peers, unsigned present) {
    const unsigned below = peers & ptx::lanes_below();
    const int within = warp_rows[warp * E + expert];
    const int row = offsets[expert] + earlier[expert] + within + __popc(below);
    args.sorted_slots[row] = slot;
    args.slot_rows[slot] = row;
    args.row_weights[row] = weight;
    __syncwarp(present);
    if (below == 0) warp_rows[warp * E + expert] = within + __popc(peers);
  });

  // The tables: a thread for each expert, the experts dealt out over the blocks; an expert with many tiles gets its
  // warp.
  for (int first = block * blockDim.x; first < E; first += blocks * blockDim.x) {
    const int own_expert = first + static_cast<int>(threadIdx.x);
#pragma unroll
    for (int t = 0; t < 2; t++) {
      const TileTable& table = args.tables[t];
      if (table.block_m == 0) continue;
      const auto write = [&](int e, int i) {
        const int first_tile = tile_offsets[t * (E + 1) + e];
        table.tiles[first_tile + i] = {.expert = e, .row = offsets[e], .rows = totals[e], .first = first_tile};
      };
      constexpr int kFew = 4;
      const int own_tiles =
          own_expert < E ? tile_offsets[t * (E + 1) + own_expert + 1] - tile_offsets[t * (E + 1) + own_expert] : 0;
      for (int i = 0; i < min(own_tiles, kFew); i++) write(own_expert, i);
      for (unsigned many = __ballot_sync(~0u, own_tiles > kFew); many != 0; many &= many - 1) {
        const int source = __ffs(many) - 1;
        const int tiles = __shfl_sync(~0u, own_tiles, source), e = __shfl_sync(~0u, own_expert, source);
        for (int i = kFew + lane; i < tiles; i += 32) write(e, i);
      }
    }
  }
  if (block == 0) {
    for (int e = threadIdx.x; e <= E; e += blockDim.x) args.expert_offsets[e] = offsets[e];
    if (threadIdx.x < 2 && args.tables[threadIdx.x].block_m > 0)
      *args.tables[threadIdx.x].count = tile_offsets[threadIdx.x * (E + 1) + E];
  }
}

}  // namespace moetune::routing

// Groups slots by expert: a counting sort that keeps the slots' order within an expert, so that every run makes the
// same tables. E <= 1024, slots <= 2^24. Slots whose expert is not here (kernels/lib/expert_map.h) are left out.
//
// Each block places the slots of its own share, for which it has to know how many slots each expert has in all and in
// the shares before its own. Up to some thousand slots every block counts them all by itself: that takes less time than
// a second launch. Beyond that count_experts runs first.
#include "kernels/lib/arguments.h"
#include "kernels/ptx/grid_dependency.cuh"
#include "kernels/ptx/warp.cuh"

namespace moetune::routing {

/// Calls visit(i, value) for i = begin, begin + stride, … below end, with value = of(from[i]). Loads are kAhead at a
/// time on their way, those of `of` too: their latency is what a walk costs.
template <class Of, class Visit>
__device__ __forceinline__ void for_each(const int* from, int begin, int end, int stride, Of of, Visit visit) {
  constexpr int kAhead = 16;
  for (int first = begin; first < end; first += kAhead * stride) {
    int values[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; i++) values[i] = first + i * stride < end ? from[first + i * stride] : 0;
#pragma unroll
    for (int i = 0; i < kAhead; i++) values[i] = of(values[i]);
#pragma unroll
    for (int i = 0; i < kAhead; i++)
      if (first + i * stride < end) visit(first + i * stride, values[i]);
  }
}

/// The expert here. Kernels without a map are apart: where caches are cold, each instruction more has to be fetched.
template <bool Mapped>
__device__ __forceinline__ int expert_of(const RouteArguments& args, int id) {
  if constexpr (Mapped)
    return local_expert(args.map, id);
  else
    return static_cast<unsigned>(id) < static_cast<unsigned>(args.map.experts) ? id : -1;
}

/// The slots of this block's share.
struct Share {
  int begin, end;

  __device__ __forceinline__ explicit Share(const RouteArguments& args)
      : begin(blockIdx.x * args.slots_per_block), end(min(begin + args.slots_per_block, args.slots)) {}
};

/// block_counts[block, expert] = slots of the expert in this block's share. Shared memory: experts ints.
template <bool Mapped>
__device__ __forceinline__ void count_share(const RouteArguments& args, int* counts) {
  const int E = args.map.experts;
  for (int e = threadIdx.x; e < E; e += blockDim.x) counts[e] = 0;
  __syncthreads();
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  const Share share(args);
  for_each(
      args.topk_ids, share.begin + threadIdx.x, share.end, blockDim.x,
      [&](int id) { return expert_of<Mapped>(args, id); },
      [&](int, int e) {
        if (e >= 0) atomicAdd(&counts[e], 1);
      });
  __syncthreads();
  for (int e = threadIdx.x; e < E; e += blockDim.x) args.block_counts[blockIdx.x * E + e] = counts[e];
}
extern "C" __global__ void count_experts(const __grid_constant__ RouteArguments args) {
  extern __shared__ int memory[];
  count_share<false>(args, memory);
}
extern "C" __global__ void count_mapped_experts(const __grid_constant__ RouteArguments args) {
  extern __shared__ int memory[];
  count_share<true>(args, memory);
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

/// What a block knows of all experts.
struct Experts {
  int* totals;        ///< [E]: slots of an expert
  int* next_row;      ///< [E]: the row of its next slot in this block's share
  int* offsets;       ///< [E + 1]
  int* tile_offsets;  ///< [2, E + 1]: index of its first entry in each table
  int* warp_counts;   ///< [warps, E]

  __device__ __forceinline__ Experts(int* memory, int E)
      : totals(memory),
        next_row(totals + E),
        offsets(next_row + E),
        tile_offsets(offsets + E + 1),
        warp_counts(tile_offsets + 2 * (E + 1)) {}
};

/// totals, and in next_row the slots before this block's share.
template <bool Mapped>
__device__ __forceinline__ void count(const RouteArguments& args, const Experts& experts) {
  const int E = args.map.experts, blocks = gridDim.x, block = blockIdx.x;
  if (args.block_counts == nullptr) {
    const int begin = block * args.slots_per_block;
    for_each(
        args.topk_ids, threadIdx.x, args.slots, blockDim.x, [&](int id) { return expert_of<Mapped>(args, id); },
        [&](int slot, int e) {
          if (e < 0) return;
          atomicAdd(&experts.totals[e], 1);
          if (slot < begin) atomicAdd(&experts.next_row[e], 1);
        });
  } else {
    for_each(
        args.block_counts, threadIdx.x, blocks * E, blockDim.x, [](int slots) { return slots; },
        [&](int i, int slots) {
          const int e = i % E;
          if (slots > 0) atomicAdd(&experts.totals[e], slots);
          if (slots > 0 && i / E < block) atomicAdd(&experts.next_row[e], slots);
        });
  }
}

/// topk_weights of this thread's slot among the blockDim.x from `first` on.
__device__ __forceinline__ float own_weight(const RouteArguments& args, const Share& share, int first) {
  const int slot = first + static_cast<int>(threadIdx.x);
  return slot < share.end ? args.topk_weights[slot] : 0.0f;
}

/// 32 slots for each warp at a time, until the share is done. `weight`: own_weight() of the first ones.
template <bool Mapped>
__device__ __forceinline__ void place_slots(const RouteArguments& args, const Experts& experts, const Share& share,
                                            float weight) {
  const int E = args.map.experts, warps = blockDim.x / 32, warp = threadIdx.x / 32;
  const auto [begin, end] = share;
  for (int first = begin; first < end; first += blockDim.x) {
    const int slot = first + static_cast<int>(threadIdx.x);
    const int expert = slot < end ? expert_of<Mapped>(args, args.topk_ids[slot]) : -1;
    const bool present = expert >= 0;
    const unsigned peers = __match_any_sync(~0u, expert);
    const unsigned below = peers & ptx::lanes_below();
    if (present && below == 0) experts.warp_counts[warp * E + expert] = __popc(peers);
    __syncthreads();
    if (present) {
      int row = experts.next_row[expert] + __popc(below);
      for (int w = 0; w < warp; w++) row += experts.warp_counts[w * E + expert];
      args.sorted_slots[row] = slot;
      args.slot_rows[slot] = row;
      args.row_weights[row] = weight;
    } else if (slot < end) {
      args.slot_rows[slot] = -1;
    }
    if (first + static_cast<int>(blockDim.x) >= end) break;
    __syncthreads();
    for (int e = threadIdx.x; e < E; e += blockDim.x)
      for (int w = 0; w < warps; w++) {
        experts.next_row[e] += experts.warp_counts[w * E + e];
        experts.warp_counts[w * E + e] = 0;
      }
    __syncthreads();
    weight = own_weight(args, share, first + blockDim.x);
  }
}

/// A thread for each expert, the experts dealt out over the blocks; an expert with many tiles gets its warp.
__device__ __forceinline__ void write_tables(const RouteArguments& args, const Experts& experts) {
  const int E = args.map.experts, lane = threadIdx.x % 32;
  for (int first = 0; first < E; first += gridDim.x * blockDim.x) {
    const int own_expert = first + static_cast<int>(threadIdx.x * gridDim.x + blockIdx.x);
#pragma unroll
    for (int t = 0; t < 2; t++) {
      const TileTable& table = args.tables[t];
      if (table.block_m == 0) continue;
      const int* offsets = experts.tile_offsets + t * (E + 1);
      const auto write = [&](int e, int i) {
        table.tiles[offsets[e] + i] = {
            .expert = e, .row = experts.offsets[e], .rows = experts.totals[e], .first = offsets[e]};
      };
      constexpr int kFew = 4;
      const int own_tiles = own_expert < E ? offsets[own_expert + 1] - offsets[own_expert] : 0;
      for (int i = 0; i < min(own_tiles, kFew); i++) write(own_expert, i);
      for (unsigned many = __ballot_sync(~0u, own_tiles > kFew); many != 0; many &= many - 1) {
        const int source = __ffs(many) - 1;
        const int tiles = __shfl_sync(~0u, own_tiles, source), e = __shfl_sync(~0u, own_expert, source);
        for (int i = kFew + lane; i < tiles; i += 32) write(e, i);
      }
    }
  }
  if (blockIdx.x != 0) return;
  for (int e = threadIdx.x; e <= E; e += blockDim.x) args.expert_offsets[e] = experts.offsets[e];
  if (threadIdx.x < 2 && args.tables[threadIdx.x].block_m > 0)
    *args.tables[threadIdx.x].count = experts.tile_offsets[threadIdx.x * (E + 1) + E];
}

/// At least 96 threads. Shared memory: (warps + 2)·experts + 3·(experts + 1) ints.
template <bool Mapped>
__device__ __forceinline__ void align(const RouteArguments& args, int* memory) {
  const int E = args.map.experts, warps = blockDim.x / 32, warp = threadIdx.x / 32;
  const Experts experts(memory, E);
  for (int i = threadIdx.x; i < (warps + 2) * E + 3 * (E + 1); i += blockDim.x) memory[i] = 0;
  __syncthreads();
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < args.zero_count; i += gridDim.x * blockDim.x)
    args.zeros[i] = 0;
  const Share share(args);
  const float first_weight = own_weight(args, share, share.begin);  // on its way while slots are counted
  count<Mapped>(args, experts);
  __syncthreads();
  if (warp == 0) {
    scan_experts(E, experts.offsets, [&](int e) { return experts.totals[e]; });
    __syncwarp();
    for (int e = threadIdx.x; e < E; e += 32) experts.next_row[e] += experts.offsets[e];
  }
#pragma unroll
  for (int t = 0; t < 2; t++)
    if (const int block_m = args.tables[t].block_m; warp == t + 1 && block_m > 0)
      scan_experts(E, experts.tile_offsets + t * (E + 1),
                   [&](int e) { return (experts.totals[e] + block_m - 1) / block_m; });
  __syncthreads();
  place_slots<Mapped>(args, experts, share, first_weight);
  write_tables(args, experts);
}
extern "C" __global__ void moe_align_block_size(const __grid_constant__ RouteArguments args) {
  extern __shared__ int memory[];
  align<false>(args, memory);
}
extern "C" __global__ void moe_align_mapped_block_size(const __grid_constant__ RouteArguments args) {
  extern __shared__ int memory[];
  align<true>(args, memory);
}

}  // namespace moetune::routing

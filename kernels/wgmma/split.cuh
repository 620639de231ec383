// SPLIT_K: blocks share a tile by dividing K. Whoever comes last adds up the parts.
#pragma once

#include "kernels/ptx/atomic.cuh"
#include "kernels/ptx/barrier.cuh"
#include "kernels/ptx/global_memory.cuh"
#include "kernels/wgmma/store.cuh"

namespace moetune::wgmma {

/// Before the products of a part. Without it ptxas takes what join_parts() left in the registers for accumulators that
/// something else writes, and serialises the products.
__device__ __forceinline__ void clear_for_join(Accumulators& acc) {
  if constexpr (kSplit > 1)
#pragma unroll
    for (int part = 0; part < kParts; part++)
#pragma unroll
      for (int i = 0; i < kInstructionN / 2; i++) acc[part][i] = 0.0f;
}

/// By a whole consumer, with its part of a sum. True where all parts are there: `acc` is then the whole sum, added up
/// in the order of K, so that every run gives the same bits. No block ever waits for another.
__device__ __forceinline__ bool join_parts(const GemmArguments& args, const Work& work, int consumer,
                                           Accumulators& acc) {
  if constexpr (kSplit == 1) return true;
  constexpr int kFloats = kParts * (kInstructionN / 2), kOfConsumer = kFloats * kWarpgroup;
  const int thread = threadIdx.x % kWarpgroup, barrier = 2 + consumer;
  // [tile, part, consumer, four floats at a time, thread, 4]
  float* const tile = args.partials + static_cast<long long>(work.index) * (kSplit * kConsumers * kOfConsumer) +
                      consumer * kOfConsumer + thread * 4;
  constexpr int kOfPart = kConsumers * kOfConsumer, kOfFour = kWarpgroup * 4;
  float* sum = &acc[0][0];
#pragma unroll
  for (int i = 0; i < kFloats; i += 4)
    ptx::store_global(tile + work.part * kOfPart + i / 4 * kOfFour, sum[i], sum[i + 1], sum[i + 2], sum[i + 3]);

  ptx::barrier_sync(barrier, kWarpgroup);
  bool is_last = false;
  if (thread == 0) {
    int* const done = args.parts_done + work.index * kConsumers + consumer;
    is_last = ptx::fetch_add_ordered(done, 1) == kSplit - 1;
    if (is_last) *done = 0;
  }
  if (!ptx::barrier_any(barrier, kWarpgroup, is_last)) return false;

#pragma unroll
  for (int i = 0; i < kFloats; i += 4)
#pragma unroll
    for (int part = 0; part < kSplit; part++) {
      float v[4];
      ptx::load_global_l2(tile + part * kOfPart + i / 4 * kOfFour, v);
#pragma unroll
      for (int j = 0; j < 4; j++) sum[i + j] = part == 0 ? v[j] : sum[i + j] + v[j];
    }
  return true;
}

}  // namespace moetune::wgmma

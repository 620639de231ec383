// Grouped GEMM on mma.sync with a cp.async pipeline: invoke_fused_moe_kernel (plain, final), merged_moe_gate_kernel
// (gated) and merged_moe_final_kernel (final) of the portable engine. sm_80 and later. A block for each tile.
// kernels/mma/settings.cuh lists the macros.
#include "kernels/mma/finish.cuh"
#include "kernels/mma/loader.cuh"
#include "kernels/mma/tiles.cuh"
#include "kernels/ptx/grid_dependency.cuh"

namespace moetune::mma {

template <bool Value>
struct Bool {
  static constexpr bool value = Value;
};

extern "C" __global__ void __launch_bounds__(kThreads) KERNEL_NAME(const __grid_constant__ GemmArguments args) {
  extern __shared__ __align__(1024) unsigned char memory[];
  const unsigned smem = ptx::shared_address(memory);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  // The warps of one row block are on different schedulers: where its rows are empty, all schedulers gain.
  const int warp_m = warp / kWarps.n, warp_n = warp % kWarps.n;
  const int k_tiles = (args.K + kBlockK - 1) / kBlockK;

  // The second GEMM may read the routing and start on its weights at once: the kernel before it has waited for the
  // routing before it allowed this one to start. Only its input needs the wait. Early blocks of the first GEMM need the
  // routing for the weights of slots if at all.
  const bool is_early = kMayStartEarly && static_cast<int>(blockIdx.x) < args.early_blocks;
  const auto let_next_start = [] {
    ptx::grid_dependency_wait();
    ptx::grid_dependency_launch();
  };
  if (kSecond)
    ptx::grid_dependency_launch();
  else if (!is_early)
    let_next_start();
  auto& scratch = *reinterpret_cast<EarlyScratch*>(memory + (kStages - 1) * kStageBytes);
  Tile tile;
  int skipped = 0;
  if (!(is_early ? find_early_tile(args, tile, scratch, skipped) : find_tile(args, tile))) {
    if (kSecond || is_early) ptx::grid_dependency_wait();
    return;
  }
  // Weights first, for what tells the tokens has to come from memory.
  Loader loader(args, smem);
  loader.set_weights(tile);
  Loader ahead = loader;
  for (int stage = 0; stage < min(kStages - 1, k_tiles); stage++) {
    ahead.copy_weights(stage);
    ahead.advance_weights();
  }
  const int* slots = args.sorted_slots + tile.row;
  if (kSecond) ptx::grid_dependency_wait();
  if (is_early && !kFindsSlots) let_next_start();
  if (is_early && kFindsSlots) {
    if (warp == 0) find_slots(args, tile.expert, skipped, tile.rows, scratch.slots);
    __syncthreads();
    slots = scratch.slots;
  }
  loader.set_rows(tile, slots);
  for (int stage = 0; stage < kStages - 1; stage++) {
    if (stage < k_tiles) loader.copy_a(stage);
    loader.advance_a();
    loader.advance_weights();
    ptx::cp_async_commit();  // the first group also holds all the weights copied so far
  }

  Rows rows;
  rows.load_slots(args, tile, warp_m * kWarpM);
  Accumulators acc = {};
  Fragments fragments[2];
  const FragmentReader reader(smem, warp_m, warp_n, lane);
  ptx::cp_async_wait<kStages - 2>();
  __syncthreads();
  reader.read(fragments[0], 0, 0);
  rows.load_weights(args);

  // One k tile: read the fragments of the next step, copy a part of a later k tile, multiply. Where all warps have rows
  // in this tile nothing branches: that would keep the compiler from spreading the copies among the products (15 %).
  // Where some have none these only copy, with a branch before and after the one barrier (3 to 8 %).
  int read_stage = 0, write_stage = kStages - 1 + loader.zero();
  const auto copy_part = [&](int step) {
#pragma unroll
    for (int i = 0; i < kCopiesA; i++)
      if (i % (kSteps - 1) == step) loader.copy_a_pass(i, write_stage);
#pragma unroll
    for (int i = 0; i < kCopiesB; i++)
      if ((i + kCopiesA) % (kSteps - 1) == step) loader.copy_weights_pass(i, write_stage);
  };
  const auto work = [&](auto all_have_rows) {
    const bool has_rows = all_have_rows.value || warp_m * kWarpM < tile.rows;
#pragma unroll 1
    for (int k_tile = 0; k_tile < k_tiles; k_tile++) {
      const bool more = k_tile + kStages - 1 < k_tiles;
      if (has_rows) {
#pragma unroll
        for (int step = 0; step < kSteps - 1; step++) {
          reader.read(fragments[(step + 1) % 2], read_stage, step + 1);
          if (more) copy_part(step);
          multiply(acc, fragments[step % 2]);
        }
      } else if (more) {
#pragma unroll
        for (int step = 0; step < kSteps - 1; step++) copy_part(step);
      }
      ptx::cp_async_commit();
      loader.advance_a();
      loader.advance_weights();
      write_stage = write_stage + 1 == kStages ? 0 : write_stage + 1;
      // The next k tile must be there, and all warps done with the stage that is filled next.
      ptx::cp_async_wait<kStages - 2>();
      __syncthreads();
      read_stage = read_stage + 1 == kStages ? 0 : read_stage + 1;
      if (has_rows) {
        reader.read(fragments[kSteps % 2], read_stage, 0);
        multiply(acc, fragments[(kSteps - 1) % 2]);
      }
    }
    if (is_early && kFindsSlots) let_next_start();
    if (has_rows && !kSums) finish(args, tile, rows, acc, warp_m, warp_n, lane);
  };
  // The largest accumulators leave no registers for a loop that branches: there a warp without rows multiplies zeros.
  constexpr bool kMayIdle = kWarps.m > 1 && kFragmentsM * kFragmentsN * 4 < 128;
  if (!kMayIdle || tile.rows > (kWarps.m - 1) * kWarpM)
    work(Bool<true>{});
  else
    work(Bool<false>{});
  if constexpr (kSums) {
    __syncthreads();
    sum_up(args, tile, rows, acc, warp_m, warp_n, lane, reinterpret_cast<float*>(memory));
  }
}

}  // namespace moetune::mma

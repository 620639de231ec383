// Both GEMMs of the merged implementation in one persistent kernel, merged_moe_kernel: a block goes on from its share
// of the gate tiles to its share of the final tiles, whose weights are on their way while the last gate tiles are being
// finished. A row tile's gate columns are counted as they are stored; its final tiles wait for all of them. All blocks
// are resident, so whoever waits is waiting for a block that runs. kernels/wgmma/settings.cuh lists the macros;
// besides, HAS_BIAS_2 is the second GEMM's.
#include "kernels/wgmma/consumer.cuh"
#include "kernels/wgmma/producer.cuh"

namespace moetune::wgmma {

using Gate = Gemm<Epilogue::gated, HAS_BIAS, Place::first_of_two>;
using Final = Gemm<Epilogue::final, HAS_BIAS_2, Place::second_of_two>;
static_assert(why_invalid(kConfig, Gemms::both) == nullptr);

/// The last block sets the counters back.
__device__ __forceinline__ void finish(const GemmArguments& args) {
  __syncthreads();
  bool is_last = false;
  if (threadIdx.x == 0) is_last = ptx::fetch_add_ordered(args.progress + 1, 1) == static_cast<int>(gridDim.x) - 1;
  if (!__syncthreads_or(is_last)) return;
  for (int i = threadIdx.x; i < row_tiles_of(args); i += kThreads) args.rows_done[i] = 0;
  if (threadIdx.x == 0) args.progress[1] = 0;
}

extern "C" __global__ void __launch_bounds__(kThreads, kConfig.blocks_per_sm)
    KERNEL_NAME(const __grid_constant__ BothGemmsArguments args) {
  extern __shared__ __align__(1024) unsigned char memory[];
  const Stages stages(ptx::shared_address(memory), store_bytes_of_both(kConfig));
  const int warpgroup = __shfl_sync(~0u, threadIdx.x / kWarpgroup, 0);
  if (threadIdx.x == 0) {
    ptx::prefetch_tensor_map(args.first.weights);
    ptx::prefetch_tensor_map(args.second.weights);
    stages.init(true);
  }
  __syncthreads();
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();

  const GemmArguments &gate = args.first.gemm, &final = args.second.gemm;
  const int shift = Walk<Gate>::idle_first(row_tiles_of(gate) * column_tiles_of<Gate>(gate));
  Cursor cursor;
  if (warpgroup == 0) {
    if constexpr (moves_registers(kConfig, Gemms::both))
      ptx::give_up_registers<producer_registers(kConfig, Gemms::both)>();
    GatheringProducer<Gate>(gate, args.first.weights, stages, cursor).run();
    GatheringProducer<Final>(final, args.second.weights, stages, cursor).run(shift);
  } else {
    if constexpr (moves_registers(kConfig, Gemms::both))
      ptx::take_registers<consumer_registers(kConfig, Gemms::both)>();
    Consumer<Gate>(gate, args.first.out, stages, warpgroup - 1, cursor).run();
    Consumer<Final>(final, args.second.out, stages, warpgroup - 1, cursor).run(shift);
  }
  finish(gate);
}

}  // namespace moetune::wgmma

// Grouped GEMM on wgmma with tensor copies: invoke_fused_moe_kernel (plain, final), merged_moe_gate_kernel (gated) and
// merged_moe_final_kernel (final) of the engines for Hopper, sm_90a. Persistent: a warpgroup copies, the others
// multiply. kernels/wgmma/settings.cuh lists the macros.
#include "kernels/wgmma/combine.cuh"
#include "kernels/wgmma/consumer.cuh"
#include "kernels/wgmma/producer.cuh"

namespace moetune::wgmma {

using G = Gemm<Epilogue::EPILOGUE, HAS_BIAS>;
constexpr Gemms kGemms = gemms_of(G::kEpilogue);
static_assert(why_invalid(kConfig, kGemms) == nullptr);
static_assert(!kFusesCombine || G::kSecond);

extern "C" __global__ void __launch_bounds__(kThreads, kConfig.blocks_per_sm)
    KERNEL_NAME(const __grid_constant__ TensorGemmArguments args) {
  extern __shared__ __align__(1024) unsigned char memory[];
  const Stages stages(ptx::shared_address(memory), store_bytes(kConfig, G::kEpilogue));
  const int warpgroup = __shfl_sync(~0u, threadIdx.x / kWarpgroup, 0);
  if (threadIdx.x == 0) {
    ptx::prefetch_tensor_map(args.weights);
    ptx::prefetch_tensor_map(args.out);
    if constexpr (!G::kGathers) ptx::prefetch_tensor_map(args.tokens);
    stages.init(G::kGathers);
  }
  if constexpr (kCluster > 1)
    ptx::cluster_barrier();
  else
    __syncthreads();
  // Where tokens are boxes the kernel before has waited for the routing before it let this one start: nobody waits but
  // who copies them. Elsewhere it may just be under way, and producers that start early wait when they have. In any
  // case no block lets the next kernel start before the routing is there, which that one reads without a wait.
  if (const bool starts_early = G::kStartsEarly && warpgroup == 0; !starts_early) {
    if constexpr (G::kGathers) ptx::grid_dependency_wait();
    ptx::grid_dependency_launch();
  }

  Cursor cursor;
  if (warpgroup == 0) {
    if constexpr (moves_registers(kConfig, kGemms)) ptx::give_up_registers<producer_registers(kConfig, kGemms)>();
    if constexpr (G::kGathers)
      GatheringProducer<G>(args.gemm, args.weights, stages, cursor).run();
    else if (const int warp = __shfl_sync(~0u, threadIdx.x / 32, 0); warp == 0)
      produce_boxes<G>(args.gemm, args.weights, args.tokens, stages);
    else if constexpr (kFusesCombine)
      Combiner<G>(args.gemm, stages, warp - 1).run();
  } else {
    if constexpr (moves_registers(kConfig, kGemms)) ptx::take_registers<consumer_registers(kConfig, kGemms)>();
    Consumer<G>(args.gemm, args.out, stages, warpgroup - 1, cursor).run();
  }
  // A block must stay while the other of its cluster may still copy into it or arrive at its barriers.
  if constexpr (kCluster > 1) {
    __syncwarp();
    ptx::cluster_barrier();
  }
}

}  // namespace moetune::wgmma

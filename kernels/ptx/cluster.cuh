// Thread-block clusters (sm_90).
#pragma once

namespace moetune::ptx {

__device__ __forceinline__ unsigned cluster_rank() {
  unsigned rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

/// All threads of all blocks of the cluster.
__device__ __forceinline__ void cluster_barrier() {
  asm volatile(
      "barrier.cluster.arrive.release.aligned;\n"
      "barrier.cluster.wait.acquire.aligned;" ::
          : "memory");
}

/// Writes to the same place in block `rank` of the cluster, where the four bytes count at `barrier`.
__device__ __forceinline__ void store_remote(unsigned shared, int value, unsigned barrier, unsigned rank) {
  asm volatile(
      "{\n"
      ".reg .b32 to, bar;\n"
      "mapa.shared::cluster.u32 to, %0, %3;\n"
      "mapa.shared::cluster.u32 bar, %2, %3;\n"
      "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b32 [to], %1, [bar];\n"
      "}" ::"r"(shared),
      "r"(value), "r"(barrier), "r"(rank)
      : "memory");
}

}  // namespace moetune::ptx

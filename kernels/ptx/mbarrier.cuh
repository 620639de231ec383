// Barriers in shared memory that count arrivals and bytes (sm_90). A barrier completes a phase when all its arrivals
// and announced bytes have come; who waits passes the parity of the phase: 0, 1, 0, …
#pragma once

namespace moetune::ptx {

__device__ __forceinline__ void mbarrier_init(unsigned barrier, unsigned arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

/// Makes initialised barriers known to the copy engine and to the other blocks of the cluster.
__device__ __forceinline__ void mbarrier_init_fence() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void mbarrier_arrive(unsigned barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

/// Arrives, and announces `bytes` that copies will bring; what they clip counts too.
__device__ __forceinline__ void mbarrier_arrive_expect(unsigned barrier, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}

/// Arrives at the barrier that lies at the same place in block `rank` of the cluster.
__device__ __forceinline__ void mbarrier_arrive_remote(unsigned barrier, unsigned rank) {
  asm volatile(
      "{\n"
      ".reg .b32 remote;\n"
      "mapa.shared::cluster.u32 remote, %0, %1;\n"
      "mbarrier.arrive.relaxed.cluster.shared::cluster.b64 _, [remote];\n"
      "}" ::"r"(barrier),
      "r"(rank)
      : "memory");
}

/// The same once `value`, read from shared memory, is there.
__device__ __forceinline__ void mbarrier_arrive_remote_after(unsigned barrier, unsigned rank, int value) {
  asm volatile(
      "{\n"
      ".reg .b32 remote, unused;\n"
      "mov.b32 unused, %2;\n"
      "mapa.shared::cluster.u32 remote, %0, %1;\n"
      "mbarrier.arrive.relaxed.cluster.shared::cluster.b64 _, [remote];\n"
      "}" ::"r"(barrier),
      "r"(rank), "r"(value)
      : "memory");
}

/// This thread's arrival, made when all its cp.async so far have landed. Counts among the barrier's arrivals.
__device__ __forceinline__ void mbarrier_arrive_after_cp_async(unsigned barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
}

/// Blocks until the phase of `parity` is complete. try_wait suspends the thread in hardware, so spinning is cheap.
__device__ __forceinline__ void mbarrier_wait(unsigned barrier, unsigned parity) {
  unsigned done;
  do {
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n"
        "}"
        : "=r"(done)
        : "r"(barrier), "r"(parity)
        : "memory");
  } while (done == 0);
}

}  // namespace moetune::ptx

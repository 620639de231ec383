// Named barriers of a part of a block.
#pragma once

namespace moetune::ptx {

/// Waits until `threads` threads have come to barrier `id`: 1…15, 0 is __syncthreads. Unlike there, warps may come from
/// different places of the code.
__device__ __forceinline__ void barrier_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/// Whether any of the `threads` threads at the barrier says so.
__device__ __forceinline__ bool barrier_any(int id, int threads, bool value) {
  int any;
  asm volatile(
      "{\n"
      ".reg .pred p, q;\n"
      "setp.ne.s32 p, %3, 0;\n"
      "bar.red.or.pred q, %1, %2, p;\n"
      "selp.s32 %0, 1, 0, q;\n"
      "}"
      : "=r"(any)
      : "r"(id), "r"(threads), "r"(value ? 1 : 0)
      : "memory");
  return any != 0;
}

}  // namespace moetune::ptx

// Atomics on global memory.
#pragma once

namespace moetune::ptx {

/// Adds and returns what was there. atomicAdd would combine the lanes of a warp and so wait for the result at once;
/// this one is waited for where its result is used.
__device__ __forceinline__ int fetch_add(int* global, int value) {
  int before;
  asm volatile("atom.relaxed.gpu.global.add.s32 %0, [%1], %2;" : "=r"(before) : "l"(global), "r"(value) : "memory");
  return before;
}

/// The same, ordered: what this thread, and others before a barrier that it has passed, wrote before is seen by whoever
/// reads the sum and then goes on.
__device__ __forceinline__ int fetch_add_ordered(int* global, int value) {
  int before;
  asm volatile("atom.acq_rel.gpu.global.add.s32 %0, [%1], %2;" : "=r"(before) : "l"(global), "r"(value) : "memory");
  return before;
}

/// Adds, after everything that this thread, and others before a barrier that it has passed, wrote before.
__device__ __forceinline__ void add_release(int* global, int value) {
  asm volatile("red.release.gpu.global.add.s32 [%0], %1;" ::"l"(global), "r"(value) : "memory");
}
/// What such an addition has made of it; what was written before the addition is then seen.
__device__ __forceinline__ int load_acquire(const int* global) {
  int value;
  asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(value) : "l"(global) : "memory");
  return value;
}

}  // namespace moetune::ptx

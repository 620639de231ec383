// Atomics on global memory.
#pragma once

#include "kernels/lib/types.h"

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

/// Adds two 16-bit floats to those at a multiple of 4 bytes, each rounded to nearest even; in no order with others.
template <DType Type>
__device__ __forceinline__ void add_pair(unsigned short* global, unsigned pair) {
  if constexpr (Type == DType::bf16)
    asm volatile("red.relaxed.gpu.global.add.noftz.bf16x2 [%0], %1;" ::"l"(global), "r"(pair) : "memory");
  else
    asm volatile("red.relaxed.gpu.global.add.noftz.f16x2 [%0], %1;" ::"l"(global), "r"(pair) : "memory");
}

/// The same with eight at a multiple of 16 bytes (sm_90).
template <DType Type>
__device__ __forceinline__ void add_eight(unsigned short* global, const uint4& eight) {
  if constexpr (Type == DType::bf16)
    asm volatile("red.relaxed.gpu.global.add.noftz.v4.bf16x2 [%0], {%1, %2, %3, %4};" ::"l"(global), "r"(eight.x),
                 "r"(eight.y), "r"(eight.z), "r"(eight.w)
                 : "memory");
  else
    asm volatile("red.relaxed.gpu.global.add.noftz.v4.f16x2 [%0], {%1, %2, %3, %4};" ::"l"(global), "r"(eight.x),
                 "r"(eight.y), "r"(eight.z), "r"(eight.w)
                 : "memory");
}

}  // namespace moetune::ptx

// Plain accesses to shared memory by 32-bit address.
#pragma once

namespace moetune::ptx {

__device__ __forceinline__ void store_shared(unsigned shared, int value) {
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(shared), "r"(value) : "memory");
}
__device__ __forceinline__ int load_shared(unsigned shared) {
  int value;
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(value) : "r"(shared) : "memory");
  return value;
}
/// 16 bytes.
__device__ __forceinline__ uint4 load_shared_16(unsigned shared) {
  uint4 v;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "r"(shared)
               : "memory");
  return v;
}

// A counter that some threads raise and others watch. Both by atomics: plain accesses would be a race.

/// Publishes what this thread, and others before a barrier that it has passed, wrote before.
__device__ __forceinline__ void raise_shared(unsigned shared, int value) {
  asm volatile("red.release.cta.shared::cta.max.s32 [%0], %1;" ::"r"(shared), "r"(value) : "memory");
}
__device__ __forceinline__ int watch_shared(unsigned shared) {
  int value;
  asm volatile("atom.acquire.cta.shared::cta.or.b32 %0, [%1], 0;" : "=r"(value) : "r"(shared) : "memory");
  return value;
}

}  // namespace moetune::ptx

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

/// Publishes what this thread, and others before a barrier that it has passed, wrote before.
__device__ __forceinline__ void store_shared_release(unsigned shared, int value) {
  asm volatile("st.release.cta.shared.b32 [%0], %1;" ::"r"(shared), "r"(value) : "memory");
}
__device__ __forceinline__ int load_shared_acquire(unsigned shared) {
  int value;
  asm volatile("ld.acquire.cta.shared.b32 %0, [%1];" : "=r"(value) : "r"(shared) : "memory");
  return value;
}

}  // namespace moetune::ptx

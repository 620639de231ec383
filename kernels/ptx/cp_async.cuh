// Asynchronous copies from global to shared memory (sm_80 and later).
#pragma once

namespace moetune::ptx {

/// The 32-bit address of `pointer` in the shared window.
__device__ __forceinline__ unsigned shared_address(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

/// cp.async.cg: 16 bytes past L1, the last 16 - `bytes` of them zero. `bytes` is 0 or 16; with 0 nothing is read.
__device__ __forceinline__ void cp_async_16(unsigned shared, const void* global, unsigned bytes) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(bytes)
               : "memory");
}
/// The same with a policy for the L2, see kernels/ptx/cache_policy.cuh.
__device__ __forceinline__ void cp_async_16(unsigned shared, const void* global, unsigned bytes,
                                            unsigned long long policy) {
  asm volatile("cp.async.cg.shared.global.L2::cache_hint.L2::128B [%0], [%1], 16, %2, %3;" ::"r"(shared), "l"(global),
               "r"(bytes), "l"(policy)
               : "memory");
}

__device__ __forceinline__ void cp_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

/// Waits until at most `Pending` of this thread's groups are under way.
template <int Pending>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

}  // namespace moetune::ptx

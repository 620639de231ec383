// Programmatic dependent launch (sm_90 and later; no-ops before, where kernels of a stream run one after the other).
#pragma once

namespace moetune::ptx {

/// Blocks until every kernel that this one depends on has finished and its writes are visible.
__device__ __forceinline__ void grid_dependency_wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Allows the dependent kernel to start once every block has said so or ended. Promises nothing about memory.
__device__ __forceinline__ void grid_dependency_launch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

}  // namespace moetune::ptx

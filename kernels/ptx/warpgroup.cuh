// What warps of a warpgroup do together (sm_90a), and the order between the memory's two ways of access.
#pragma once

namespace moetune::ptx {

/// Sets how many registers each thread of this warpgroup has: a multiple of 8 from 24 to 256. All its warps take part.
template <int Count>
__device__ __forceinline__ void give_up_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Count));
}
template <int Count>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Count));
}

/// Orders this thread's and, through the barrier before it, other threads' plain accesses to shared memory (cp.async
/// among them) before accesses by wgmma and the tensor copies.
__device__ __forceinline__ void fence_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// Orders what the copy engine has written to global memory before plain accesses.
__device__ __forceinline__ void fence_async_proxy_global() {
  asm volatile("fence.proxy.async.global;" ::: "memory");
}

/// Transposes an 8×8 matrix of 16-bit elements held by a warp: lane l has row l/4, columns 2·(l % 4) and the next.
__device__ __forceinline__ unsigned transpose_8x8(unsigned pair) {
  unsigned transposed;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(transposed) : "r"(pair));
  return transposed;
}

/// Stores four 8×8 matrices of 16-bit elements, of each of which lane l holds row l/4, columns 2·(l % 4) and the next.
/// Lane 8i + r passes the shared address of row r of matrix i.
__device__ __forceinline__ void store_matrices_x4(unsigned shared, const unsigned (&m)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared), "r"(m[0]), "r"(m[1]),
               "r"(m[2]), "r"(m[3])
               : "memory");
}

/// Stores four 8×8 matrices, held by a warp as transpose_8x8() has them, transposed. Lane 8i + r passes the shared
/// address of row r of what matrix i becomes.
__device__ __forceinline__ void store_transposed_x4(unsigned shared, const unsigned (&m)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared), "r"(m[0]),
               "r"(m[1]), "r"(m[2]), "r"(m[3])
               : "memory");
}

}  // namespace moetune::ptx

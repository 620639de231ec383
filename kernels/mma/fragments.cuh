// Reads the stages and multiplies.
#pragma once

#include "kernels/mma/settings.cuh"
#include "kernels/ptx/mma.cuh"

namespace moetune::mma {

/// The fragments of one k16 step.
struct Fragments {
  unsigned a[kFragmentsM][4];
  unsigned b[kFragmentsN / 2][4];  // two n8 fragments each: {k 0-7, k 8-15} of the first, then of the second
};

/// Reads fragments; the addresses of a step differ by one exclusive or.
struct FragmentReader {
  unsigned a, b;  // shared addresses in stage 0, step 0

  __device__ __forceinline__ FragmentReader(unsigned smem, int warp_m, int warp_n, int lane) {
    a = smem + swizzled(warp_m * kWarpM + (lane & 15), lane >> 4);
    // Gated: the two fragments of a pair are gate and up of the same columns, so that both end in the same thread.
    const int pair_row = kGated ? (lane >> 4) * (kBlockN / 2) : (lane >> 4) * kMmaN;
    const int warp_row = kGated ? warp_n * (kWarpN / 2) : warp_n * kWarpN;
    b = smem + kBytesA + swizzled(warp_row + pair_row + (lane & 7), (lane >> 3) & 1);
  }

  __device__ __forceinline__ void read(Fragments& f, int stage, int step) const {
    const unsigned a_step = (a + stage * kStageBytes) ^ (step * 32), b_step = (b + stage * kStageBytes) ^ (step * 32);
#pragma unroll
    for (int m = 0; m < kFragmentsM; m++) ptx::ldmatrix_x4(f.a[m], a_step + m * kMmaM * kRowBytes);
#pragma unroll
    for (int n = 0; n < kFragmentsN / 2; n++)
      ptx::ldmatrix_x4(f.b[n], b_step + n * (kGated ? 1 : 2) * kMmaN * kRowBytes);
  }
};
static_assert(kStageBytes % kRowBytes == 0 && kRowBytes <= 1024,
              "rows are aligned to their size: the exclusive or stays inside one");

using Accumulators = float[kFragmentsM][kFragmentsN][4];

__device__ __forceinline__ void multiply(Accumulators& acc, const Fragments& f) {
#pragma unroll
  for (int m = 0; m < kFragmentsM; m++)
#pragma unroll
    for (int n = 0; n < kFragmentsN; n++)
      ptx::mma_m16n8k16<kType>(acc[m][n], f.a[m], f.b[n / 2][n % 2 * 2], f.b[n / 2][n % 2 * 2 + 1]);
}

}  // namespace moetune::mma

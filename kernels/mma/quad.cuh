// Exchanges among the four lanes that share a row of a matrix fragment.
#pragma once

namespace moetune::mma {

/// Lane q of each four gets element q of each of the four: v[k] becomes lane k's v[q]. One element stays as it is.
template <int Count>
__device__ __forceinline__ void transpose_quad(unsigned (&v)[Count], int q) {
  static_assert(Count == 1 || Count == 4);
#pragma unroll
  for (int s = 1; s < Count; s *= 2)
#pragma unroll
    for (int i = 0; i < Count; i++)
      if ((i & s) == 0) {
        const unsigned received = __shfl_xor_sync(~0u, q & s ? v[i] : v[i | s], s);
        if (q & s)
          v[i] = received;
        else
          v[i | s] = received;
      }
}

}  // namespace moetune::mma

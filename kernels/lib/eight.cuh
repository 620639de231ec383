// Eight neighbouring elements: 16 bytes in memory, fp32 in registers.
#pragma once

#include "kernels/ptx/convert.cuh"

namespace moetune {

struct Eight {
  float v[8];
};

template <DType Type>
__device__ __forceinline__ Eight unpack_eight(const uint4& packed) {
  Eight e;
  ptx::unpack<Type>(packed.x, e.v[0], e.v[1]);
  ptx::unpack<Type>(packed.y, e.v[2], e.v[3]);
  ptx::unpack<Type>(packed.z, e.v[4], e.v[5]);
  ptx::unpack<Type>(packed.w, e.v[6], e.v[7]);
  return e;
}

template <DType Type>
__device__ __forceinline__ uint4 pack_eight(const Eight& e) {
  return make_uint4(ptx::pack<Type>(e.v[0], e.v[1]), ptx::pack<Type>(e.v[2], e.v[3]), ptx::pack<Type>(e.v[4], e.v[5]),
                    ptx::pack<Type>(e.v[6], e.v[7]));
}

}  // namespace moetune

// Conversions between fp32 and pairs of 16-bit floats, with the hardware's rounding to nearest even.
#pragma once

#include "kernels/lib/types.h"

namespace moetune::ptx {

/// {low, high} in one register.
template <DType Type>
__device__ __forceinline__ unsigned pack(float low, float high) {
  unsigned packed;
  if constexpr (Type == DType::bf16) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  }
  return packed;
}

template <DType Type>
__device__ __forceinline__ float widen(unsigned short bits) {
  if constexpr (Type == DType::bf16) {
    return __uint_as_float(static_cast<unsigned>(bits) << 16);
  } else {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
  }
}

template <DType Type>
__device__ __forceinline__ void unpack(unsigned packed, float& low, float& high) {
  low = widen<Type>(static_cast<unsigned short>(packed));
  high = widen<Type>(static_cast<unsigned short>(packed >> 16));
}

}  // namespace moetune::ptx

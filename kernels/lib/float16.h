// 16-bit float formats in integer arithmetic, so that host and device agree to the bit. For data and checks; the GEMM
// kernels convert with the hardware's instructions.
#pragma once

#include "kernels/lib/types.h"

#ifdef __CUDACC__
#define MOETUNE_HOST_DEVICE __host__ __device__ inline
#else
#define MOETUNE_HOST_DEVICE inline
#endif

namespace moetune {

MOETUNE_HOST_DEVICE unsigned float_bits(float value) {
  return __builtin_bit_cast(unsigned, value);
}
MOETUNE_HOST_DEVICE float float_from_bits(unsigned bits) {
  return __builtin_bit_cast(float, bits);
}

/// Round to nearest even; NaN stays NaN.
MOETUNE_HOST_DEVICE unsigned short to_bf16(float value) {
  const unsigned bits = float_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<unsigned short>((bits >> 16) | 0x40u);
  return static_cast<unsigned short>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
MOETUNE_HOST_DEVICE float from_bf16(unsigned short bits) {
  return float_from_bits(static_cast<unsigned>(bits) << 16);
}

/// Round to nearest even, with subnormals; overflow gives infinity, NaN stays NaN.
MOETUNE_HOST_DEVICE unsigned short to_fp16(float value) {
  const unsigned bits = float_bits(value);
  const unsigned sign = (bits >> 16) & 0x8000u;
  const unsigned magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<unsigned short>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<unsigned short>(sign | 0x7c00u);  // 65520 and above
  if (magnitude < 0x38800000u) {  // below 2^-14: adding 0.5 aligns the subnormal's last place with the float's
    const float aligned = float_from_bits(magnitude) + 0.5f;
    return static_cast<unsigned short>(sign | (float_bits(aligned) - 0x3f000000u));
  }
  return static_cast<unsigned short>(sign | ((magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13));
}
MOETUNE_HOST_DEVICE float from_fp16(unsigned short bits) {
  const unsigned sign = (bits & 0x8000u) << 16;
  const unsigned magnitude = bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return float_from_bits(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
  if (magnitude >= 0x400u) return float_from_bits(sign | ((magnitude << 13) + 0x38000000u));
  return float_from_bits(sign | float_bits(static_cast<float>(magnitude) * 5.9604644775390625e-8f));  // 2^-24
}

MOETUNE_HOST_DEVICE unsigned short to_bits(DType dtype, float value) {
  return dtype == DType::bf16 ? to_bf16(value) : to_fp16(value);
}
MOETUNE_HOST_DEVICE float from_bits(DType dtype, unsigned short bits) {
  return dtype == DType::bf16 ? from_bf16(bits) : from_fp16(bits);
}

}  // namespace moetune

// The gated activations in fp32, as kernels/lib/types.h defines them.
#pragma once

#include "kernels/lib/types.h"

namespace moetune {

/// x·sigmoid(alpha·x). The fast exponential and division are within 2 ulp each; where exp overflows the quotient is 0.
__device__ __forceinline__ float times_sigmoid(float x, float alpha) {
  return __fdividef(x, 1.0f + __expf(-alpha * x));
}

template <Activation Kind>
__device__ __forceinline__ float activate(float gate, float up) {
  if constexpr (Kind == Activation::silu) {
    return times_sigmoid(gate, 1.0f) * up;
  } else if constexpr (Kind == Activation::gelu) {
    return 0.5f * gate * (1.0f + erff(gate * 0.70710678f)) * up;
  } else if constexpr (Kind == Activation::gelu_tanh) {
    // (1 + tanh z) / 2 = sigmoid(2z), z = sqrt(2/pi)·(x + 0.044715·x³)
    const float twice_z = 1.5957691f * (gate + 0.044715f * gate * gate * gate);
    return __fdividef(gate, 1.0f + __expf(-twice_z)) * up;
  } else {
    const float g = fminf(gate, kSwigluLimit);
    const float u = fminf(fmaxf(up, -kSwigluLimit), kSwigluLimit);
    return (u + 1.0f) * times_sigmoid(g, kSwigluAlpha);
  }
}

}  // namespace moetune

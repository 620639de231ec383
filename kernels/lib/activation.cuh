// The gated activations in fp32, as kernels/lib/types.h defines them. Two at a time: with one reciprocal for both
// sigmoids they take three operations of the special function unit instead of four, and that unit is what an epilogue
// waits for.
#pragma once

#include "kernels/lib/types.h"
#include "kernels/ptx/math.cuh"

namespace moetune {

struct Pair {
  float v[2];
};

/// x·sigmoid(z). Exponentials are cut off at 2^63, so that the product of two stays finite: what is lost is below
/// x·2^-63.
__device__ __forceinline__ Pair times_sigmoid(const Pair& x, const Pair& z) {
  constexpr float kLog2E = 1.44269504f;
  const float a = 1.0f + ptx::exp2_approx(fminf(-kLog2E * z.v[0], 63.0f));
  const float b = 1.0f + ptx::exp2_approx(fminf(-kLog2E * z.v[1], 63.0f));
  const float both = ptx::reciprocal_approx(a * b);
  return {x.v[0] * (both * b), x.v[1] * (both * a)};
}

template <Activation Kind>
__device__ __forceinline__ Pair activate(const Pair& gate, const Pair& up) {
  Pair result, z;
  if constexpr (Kind == Activation::silu) {
    result = times_sigmoid(gate, gate);
#pragma unroll
    for (int i = 0; i < 2; i++) result.v[i] *= up.v[i];
  } else if constexpr (Kind == Activation::gelu) {
#pragma unroll
    for (int i = 0; i < 2; i++) result.v[i] = 0.5f * gate.v[i] * (1.0f + erff(gate.v[i] * 0.70710678f)) * up.v[i];
  } else if constexpr (Kind == Activation::gelu_tanh) {
    // (1 + tanh z) / 2 = sigmoid(2z), z = sqrt(2/pi)·(x + 0.044715·x³)
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const float x = gate.v[i];
      z.v[i] = 1.5957691f * (x + 0.044715f * x * x * x);
    }
    result = times_sigmoid(gate, z);
#pragma unroll
    for (int i = 0; i < 2; i++) result.v[i] *= up.v[i];
  } else {
    Pair g;
#pragma unroll
    for (int i = 0; i < 2; i++) {
      g.v[i] = fminf(gate.v[i], kSwigluLimit);
      z.v[i] = kSwigluAlpha * g.v[i];
    }
    result = times_sigmoid(g, z);
#pragma unroll
    for (int i = 0; i < 2; i++) result.v[i] *= fminf(fmaxf(up.v[i], -kSwigluLimit), kSwigluLimit) + 1.0f;
  }
  return result;
}

}  // namespace moetune

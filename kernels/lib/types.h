// The enumerators that host and device share. Host code and NVRTC both read this file, so it includes nothing.
#pragma once

namespace moetune {

enum class DType : int { fp16, bf16 };

/// How the gate half g and the up half u of a row of w1's output are joined:
///   silu       g·sigmoid(g)·u
///   gelu       g·Φ(g)·u, Φ the normal distribution function (through erf)
///   gelu_tanh  the tanh approximation of gelu
///   swigluoai  (u' + 1)·g'·sigmoid(1.702·g'), g' = min(g, 7), u' = clamp(u, -7, 7)
enum class Activation : int { silu, gelu, gelu_tanh, swigluoai };

/// What a grouped GEMM does with its accumulators before its one store.
///   plain  x·wᵀ + b                          -> cache1 [slots, N1]
///   gated  activation(gate, up) of x·wᵀ + b  -> cache2 [slots, N1/2]
///   final  (x·wᵀ + b)·routing weight         -> cache3 [slots, N2]
/// With weight_on_input the routing weight multiplies in plain and gated, after the bias and before the activation, and
/// not in final.
enum class Epilogue : int { plain, gated, final };

inline constexpr float kSwigluAlpha = 1.702f;
inline constexpr float kSwigluLimit = 7.0f;

}  // namespace moetune

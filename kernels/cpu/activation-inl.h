// The activations in fp32 vectors. Included once per instruction set.
#if defined(MOETUNE_KERNELS_CPU_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOETUNE_KERNELS_CPU_ACTIVATION_INL_H_
#undef MOETUNE_KERNELS_CPU_ACTIVATION_INL_H_
#else
#define MOETUNE_KERNELS_CPU_ACTIVATION_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "kernels/lib/types.h"

HWY_BEFORE_NAMESPACE();
namespace moetune::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// 1 / (1 + exp(-x)), from exp(-|x|) so that neither tail overflows or cancels.
template <class DF>
HWY_INLINE hn::Vec<DF> sigmoid(DF df, hn::Vec<DF> x) {
  const auto one = hn::Set(df, 1.0f);
  const auto e = hn::Exp(df, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(df)), e, one), hn::Add(one, e));
}

/// The normal distribution function. Its lower tail is exp(-x²/2)·p(t) / (2·(1 + 2z)) with z = |x|/√2 and
/// t = (z - 2.75) / (z + 2.75): the form of Shepherd and Laframboise (Math. Comp. 36, 1981) for (1 +
/// 2z)·exp(z²)·erfc(z). The coefficients are our own Chebyshev fit of degree 10, relative error 1.6e-8.
template <class DF>
HWY_INLINE hn::Vec<DF> normal_cdf(DF df, hn::Vec<DF> x) {
  constexpr float kCoefficients[] = {-1.8358373e-4f, 6.1254803e-5f,  1.8283974e-3f,  -2.6420522e-3f,
                                     -1.0448709e-2f, 5.2327893e-2f,  -1.1450492e-1f, 1.4490489e-1f,
                                     -7.1305221e-2f, -1.3046241e-1f, 1.2588036f};
  const auto one = hn::Set(df, 1.0f);
  const auto half = hn::Set(df, 0.5f);
  const auto magnitude =
      hn::Min(hn::Abs(x), hn::Set(df, 30.0f));  // the tail is 0 from 14.2 on; larger squares overflow
  const auto z = hn::Mul(magnitude, hn::Set(df, 0.70710678f));
  const auto k = hn::Set(df, 2.75f);
  const auto t = hn::Div(hn::Sub(z, k), hn::Add(z, k));
  auto p = hn::Set(df, kCoefficients[0]);
  for (std::size_t i = 1; i < sizeof(kCoefficients) / sizeof(float); ++i)
    p = hn::MulAdd(p, t, hn::Set(df, kCoefficients[i]));
  // exp(-x²/2) loses |x²/2| ulps if x² is rounded, so the rounding error of x² is applied as a factor.
  const auto square = hn::Mul(magnitude, magnitude);
  const auto error = hn::MulSub(magnitude, magnitude, square);
  const auto decay = hn::Mul(hn::Exp(df, hn::Neg(hn::Mul(half, square))), hn::NegMulAdd(half, error, one));
  const auto lower = hn::Div(hn::Mul(hn::Mul(half, decay), p), hn::MulAdd(hn::Set(df, 2.0f), z, one));
  return hn::IfThenElse(hn::Lt(x, hn::Zero(df)), lower, hn::Sub(one, lower));
}

/// Joins gate and up; the formulas are with the enumerators in kernels/lib/types.h. NaN in either gives NaN.
template <Activation kActivation, class DF, class V = hn::Vec<DF>>
HWY_INLINE V activate(DF df, V gate, V up) {
  if constexpr (kActivation == Activation::silu) {
    return hn::Mul(hn::Mul(gate, sigmoid(df, gate)), up);
  } else if constexpr (kActivation == Activation::gelu) {
    return hn::Mul(hn::Mul(gate, normal_cdf(df, gate)), up);
  } else if constexpr (kActivation == Activation::gelu_tanh) {
    // (1 + tanh y) / 2 = sigmoid(2y), y = √(2/π)·(g + 0.044715·g³)
    const auto cubic = hn::MulAdd(hn::Mul(hn::Set(df, 0.044715f), hn::Mul(gate, gate)), gate, gate);
    return hn::Mul(hn::Mul(gate, sigmoid(df, hn::Mul(hn::Set(df, 1.5957691f), cubic))), up);
  } else {
    static_assert(kActivation == Activation::swigluoai);
    // Selections, not Min and Max: those drop a NaN.
    const auto limit = hn::Set(df, kSwigluLimit);
    const auto floor = hn::Set(df, -kSwigluLimit);
    const auto g = hn::IfThenElse(hn::Gt(gate, limit), limit, gate);
    auto u = hn::IfThenElse(hn::Gt(up, limit), limit, up);
    u = hn::IfThenElse(hn::Lt(u, floor), floor, u);
    return hn::Mul(hn::Mul(g, sigmoid(df, hn::Mul(hn::Set(df, kSwigluAlpha), g))), hn::Add(u, hn::Set(df, 1.0f)));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace moetune::cpu
HWY_AFTER_NAMESPACE();

#endif

#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/lib/types.h"

namespace moetune {

/// The activations as defined, in fp64. Not shared with the kernels: a mistake there shows here.
inline double activate(Activation activation, double gate, double up) {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  switch (activation) {
    case Activation::silu:
      return gate * sigmoid(gate) * up;
    case Activation::gelu:
      return gate * 0.5 * std::erfc(-gate / std::numbers::sqrt2) * up;
    case Activation::gelu_tanh: {
      const double inside = std::sqrt(2 / std::numbers::pi) * (gate + 0.044715 * gate * gate * gate);
      return 0.5 * gate * (1 + std::tanh(inside)) * up;
    }
    case Activation::swigluoai: {
      const double limited = std::min(gate, 7.0);
      return (std::clamp(up, -7.0, 7.0) + 1) * limited * sigmoid(1.702 * limited);
    }
  }
  return std::nan("");
}

}  // namespace moetune

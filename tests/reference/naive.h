#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/fill.h"
#include "reference/reference.h"

namespace moetune::testing {

/// The expert MLP in plain loops, written a second time: Real is float for something like a device, double for a
/// reference of the reference.
template <class Real>
class Naive {
 public:
  Naive(const Problem& problem, Impl impl, const Routing& routing, const DataSpec& data)
      : problem_(problem), impl_(impl), routing_(routing) {
    hidden_ = tensor(Tensor::hidden, data);
    w1_ = tensor(Tensor::w1, data);
    b1_ = tensor(Tensor::b1, data);
    w2_ = tensor(Tensor::w2, data);
    b2_ = tensor(Tensor::b2, data);
  }

  /// [M, N2], before the last rounding.
  std::vector<Real> unrounded() const {
    std::vector<Real> out(problem_.M * problem_.N2, Real{0});
    for (std::int64_t token = 0; token < problem_.M; ++token)
      for (std::int64_t choice = 0; choice < problem_.topk; ++choice) add_choice(token, choice, out);
    return out;
  }

  /// [M, N2], as a device stores it.
  std::vector<float> rounded() const {
    std::vector<float> out;
    for (const Real value : unrounded()) out.push_back(static_cast<float>(round(value)));
    return out;
  }

 private:
  std::vector<Real> tensor(Tensor which, const DataSpec& data) const {
    const FillSpec spec = fill_spec(problem_, which, data);
    std::vector<Real> values(element_count(problem_, which));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = from_bits(spec.dtype, fill_bits(spec, static_cast<long long>(i)));
    return values;
  }

  /// To the dtype's digits, in one step from either width.
  Real round(Real value) const {
    const bool bf16 = problem_.dtype == DType::bf16;
    int exponent = 0;
    std::frexp(value, &exponent);
    const int last_place = std::max(exponent - (bf16 ? 8 : 11), bf16 ? -133 : -24);
    return std::ldexp(std::nearbyint(std::ldexp(value, -last_place)), last_place);
  }

  Real join(Real gate, Real up) const {
    const auto sigmoid = [](Real x) { return (1 + std::tanh(x / 2)) / 2; };
    switch (problem_.activation) {
      case Activation::silu:
        return gate * sigmoid(gate) * up;
      case Activation::gelu:
        return gate * up * (1 + std::erf(gate / std::sqrt(Real{2}))) / 2;
      case Activation::gelu_tanh:
        return gate * up * sigmoid(Real(1.5957691216057308) * (gate + Real(0.044715) * std::pow(gate, Real{3})));
      case Activation::swigluoai:
        gate = gate > 7 ? 7 : gate;
        up = up > 7 ? 7 : up < -7 ? -7 : up;
        return (up + 1) * gate * sigmoid(Real(1.702) * gate);
    }
    return 0;
  }

  void add_choice(std::int64_t token, std::int64_t choice, std::vector<Real>& out) const {
    const std::int64_t K = problem_.K, N1 = problem_.N1, N2 = problem_.N2, inner = problem_.inner();
    const std::int64_t id = routing_.topk_ids[token * problem_.topk + choice];
    const std::int64_t expert = routing_.expert_map.empty() ? id : routing_.expert_map[id];
    if (expert < 0) return;
    const Real weight = routing_.topk_weights[token * problem_.topk + choice];
    std::vector<Real> cache1(N1), cache2(inner);
    for (std::int64_t row = 0; row < N1; ++row) {
      Real sum = 0;
      for (std::int64_t k = 0; k < K; ++k) sum += hidden_[token * K + k] * w1_[(expert * N1 + row) * K + k];
      if (!b1_.empty()) sum += b1_[expert * N1 + row];
      if (problem_.weight_on_input) sum *= weight;
      cache1[row] = impl_ == Impl::three_kernel ? round(sum) : sum;
    }
    for (std::int64_t i = 0; i < inner; ++i) cache2[i] = round(join(cache1[i], cache1[inner + i]));
    for (std::int64_t column = 0; column < N2; ++column) {
      Real sum = 0;
      for (std::int64_t i = 0; i < inner; ++i) sum += cache2[i] * w2_[(expert * N2 + column) * inner + i];
      if (!b2_.empty()) sum += b2_[expert * N2 + column];
      if (!problem_.weight_on_input) sum *= weight;
      out[token * N2 + column] += round(sum);
    }
  }

  Problem problem_;
  Impl impl_;
  Routing routing_;
  std::vector<Real> hidden_, w1_, b1_, w2_, b2_;
};

}  // namespace moetune::testing

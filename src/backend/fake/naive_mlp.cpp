#include "backend/fake/naive_mlp.h"

#include <algorithm>
#include <cmath>

#include "data/fill.h"

namespace moetune {
namespace {

float activate(Activation activation, float gate, float up) {
  switch (activation) {
    case Activation::silu:
      return gate / (1 + std::exp(-gate)) * up;
    case Activation::gelu:
      return gate * 0.5f * (1 + std::erf(gate * 0.70710678f)) * up;
    case Activation::gelu_tanh:
      return gate * 0.5f * (1 + std::tanh(0.79788456f * (gate + 0.044715f * gate * gate * gate))) * up;
    case Activation::swigluoai:
      gate = std::min(gate, kSwigluLimit);
      up = std::clamp(up, -kSwigluLimit, kSwigluLimit);
      return gate / (1 + std::exp(-kSwigluAlpha * gate)) * (up + 1);
  }
  return 0;
}

class Mlp {
 public:
  Mlp(const Problem& problem, Impl impl, const DataSpec& data)
      : problem_(problem),
        rounds_cache1_(impl == Impl::three_kernel),
        hidden_(tensor(Tensor::hidden, data)),
        w1_(tensor(Tensor::w1, data)),
        b1_(tensor(Tensor::b1, data)),
        w2_(tensor(Tensor::w2, data)),
        b2_(tensor(Tensor::b2, data)) {}

  /// What expert `expert` adds to token `token`, [N2], rounded.
  std::vector<float> slot(std::int64_t token, std::int64_t expert, float weight) const {
    const std::int64_t inner = problem_.inner();
    std::vector<float> h(inner);
    for (std::int64_t j = 0; j < inner; ++j)
      h[j] = round(
          activate(problem_.activation, cache1(token, expert, j, weight), cache1(token, expert, inner + j, weight)));
    std::vector<float> y(problem_.N2);
    for (std::int64_t n = 0; n < problem_.N2; ++n) {
      float sum = 0;
      for (std::int64_t j = 0; j < inner; ++j) sum += h[j] * w2_[(expert * problem_.N2 + n) * inner + j];
      if (problem_.has_b2()) sum += b2_[expert * problem_.N2 + n];
      y[n] = round(problem_.weight_on_input ? sum : sum * weight);
    }
    return y;
  }

 private:
  float round(float value) const { return from_bits(problem_.dtype, to_bits(problem_.dtype, value)); }

  std::vector<float> tensor(Tensor which, const DataSpec& data) const {
    std::vector<float> values(element_count(problem_, which));
    if (values.empty()) return values;
    const FillSpec spec = fill_spec(problem_, which, data);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = from_bits(problem_.dtype, fill_bits(spec, static_cast<long long>(i)));
    return values;
  }

  float cache1(std::int64_t token, std::int64_t expert, std::int64_t row, float weight) const {
    const std::int64_t K = problem_.K;
    float sum = 0;
    for (std::int64_t k = 0; k < K; ++k) sum += hidden_[token * K + k] * w1_[(expert * problem_.N1 + row) * K + k];
    if (problem_.has_b1()) sum += b1_[expert * problem_.N1 + row];
    if (problem_.weight_on_input) sum *= weight;
    return rounds_cache1_ ? round(sum) : sum;
  }

  const Problem& problem_;
  bool rounds_cache1_;
  std::vector<float> hidden_, w1_, b1_, w2_, b2_;
};

}  // namespace

std::vector<std::uint16_t> naive_mlp(const Problem& problem, Impl impl, const Routing& routing, const DataSpec& data) {
  const Mlp mlp(problem, impl, data);
  std::vector<std::uint16_t> output(problem.M * problem.N2);
  for (std::int64_t token = 0; token < problem.M; ++token) {
    std::vector<float> sum(problem.N2);
    for (std::int64_t choice = 0; choice < problem.topk; ++choice) {
      const std::int64_t slot = token * problem.topk + choice;
      const std::int32_t expert = routing.expert_of(slot);
      if (expert < 0) continue;
      const std::vector<float> y = mlp.slot(token, expert, routing.topk_weights[slot]);
      for (std::int64_t n = 0; n < problem.N2; ++n) sum[n] += y[n];
    }
    for (std::int64_t n = 0; n < problem.N2; ++n) output[token * problem.N2 + n] = to_bits(problem.dtype, sum[n]);
  }
  return output;
}

}  // namespace moetune

// A call of the library with inputs of a problem, on the host or with a copy on a device.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "data/fill.h"
#include "moetune/moe.h"
#include "reference/reference.h"

namespace moetune::testing {

/// An array with bands before and behind it that nobody is to touch, aligned to 64 bytes.
template <class T>
class Guarded {
 public:
  static constexpr std::size_t kBand = 4096;  // bytes
  static constexpr unsigned char kPattern = 0xa5;

  explicit Guarded(std::size_t size = 0) : size_(size), bytes_(2 * kBand + 64 + size * sizeof(T), kPattern) {}

  T* data() { return reinterpret_cast<T*>(bytes_.data() + offset()); }
  std::size_t size() const { return size_; }
  std::span<T> values() { return {data(), size_}; }
  /// The array with the whole of both bands.
  std::span<unsigned char> framed() { return {bytes_.data() + offset() - kBand, 2 * kBand + size_ * sizeof(T)}; }

  bool is_intact() {
    const auto all = framed();
    const auto is_pattern = [](unsigned char byte) { return byte == kPattern; };
    return std::all_of(all.begin(), all.begin() + kBand, is_pattern) &&
           std::all_of(all.end() - kBand, all.end(), is_pattern);
  }

 private:
  std::size_t offset() const {
    const auto at = reinterpret_cast<std::uintptr_t>(bytes_.data()) + kBand;
    return kBand + (64 - at % 64) % 64;
  }

  std::size_t size_;
  std::vector<unsigned char> bytes_;
};

/// A problem for the interface with calls of up to problem.M tokens.
inline moe_problem api_problem(const Problem& problem, moe_impl impl = MOE_MERGED) {
  moe_problem result = MOE_PROBLEM_INIT;
  result.K = problem.K, result.N1 = problem.N1, result.N2 = problem.N2;
  result.E = problem.E, result.topk = problem.topk, result.max_M = problem.M;
  result.dtype = problem.dtype == DType::bf16 ? MOE_BF16 : MOE_FP16;
  result.activation = static_cast<int>(problem.activation);
  result.impl = impl;
  result.has_b1 = problem.has_b1(), result.has_b2 = problem.has_b2();
  result.apply_router_weight_on_input = problem.weight_on_input;
  result.global_E = problem.ep_ranks > 1 ? problem.global_experts() : 0;
  return result;
}

/// The tensors of a call. Strides in elements; 0: rows follow each other.
class HostCall {
 public:
  HostCall(Problem of, DataSpec with, std::size_t workspace_size, std::int64_t hidden_stride = 0,
           std::int64_t out_stride = 0)
      : problem(std::move(of)),
        data(with),
        routing(make_routing(problem, data)),
        hidden(rows_size(hidden_stride, problem.K)),
        w1(size_of(Tensor::w1)),
        b1(size_of(Tensor::b1)),
        w2(size_of(Tensor::w2)),
        b2(size_of(Tensor::b2)),
        topk_ids(routing.topk_ids.size()),
        topk_weights(routing.topk_weights.size()),
        expert_map(routing.expert_map.size()),
        out(rows_size(out_stride, problem.N2)),
        workspace(workspace_size),
        hidden_stride_(hidden_stride),
        out_stride_(out_stride) {
    for (const Tensor tensor : {Tensor::w1, Tensor::b1, Tensor::w2, Tensor::b2}) {
      const FillSpec spec = fill_spec(problem, tensor, data);
      const std::span<std::uint16_t> to = values_of(tensor);
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = fill_bits(spec, static_cast<long long>(i));
    }
    const FillSpec spec = fill_spec(problem, Tensor::hidden, data);
    std::fill(hidden.values().begin(), hidden.values().end(), kPoison);  // between the rows
    for (std::int64_t i = 0; i < problem.M * problem.K; ++i)
      hidden.data()[i / problem.K * (hidden_stride > 0 ? hidden_stride : problem.K) + i % problem.K] =
          fill_bits(spec, i);
    set_routing(routing);
    poison();
  }

  void set_routing(Routing other) {
    routing = std::move(other);
    std::copy(routing.topk_ids.begin(), routing.topk_ids.end(), topk_ids.data());
    std::copy(routing.topk_weights.begin(), routing.topk_weights.end(), topk_weights.data());
    std::copy(routing.expert_map.begin(), routing.expert_map.end(), expert_map.data());
  }

  void poison() { std::fill(out.values().begin(), out.values().end(), kPoison); }

  moe_arguments arguments() {
    moe_arguments call = MOE_ARGUMENTS_INIT;
    call.M = problem.M;
    call.hidden_states = hidden.data();
    call.hidden_states_stride = hidden_stride_;
    call.w1 = w1.data(), call.w2 = w2.data();
    call.b1 = problem.has_b1() ? b1.data() : nullptr;
    call.b2 = problem.has_b2() ? b2.data() : nullptr;
    call.topk_weights = topk_weights.data(), call.topk_ids = topk_ids.data();
    call.expert_map = expert_map.size() > 0 ? expert_map.data() : nullptr;
    call.out = out.data(), call.out_stride = out_stride_;
    call.workspace = workspace.data(), call.workspace_size = workspace.size();
    return call;
  }

  /// What is in `out` against the reference, as `impl` rounds.
  Verdict judge(Impl impl) {
    std::vector<std::int64_t> tokens(static_cast<std::size_t>(problem.M));
    std::iota(tokens.begin(), tokens.end(), 0);
    std::vector<float> rows;
    OutputScan scan;
    for (const std::int64_t token : tokens)
      for (std::int64_t n = 0; n < problem.N2; ++n) {
        const std::uint16_t bits = out.data()[token * out_pitch() + n];
        rows.push_back(from_bits(problem.dtype, bits));
        scan.unwritten += bits == kPoison;
        scan.nonfinite += bits != kPoison && !std::isfinite(rows.back());
      }
    return moetune::judge(problem, data, compute_reference(problem, impl, routing, data, tokens), rows, scan, scan);
  }

  /// Whether all bands are as they were, those between the rows of out included.
  bool is_intact() {
    for (std::int64_t token = 0; token < problem.M; ++token)
      for (std::int64_t n = problem.N2; n < (token + 1 < problem.M ? out_pitch() : problem.N2); ++n)
        if (out.data()[token * out_pitch() + n] != kPoison) return false;
    return hidden.is_intact() && w1.is_intact() && b1.is_intact() && w2.is_intact() && b2.is_intact() &&
           topk_ids.is_intact() && topk_weights.is_intact() && expert_map.is_intact() && out.is_intact() &&
           workspace.is_intact();
  }

  bool is_out_untouched() {
    return std::all_of(out.values().begin(), out.values().end(), [](std::uint16_t bits) { return bits == kPoison; });
  }

  Problem problem;
  DataSpec data;
  Routing routing;
  Guarded<std::uint16_t> hidden, w1, b1, w2, b2;
  Guarded<std::int32_t> topk_ids;
  Guarded<float> topk_weights;
  Guarded<std::int32_t> expert_map;
  Guarded<std::uint16_t> out;
  Guarded<unsigned char> workspace;

 private:
  std::size_t size_of(Tensor tensor) const { return static_cast<std::size_t>(element_count(problem, tensor)); }
  std::size_t rows_size(std::int64_t stride, std::int64_t columns) const {
    return static_cast<std::size_t>((problem.M - 1) * (stride > 0 ? stride : columns) + columns);
  }
  std::int64_t out_pitch() const { return out_stride_ > 0 ? out_stride_ : problem.N2; }
  std::span<std::uint16_t> values_of(Tensor tensor) {
    return tensor == Tensor::w1   ? w1.values()
           : tensor == Tensor::b1 ? b1.values()
           : tensor == Tensor::w2 ? w2.values()
                                  : b2.values();
  }

  std::int64_t hidden_stride_, out_stride_;
};

/// An open context, closed at the end.
class OpenContext {
 public:
  explicit OpenContext(const char* device, const char* configs = nullptr) {
    EXPECT_EQ(moe_context_open(device, configs, &context_), MOE_OK) << moe_error_message();
  }
  OpenContext(const OpenContext&) = delete;
  OpenContext& operator=(const OpenContext&) = delete;
  ~OpenContext() { moe_context_close(context_); }
  operator moe_context*() const { return context_; }

 private:
  moe_context* context_ = nullptr;
};

/// A plan, destroyed at the end.
class MadePlan {
 public:
  MadePlan(moe_context* context, const moe_problem& problem) {
    EXPECT_EQ(moe_plan_create(context, &problem, &plan_), MOE_OK) << moe_error_message();
  }
  MadePlan(const MadePlan&) = delete;
  MadePlan& operator=(const MadePlan&) = delete;
  ~MadePlan() { moe_plan_destroy(plan_); }
  operator moe_plan*() const { return plan_; }

  std::size_t workspace_size(std::int64_t M) const {
    std::size_t bytes = 0;
    EXPECT_EQ(moe_plan_workspace_size(plan_, M, &bytes), MOE_OK) << moe_error_message();
    return bytes;
  }

 private:
  moe_plan* plan_ = nullptr;
};

}  // namespace moetune::testing

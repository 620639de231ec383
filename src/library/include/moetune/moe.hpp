// C++ wrapper of moe.h (C++20, header only): handles that close themselves, tensors with their sizes, exceptions.
#ifndef MOETUNE_MOE_HPP_
#define MOETUNE_MOE_HPP_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "moetune/moe.h"

namespace moe {

/// A call that failed. what() is one sentence that names the argument.
class Error : public std::runtime_error {
 public:
  Error(moe_status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  moe_status status() const noexcept { return status_; }

 private:
  moe_status status_;
};

inline void check(moe_status status) {
  if (status != MOE_OK) throw Error(status, moe_error_message());
}

/// A device with a folder of best configs: see moe_context_open().
class Context {
 public:
  explicit Context(const std::string& device = "auto", const std::string& configs = "") {
    moe_context* opened = nullptr;
    check(moe_context_open(device.c_str(), configs.c_str(), &opened));
    handle_.reset(opened);
  }
  moe_context* get() const noexcept { return handle_.get(); }

 private:
  struct Close {
    void operator()(moe_context* context) const noexcept { moe_context_close(context); }
  };
  std::unique_ptr<moe_context, Close> handle_;
};

/// A problem of up to max_M tokens, planned: see moe_plan_create().
class Plan {
 public:
  Plan(const Context& context, const moe_problem& problem) : problem_(problem) {
    moe_plan* made = nullptr;
    check(moe_plan_create(context.get(), &problem, &made));
    handle_.reset(made);
  }
  const moe_problem& problem() const noexcept { return problem_; }
  const moe_plan* get() const noexcept { return handle_.get(); }
  std::string describe() const { return moe_plan_describe(handle_.get()); }

  /// Bytes for calls with up to M tokens.
  std::size_t workspace_size(std::int64_t M) const {
    std::size_t bytes = 0;
    check(moe_plan_workspace_size(handle_.get(), M, &bytes));
    return bytes;
  }

 private:
  struct Destroy {
    void operator()(moe_plan* plan) const noexcept { moe_plan_destroy(plan); }
  };
  moe_problem problem_;
  std::unique_ptr<moe_plan, Destroy> handle_;
};

/// The bits of fp16 or bf16 numbers, on the plan's device.
using Half = std::uint16_t;

/// Tensors of a call, contiguous, on the plan's device. M is topk_ids.size() / topk.
struct Tensors {
  std::span<const Half> hidden_states;         ///< [M, K]
  std::span<const Half> w1, w2;                ///< [E, N1, K], [E, N2, N1/2]
  std::span<const float> topk_weights;         ///< [M, topk]
  std::span<const std::int32_t> topk_ids;      ///< [M, topk]
  std::span<const Half> b1{}, b2{};            ///< [E, N1], [E, N2], or empty where the problem has none
  std::span<const std::int32_t> expert_map{};  ///< [global_E], or empty
};

/// Puts a call into `stream`: out [M, N2] from the tensors. Throws Error for a span of another size than the plan's,
/// and whatever moe_run() refuses.
inline void invoke_merged_moe_kernel(const Plan& plan, const Tensors& tensors, std::span<Half> out,
                                     std::span<std::byte> workspace, void* stream = nullptr, unsigned flags = 0) {
  const moe_problem& p = plan.problem();
  const std::int64_t slots = static_cast<std::int64_t>(tensors.topk_ids.size());
  const auto expect = [](const char* name, std::size_t size, std::int64_t wanted) {
    if (static_cast<std::int64_t>(size) != wanted)
      throw Error(MOE_ERROR_ARGUMENT, std::string("invoke_merged_moe_kernel: ") + name + " has " +
                                          std::to_string(size) + " elements and should have " + std::to_string(wanted));
  };
  if (slots % p.topk != 0)
    throw Error(MOE_ERROR_ARGUMENT, "invoke_merged_moe_kernel: topk_ids has " + std::to_string(slots) +
                                        " elements, no multiple of topk = " + std::to_string(p.topk));
  const std::int64_t M = slots / p.topk;
  expect("hidden_states", tensors.hidden_states.size(), M * p.K);
  expect("w1", tensors.w1.size(), p.E * p.N1 * p.K);
  expect("w2", tensors.w2.size(), p.E * p.N2 * (p.N1 / 2));
  expect("topk_weights", tensors.topk_weights.size(), slots);
  expect("b1", tensors.b1.size(), p.has_b1 ? p.E * p.N1 : 0);
  expect("b2", tensors.b2.size(), p.has_b2 ? p.E * p.N2 : 0);
  expect("expert_map", tensors.expert_map.size(), p.global_E);
  expect("out", out.size(), M * p.N2);

  moe_arguments call = MOE_ARGUMENTS_INIT;
  const auto or_null = [](auto span) { return span.empty() ? nullptr : span.data(); };
  call.M = M;
  call.hidden_states = tensors.hidden_states.data();
  call.w1 = tensors.w1.data();
  call.w2 = tensors.w2.data();
  call.b1 = or_null(tensors.b1);
  call.b2 = or_null(tensors.b2);
  call.topk_weights = tensors.topk_weights.data();
  call.topk_ids = tensors.topk_ids.data();
  call.expert_map = or_null(tensors.expert_map);
  call.out = out.data();
  call.workspace = workspace.data();
  call.workspace_size = workspace.size();
  call.stream = stream;
  call.flags = flags;
  check(moe_run(plan.get(), &call));
}

/// The same with the arguments in the order of vLLM's fused_experts_impl.
inline void merged_fused_experts_impl(const Plan& plan, std::span<const Half> hidden_states, std::span<const Half> w1,
                                      std::span<const Half> w2, std::span<const float> topk_weights,
                                      std::span<const std::int32_t> topk_ids, std::span<Half> out,
                                      std::span<std::byte> workspace, void* stream = nullptr) {
  invoke_merged_moe_kernel(
      plan, {.hidden_states = hidden_states, .w1 = w1, .w2 = w2, .topk_weights = topk_weights, .topk_ids = topk_ids},
      out, workspace, stream);
}

}  // namespace moe

#endif

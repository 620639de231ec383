#include <gtest/gtest.h>

#include "library/call.h"
#include "moetune/moe.hpp"

namespace moetune {
namespace {

using testing::HostCall;

Problem small() {
  return {.M = 7, .K = 24, .N1 = 2 * 16, .N2 = 40, .E = 3, .topk = 2};
}

template <class Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const moe::Error& error) {
    EXPECT_NE(error.status(), MOE_OK);
    return error.what();
  }
  return "no error";
}

TEST(Wrapper, ComputesUnderBothNames) {
  const moe::Context context("cpu");
  for (const Bias bias : {Bias::none, Bias::both}) {
    Problem problem = small();
    problem.bias = bias;
    const moe::Plan plan(context, testing::api_problem(problem));
    HostCall call(problem, {}, plan.workspace_size(problem.M));
    const std::span workspace = std::as_writable_bytes(call.workspace.values());
    moe::invoke_merged_moe_kernel(plan,
                                  {.hidden_states = call.hidden.values(),
                                   .w1 = call.w1.values(),
                                   .w2 = call.w2.values(),
                                   .topk_weights = call.topk_weights.values(),
                                   .topk_ids = call.topk_ids.values(),
                                   .b1 = call.b1.values(),
                                   .b2 = call.b2.values()},
                                  call.out.values(), workspace);
    EXPECT_TRUE(call.judge(Impl::merged).passed);
    if (bias == Bias::both) continue;
    call.poison();
    moe::merged_fused_experts_impl(plan, call.hidden.values(), call.w1.values(), call.w2.values(),
                                   call.topk_weights.values(), call.topk_ids.values(), call.out.values(), workspace);
    EXPECT_TRUE(call.judge(Impl::merged).passed);
    EXPECT_TRUE(call.is_intact());
  }
}

TEST(Wrapper, ThrowsWhatIsWrong) {
  EXPECT_NE(message_of([] { moe::Context("tpu"); }).find("unknown device 'tpu'"), std::string::npos);
  const moe::Context context("cpu");
  moe_problem problem = testing::api_problem(small());
  problem.N1 = 7;
  EXPECT_NE(message_of([&] { moe::Plan(context, problem); }).find("N1 = 7"), std::string::npos);
  const moe::Plan plan(context, testing::api_problem(small()));
  HostCall call(small(), {}, plan.workspace_size(small().M));
  EXPECT_EQ(message_of([&] {
              moe::merged_fused_experts_impl(plan, call.hidden.values().subspan(1), call.w1.values(), call.w2.values(),
                                             call.topk_weights.values(), call.topk_ids.values(), call.out.values(),
                                             std::as_writable_bytes(call.workspace.values()));
            }),
            "invoke_merged_moe_kernel: hidden_states has 167 elements and should have 168");
  EXPECT_TRUE(call.is_out_untouched());
  EXPECT_NE(plan.describe().find("K=24"), std::string::npos);
}

}  // namespace
}  // namespace moetune

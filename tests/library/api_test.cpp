// The C interface on the CPU engine, against the fp64 reference.
#include <gtest/gtest.h>

#include <thread>

#include "library/call.h"

namespace moetune {
namespace {

using testing::HostCall;
using testing::MadePlan;
using testing::OpenContext;

moe_context* context() {
  static const OpenContext opened("cpu");
  return opened;
}

Problem small() {
  return {.M = 19, .K = 72, .N1 = 2 * 88, .N2 = 104, .E = 5, .topk = 2};
}

void expect_right(const Problem& problem, DataSpec data = {}, std::int64_t hidden_stride = 0,
                  std::int64_t out_stride = 0) {
  for (const moe_impl impl : {MOE_MERGED, MOE_THREE_KERNEL}) {
    SCOPED_TRACE(to_line(problem) + (impl == MOE_MERGED ? " merged" : " three_kernel"));
    const MadePlan plan(context(), testing::api_problem(problem, impl));
    HostCall call(problem, data, plan.workspace_size(problem.M), hidden_stride, out_stride);
    const moe_arguments arguments = call.arguments();
    ASSERT_EQ(moe_run(plan, &arguments), MOE_OK) << moe_error_message();
    const Verdict verdict = call.judge(impl == MOE_MERGED ? Impl::merged : Impl::three_kernel);
    EXPECT_TRUE(verdict.passed) << verdict.reason;
    EXPECT_TRUE(call.is_intact());
  }
}

TEST(Run, EveryVariantOfTheProblem) {
  for (const DType dtype : kDTypes)
    for (const Activation activation : kActivations)
      for (const Bias bias : kBiases) {
        Problem problem = small();
        problem.dtype = dtype, problem.activation = activation, problem.bias = bias;
        problem.weight_on_input = bias == Bias::b1;
        expect_right(problem);
      }
}

TEST(Run, CornerShapes) {
  for (const auto& [M, K, inner, N2, E, topk] : std::vector<std::array<std::int64_t, 6>>{{1, 8, 8, 8, 1, 1},
                                                                                         {1, 8, 96, 8, 4, 4},
                                                                                         {33, 200, 8, 136, 64, 1},
                                                                                         {3, 64, 176, 24, 64, 64},
                                                                                         {257, 16, 8, 8, 2, 1},
                                                                                         {40, 72, 136, 1032, 6, 3}})
    expect_right({.M = M, .K = K, .N1 = 2 * inner, .N2 = N2, .E = E, .topk = topk, .bias = Bias::both},
                 {.fill = Fill::exact_integer, .seed = 3});
}

TEST(Run, RowsMayLieApart) {
  expect_right(small(), {}, 80, 0);
  expect_right(small(), {}, 0, 112);
  expect_right(small(), {}, 1024, 2048);
}

TEST(Run, TheOutputMayBeTheInput) {
  Problem problem = small();
  problem.N2 = problem.K;
  const MadePlan plan(context(), testing::api_problem(problem));
  HostCall call(problem, {}, plan.workspace_size(problem.M));
  moe_arguments arguments = call.arguments();
  arguments.out = call.hidden.data();
  ASSERT_EQ(moe_run(plan, &arguments), MOE_OK) << moe_error_message();
  std::copy(call.hidden.values().begin(), call.hidden.values().end(), call.out.data());
  EXPECT_TRUE(call.judge(Impl::merged).passed);
}

TEST(Run, ExpertsThatLiveElsewhere) {
  Problem problem = small();
  problem.ep_ranks = 3, problem.ep_rank = 1, problem.bias = Bias::both;
  expect_right(problem);
  problem.topk = 1, problem.routing.kind = RoutingSpec::Kind::one_expert;  // all of another rank's
  expect_right(problem);
}

TEST(Run, IdsOfNoExpertChooseNothing) {
  for (const moe_impl impl : {MOE_MERGED, MOE_THREE_KERNEL}) {
    const MadePlan plan(context(), testing::api_problem(small(), impl));
    HostCall call(small(), {}, plan.workspace_size(small().M)), half(small(), {}, plan.workspace_size(small().M));
    for (std::size_t slot = 0; slot < call.topk_ids.size(); slot += 2) {
      half.topk_weights.data()[slot] = 0;
      call.topk_ids.data()[slot] = slot % 4 == 0 ? -1 : slot % 3 == 0 ? 5 : 1 << 30;
    }
    const moe_arguments arguments = call.arguments(), others = half.arguments();
    ASSERT_EQ(moe_run(plan, &arguments), MOE_OK) << moe_error_message();
    ASSERT_EQ(moe_run(plan, &others), MOE_OK) << moe_error_message();
    for (std::size_t i = 0; i < call.out.size(); ++i)
      EXPECT_EQ(from_bits(small().dtype, call.out.data()[i]), from_bits(small().dtype, half.out.data()[i]));
    EXPECT_TRUE(call.is_intact());
  }
}

TEST(Run, AnyNumberOfTokensUpToThePlans) {
  Problem most = small();
  most.M = 300;
  const MadePlan plan(context(), testing::api_problem(most));
  std::size_t before = 0;
  for (const std::int64_t M : {1, 2, 3, 17, 64, 65, 299, 300}) {
    Problem problem = most;
    problem.M = M;
    const std::size_t size = plan.workspace_size(M);
    EXPECT_GE(size, before);
    before = size;
    HostCall call(problem, {}, size);
    const moe_arguments arguments = call.arguments();
    ASSERT_EQ(moe_run(plan, &arguments), MOE_OK) << moe_error_message();
    EXPECT_TRUE(call.judge(Impl::merged).passed) << M;
    EXPECT_TRUE(call.is_intact()) << M;
  }
}

TEST(Run, NoTokensAreNothingToDo) {
  const MadePlan plan(context(), testing::api_problem(small()));
  HostCall call(small(), {}, plan.workspace_size(0));
  moe_arguments arguments = call.arguments();
  arguments.M = 0;
  EXPECT_EQ(moe_run(plan, &arguments), MOE_OK);
  EXPECT_TRUE(call.is_out_untouched());
}

TEST(Run, WithItsIdsChecked) {
  const MadePlan plan(context(), testing::api_problem(small()));
  HostCall call(small(), {}, plan.workspace_size(small().M));
  moe_arguments arguments = call.arguments();
  arguments.flags = MOE_CHECK_IDS;
  EXPECT_EQ(moe_run(plan, &arguments), MOE_OK) << moe_error_message();
  EXPECT_TRUE(call.judge(Impl::merged).passed);
}

TEST(Threads, ShareAPlanAndHaveTheirOwn) {
  const MadePlan shared(context(), testing::api_problem(small()));
  std::vector<std::thread> threads;
  std::vector<std::string> failures(4);
  for (std::size_t t = 0; t < failures.size(); ++t)
    threads.emplace_back([&, t] {
      Problem problem = small();
      problem.M = 5 + static_cast<std::int64_t>(t);
      const MadePlan own(context(), testing::api_problem(problem));
      moe_plan* const plan = t % 2 == 0 ? shared : own;
      HostCall call(problem, {.seed = t + 1}, own.workspace_size(problem.M) + shared.workspace_size(problem.M));
      const moe_arguments arguments = call.arguments();
      for (int i = 0; i < 20; ++i) {
        call.poison();
        if (moe_run(plan, &arguments) != MOE_OK) failures[t] = moe_error_message();
        if (const Verdict verdict = call.judge(Impl::merged); !verdict.passed) failures[t] = verdict.reason;
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& failure : failures) EXPECT_EQ(failure, "");
}

TEST(Threads, MessagesAreTheirOwn) {
  EXPECT_EQ(moe_run(nullptr, nullptr), MOE_ERROR_ARGUMENT);
  std::string other = "?";
  std::thread([&] { other = moe_error_message(); }).join();
  EXPECT_EQ(other, "");
  EXPECT_STREQ(moe_error_message(), "moe_run: plan is null");
}

TEST(Plan, OutlivesItsContext) {
  moe_context* closed = nullptr;
  ASSERT_EQ(moe_context_open("cpu", "", &closed), MOE_OK);
  const MadePlan plan(closed, testing::api_problem(small()));
  moe_context_close(closed);
  HostCall call(small(), {}, plan.workspace_size(small().M));
  const moe_arguments arguments = call.arguments();
  EXPECT_EQ(moe_run(plan, &arguments), MOE_OK);
  EXPECT_TRUE(call.judge(Impl::merged).passed);
}

TEST(Plan, DescribesItsChoice) {
  const MadePlan plan(context(), testing::api_problem(small()));
  const std::string text = moe_plan_describe(plan);
  EXPECT_NE(text.find("K=72 N1=176 N2=104 E=5 topk=2 bf16 silu, up to 19 tokens, on "), text.npos) << text;
  EXPECT_NE(text.find("  M 1..."), text.npos) << text;
  EXPECT_NE(text.find("merged gate[cpu "), text.npos) << text;
  EXPECT_NE(text.find("a guess: nothing was tuned for these sizes"), text.npos) << text;
}

}  // namespace
}  // namespace moetune

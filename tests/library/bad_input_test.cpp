// Whatever is wrong with a call has a code, one sentence that names the argument, and writes nothing.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "library/call.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

using testing::HostCall;
using testing::MadePlan;
using testing::OpenContext;

Problem small() {
  return {.M = 4, .K = 16, .N1 = 32, .N2 = 24, .E = 4, .topk = 2, .bias = Bias::b1};
}

void expect_message(const std::string& part) {
  const std::string message = moe_error_message();
  EXPECT_NE(message.find(part), message.npos) << message << "\nlacks: " << part;
  EXPECT_EQ(message.find('\n'), message.npos) << message;
}

TEST(BadCall, IsRefusedAndWritesNothing) {
  const OpenContext context("cpu");
  const MadePlan plan(context, testing::api_problem(small()));
  HostCall call(small(), {}, plan.workspace_size(small().M));
  static const int map[4] = {};
  const auto odd = [](const void* pointer) { return static_cast<const char*>(pointer) + 2; };
  struct Case {
    std::function<void(moe_arguments&)> spoil;
    moe_status status;
    std::string message;
  };
  for (const Case& each : std::vector<Case>{
           {[](auto& c) { c.size = 8; }, MOE_ERROR_ARGUMENT, "arguments->size is 8"},
           {[](auto& c) { c.M = -1; }, MOE_ERROR_ARGUMENT, "arguments->M is -1: the plan is for 0 to 4 tokens"},
           {[](auto& c) { c.M = 5; }, MOE_ERROR_ARGUMENT, "arguments->M is 5"},
           {[](auto& c) { c.hidden_states = nullptr; }, MOE_ERROR_ARGUMENT, "arguments->hidden_states is null"},
           {[&](auto& c) { c.hidden_states = odd(c.hidden_states); }, MOE_ERROR_ARGUMENT,
            "arguments->hidden_states is not aligned to 16 bytes"},
           {[](auto& c) { c.hidden_states_stride = 8; }, MOE_ERROR_ARGUMENT,
            "arguments->hidden_states_stride is 8: it has to be a multiple of 8 from 16"},
           {[](auto& c) { c.hidden_states_stride = 20; }, MOE_ERROR_ARGUMENT, "arguments->hidden_states_stride is 20"},
           {[](auto& c) { c.w1 = nullptr; }, MOE_ERROR_ARGUMENT, "arguments->w1 is null"},
           {[&](auto& c) { c.w2 = odd(c.w2); }, MOE_ERROR_ARGUMENT, "arguments->w2 is not aligned"},
           {[](auto& c) { c.b1 = nullptr; }, MOE_ERROR_ARGUMENT, "arguments->b1 is null"},
           {[](auto& c) { c.b2 = c.b1; }, MOE_ERROR_ARGUMENT, "arguments->b2 is given"},
           {[](auto& c) { c.topk_weights = nullptr; }, MOE_ERROR_ARGUMENT, "arguments->topk_weights is null"},
           {[](auto& c) { c.topk_ids = nullptr; }, MOE_ERROR_ARGUMENT, "arguments->topk_ids is null"},
           {[](auto& c) { c.expert_map = map; }, MOE_ERROR_ARGUMENT, "arguments->expert_map is given"},
           {[](auto& c) { c.out = nullptr; }, MOE_ERROR_ARGUMENT, "arguments->out is null"},
           {[](auto& c) { c.out_stride = 25; }, MOE_ERROR_ARGUMENT, "arguments->out_stride is 25"},
           {[](auto& c) { c.workspace = nullptr; }, MOE_ERROR_ARGUMENT, "arguments->workspace is null"},
           {[](auto& c) { --c.workspace_size; }, MOE_ERROR_WORKSPACE, "arguments->workspace_size is "},
           {[](auto& c) { c.flags = 6; }, MOE_ERROR_ARGUMENT, "arguments->flags is 0x6"}}) {
    moe_arguments arguments = call.arguments();
    each.spoil(arguments);
    EXPECT_EQ(moe_run(plan, &arguments), each.status) << each.message;
    expect_message("moe_run: " + each.message);
    EXPECT_TRUE(call.is_out_untouched()) << each.message;
    EXPECT_TRUE(call.is_intact()) << each.message;
  }
  for (const std::int32_t id : {-1, 4, 1 << 30}) {
    call.topk_ids.data()[5] = id;
    moe_arguments arguments = call.arguments();
    arguments.flags = MOE_CHECK_IDS;
    EXPECT_EQ(moe_run(plan, &arguments), MOE_ERROR_ARGUMENT);
    expect_message("arguments->topk_ids[2, 1] is " + std::to_string(id) + ": there are 4 experts");
    EXPECT_TRUE(call.is_out_untouched());
  }
}

TEST(BadProblem, IsRefused) {
  const OpenContext context("cpu");
  struct Case {
    std::function<void(moe_problem&)> spoil;
    moe_status status;
    std::string message;
  };
  for (const Case& each :
       std::vector<Case>{{[](auto& p) { p.size = 0; }, MOE_ERROR_ARGUMENT, "problem->size is 0"},
                         {[](auto& p) { p.K = 0; }, MOE_ERROR_ARGUMENT, "problem: K = 0 is not positive"},
                         {[](auto& p) { p.K = 12; }, MOE_ERROR_ARGUMENT, "problem: K"},
                         {[](auto& p) { p.N1 = 33; }, MOE_ERROR_ARGUMENT, "problem: N1 = 33 is odd"},
                         {[](auto& p) { p.topk = 5; }, MOE_ERROR_ARGUMENT, "problem: topk = 5"},
                         {[](auto& p) { p.max_M = 1 << 30; }, MOE_ERROR_ARGUMENT, "problem: M = 1073741824"},
                         {[](auto& p) { p.dtype = 2; }, MOE_ERROR_ARGUMENT, "problem->dtype is 2"},
                         {[](auto& p) { p.activation = -1; }, MOE_ERROR_ARGUMENT, "problem->activation is -1"},
                         {[](auto& p) { p.impl = 7; }, MOE_ERROR_ARGUMENT, "problem->impl is 7"},
                         {[](auto& p) { p.global_E = -8; }, MOE_ERROR_ARGUMENT, "problem->global_E is -8"},
                         {[](auto& p) { p.global_E = 1 << 20; }, MOE_ERROR_ARGUMENT, "problem->global_E is 1048576"}}) {
    moe_problem problem = testing::api_problem(small());
    each.spoil(problem);
    moe_plan* plan = nullptr;
    EXPECT_EQ(moe_plan_create(context, &problem, &plan), each.status) << each.message;
    expect_message("moe_plan_create: " + each.message);
    EXPECT_EQ(plan, nullptr);
    EXPECT_EQ(moe_supports(context, &problem), each.status);
    expect_message("moe_supports: " + each.message);
  }
}

TEST(NullArguments, AreNamed) {
  const OpenContext context("cpu");
  const moe_problem problem = testing::api_problem(small());
  const MadePlan plan(context, problem);
  moe_plan* made = nullptr;
  std::size_t bytes = 0;
  EXPECT_EQ(moe_context_open("cpu", nullptr, nullptr), MOE_ERROR_ARGUMENT);
  expect_message("moe_context_open: context is null");
  moe_context* opened = nullptr;
  EXPECT_EQ(moe_context_open(nullptr, nullptr, &opened), MOE_ERROR_ARGUMENT);
  expect_message("device is null");
  EXPECT_EQ(moe_plan_create(nullptr, &problem, &made), MOE_ERROR_ARGUMENT);
  expect_message("context is null");
  EXPECT_EQ(moe_plan_create(context, nullptr, &made), MOE_ERROR_ARGUMENT);
  expect_message("problem is null");
  EXPECT_EQ(moe_plan_create(context, &problem, nullptr), MOE_ERROR_ARGUMENT);
  expect_message("plan is null");
  EXPECT_EQ(moe_supports(nullptr, &problem), MOE_ERROR_ARGUMENT);
  EXPECT_EQ(moe_plan_workspace_size(nullptr, 1, &bytes), MOE_ERROR_ARGUMENT);
  EXPECT_EQ(moe_plan_workspace_size(plan, 1, nullptr), MOE_ERROR_ARGUMENT);
  expect_message("bytes is null");
  EXPECT_EQ(moe_plan_workspace_size(plan, 5, &bytes), MOE_ERROR_ARGUMENT);
  expect_message("M is 5: the plan is for 0 to 4 tokens");
  EXPECT_EQ(moe_run(plan, nullptr), MOE_ERROR_ARGUMENT);
  expect_message("arguments is null");
  EXPECT_STREQ(moe_plan_describe(nullptr), "");
  moe_context_close(nullptr);
  moe_plan_destroy(nullptr);
}

TEST(BadDevice, IsNamed) {
  moe_context* opened = nullptr;
  EXPECT_EQ(moe_context_open("tpu", nullptr, &opened), MOE_ERROR_ARGUMENT);
  expect_message("moe_context_open: device: unknown device 'tpu'");
  EXPECT_EQ(moe_context_open("cuda:99", nullptr, &opened), MOE_ERROR_NO_DEVICE);
  EXPECT_EQ(opened, nullptr);
}

TEST(BadConfigs, AreNamed) {
  const TemporaryFolder folder;
  moe_context* opened = nullptr;
  const auto expect_refused = [&](const std::filesystem::path& path, const std::string& message) {
    EXPECT_EQ(moe_context_open("cpu", path.c_str(), &opened), MOE_ERROR_CONFIGS);
    expect_message("moe_context_open: configs: ");
    expect_message(message);
    EXPECT_EQ(opened, nullptr);
  };
  expect_refused(folder.path() / "nowhere", "nowhere' cannot be read");
  expect_refused(folder.path(), "has no best configs");
  std::ofstream(folder.path() / "a.json") << R"({"schema": "moe-tune/best-config", "schema_version": "9.0"})";
  expect_refused(folder.path(), "a.json: 'schema_version' is 9.0; this moe-tune reads 1.x");
  std::ofstream(folder.path() / "a.json") << R"({"16": {"BLOCK_SIZE_M": 16}})";
  expect_refused(folder.path(), "a.json");
  std::ofstream(folder.path() / "a.json") << "{";
  expect_refused(folder.path(), "a.json");
}

}  // namespace
}  // namespace moetune

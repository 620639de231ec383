#include "cli/verified_workload.h"

#include "backend/fake/fake_device.h"
#include "backend/fake/fake_engine.h"
#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

const Problem kProblem{.M = 5, .K = 16, .N1 = 32, .N2 = 16, .E = 4, .topk = 2};
const Config kOptimum{{"BLOCK_SIZE_M", 32}, {"BLOCK_SIZE_N", 32}, {"num_warps", 4}};
const TimeModel kTimes = bowl({{Stage::gemm1, kOptimum}, {Stage::gate, kOptimum}, {Stage::final, kOptimum}});
const Engine* const kEngines[] = {&fake_engine()};

TEST(VerifiedWorkload, PassesWhatIsRightAndNotWhatIsWrong) {
  FakeDevice device({.time_us = kTimes, .faults = {}});
  const PipelineConfig right = complete_config(kProblem, Impl::merged, {}, device.info(), kEngines);
  StageConfig other = right.stages.at(Stage::gate);
  other.config.set("BLOCK_SIZE_N", 64);
  FakeDevice faulty({.time_us = kTimes, .faults = {{{Stage::gate, other}, Fault::wrong_result}}});

  for (const Fill fill : {Fill::random, Fill::exact_integer}) {
    VerifiedWorkload workload(faulty, kProblem, {.fill = fill, .seed = 3});
    const auto good = workload.build(right);
    ASSERT_TRUE(good);
    EXPECT_TRUE(workload.verify(*good.value(), Impl::merged).result);
    PipelineConfig wrong = right;
    wrong.stages[Stage::gate] = other;
    const auto bad = workload.build(wrong);
    ASSERT_TRUE(bad);
    const Verification found = workload.verify(*bad.value(), Impl::merged);
    ASSERT_FALSE(found.result);
    EXPECT_EQ(found.result.failure().outcome, Outcome::incorrect);
  }
}

TEST(VerifiedWorkload, GivenConfigsAreKeptAndTheRestFilledIn) {
  FakeDevice device({.time_us = kTimes, .faults = {}});
  const StageConfig given{.engine = std::string(fake_engine().name),
                          .config = {{"BLOCK_SIZE_M", 16}, {"BLOCK_SIZE_N", 32}, {"num_warps", 1}}};
  const PipelineConfig config = complete_config(kProblem, Impl::three_kernel, {}, device.info(), kEngines);
  EXPECT_EQ(config.stages.size(), 2u);
  EXPECT_TRUE(config.stages.contains(Stage::gemm1));
  EXPECT_TRUE(config.stages.contains(Stage::final));
  EXPECT_ERROR(complete_config(kProblem, Impl::merged, {}, device.info(), {}), "no engine on");
  // Engines are looked up in the engine table, which a fake one is not in.
  EXPECT_ERROR(complete_config(kProblem, Impl::merged, {{Stage::gate, given}}, device.info(), kEngines),
               "unknown engine");
}

}  // namespace
}  // namespace moetune

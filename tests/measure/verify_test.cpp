#include "measure/verify.h"

#include <gtest/gtest.h>

#include <type_traits>

#include "measure/sampler.h"
#include "measure/small_problem.h"

namespace moetune {
namespace {

static_assert(!std::is_default_constructible_v<Verified>);
static_assert(!std::is_constructible_v<Verified, Pipeline&>, "only verify() makes them");
static_assert(!std::is_default_constructible_v<Candidate>, "what was not verified cannot be sampled");

const PipelineConfig kPipeline = merged(fake_config(32, 32, 4), fake_config(64, 64, 4));

Verification verify_with(Fault fault) {
  Loaded loaded({.time_us = small_bowl(), .faults = {{{Stage::gate, fake_config(32, 32, 4)}, fault}}});
  const auto pipeline = std::move(loaded.build(kPipeline).value());
  return loaded.verify(*pipeline, Impl::merged);
}

TEST(Verify, PassesWhatIsRight) {
  Loaded loaded({.time_us = small_bowl()});
  for (const PipelineConfig& config : {kPipeline, three_kernel(fake_config(32, 32, 4), fake_config(64, 64, 4))}) {
    const auto pipeline = std::move(loaded.build(config).value());
    const Verification verification = loaded.verify(*pipeline, config.impl);
    ASSERT_TRUE(verification.result) << verification.result.failure().reason;
    EXPECT_TRUE(verification.verdict->passed);
    EXPECT_TRUE(verification.verdict->bitwise_repeatable);
    EXPECT_EQ(verification.verdict->rows_checked, 6);
  }
}

TEST(Verify, RejectsWhatIsWrong) {
  for (const Fault fault : {Fault::wrong_result, Fault::nan_output, Fault::unwritten, Fault::unrepeatable}) {
    const Verification verification = verify_with(fault);
    ASSERT_FALSE(verification.result) << static_cast<int>(fault);
    EXPECT_EQ(verification.result.failure().outcome, Outcome::incorrect);
    EXPECT_FALSE(verification.result.failure().reason.empty());
    ASSERT_TRUE(verification.verdict);
    EXPECT_FALSE(verification.verdict->passed);
  }
}

TEST(Verify, PassesOnFailuresToRun) {
  const Verification verification = verify_with(Fault::launch_error);
  ASSERT_FALSE(verification.result);
  EXPECT_EQ(verification.result.failure().outcome, Outcome::launch_error);
  EXPECT_FALSE(verification.verdict);
}

}  // namespace
}  // namespace moetune

#include "search/common_rounds.h"

#include <gtest/gtest.h>

#include "search/tuning.h"

namespace moetune {
namespace {

const StageConfig kA = fake_config(32, 32, 4), kB = fake_config(64, 64, 4), kC = fake_config(16, 64, 2);
constexpr int kRounds = 5;

struct Benched {
  explicit Benched(FakeSpec spec) : device(std::move(spec)), options(fake_options(device)) {}

  std::optional<std::vector<Tried>> run(const std::vector<PipelineConfig>& configs) {
    Workbench bench(device, problem, {Impl::merged}, options, events, 0.0);
    return try_in_common_rounds(bench, configs, kRounds, finals(), "together");
  }

  FakeDevice device;
  Problem problem = small_problem();
  TuneOptions options;
  Recorder events;
};

TEST(CommonRounds, EachConfigHasItsRoundsAlsoOneThatIsThereTwice) {
  Benched with({.time_us = small_bowl()});
  const auto tried = with.run({merged(kA, kA), merged(kB, kB), merged(kA, kA)});
  ASSERT_TRUE(tried);
  ASSERT_EQ(tried->size(), 3u);
  for (const Tried& each : *tried) {
    ASSERT_TRUE(each.measured);
    EXPECT_GE(each.measured.value().rounds_us.size(), static_cast<std::size_t>(kRounds));
    EXPECT_TRUE(each.verdict && each.verdict->passed);
  }
  EXPECT_NE(tried->at(0).measured.value().time.median_us, tried->at(1).measured.value().time.median_us);
  EXPECT_EQ(with.events.count(Trial::Phase::final, std::nullopt), 3u);
}

TEST(CommonRounds, WhatFailsHasItsReasonAndLeavesTheOthersAlone) {
  Benched with({.time_us = small_bowl(), .faults = {{{Stage::gate, kB}, Fault::compile_error}}});
  const auto tried = with.run({merged(kB, kA), merged(kA, kA), merged(kC, kA)});
  ASSERT_TRUE(tried);
  EXPECT_EQ(tried->at(0).measured.failure().outcome, Outcome::compile_error);
  EXPECT_FALSE(tried->at(0).measured.failure().reason.empty());
  EXPECT_FALSE(tried->at(0).verdict);
  EXPECT_TRUE(tried->at(1).measured);
  EXPECT_TRUE(tried->at(2).measured);
  const auto none = with.run({merged(kB, kA)});
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->at(0).measured);
}

TEST(CommonRounds, WhatIsOnRecordAsFailedIsNotTriedAgain) {
  Benched with({.time_us = small_bowl(), .faults = {{{Stage::gate, kB}, Fault::compile_error}}});
  with.run({merged(kB, kA)});
  with.options.recorded = with.events.trials;
  with.events.trials.clear();
  const auto tried = with.run({merged(kB, kA), merged(kA, kA)});
  ASSERT_TRUE(tried);
  EXPECT_EQ(tried->at(0).measured.failure().outcome, Outcome::compile_error);
  EXPECT_EQ(with.events.trials.size(), 1u) << "of the other";
}

TEST(CommonRounds, EndWhereTheEventsSaySo) {
  Benched with({.time_us = small_bowl()});
  with.events.stop = [&] { return with.device.seconds() > 1e-3; };
  EXPECT_FALSE(with.run({merged(kA, kA), merged(kB, kB)}));
}

}  // namespace
}  // namespace moetune

#include "search/finals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "search/tuning.h"

namespace moetune {
namespace {

const StageConfig kA = fake_config(32, 32, 4), kB = fake_config(64, 64, 4), kC = fake_config(16, 64, 2);

struct Held {
  FinalsResult result;
  Recorder events;
  double seconds = 0;
};

Held finals_of(FakeSpec spec, const std::vector<std::pair<Impl, std::vector<Finalist>>>& finalists,
               std::optional<double> seconds = std::nullopt, const TimingOptions& timing = {}) {
  Held run;
  FakeDevice device(std::move(spec));
  const Problem problem = small_problem();
  TuneOptions options = fake_options(device);
  options.timing = timing;
  options.ceilings = device.measure_ceilings();
  Workbench bench(device, problem, {Impl::three_kernel, Impl::merged}, options, run.events, 0);
  run.result = run_finals(bench, finalists, {.fill = Fill::random, .seed = 1234}, seconds);
  run.seconds = device.seconds();
  return run;
}

TEST(Finals, ReportTheWinnersFromRoundsOnFreshData) {
  const Held run = finals_of(
      {.time_us = small_bowl(), .noise = 0.005},
      {{Impl::three_kernel, {{.config = three_kernel(kA, kA), .is_default = true}, {.config = three_kernel(kB, kB)}}},
       {Impl::merged, {{.config = merged(kA, kA), .is_default = true}, {.config = merged(kB, kB)}}}});
  ASSERT_EQ(run.result.best.size(), 2u);
  const Best& three = run.result.best[0];
  const Best& two = run.result.best[1];
  EXPECT_EQ(three.config, three_kernel(kB, kB));
  EXPECT_EQ(two.config, merged(kB, kB));
  EXPECT_FALSE(three.versus_three_kernel);
  ASSERT_TRUE(two.versus_three_kernel);
  EXPECT_NEAR(two.versus_three_kernel->value, three.time.median_us / two.time.median_us, 0.01);
  for (const Best& best : run.result.best) {
    EXPECT_EQ(best.data.seed, 1234u);
    EXPECT_TRUE(best.verdict.passed);
    EXPECT_GT(best.work.flops, 0);
    EXPECT_GT(best.roofline_us, 0);
    EXPECT_GT(best.ceiling, 0);
    EXPECT_GT(best.experts_hit, 0);
    EXPECT_LE(best.experts_hit, 4);
    EXPECT_EQ(best.stage_times.size(), stages_of(best.config.impl).size());
    EXPECT_NEAR(best.stage_times.at(Stage::combine).median_us, 5, 0.1);
  }
}

// A config may owe its time to a routing on which no expert's rows just exceed its tile.
TEST(Finals, ChooseWhatIsBestOverTheDrawsOfTheRouting) {
  const FakeSpec spec{.time_us = small_bowl(), .routing_spread = 0.4};
  const std::vector<StageConfig> gates{kA, kB, kC, best_config(Stage::gate)};
  std::vector<double> first_us, mean_us;
  {
    FakeDevice device(spec);
    const auto workload = device.load(small_problem(), {});
    for (const StageConfig& gate : gates) {
      const auto pipeline = std::move(workload->build(merged(gate, kA)).value());
      double sum = 0;
      for (int draw = 0; draw < 3; ++draw) {
        workload->reroute(draw);
        sum += pipeline->time(1, {}).value().front();
        if (draw == 0) first_us.push_back(sum);
      }
      mean_us.push_back(sum / 3);
    }
  }
  const auto best = std::min_element(mean_us.begin(), mean_us.end()) - mean_us.begin();
  ASSERT_NE(best, std::min_element(first_us.begin(), first_us.end()) - first_us.begin()) << "says nothing";

  std::vector<Finalist> finalists;
  for (const StageConfig& gate : gates)
    finalists.push_back({.config = merged(gate, kA), .is_default = finalists.empty()});
  const Held run = finals_of(spec, {{Impl::merged, finalists}}, std::nullopt, {.routing_draws = 3});
  ASSERT_EQ(run.result.best.size(), 1u);
  EXPECT_EQ(run.result.best[0].config, merged(gates[best], kA));
  EXPECT_NEAR(run.result.best[0].time.median_us, mean_us[best], 1e-6);
  EXPECT_EQ(run.result.best[0].timing.routing_draws, 3);
}

const std::vector<std::pair<Impl, std::vector<Finalist>>> kDefaultsAlone{
    {Impl::three_kernel, {{.config = three_kernel(kA, kA), .is_default = true}}},
    {Impl::merged, {{.config = merged(kA, kA), .is_default = true}}}};

/// The default has kA in both stages, the other kB.
const std::vector<std::pair<Impl, std::vector<Finalist>>> kDefaultAndB{
    {Impl::merged, {{.config = merged(kA, kA), .is_default = true}, {.config = merged(kB, kB)}}}};

/// Both GEMMs take `b_us` with kB and `others_us` with all else.
auto gemms_taking(double b_us, double others_us) {
  return [=](Stage stage, const StageConfig& config) -> std::optional<double> {
    return stage == Stage::gate || stage == Stage::final ? (config == kB ? b_us : others_us) : 5.0;
  };
}

TEST(Finals, ReportLastingLoadAndBurstsBesideIt) {
  const Held run = finals_of({.time_us = small_bowl(), .throttle = 0.15, .settle_s = 0.2}, kDefaultsAlone);
  ASSERT_EQ(run.result.best.size(), 2u);
  for (const Best& best : run.result.best) {
    const double rested_us = best.time.median_us / 1.15;
    ASSERT_TRUE(best.burst);
    EXPECT_GT(best.burst->median_us, 0.999 * rested_us);
    EXPECT_LT(best.burst->median_us, 1.05 * rested_us);
    for (const Stage stage : {Stage::route, Stage::combine})
      EXPECT_NEAR(best.stage_times.at(stage).median_us, 1.15 * 5, 1e-3);
  }
}

// In the finals all run at the clock of their mix; kept running, each gets to its own.
TEST(Finals, WhatDrawsLessPowerWinsUnderLastingLoad) {
  const PipelineConfig standard = merged(kA, kA), hungry = merged(kB, kB), frugal = merged(kB, kA);
  const std::vector<std::pair<Impl, std::vector<Finalist>>> finalists{
      {Impl::merged, {{.config = standard, .is_default = true}, {.config = hungry}, {.config = frugal}}}};
  const auto time_us = [](Stage stage, const StageConfig& config) -> std::optional<double> {
    return stage == Stage::gate || stage == Stage::final ? (config == kB ? 100.0 : 102.0) : 5.0;
  };
  FakeSpec spec{.time_us = time_us, .throttle = 0.2, .settle_s = 0.2};

  spec.power = [&](const PipelineConfig& config) { return config == hungry ? 1.5 : 1; };  // 8 % slower by itself
  const Held costly = finals_of(spec, finalists);
  ASSERT_EQ(costly.result.best.size(), 1u);
  EXPECT_EQ(costly.result.best[0].config, frugal) << "the fastest of the mix is the slowest by itself";

  spec.power = [&](const PipelineConfig& config) { return config == standard ? 1.5 : 1; };
  const Held cheap = finals_of(spec, finalists);
  ASSERT_EQ(cheap.result.best.size(), 1u);
  EXPECT_EQ(cheap.result.best[0].config, hungry);
  EXPECT_EQ(cheap.result.best[0].choice->margin, kTieMargin);
}

// Neither the winner of the mix nor its fastest nor the default: the mix hides what it gains by itself.
TEST(Finals, OthersNearTheFastestMeetItAtThePowerLimit) {
  const PipelineConfig frugal = merged(kC, kC);
  const std::vector<std::pair<Impl, std::vector<Finalist>>> finalists{
      {Impl::merged, {{.config = merged(kA, kA), .is_default = true}, {.config = merged(kB, kB)}, {.config = frugal}}}};
  double behind = 1.03;
  FakeSpec spec{.time_us = [&](Stage stage, const StageConfig& config) -> std::optional<double> {
                  if (stage != Stage::gate && stage != Stage::final) return 5.0;
                  return config == kB ? 100.0 : config == kC ? behind * 100.0 : 110.0;
                },
                .throttle = 0.3,
                .settle_s = 0.2};
  spec.power = [&](const PipelineConfig& config) { return config == frugal ? 0.5 : 1; };  // 11 % faster by itself
  for (const std::optional<double> seconds : {std::optional<double>{}, std::optional<double>{8.0}}) {
    const Held run = finals_of(spec, finalists, seconds);
    EXPECT_EQ(run.result.best.at(0).config, frugal);
    EXPECT_EQ(run.result.best.at(0).data.seed, 1234u);
  }
  // Without time for it, too far behind, or without a limit that hides anything, it does not take part.
  EXPECT_EQ(finals_of(spec, finalists, 0.5).result.best.at(0).config, merged(kB, kB));
  behind = 1.09;
  EXPECT_EQ(finals_of(spec, finalists).result.best.at(0).config, merged(kB, kB));
  behind = 1.03, spec.throttle = 0, spec.settle_s = 0;
  EXPECT_EQ(finals_of(spec, finalists).result.best.at(0).config, merged(kB, kB));
}

// A clock that no limit keeps down hides nothing; one that is not known may.
TEST(Finals, OthersNearTheFastestMeetItWhereTheClockDoesNotTellOfFreedomFromLimits) {
  const PipelineConfig third = merged(kC, kC);
  const std::vector<std::pair<Impl, std::vector<Finalist>>> finalists{
      {Impl::merged, {{.config = merged(kA, kA), .is_default = true}, {.config = merged(kB, kB)}, {.config = third}}}};
  FakeSpec spec{.time_us = [](Stage stage, const StageConfig& config) -> std::optional<double> {
                  if (stage != Stage::gate && stage != Stage::final) return 5.0;
                  return config == kB ? 100.0 : config == kC ? 103.0 : 110.0;
                },
                .settle_s = 0.2};
  const auto meets_it = [&] {
    const std::vector<Trial> trials = finals_of(spec, finalists).events.trials;
    return std::any_of(trials.begin(), trials.end(),
                       [&](const Trial& trial) { return trial.config == third && trial.data.seed == 1234; });
  };
  for (const double throttle : {0.0, 0.2})
    for (const bool tells_clock : {false, true}) {
      spec.throttle = throttle;
      spec.tells_clock = tells_clock;
      EXPECT_EQ(meets_it(), throttle > 0 || !tells_clock) << throttle << tells_clock;
    }
}

// What the finals' rounds cannot tell from the default may lead it by far under lasting load.
TEST(Finals, TheFastestMeetsTheDefaultUnderLastingLoadThoughTheyTied) {
  const auto time_us = [](Stage, const StageConfig& config) -> std::optional<double> {
    return config == kB ? 100.0 : 100.2;
  };
  FakeSpec spec{.time_us = time_us, .throttle = 0.2, .settle_s = 0.2};
  for (const bool is_hungry : {true, false}) {
    spec.power = [&](const PipelineConfig& config) { return is_hungry && config == merged(kA, kA) ? 1.25 : 1; };
    for (const std::optional<double> seconds : {std::optional<double>{}, std::optional<double>{3.0}}) {
      const Held run = finals_of(spec, kDefaultAndB, seconds);
      ASSERT_EQ(run.result.best.size(), 1u);
      EXPECT_EQ(run.result.best[0].config, is_hungry ? merged(kB, kB) : merged(kA, kA)) << seconds.value_or(0);
      ASSERT_TRUE(run.result.best[0].choice);
      EXPECT_EQ(run.result.best[0].choice->ties.size(), is_hungry ? 0u : 1u);
    }
  }
}

TEST(Finals, ReplaysAreReportedBeforeAPowerLimitSlowsThem) {
  const FakeSpec spec{.time_us = small_bowl(), .throttle = 0.15, .settle_s = 0.2};
  const Held lasting = finals_of(spec, kDefaultsAlone);
  const Held replays = finals_of(spec, kDefaultsAlone, std::nullopt, {.load = LoadState::replays});
  ASSERT_EQ(replays.result.best.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const Best &best = replays.result.best[i], &slowed = lasting.result.best[i];
    EXPECT_EQ(best.timing.load, LoadState::replays);
    EXPECT_LT(best.time.median_us, 0.93 * slowed.time.median_us);
    EXPECT_GT(best.time.median_us, slowed.time.median_us / 1.15);
    EXPECT_EQ(best.time.n, 9 * 200);
    ASSERT_TRUE(best.burst);
    EXPECT_NEAR(best.burst->median_us, slowed.burst->median_us, 1);
  }
}

// What draws more than the limit allows is slower by itself, but only once it has run for a while.
TEST(Finals, ReplaysDecideWhereTheyAreReported) {
  const PipelineConfig standard = merged(kA, kA), hungry = merged(kB, kB);
  FakeSpec spec{.time_us = gemms_taking(1000, 1020), .throttle = 0.2, .settle_s = 0.2};
  spec.power = [&](const PipelineConfig& config) { return config == hungry ? 1.5 : 1; };
  for (const LoadState load : kLoadStates) {
    const Held run = finals_of(spec, kDefaultAndB, std::nullopt, {.load = load});
    ASSERT_EQ(run.result.best.size(), 1u);
    EXPECT_EQ(run.result.best[0].config, load == LoadState::replays ? hungry : standard);
  }
}

// One is slowed down half way through its visits, the other later: a lead in every visit as a whole.
TEST(Finals, ReplaysAreToldApartThoughTheirClockFallsMeanwhile) {
  const PipelineConfig standard = merged(kA, kA), hungry = merged(kB, kB);
  FakeSpec spec{.time_us = gemms_taking(1000, 1090), .throttle = 0.3, .settle_s = 0.1};
  spec.power = [&](const PipelineConfig& config) { return config == hungry ? 1.3 : 1; };
  for (const double seconds : {4.0, 6.0}) {
    const Held run = finals_of(spec, kDefaultAndB, seconds, {.load = LoadState::replays, .routing_draws = 3});
    ASSERT_EQ(run.result.best.size(), 1u);
    EXPECT_EQ(run.result.best[0].config, hungry) << seconds;
  }
}

TEST(Finals, OfReplaysThereAreFewerRoundsWhereTimeIsShort) {
  const FakeSpec spec{.time_us = small_bowl(), .noise = 0.02, .compile_s = 0, .throttle = 0.15, .settle_s = 0.2};
  for (const double seconds : {0.3, 2.0, 20.0}) {
    const Held run = finals_of(spec, kDefaultsAlone, seconds, {.load = LoadState::replays, .routing_draws = 3});
    if (seconds > 1) {
      EXPECT_LE(run.seconds, 1.1 * seconds);
    }
    for (const Best& best : run.result.best) EXPECT_EQ(best.time.n, 200 * (seconds > 5 ? 9 : 3)) << seconds;
  }
}

TEST(Finals, WithoutAPowerLimitThereAreNoBursts) {
  for (const Best& best : finals_of({.time_us = small_bowl()}, kDefaultsAlone).result.best) EXPECT_FALSE(best.burst);
}

TEST(Finals, KeepToTheirTimeAndLeaveOutBurstsFirst) {
  const FakeSpec spec{.time_us = small_bowl(), .noise = 0.02, .compile_s = 0, .throttle = 0.15, .settle_s = 0.2};
  for (const double seconds : {0.5, 2.0, 20.0}) {
    const Held run = finals_of(spec, kDefaultsAlone, seconds);
    EXPECT_LE(run.seconds, 1.1 * seconds);
    for (const Best& best : run.result.best) {
      EXPECT_EQ(best.burst.has_value(), seconds > 5) << seconds;
      EXPECT_EQ(best.stage_times.size(), stages_of(best.config.impl).size());
    }
  }
}

TEST(Finals, WhatIsWrongOnFreshDataGivesWayToTheNext) {
  FakeSpec spec{.time_us = small_bowl()};
  spec.faults = {{{Stage::gate, kB}, Fault::wrong_on_other_data}};
  const Held run = finals_of(
      spec,
      {{Impl::merged,
        {{.config = merged(kA, kA), .is_default = true}, {.config = merged(kB, kC)}, {.config = merged(kA, kC)}}}});
  ASSERT_EQ(run.result.best.size(), 1u);
  EXPECT_EQ(run.result.best[0].config, merged(kA, kC));
  bool reported = false;
  for (const Trial& trial : run.events.trials)
    reported =
        reported || (trial.outcome == Outcome::incorrect && trial.config == merged(kB, kC) && trial.data.seed == 1234);
  EXPECT_TRUE(reported);
}

TEST(Finals, AnImplementationWhoseFinalistsAllFailHasNoBestAndAReason) {
  FakeSpec spec{.time_us = small_bowl()};
  spec.faults = {{{Stage::gate, kB}, Fault::nan_output}};
  const Held run = finals_of(spec, {{Impl::three_kernel, {{.config = three_kernel(kA, kA), .is_default = true}}},
                                    {Impl::merged, {{.config = merged(kB, kA), .is_default = true}}}});
  ASSERT_EQ(run.result.best.size(), 1u);
  EXPECT_EQ(run.result.best[0].config.impl, Impl::three_kernel);
  EXPECT_EQ(run.result.failures.at(Impl::merged).size(), 1u);
}

}  // namespace
}  // namespace moetune

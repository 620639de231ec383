#include "search/stage_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "search/tuning.h"

namespace moetune {
namespace {

struct Searched {
  StageResult result;
  Recorder events;
  std::size_t trials = 0;
  double seconds = 0;
};

Searched search(FakeSpec spec, std::string_view strategy_name, std::optional<std::size_t> trials,
                std::optional<double> seconds = std::nullopt) {
  Searched searched;
  FakeDevice device(std::move(spec));
  const Problem problem = small_problem();
  const TuneOptions options = fake_options(device);
  Workbench bench(device, problem, {Impl::merged}, options, searched.events, 0);
  const StageSpace space = fake_stage_space(Stage::gate);
  const Defaults host{.working = {{.engine = "fake",
                                   .config = merged(fake_config(32, 32, 4), fake_config(32, 32, 4)),
                                   .median_us = 300}},
                      .failures = {}};
  const auto strategy = find_strategy(strategy_name).make(space, 1);
  std::optional<double> deadline;
  const double start = device.seconds();
  if (seconds) deadline = device.seconds() + *seconds;
  Meter meter(trials, deadline, 0.05, options.clock);
  searched.result = search_stage(bench, Stage::gate, space, host, *strategy, meter, 10);
  searched.trials = meter.trials();
  searched.seconds = device.seconds() - start;
  return searched;
}

TEST(SearchStage, FindsTheOptimumThroughNoise) {
  for (const std::string_view strategy : {"exhaustive", "halving"}) {
    const Searched searched = search({.time_us = small_bowl(), .noise = 0.01}, strategy, 100);
    const StageSpace space = fake_stage_space(Stage::gate);
    EXPECT_EQ(space.configs[searched.result.board.ranked().front()], best_config(Stage::gate)) << strategy;
  }
}

TEST(SearchStage, EveryAttemptIsATrialWithItsOutcome) {
  FakeSpec spec{.time_us = small_bowl()};
  spec.faults = {{{Stage::gate, fake_config(16, 16, 1)}, Fault::compile_error},
                 {{Stage::gate, fake_config(64, 64, 2)}, Fault::wrong_result},
                 {{Stage::gate, fake_config(64, 64, 1)}, Fault::nan_time},
                 {{Stage::gate, fake_config(64, 64, 8)}, Fault::timeout}};
  const Searched searched = search(spec, "exhaustive", 1000);
  EXPECT_EQ(searched.events.trials.size(), 66u);
  std::map<Outcome, int> outcomes;
  for (const Trial& trial : searched.events.trials) {
    ++outcomes[trial.outcome];
    EXPECT_EQ(trial.stage, Stage::gate);
    EXPECT_EQ(trial.time.has_value(), trial.outcome == Outcome::ok);
    EXPECT_EQ(trial.reason.empty(), trial.outcome == Outcome::ok);
    EXPECT_TRUE(!trial.time || trial.verdict->passed);
  }
  EXPECT_EQ(outcomes, (std::map<Outcome, int>{{Outcome::ok, 62},
                                              {Outcome::compile_error, 1},
                                              {Outcome::incorrect, 1},
                                              {Outcome::runtime_error, 1},
                                              {Outcome::timeout, 1}}));
  EXPECT_FALSE(searched.result.device_lost);
  for (const auto& [key, fault] : spec.faults)
    for (const std::size_t candidate : searched.result.board.ranked())
      EXPECT_NE(fake_stage_space(Stage::gate).configs[candidate], key.second);
}

TEST(SearchStage, KeepsToANumberOfTrials) {
  for (const std::size_t limit : {1u, 7u, 20u})
    for (const StrategyRow& row : strategies())
      EXPECT_EQ(search({.time_us = small_bowl()}, row.name, limit).trials, limit);
}

TEST(SearchStage, KeepsToItsTime) {
  // Compilation is 30 ms a config and comes in batches of at most 16.
  const Searched searched = search({.time_us = small_bowl()}, "exhaustive", std::nullopt, 1.0);
  EXPECT_GT(searched.trials, 10u);
  EXPECT_LT(searched.trials, 45u);
}

TEST(SearchStage, CompilesNoMoreThanItWillMeasure) {
  // The whole batch of 64 would take 6.4 s to compile.
  const Searched searched = search({.time_us = small_bowl(), .compile_s = 0.1}, "exhaustive", std::nullopt, 2.5);
  EXPECT_GE(searched.trials, 16u);
  EXPECT_LT(searched.seconds, 2.5 + 8 * 0.1);
}

TEST(SearchStage, EndsWithTheDevice) {
  FakeSpec spec{.time_us = small_bowl()};
  spec.faults = {{{Stage::gate, fake_config(16, 32, 2)}, Fault::sticky_fault}};
  const Searched searched = search(spec, "exhaustive", 1000);
  EXPECT_TRUE(searched.result.device_lost);
  EXPECT_LT(searched.trials, 20u);
  EXPECT_EQ(searched.events.trials.back().outcome, Outcome::runtime_error);
}

TEST(SearchStage, ReportsProgressTowardsWhatIsExpected) {
  const Searched searched = search({.time_us = small_bowl()}, "halving", 48);
  ASSERT_FALSE(searched.events.progress.empty());
  for (const TuneProgress& step : searched.events.progress) {
    EXPECT_EQ(step.phase, "gate");
    EXPECT_EQ(step.expected, 48u + 10u);
  }
  EXPECT_EQ(searched.events.progress.back().best_label, to_label(best_config(Stage::gate)));
}

/// Knows what it has compiled.
class KnowsCompiled final : public CompilingDevice {
 public:
  using CompilingDevice::CompilingDevice;
  void prepare(const Problem&, std::span<const std::pair<Stage, StageConfig>> configs,
               const std::function<void()>&) override {
    const std::lock_guard lock(mutex);
    prepared.insert(configs.begin(), configs.end());
  }
  std::mutex mutex;
  std::set<std::pair<Stage, StageConfig>> prepared;
};

TEST(SearchStage, WhatIsLikelyToComeIsCompiledBesideMeasuring) {
  KnowsCompiled device(FakeSpec{.time_us = small_bowl()});
  const Problem problem = small_problem();
  const TuneOptions options = fake_options(device);
  const StageSpace space = fake_stage_space(Stage::gate);
  const PipelineConfig host = merged(fake_config(32, 32, 4), fake_config(32, 32, 4));
  const Defaults defaults{.working = {{.engine = "fake", .config = host, .median_us = 300}}, .failures = {}};
  const std::vector<PipelineConfig> comes_next{merged(fake_config(16, 16, 1), fake_config(64, 64, 8))};
  Recorder events;
  {
    Workbench bench(device, problem, {Impl::merged}, options, events, 0);
    const auto strategy = make_halving(space, 1);
    Meter meter(24, std::nullopt, 0.05, options.clock);
    search_stage(bench, Stage::gate, space, defaults, *strategy, meter, 0, comes_next);
  }
  EXPECT_TRUE(device.prepared.contains({Stage::final, comes_next[0].stages.at(Stage::final)})) << "beside the races";
  std::set<StageConfig> tried, compiled;
  for (const Trial& trial : events.trials) tried.insert(trial.config.stages.at(Stage::gate));
  for (const auto& [stage, config] : device.prepared)
    if (stage == Stage::gate) compiled.insert(config);
  EXPECT_TRUE(std::includes(compiled.begin(), compiled.end(), tried.begin(), tried.end()));
  EXPECT_GT(compiled.size(), tried.size()) << "some of what was foreseen did not come";
  EXPECT_LE(compiled.size(), 2 * tried.size());
}

}  // namespace
}  // namespace moetune

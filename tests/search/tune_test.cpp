#include "search/tune.h"

#include <gtest/gtest.h>

#include <set>

#include <cmath>

#include "base/error.h"
#include "search/tuning.h"

namespace moetune {
namespace {

struct Tuned {
  std::vector<Best> best;
  Recorder events;
  double seconds = 0;
  std::vector<FakeDevice::Visit> visits;

  const Best& of(Impl impl) const {
    for (const Best& each : best)
      if (each.config.impl == impl) return each;
    throw std::runtime_error("no best config of " + std::string(to_string(impl)));
  }
};

using Change = std::function<void(TuneOptions&)>;

Tuned tune(
    FakeSpec spec, const Change& change = [](TuneOptions&) {}) {
  Tuned tuned;
  FakeDevice device(std::move(spec));
  TuneOptions options = fake_options(device);
  options.ceilings = device.measure_ceilings();
  change(options);
  tuned.best = tune_problem(device, small_problem(), options, tuned.events);
  tuned.seconds = device.seconds();
  tuned.visits = device.visits();
  return tuned;
}

Change budget(const char* text) {
  return [=](TuneOptions& options) { options.budget = parse_budget(text); };
}

double model_us(const TimeModel& model, const PipelineConfig& config) {
  double us = 0;
  for (const Stage stage : stages_of(config.impl))
    us += model(stage, config.stages.contains(stage) ? config.stages.at(stage) : StageConfig{}).value();
  return us;
}

const PipelineConfig kOptimum3 = three_kernel(best_config(Stage::gemm1), best_config(Stage::final));
const PipelineConfig kOptimum2 = merged(best_config(Stage::gate), best_config(Stage::final));
const StageConfig kDefault = fake_config(32, 32, 4);

class TuneWithStrategy : public testing::TestWithParam<const char*> {};

TEST_P(TuneWithStrategy, FindsTheOptimum) {
  const Tuned tuned =
      tune({.time_us = small_bowl(), .noise = 0.005}, [](TuneOptions& options) { options.strategy = GetParam(); });
  EXPECT_EQ(tuned.of(Impl::three_kernel).config, kOptimum3);
  EXPECT_EQ(tuned.of(Impl::merged).config, kOptimum2);
  // 100 + 100 + 15 µs against 100 + 100 + 10 µs.
  const Ratio ratio = tuned.of(Impl::merged).versus_three_kernel.value();
  EXPECT_LE(ratio.low, 215.0 / 210);
  EXPECT_GE(ratio.high, 215.0 / 210);
  EXPECT_TRUE(tuned.events.failures.empty());
}

INSTANTIATE_TEST_SUITE_P(All, TuneWithStrategy,
                         testing::Values("halving", "model", "local", "anneal", "random", "exhaustive"));

TEST(Tune, WithTheDefaultBudgetComesWithinFivePercent) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Tuned tuned = tune({.time_us = small_bowl(), .noise = 0.01, .seed = seed}, [&](TuneOptions& options) {
      options.budget.reset();
      options.seed = seed;
    });
    EXPECT_LE(model_us(small_bowl(), tuned.of(Impl::merged).config), 1.05 * 210) << seed;
    EXPECT_LE(model_us(small_bowl(), tuned.of(Impl::three_kernel).config), 1.05 * 215) << seed;
    EXPECT_LT(tuned.seconds, 10) << seed;
  }
}

TEST(Tune, TheSameSeedGivesTheSameAnswerToTheLastBit) {
  const FakeSpec spec{.time_us = small_bowl(), .noise = 0.03};
  const Tuned first = tune(spec, budget("40evals")), second = tune(spec, budget("40evals"));
  EXPECT_EQ(first.best, second.best);
  EXPECT_EQ(first.events.trials, second.events.trials);
}

TEST(Tune, AWrongConfigNeverWinsHoweverFast) {
  for (const Fault fault :
       {Fault::wrong_result, Fault::nan_output, Fault::unwritten, Fault::unrepeatable, Fault::nan_time,
        Fault::compile_error, Fault::launch_error, Fault::timeout, Fault::wrong_on_other_data}) {
    FakeSpec spec{.time_us = small_bowl(), .noise = 0.005};
    for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final})
      spec.faults[{stage, best_config(stage)}] = fault;
    const Tuned tuned = tune(spec);
    ASSERT_EQ(tuned.best.size(), 2u) << static_cast<int>(fault);
    for (const Best& best : tuned.best) {
      for (const auto& [stage, config] : best.config.stages)
        EXPECT_NE(config, best_config(stage)) << static_cast<int>(fault);
      EXPECT_TRUE(best.verdict.passed);
      EXPECT_TRUE(std::isfinite(best.time.median_us));
    }
    std::size_t failed = 0;
    for (const Trial& trial : tuned.events.trials) failed += trial.outcome != Outcome::ok;
    EXPECT_GE(failed, 1u) << static_cast<int>(fault);
  }
}

TEST(Tune, NothingIsTimedThatDidNotPass) {
  FakeSpec spec{.time_us = small_bowl()};
  spec.faults = {{{Stage::gate, best_config(Stage::gate)}, Fault::wrong_result}};
  for (const FakeDevice::Visit& visit : tune(spec).visits)
    EXPECT_TRUE(!visit.config.stages.contains(Stage::gate) ||
                visit.config.stages.at(Stage::gate) != best_config(Stage::gate));
}

TEST(Tune, AStageWithoutAWorkingConfigIsReportedAndTheOtherImplementationGoesOn) {
  FakeSpec spec{.time_us = small_bowl()};
  for (const StageConfig& config : fake_stage_space(Stage::gate).configs)
    spec.faults[{Stage::gate, config}] = Fault::compile_error;
  const Tuned tuned = tune(spec);
  ASSERT_EQ(tuned.best.size(), 1u);
  EXPECT_EQ(tuned.best[0].config, kOptimum3);
  ASSERT_TRUE(tuned.events.failures.contains(Impl::merged));
  EXPECT_NE(tuned.events.failures.at(Impl::merged).find("compile_error: planted"), std::string::npos);
}

TEST(Tune, AStageWithoutALegalConfigIsReportedWithTheReason) {
  const Tuned tuned = tune({.time_us = small_bowl()}, [](TuneOptions& options) {
    SearchSpace space = fake_search_space();
    restrict_axis(space, "BLOCK_SIZE_M=128");
    restrict_axis(space, "BLOCK_SIZE_N=256");
    options.stage_spaces[{Stage::gate, "fake"}] = space;
  });
  ASSERT_EQ(tuned.best.size(), 1u);
  EXPECT_NE(tuned.events.failures.at(Impl::merged).find("gate has no legal config: a tile has more than"),
            std::string::npos);
}

TEST(Tune, ALostDeviceIsReportedForBoth) {
  FakeSpec spec{.time_us = small_bowl()};
  spec.faults = {{{Stage::gemm1, best_config(Stage::gemm1)}, Fault::sticky_fault}};
  const Tuned tuned = tune(spec);
  EXPECT_TRUE(tuned.best.empty());
  EXPECT_EQ(tuned.events.failures.size(), 2u);
  EXPECT_NE(tuned.events.failures.at(Impl::merged).find("illegal address"), std::string::npos);
}

TEST(Tune, TheFinalStageIsSearchedOnceForBoth) {
  const Tuned tuned = tune({.time_us = small_bowl()}, budget("60evals"));
  const std::size_t n = tuned.events.count(Trial::Phase::screen, Stage::final);
  EXPECT_EQ(tuned.events.count(Trial::Phase::screen, Stage::gemm1), n);
  EXPECT_EQ(tuned.events.count(Trial::Phase::screen, Stage::gate), n);
  EXPECT_EQ(n, 20u);
  EXPECT_EQ(tuned.of(Impl::merged).config.stages.at(Stage::final),
            tuned.of(Impl::three_kernel).config.stages.at(Stage::final));
}

TEST(Tune, KeepsToABudgetInSeconds) {
  // The default of 2 s of simulated time a problem pays 30 ms for each compilation.
  for (const char* text : {"3s", "10s"}) {
    const Tuned tuned = tune({.time_us = small_bowl(), .noise = 0.02}, budget(text));
    EXPECT_EQ(tuned.best.size(), 2u);
    EXPECT_LE(tuned.seconds, 1.15 * parse_budget(text).value) << text;
  }
}

TEST(Tune, EveryStageIsSearchedHoweverLongTheOnesBeforeItTook) {
  const Tuned tuned = tune({.time_us = small_bowl(), .compile_s = 0.2}, budget("4s"));
  std::map<Stage, int> trials;
  for (const Trial& trial : tuned.events.trials)
    if (trial.stage) ++trials[*trial.stage];
  for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final}) EXPECT_GE(trials[stage], 3) << to_string(stage);
}

TEST(Tune, TheSecondGemmIsTimedWithTheSumThatFollows) {
  const Tuned tuned = tune({.time_us = small_bowl()}, budget("60evals"));
  std::map<Stage, int> timed;
  for (const Trial& trial : tuned.events.trials) {
    if (!trial.stage || !trial.time) continue;
    ++timed[*trial.stage];
    const double sum = trial.stage == Stage::final ? *small_bowl()(Stage::combine, {}) : 0;
    const double alone = *small_bowl()(*trial.stage, trial.config.stages.at(*trial.stage));
    EXPECT_NEAR(trial.time->median_us, alone + sum, 1e-6 * alone);
  }
  EXPECT_EQ(timed.size(), 3u);
}

TEST(Tune, KeepsToABudgetInSecondsWhereLoadHasToSettle) {
  for (const char* text : {"4s", "10s", "30s"}) {
    const Tuned tuned = tune({.time_us = small_bowl(), .noise = 0.02, .throttle = 0.15, .settle_s = 0.2}, budget(text));
    EXPECT_EQ(tuned.best.size(), 2u);
    EXPECT_LE(tuned.seconds, 1.15 * parse_budget(text).value) << text;
    for (const Best& best : tuned.best)
      EXPECT_NEAR(best.time.median_us, 1.15 * model_us(small_bowl(), best.config), 0.03 * best.time.median_us) << text;
  }
}

TEST(Tune, EvenWithoutTimeThereIsAnAnswer) {
  const Tuned tuned = tune({.time_us = small_bowl()}, [](TuneOptions& options) {
    options.budget = Budget{.kind = Budget::Kind::seconds, .value = 0};
  });
  ASSERT_EQ(tuned.best.size(), 2u);
  EXPECT_EQ(tuned.of(Impl::merged).config, merged(kDefault, kDefault));
}

TEST(Tune, AShareIsOfTheLegalConfigs) {
  const Tuned tuned = tune({.time_us = small_bowl()}, budget("20%"));
  EXPECT_EQ(tuned.events.count(Trial::Phase::screen, Stage::gate), 14u);  // of 66
  EXPECT_EQ(tuned.events.plan.stages.size(), 3u);
  EXPECT_EQ(tuned.events.plan.stages[1].legal, 66u);
  EXPECT_EQ(tuned.events.plan.stages[1].trials, 14u);
}

TEST(Tune, ExhaustivelyMeansEveryLegalConfigOnceWithoutABudget) {
  FakeDevice device({.time_us = small_bowl()});
  TuneOptions options = fake_options(device);
  options.strategy = "exhaustive";
  options.budget.reset();
  Recorder events;
  tune_problem(device, small_problem(), options, events);
  for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final}) {
    std::set<StageConfig> tried;
    for (const Trial& trial : events.trials)
      if (trial.phase == Trial::Phase::screen && trial.stage == stage) tried.insert(trial.config.stages.at(stage));
    EXPECT_EQ(tried.size(), 66u);
    EXPECT_EQ(events.count(Trial::Phase::screen, stage), 66u);
  }
}

TEST(Tune, BeginsWithWarmConfigsAndStillHasTheEnginesGuessForADefault) {
  FakeDevice device({.time_us = small_bowl()});
  TuneOptions options = fake_options(device);
  options.budget = parse_budget("1evals");
  options.impls = {Impl::merged};
  for (const Stage stage : {Stage::gate, Stage::final})
    options.warm_start.push_back({.config = best_config(stage), .stages = {stage}, .M = 1, .problem = {}});
  options.warm_start.push_back({.config = fake_config(256, 256, 4), .stages = {Stage::gate}, .M = 1, .problem = {}});
  Recorder events;
  tune_problem(device, small_problem(), options, events);
  EXPECT_EQ(events.trials.front().config, merged(kDefault, kDefault));  // before the search
  std::vector<StageConfig> searched;
  for (const Trial& trial : events.trials)
    if (trial.phase == Trial::Phase::screen && trial.stage == Stage::final)
      searched.push_back(trial.config.stages.at(Stage::final));
  EXPECT_EQ(searched, std::vector{best_config(Stage::final)});
  EXPECT_EQ(events.plan.stages.front().passed_over.size(), 1u);
}

TEST(Tune, TheEffortSaysHowManyTrials) {
  for (const Effort& effort : {kQuickEffort, kNormalEffort}) {
    FakeDevice device({.time_us = small_bowl()});
    TuneOptions options = fake_options(device);
    options.budget.reset();
    options.effort = parse_effort(effort.name);
    Recorder events;
    tune_problem(device, small_problem(), options, events);
    EXPECT_LE(events.count(Trial::Phase::screen, Stage::gate), effort.trials);
    EXPECT_GE(events.count(Trial::Phase::screen, Stage::gate),
              effort.trials - 4);  // the last races take what they need
  }
  EXPECT_THROW(parse_effort("heroic"), Error);
}

TEST(Tune, IsNeverSlowerThanTheDefaultBeyondTheNoise) {
  // All alike but for noise that hides the little there is.
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const TimeModel model = bowl(
        {{Stage::gemm1, kDefault.config}, {Stage::gate, kDefault.config}, {Stage::final, kDefault.config}}, 100, 0.002);
    const Tuned tuned = tune({.time_us = model, .noise = 0.03, .seed = seed}, budget("60evals"));
    for (const Best& best : tuned.best) {
      PipelineConfig usual = best.config;
      for (auto& [stage, config] : usual.stages) config = kDefault;
      EXPECT_LE(model_us(model, best.config), 1.01 * model_us(model, usual)) << seed;
    }
  }
}

TEST(Tune, TheDefaultTakesPartInTheFinals) {
  const Tuned tuned = tune({.time_us = small_bowl()}, budget("40evals"));
  for (const PipelineConfig& usual : {merged(kDefault, kDefault), three_kernel(kDefault, kDefault)}) {
    std::size_t finals = 0;
    for (const Trial& trial : tuned.events.trials)
      finals += trial.phase == Trial::Phase::final && trial.config == usual;
    EXPECT_EQ(finals, 2u);  // on the data of the search, and on fresh data
  }
}

TEST(Tune, WinnersAreVerifiedAndTimedOnFreshData) {
  const Tuned tuned = tune({.time_us = small_bowl()}, budget("40evals"));
  for (const Best& best : tuned.best) {
    EXPECT_NE(best.data.seed, 1u);
    bool found = false;
    for (const Trial& trial : tuned.events.trials)
      found = found || (trial.config == best.config && trial.data == best.data && trial.time == best.time &&
                        trial.verdict->passed);
    EXPECT_TRUE(found);
  }
}

TEST(Tune, APinnedStageKeepsItsConfig) {
  const StageConfig pinned = fake_config(64, 64, 2);
  const Tuned tuned =
      tune({.time_us = small_bowl()}, [&](TuneOptions& options) { options.pinned[Stage::gate] = pinned; });
  EXPECT_EQ(tuned.of(Impl::merged).config, merged(pinned, best_config(Stage::final)));
  EXPECT_EQ(tuned.of(Impl::three_kernel).config, kOptimum3);
  EXPECT_EQ(tuned.events.count(Trial::Phase::screen, Stage::gate), 0u);
}

TEST(Tune, APinnedConfigThatIsNotLegalIsReported) {
  const Tuned tuned = tune({.time_us = small_bowl()}, [](TuneOptions& options) {
    options.pinned[Stage::gate] = fake_config(128, 256, 4);
    options.pinned[Stage::gemm1] = {.engine = "mma", .config = {}};
  });
  EXPECT_TRUE(tuned.best.empty());
  EXPECT_NE(tuned.events.failures.at(Impl::merged).find("more than"), std::string::npos);
  EXPECT_NE(tuned.events.failures.at(Impl::three_kernel).find("engine mma"), std::string::npos);
}

TEST(Tune, OneImplementationAloneIsSearchedAlone) {
  const Tuned tuned = tune({.time_us = small_bowl()}, [](TuneOptions& options) { options.impls = {Impl::merged}; });
  ASSERT_EQ(tuned.best.size(), 1u);
  EXPECT_EQ(tuned.best[0].config, kOptimum2);
  EXPECT_FALSE(tuned.best[0].versus_three_kernel);
  EXPECT_EQ(tuned.events.count(Trial::Phase::screen, Stage::gemm1), 0u);
}

TEST(Tune, WithoutASearchSpaceTriesTheEnginesGuesses) {
  const Tuned tuned = tune({.time_us = small_bowl()}, [](TuneOptions& options) { options.spaces.clear(); });
  EXPECT_EQ(tuned.best.size(), 2u);
  EXPECT_GT(tuned.events.plan.stages[0].legal, 3u);  // the product of the guesses' values
}

TEST(Tune, StopsWhenAskedAndReturnsNothingHalfDone) {
  for (const std::size_t after : {0u, 1u, 10u, 40u}) {
    Recorder events;
    FakeDevice device({.time_us = small_bowl()});
    TuneOptions options = fake_options(device);
    events.stop = [&] { return events.trials.size() >= after; };
    EXPECT_TRUE(tune_problem(device, small_problem(), options, events).empty());
    EXPECT_LE(events.trials.size(), after + 12);
    EXPECT_TRUE(events.failures.empty());
  }
}

TEST(Tune, ProgressEndsWhereItExpectedTo) {
  const Tuned tuned = tune({.time_us = small_bowl()}, budget("60evals"));
  const auto& progress = tuned.events.progress;
  ASSERT_FALSE(progress.empty());
  EXPECT_EQ(progress.back().done, progress.back().expected);
  EXPECT_EQ(progress.back().phase, "stages alone");
  for (std::size_t i = 1; i < progress.size(); ++i) EXPECT_GE(progress[i].done, progress[i - 1].done);
}

TEST(Tune, AnUnknownStrategyIsAnError) {
  EXPECT_THROW(tune({.time_us = small_bowl()}, [](TuneOptions& options) { options.strategy = "luck"; }), Error);
}

}  // namespace
}  // namespace moetune

#include "search/memory.h"

#include <gtest/gtest.h>

#include <cmath>

#include "search/tuning.h"

namespace moetune {
namespace {

Trial trial(int rung, double us) {
  Trial made{.problem = small_problem(),
             .phase = Trial::Phase::screen,
             .stage = Stage::gate,
             .rung = rung,
             .config = merged(fake_config(32, 32, 4), fake_config(64, 64, 4)),
             .outcome = Outcome::ok,
             .time = summarise(std::vector<double>{us, us, us})};
  made.time->stopped_by = "cap";
  return made;
}

TEST(Memory, KnowsWhatWasAttemptedAndNothingElse) {
  const std::vector<Trial> trials{trial(0, 7), trial(1, 8)};
  const Memory memory(trials);
  EXPECT_EQ(*memory.find(trial(0, 0)), trials[0]);
  EXPECT_EQ(*memory.find(trial(1, 0)), trials[1]);
  for (const auto& change : std::vector<std::function<void(Trial&)>>{
           [](Trial& asked) { asked.rung = 2; }, [](Trial& asked) { asked.phase = Trial::Phase::final; },
           [](Trial& asked) { asked.stage = Stage::final; }, [](Trial& asked) { asked.stage.reset(); },
           [](Trial& asked) { asked.data.seed = 2; }, [](Trial& asked) { asked.timing.cache = CacheState::warm; },
           [](Trial& asked) { asked.timing.load = LoadState::replays; },
           [](Trial& asked) { asked.config.stages[Stage::final] = fake_config(16, 64, 2); }}) {
    Trial asked = trial(0, 0);
    change(asked);
    EXPECT_EQ(memory.find(asked), nullptr);
  }
  EXPECT_EQ(Memory().find(trial(0, 0)), nullptr);
}

TEST(Memory, TheLastOfTheSameCounts) {
  const std::vector<Trial> trials{trial(0, 7), trial(0, 9)};
  EXPECT_EQ(Memory(trials).find(trial(0, 0))->time->median_us, 9);
}

TEST(Memory, WhatAnInterruptionEndedIsNotKnown) {
  Trial cut = trial(0, 7), unborn = trial(1, 7);
  cut.time->stopped_by = "interrupted";
  unborn.outcome = Outcome::skipped;
  const Memory memory(std::vector{cut, unborn});
  EXPECT_EQ(memory.find(cut), nullptr);
  EXPECT_EQ(memory.find(unborn), nullptr);
}

/// Ups and downs, so that what is found depends on the way there; no two configs alike.
TimeModel rugged() {
  return [smooth = small_bowl()](Stage stage, const StageConfig& config) -> std::optional<double> {
    const double us = smooth(stage, config).value();
    if (!is_tunable(stage)) return us;
    double phase = static_cast<double>(stage);
    for (const auto& [name, value] : config.config.values()) phase = 3 * phase + std::log2(value);
    return us * (1 + 0.2 * std::sin(1.7 * phase));
  };
}

struct Tuned {
  std::vector<Best> best;
  std::vector<Trial> trials;
  std::size_t visits = 0;
};

Tuned tune(const char* strategy, const char* budget, std::vector<Trial> recorded) {
  FakeSpec spec{.time_us = rugged()};
  spec.faults = {{{Stage::gate, fake_config(64, 64, 4)}, Fault::compile_error},
                 {{Stage::final, fake_config(64, 64, 4)}, Fault::timeout},
                 {{Stage::gemm1, fake_config(32, 32, 4)}, Fault::wrong_on_other_data}};
  FakeDevice device(spec);
  TuneOptions options = fake_options(device);
  options.ceilings = device.measure_ceilings();
  options.strategy = strategy;
  options.budget = parse_budget(budget);
  options.recorded = std::move(recorded);
  Recorder events;
  Tuned result;
  result.best = tune_problem(device, small_problem(), options, events);
  result.trials = std::move(events.trials);
  result.visits = device.visits().size();
  return result;
}

TEST(Memory, ASearchResumedAfterAnyTrialEndsInTheSameBestConfigs) {
  for (const auto& [strategy, budget] :
       {std::pair{"halving", "60evals"}, std::pair{"halving", "40%"}, std::pair{"random", "30evals"}}) {
    const Tuned whole = tune(strategy, budget, {});
    ASSERT_EQ(whole.best.size(), 2u);
    for (std::size_t cut = 0; cut <= whole.trials.size(); cut += 5) {
      const std::vector<Trial> known(whole.trials.begin(), whole.trials.begin() + static_cast<std::ptrdiff_t>(cut));
      const Tuned rest = tune(strategy, budget, known);
      ASSERT_EQ(rest.best.size(), 2u) << strategy << " " << cut;
      for (std::size_t i = 0; i < 2; ++i)
        EXPECT_EQ(rest.best[i].config, whole.best[i].config) << strategy << " " << cut;
      // Only common rounds that were cut, and finals, are made again.
      EXPECT_GE(rest.trials.size() + cut, whole.trials.size());
      EXPECT_LE(rest.trials.size() + cut, whole.trials.size() + 16) << strategy << " " << cut;
      EXPECT_LE(rest.visits, whole.visits) << strategy << " " << cut;
      const Memory memory(known);
      for (const Trial& trial : rest.trials) {
        const bool alone = trial.rung == 0 && trial.phase == Trial::Phase::screen;
        EXPECT_TRUE(!alone || memory.find(trial) == nullptr) << "measured twice: " << to_label(trial.config);
      }
    }
  }
}

TEST(Memory, WhatRecordedTrialsTookCountsTowardsABudgetInSeconds) {
  const Tuned whole = tune("exhaustive", "3s", {});
  const std::vector<Trial> half(whole.trials.begin(),
                                whole.trials.begin() + static_cast<std::ptrdiff_t>(whole.trials.size() / 2));
  const Tuned rest = tune("exhaustive", "3s", half);
  EXPECT_GT(rest.trials.size(), 0u);
  // Without the time of the first half it would get far further; a batch that is compiled again is what it may lose.
  EXPECT_LE(rest.trials.size() + half.size(), whole.trials.size() + 16);
  EXPECT_GT(rest.trials.back().elapsed_s, half.back().elapsed_s);
}

TEST(Memory, AConfigThatTookItsProcessWithItIsNotTriedAgain) {
  // What whoever watches the process records in its place, wherever the search was.
  const Tuned whole = tune("halving", "60evals", {});
  for (const std::size_t at : {std::size_t{5}, whole.trials.size() / 2, whole.trials.size() - 1}) {
    std::vector<Trial> known(whole.trials.begin(), whole.trials.begin() + static_cast<std::ptrdiff_t>(at));
    Trial crash = whole.trials[at];
    crash.outcome = Outcome::runtime_error;
    crash.reason = "the process died";
    crash.time.reset();
    known.push_back(crash);
    const Tuned rest = tune("halving", "60evals", known);
    for (const Trial& trial : rest.trials) EXPECT_EQ(Memory(std::vector{crash}).find(trial), nullptr) << at;
    ASSERT_EQ(rest.best.size(), 2u) << at;
    for (const Best& best : rest.best) EXPECT_TRUE(crash.phase == Trial::Phase::screen || best.config != crash.config);
  }
}

}  // namespace
}  // namespace moetune

#include "search/replay.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "search/recordings.h"

namespace moetune {
namespace {

constexpr ReplayOptions kWhole{.budget = {.kind = Budget::Kind::share, .value = 1}, .noise = 0};

TEST(Replay, WithoutNoiseExhaustiveEndsAtTheOptimumAndPaysForAll) {
  const ReplaySpace space = fake_replay_space(Stage::gate);
  const ReplayRun run = space.run(find_strategy("exhaustive"), kWhole, 1);
  EXPECT_EQ(space.space().configs[space.optimum()], best_config(Stage::gate));
  EXPECT_EQ(run.regret, 0);
  EXPECT_EQ(run.evaluations, 66u);
  EXPECT_DOUBLE_EQ(run.seconds, 66 * 1.25);
}

TEST(Replay, TellsWhenTheLeaderCameNear) {
  const ReplaySpace space = fake_replay_space(Stage::gate);
  const std::vector<std::size_t> order = seeded_order(space.space(), std::nullopt);
  const auto place = std::find(order.begin(), order.end(), space.optimum()) - order.begin() + 1;
  const ReplayRun run = space.run(find_strategy("exhaustive"), kWhole, 1);
  EXPECT_EQ(run.within_1.evaluations, static_cast<double>(place));  // in the bowl the next best is 15 % off
  EXPECT_EQ(run.within_5.evaluations, static_cast<double>(place));
  // All of the batch had been compiled by then.
  const double batches = std::ceil(static_cast<double>(place) / 64);
  EXPECT_DOUBLE_EQ(run.within_1.seconds, std::min(66.0, batches * 64) + 0.25 * static_cast<double>(place));
}

TEST(Replay, AFewCompilationsTakeNoLessThanOne) {
  RecordedSpace recorded = record_fake_space(Stage::gate);
  recorded.compilers = 16;  // so that one alone takes 16 s
  const ReplaySpace space(recorded, {&fake_engine(), 1});
  const auto seconds = [&](const char* budget) {
    return space.run(find_strategy("exhaustive"), {.budget = parse_budget(budget), .noise = 0}, 1).seconds;
  };
  EXPECT_DOUBLE_EQ(seconds("1evals"), 16 + 0.25);
  EXPECT_DOUBLE_EQ(seconds("10evals"), 16 + 10 * 0.25);
  EXPECT_DOUBLE_EQ(seconds("20evals"), 20 + 20 * 0.25);
}

TEST(Replay, WhatFailsNeverLeadsButCosts) {
  const TimeModel only_16 = [bowl = small_bowl()](Stage stage, const StageConfig& config) {
    return !config.config.values().empty() && config.config.at("BLOCK_SIZE_M") != 16 ? std::nullopt
                                                                                     : bowl(stage, config);
  };
  const ReplaySpace space = fake_replay_space(Stage::gate, only_16);
  for (const StrategyRow& row : strategies()) {
    const ReplayRun run = space.run(row, kWhole, 1);
    EXPECT_LT(run.regret, 10) << row.name;
    EXPECT_GT(run.evaluations, 16u) << row.name;
  }
  EXPECT_THROW(fake_replay_space(Stage::gate, [](Stage, const StageConfig&) { return std::nullopt; }), Error);
}

TEST(Replay, NoiseMisleadsAsMuchAsWasRecorded) {
  const auto mean_regret = [](double half_width, double noise) {
    // All within a few per cent: noise decides.
    const ReplaySpace space = fake_replay_space(
        Stage::gate,
        [](Stage, const StageConfig& config) -> std::optional<double> {
          return config.config.values().empty() ? 5 : 100 + 0.05 * config.config.at("BLOCK_SIZE_N");
        },
        half_width);
    double sum = 0;
    for (std::uint64_t seed = 1; seed <= 50; ++seed)
      sum += space.run(find_strategy("exhaustive"), {.budget = kWhole.budget, .noise = noise}, seed).regret / 50;
    return sum;
  };
  EXPECT_EQ(mean_regret(0.05, 0), 0);
  EXPECT_LT(mean_regret(0.005, 1), 0.01);
  EXPECT_GT(mean_regret(0.05, 1), mean_regret(0.005, 1));
  EXPECT_GT(mean_regret(0.05, 3), mean_regret(0.05, 1));
}

TEST(Replay, KeepsToItsBudget) {
  const ReplaySpace space = fake_replay_space(Stage::gate);
  for (const StrategyRow& row : strategies()) {
    EXPECT_EQ(space.run(row, {.budget = parse_budget("20%")}, 1).evaluations, 14u) << row.name;
    EXPECT_EQ(space.run(row, {.budget = parse_budget("9evals")}, 1).evaluations, 9u) << row.name;
    // A batch is compiled before anything is known of what a trial takes.
    EXPECT_LT(space.run(row, {.budget = parse_budget("30s")}, 1).seconds, 30 + 66) << row.name;
    EXPECT_GT(space.run(row, {.budget = parse_budget("30s")}, 1).seconds, 15) << row.name;
  }
}

TEST(Replay, TheSameSeedGivesTheSameRunOnAnyThread) {
  const std::vector<ReplaySpace> spaces{fake_replay_space(Stage::gate), fake_replay_space(Stage::final)};
  std::vector<const StrategyRow*> rows;
  for (const StrategyRow& row : strategies()) rows.push_back(&row);
  const ReplayOptions options{.budget = parse_budget("30%")};
  const auto runs = replay(rows, spaces, options, 5);
  ASSERT_EQ(runs.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < spaces.size(); ++j)
      for (std::size_t k = 0; k < 5; ++k)
        EXPECT_EQ(runs[i][j][k], spaces[j].run(*rows[i], options, k + 1)) << rows[i]->name;
}

TEST(ReplaySummary, TakesMedianAnd95thPercentile) {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::vector<ReplayRun> runs;
  for (int i = 1; i <= 20; ++i)
    runs.push_back({.within_1 = {.evaluations = i <= 10 ? i : kNever, .seconds = 0.5 * i},
                    .within_5 = {.evaluations = 1.0 * i, .seconds = 0.1 * i},
                    .regret = 0.001 * i});
  const ReplaySummary summary = summarise(runs);
  EXPECT_EQ(summary.runs, 20u);
  EXPECT_EQ(summary.evaluations_1.median, 10);
  EXPECT_EQ(summary.evaluations_1.p95, kNever);
  EXPECT_EQ(summary.evaluations_5.p95, 19);
  EXPECT_DOUBLE_EQ(summary.regret.median, 0.010);
  EXPECT_DOUBLE_EQ(summary.within_1, 0.5);
  EXPECT_DOUBLE_EQ(summary.within_5, 1);
}

}  // namespace
}  // namespace moetune

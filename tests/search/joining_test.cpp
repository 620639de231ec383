#include "search/joining.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "search/qwen_space.h"
#include "search/tuning.h"

namespace moetune {
namespace {

const StageConfig kA = fake_config(32, 32, 4), kB = fake_config(64, 64, 4), kC = fake_config(16, 64, 2);
const StageLeaders kLeaders{{Stage::gate, {{kB, 10}, {kC, 11}, {kA, 30}}}, {Stage::final, {{kA, 20}, {kB, 25}}}};

Defaults defaults_of(const PipelineConfig& config) {
  return {.working = {{.engine = "fake", .config = config, .median_us = 300}}, .failures = {}};
}

struct Joined {
  explicit Joined(FakeSpec spec, std::vector<Trial> recorded = {}) : device(std::move(spec)) {
    options = fake_options(device);
    options.recorded = std::move(recorded);
    bench.emplace(device, problem, std::vector{Impl::merged}, options, events, 0.0);
  }
  std::vector<Finalist> join(const JoinLimits& limits, const StageLeaders& leaders = kLeaders) {
    return join_leaders(*bench, Impl::merged, defaults_of(merged(kA, kA)), leaders, limits);
  }
  FakeDevice device;
  Problem problem = small_problem();
  TuneOptions options;
  Recorder events;
  std::optional<Workbench> bench;
};

TEST(JoinLeaders, WithoutTriesTheDefaultThenTheCombinationsByTheirSums) {
  Joined with({.time_us = small_bowl()});
  EXPECT_EQ(with.join({.finalists = 3}), (std::vector<Finalist>{{.config = merged(kA, kA), .is_default = true},
                                                                {.config = merged(kB, kA)},
                                                                {.config = merged(kC, kA)},
                                                                {.config = merged(kB, kB)}}));
  EXPECT_TRUE(with.events.trials.empty());
}

// The best of the stages alone are not the best together.
TEST(JoinLeaders, WholePipelinesDecide) {
  FakeSpec spec{.time_us = small_bowl()};
  spec.overlap_us = [](const PipelineConfig& config) { return config == merged(kC, kB) ? 90.0 : 0.0; };
  Joined with(spec);
  const std::vector<Finalist> finalists = with.join({.finalists = 2, .tries = 24});
  ASSERT_EQ(finalists.size(), 3u);
  EXPECT_EQ(finalists[1].config, merged(kC, kB)) << "neither stage's leader: only the second batch has it";
  EXPECT_EQ(with.events.trials.size(), 5u) << "each of the combinations once, but for the default";
  for (const Trial& trial : with.events.trials) {
    EXPECT_EQ(trial.phase, Trial::Phase::screen);
    EXPECT_FALSE(trial.stage);
    EXPECT_GT(trial.rung, 0) << "0 is the defaults' own";
  }

  Joined again(spec, with.events.trials);
  EXPECT_EQ(again.join({.finalists = 2, .tries = 24}), finalists);
  EXPECT_TRUE(again.events.trials.empty()) << "what an earlier run made is not made again";
}

TEST(JoinLeaders, KeepsToItsTries) {
  Joined with({.time_us = small_bowl()});
  EXPECT_EQ(with.join({.finalists = 4, .tries = 5}).size(), 5u);
  EXPECT_EQ(with.events.trials.size(), 5u);
}

// Many leaders of a stage do not take all the tries: the best pair is of two of which neither is its stage's best.
TEST(JoinLeaders, FewTriesAreEnoughForTheBestWithEachOther) {
  const StageConfig kD = fake_config(128, 32, 4), kE = fake_config(16, 32, 2);
  FakeSpec spec{.time_us = small_bowl()};
  spec.overlap_us = [&](const PipelineConfig& config) {
    const bool first = config.stages.at(Stage::gate) == kC, second = config.stages.at(Stage::final) == kB;
    return (first ? 40.0 : 0.0) + (second ? 40.0 : 0.0) + (first && second ? 50.0 : 0.0);
  };
  Joined with(spec);
  const StageLeaders leaders{{Stage::gate, {{kB, 10}, {kC, 10.1}, {kA, 10.2}, {kD, 10.3}, {kE, 10.4}}},
                             {Stage::final, {{kA, 20}, {kB, 20.1}, {kC, 20.2}, {kD, 20.3}, {kE, 20.4}}}};
  const std::vector<Finalist> finalists = with.join({.finalists = 1, .tries = 9}, leaders);
  ASSERT_EQ(finalists.size(), 2u);
  EXPECT_EQ(finalists[1].config, merged(kC, kB));
  EXPECT_EQ(with.events.trials.size(), 9u);
}

// Though its gate is far behind by itself, and there are more leaders than tries.
TEST(JoinLeaders, TheDefaultsStagesAreTriedWithTheBestOthersFirst) {
  const StageConfig kD = fake_config(128, 32, 4), kE = fake_config(16, 32, 2);
  FakeSpec spec{.time_us = small_bowl()};
  spec.overlap_us = [&](const PipelineConfig& config) { return config == merged(kA, kC) ? 150.0 : 0.0; };
  Joined with(spec);
  const StageLeaders leaders{{Stage::gate, {{kB, 10}, {kC, 10.1}, {kD, 10.2}, {kE, 10.3}, {kA, 11.4}}},
                             {Stage::final, {{kB, 20}, {kC, 20.1}, {kD, 20.2}, {kA, 20.3}}}};
  const std::vector<Finalist> finalists = with.join({.finalists = 1, .tries = 8}, leaders);
  ASSERT_EQ(finalists.size(), 2u);
  EXPECT_EQ(finalists[1].config, merged(kA, kC));
  EXPECT_EQ(with.events.trials.size(), 8u);
}

TEST(JoinLeaders, WhatFailsTogetherIsNoFinalist) {
  Joined with({.time_us = small_bowl(), .faults = {{{Stage::gate, kB}, Fault::launch_error}}});
  for (const Finalist& finalist : with.join({.finalists = 4, .tries = 24}))
    EXPECT_NE(finalist.config.stages.at(Stage::gate), kB);
}

TEST(JoinLeaders, DefaultsFarBehindAreLeftOut) {
  Joined with({.time_us = small_bowl()});
  const Defaults defaults{.working = {{.engine = "a", .config = merged(kA, kA), .median_us = 400},
                                      {.engine = "b", .config = merged(kB, kB), .median_us = 200},
                                      {.engine = "c", .config = merged(kC, kC), .median_us = 300}},
                          .failures = {}};
  EXPECT_EQ(
      join_leaders(*with.bench, Impl::merged, defaults, {{Stage::gate, {{kA, 10}}}, {Stage::final, {{kB, 20}}}},
                   {.finalists = 1}),
      (std::vector<Finalist>{
          {.config = merged(kA, kA), .is_default = true}, {.config = merged(kB, kB)}, {.config = merged(kA, kB)}}))
      << "the default stays in any case";
}

TEST(JoinLeaders, OfOneStageTheyAreItsLeaders) {
  const PipelineConfig a{.impl = Impl::merged_single, .stages = {{Stage::mlp, kA}}};
  const PipelineConfig b{.impl = Impl::merged_single, .stages = {{Stage::mlp, kB}}};
  Joined with({.time_us = small_bowl()});
  EXPECT_EQ(join_leaders(*with.bench, Impl::merged_single, defaults_of(a), {{Stage::mlp, {{kB, 10}, {kA, 11}}}},
                         {.finalists = 4, .tries = 24}),
            (std::vector<Finalist>{{.config = a, .is_default = true}, {.config = b}}));
}

TEST(JoinLeaders, NoneTwice) {
  Joined with({.time_us = small_bowl()});
  EXPECT_EQ(with.join({.finalists = 4}, {{Stage::gate, {{kA, 10}}}, {Stage::final, {{kA, 20}}}}).size(), 1u);
}

TEST(PickLeaders, TheBestThenTheBestOfOtherLaunchShapes) {
  const StageSpace space = qwen_space(16, {.engine = "mma",
                                           .axes = {{"BLOCK_SIZE_M", {16}},
                                                    {"BLOCK_SIZE_N", {64, 128}},
                                                    {"BLOCK_SIZE_K", {128}},
                                                    {"GROUP_SIZE_M", {1, 4, 8, 16}},
                                                    {"num_warps", {4}},
                                                    {"num_stages", {3, 4}}}});
  Scoreboard board;
  for (std::size_t i = 0; i < space.configs.size(); ++i) {
    const Config& config = space.configs[i].config;
    const double us = 100 + (config.at("num_stages") == 4 ? 0 : 5) + (config.at("BLOCK_SIZE_N") == 64 ? 0 : 9) +
                      0.1 * config.at("GROUP_SIZE_M");
    board.add({.candidate = i, .outcome = Outcome::ok, .median_us = us});
  }
  const auto leaders = pick_leaders(space, board);
  ASSERT_EQ(leaders.size(), 6u);
  for (std::size_t i = 1; i < leaders.size(); ++i) EXPECT_LT(leaders[i - 1].second, leaders[i].second);
  for (const std::size_t i : {3u, 4u, 5u})
    EXPECT_EQ(leaders[i].first.config.at("GROUP_SIZE_M"), 1) << "of its shape only the best";

  const StageConfig& fourth = space.configs[board.ranked()[3]];
  const auto with_known = pick_leaders(space, board, {&fourth, 1});
  ASSERT_EQ(with_known.size(), 7u);
  EXPECT_EQ(with_known[3].first, fourth) << "of a shape that is there already, but known";
  const StageConfig& last = space.configs[board.ranked().back()];
  EXPECT_EQ(pick_leaders(space, board, {&last, 1}).size(), 6u) << "too far behind";
}

}  // namespace
}  // namespace moetune

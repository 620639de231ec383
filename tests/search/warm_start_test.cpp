#include "search/warm_start.h"

#include <gtest/gtest.h>

#include "search/tuning.h"

namespace moetune {
namespace {

WarmConfig warm(StageConfig config, std::int64_t M, std::vector<Stage> stages = {Stage::gate}) {
  return {.config = std::move(config), .stages = std::move(stages), .M = M, .problem = {}};
}

TEST(WarmStart, TheNearestTokensComeFirstAndNoneTwice) {
  StageSpace space = fake_stage_space(Stage::gate);
  space.problem.M = 64;
  const std::vector<WarmConfig> known{warm(fake_config(16, 16, 1), 1), warm(fake_config(64, 64, 4), 4096),
                                      warm(fake_config(32, 64, 4), 100), warm(fake_config(16, 16, 1), 32),
                                      warm(fake_config(64, 32, 2), 64, {Stage::final})};
  const WarmStart start = nearest_configs(space, known, 2);
  ASSERT_EQ(start.candidates.size(), 2u);
  EXPECT_EQ(space.configs[start.candidates[0]], fake_config(32, 64, 4));
  EXPECT_EQ(space.configs[start.candidates[1]], fake_config(16, 16, 1));
  EXPECT_TRUE(start.passed_over.empty());
}

TEST(WarmStart, WhatCannotBeChosenIsSaidWithTheReason) {
  const StageSpace space = fake_stage_space(Stage::gate);
  StageConfig other = fake_config(32, 32, 4);
  other.engine = "mma";
  const WarmStart start = nearest_configs(
      space, std::vector{warm(fake_config(256, 256, 4), 1), warm(fake_config(48, 32, 4), 1), warm(other, 1)}, 5);
  EXPECT_TRUE(start.candidates.empty());
  ASSERT_EQ(start.passed_over.size(), 3u);
  EXPECT_NE(start.passed_over[1].find("BLOCK_SIZE_M=48 is not among"), std::string::npos) << start.passed_over[1];
  EXPECT_NE(start.passed_over[2].find("engine mma is not searched"), std::string::npos);
}

TEST(WarmStart, GoesBeforeTheGuesses) {
  StageSpace space = fake_stage_space(Stage::gate);
  const std::vector<std::size_t> guesses = space.first;
  const std::vector<std::size_t> candidates{7, guesses.front()};
  begin_with(space, candidates);
  EXPECT_EQ(space.first[0], 7u);
  EXPECT_EQ(space.first[1], guesses.front());
  EXPECT_EQ(space.first.size(), guesses.size() + 1);
}

}  // namespace
}  // namespace moetune

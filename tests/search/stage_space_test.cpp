#include "search/stage_space.h"

#include <gtest/gtest.h>

#include "kernel/h200.h"
#include "kernel/wgmma.h"
#include "search/tuning.h"

namespace moetune {
namespace {

StageSpace narrowed(const std::string& axis) {
  const FakeDevice device({.time_us = small_bowl()});
  SearchSpace space = fake_search_space();
  restrict_axis(space, axis);
  return make_stage_space(small_problem(), Stage::gate, device.info(), {{.engine = &fake_engine(), .space = space}});
}

TEST(StageSpace, HoldsAllThatIsLegalAndCountsTheRest) {
  const StageSpace space = fake_stage_space(Stage::gate);
  EXPECT_EQ(space.configs.size(), 66u);
  std::size_t rejected = 0;
  for (const auto& [reason, count] : space.rejected) rejected += count;
  EXPECT_EQ(rejected, 80u - 66u);
  EXPECT_EQ(space.rejected.size(), 2u);
  for (std::size_t i = 0; i < space.configs.size(); ++i) EXPECT_EQ(space.index.at(space.configs[i]), i);
}

TEST(StageSpace, StartsFromTheEnginesGuesses) {
  const StageSpace space = fake_stage_space(Stage::gate);
  ASSERT_EQ(space.first.size(), 3u);
  EXPECT_EQ(space.configs[space.first[0]], fake_config(32, 32, 4));
  EXPECT_EQ(space.configs[space.first[1]], fake_config(64, 64, 4));
}

TEST(StageSpace, NeighboursAreLegalAndOneStepAway) {
  const StageSpace space = fake_stage_space(Stage::gate);
  const auto near = space.neighbours(space.index.at(fake_config(128, 128, 8)));
  std::vector<StageConfig> configs;
  for (const std::size_t i : near) configs.push_back(space.configs[i]);
  // 128 x 256 is too large, and 8 warps are the most.
  EXPECT_EQ(configs,
            (std::vector<StageConfig>{fake_config(64, 128, 8), fake_config(128, 64, 8), fake_config(128, 128, 4)}));
}

TEST(StageSpace, ANarrowedSpaceKeepsToItsValues) {
  const StageSpace space = narrowed("BLOCK_SIZE_M=64");
  ASSERT_EQ(space.first.size(), 1u);
  EXPECT_EQ(space.configs[space.first[0]], fake_config(64, 64, 4));
}

TEST(StageSpace, WithoutAGuessInTheSpaceTheNearestStandsIn) {
  const StageSpace space = narrowed("BLOCK_SIZE_M=128");
  ASSERT_EQ(space.first.size(), 1u);
  EXPECT_EQ(space.configs[space.first[0]], fake_config(128, 32, 4));  // the first guess but for one axis
}

TEST(StageSpace, GuessesAreFollowedByThemselvesWithUnrepeatableValuesThatTheSpaceHolds) {
  const Problem problem{.M = 4096, .K = 2048, .N1 = 1536, .N2 = 2048, .E = 128, .topk = 8};
  const Engine& engine = wgmma_swap_ab_engine();
  Config guess = engine.first_configs(Stage::final, problem, kH200).front();
  SearchSpace only{.engine = std::string(engine.name), .axes = {}, .presets = {}};
  for (const auto& [key, value] : guess.values()) only.axes.push_back({.name = key, .values = {value}});
  const auto first_of = [&] {
    std::vector<Config> first;
    const StageSpace space = make_stage_space(problem, Stage::final, kH200, {{.engine = &engine, .space = only}});
    for (const std::size_t i : space.first) first.push_back(space.configs[i].config);
    return first;
  };
  EXPECT_EQ(first_of(), std::vector<Config>{guess});
  restrict_axis(only, "fuse_combine=0,2");
  Config adding = guess;
  adding.set("fuse_combine", 2);
  EXPECT_EQ(first_of(), (std::vector<Config>{guess, adding}));
}

TEST(StageSpace, EnginesOfOtherBackendsAreLeftOut) {
  DeviceInfo cpu;
  cpu.backend = Backend::cpu;
  const StageSpace space =
      make_stage_space(small_problem(), Stage::gate, cpu, {{.engine = &fake_engine(), .space = fake_search_space()}});
  EXPECT_TRUE(space.configs.empty());
  EXPECT_TRUE(space.engines.empty());
}

}  // namespace
}  // namespace moetune

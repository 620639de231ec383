#include "search/prior.h"

#include <gtest/gtest.h>

#include "search/qwen_space.h"
#include "search/tuning.h"

namespace moetune {
namespace {

const SearchSpace kAxes{.engine = "mma",
                        .axes = {{"BLOCK_SIZE_M", {16, 128}},
                                 {"BLOCK_SIZE_N", {64, 128}},
                                 {"BLOCK_SIZE_K", {64}},
                                 {"GROUP_SIZE_M", {1}},
                                 {"num_warps", {4}},
                                 {"num_stages", {2, 4}}},
                        .presets = {}};

Prior prior_of(const StageSpace& space, int m, int n, int stages) {
  return priors(space)[space.index.at({.engine = "mma",
                                       .config = {{"BLOCK_SIZE_M", m},
                                                  {"BLOCK_SIZE_N", n},
                                                  {"BLOCK_SIZE_K", 64},
                                                  {"GROUP_SIZE_M", 1},
                                                  {"num_warps", 4},
                                                  {"num_stages", stages}}})];
}

TEST(Prior, TilesAsHighAsTheRowsThereAre) {
  const StageSpace few = qwen_space(16, kAxes), many = qwen_space(16384, kAxes);
  EXPECT_LT(prior_of(few, 16, 128, 4).us, prior_of(few, 128, 128, 4).us);
  EXPECT_LT(prior_of(many, 128, 128, 4).us, prior_of(many, 16, 128, 4).us);
  EXPECT_NEAR(prior_of(few, 128, 128, 4).rereads, 1, 1e-9);
  EXPECT_GT(prior_of(few, 128, 128, 4).padding, 50);             // one row of an expert, seldom more
  EXPECT_NEAR(prior_of(many, 128, 128, 4).padding, 1.06, 0.03);  // 1024 rows and half a tile
}

TEST(Prior, DeeperPipelinesHaveMoreOnItsWay) {
  const StageSpace space = qwen_space(16, kAxes);
  EXPECT_GT(prior_of(space, 16, 64, 4).in_flight, prior_of(space, 16, 64, 2).in_flight);
}

TEST(Prior, EnginesWithoutPlansAreAllAlike) {
  for (const Prior& prior : priors(fake_stage_space(Stage::gate))) EXPECT_EQ(prior.us, 1);
}

}  // namespace
}  // namespace moetune

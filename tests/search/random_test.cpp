#include <gtest/gtest.h>

#include "search/strategy.h"
#include "search/tuning.h"

namespace moetune {
namespace {

TEST(Random, FollowsTheSeed) {
  const StageSpace space = fake_stage_space(Stage::final);
  const Allowance allowance{.batch = 100, .left = 100, .spent = 0};
  const auto first = make_random(space, 1)->propose({}, allowance);
  EXPECT_EQ(first.size(), space.configs.size());
  EXPECT_NE(first, make_random(space, 2)->propose({}, allowance));
}

}  // namespace
}  // namespace moetune

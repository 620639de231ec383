#include "search/surrogate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "search/tuning.h"

namespace moetune {
namespace {

TEST(Surrogate, BelievesWhatItSawAndLessSoOfWhatIsFar) {
  const StageSpace space = fake_stage_space(Stage::gate);
  Surrogate surrogate(space);
  surrogate.restart(std::log(100.0));
  const std::size_t seen = space.index.at(fake_config(64, 64, 4)), near = space.index.at(fake_config(64, 64, 8)),
                    far = space.index.at(fake_config(16, 16, 1));
  const double before = surrogate.deviation(far);
  EXPECT_NEAR(surrogate.mean(seen), std::log(100.0), 1e-9);
  surrogate.observe(seen, std::log(150.0), 0.005);
  EXPECT_NEAR(surrogate.mean(seen), std::log(150.0), 0.01);
  EXPECT_LT(surrogate.deviation(seen), 0.5 * before);
  EXPECT_GT(surrogate.mean(near), surrogate.mean(far));
  EXPECT_GT(surrogate.mean(far), std::log(100.0));
  EXPECT_LT(surrogate.deviation(near), surrogate.deviation(far));
  EXPECT_LT(surrogate.deviation(far), before);
}

TEST(Surrogate, LearnsABowl) {
  const StageSpace space = fake_stage_space(Stage::gate);
  const TimeModel model = small_bowl();
  Surrogate surrogate(space);
  surrogate.restart(std::log(150.0));
  for (std::size_t i = 0; i < space.configs.size(); i += 2)
    surrogate.observe(i, std::log(model(Stage::gate, space.configs[i]).value()), 0.005);
  double error = 0, spread = 0;
  for (std::size_t i = 1; i < space.configs.size(); i += 2) {
    const double truth = std::log(model(Stage::gate, space.configs[i]).value());
    error += std::pow(surrogate.mean(i) - truth, 2);
    spread += std::pow(std::log(150.0) - truth, 2);
  }
  EXPECT_LT(error, 0.1 * spread);
}

TEST(Surrogate, AnAssumptionOnlyTakesDoubtAway) {
  const StageSpace space = fake_stage_space(Stage::gate);
  Surrogate surrogate(space);
  surrogate.restart(0);
  const double mean = surrogate.mean(9), deviation = surrogate.deviation(9);
  surrogate.assume(8, 0.005);
  EXPECT_EQ(surrogate.mean(9), mean);
  EXPECT_LT(surrogate.deviation(9), deviation);
  surrogate.restart(0);
  EXPECT_EQ(surrogate.deviation(9), deviation);
}

}  // namespace
}  // namespace moetune

#include "backend/fake/fake_engine.h"

#include <gtest/gtest.h>

#include "measure/small_problem.h"

namespace moetune {
namespace {

TEST(FakeEngine, ItsGuessesAreLegalAndInItsSpace) {
  const DeviceInfo info = FakeDevice({.time_us = small_bowl()}).info();
  const SearchSpace space = fake_search_space();
  for (const Config& guess : fake_engine().first_configs(Stage::gate, small_problem(), info)) {
    EXPECT_FALSE(fake_engine().why_invalid(guess, Stage::gate, small_problem(), info));
    bool found = false;
    for (std::uint64_t i = 0; i < space.size(); ++i) found = found || space.at(i) == guess;
    EXPECT_TRUE(found);
  }
}

TEST(FakeEngine, SaysWhatIsNotLegal) {
  const DeviceInfo info = FakeDevice({.time_us = small_bowl()}).info();
  for (const StageConfig& config : {fake_config(128, 256, 4), fake_config(16, 16, 2), fake_config(0, 16, 1)})
    EXPECT_TRUE(fake_engine().why_invalid(config.config, Stage::gate, small_problem(), info)) << to_label(config);
  EXPECT_TRUE(fake_engine().why_invalid({}, Stage::gate, small_problem(), info));
}

}  // namespace
}  // namespace moetune

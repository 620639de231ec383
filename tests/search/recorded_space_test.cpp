#include "search/recorded_space.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "search/tuning.h"

namespace moetune {
namespace {

RecordedSpace record(const std::vector<StageConfig>& configs) {
  const FakeDevice device({.time_us = small_bowl()});
  RecordedSpace recorded{.problem = small_problem(), .stage = Stage::gate, .device = device.info()};
  for (const StageConfig& config : configs)
    recorded.entries.push_back({.config = config, .trials = {{.outcome = Outcome::ok, .median_us = 100}}});
  return recorded;
}

TEST(RecordedSpace, OfAWholeSpaceIsThatSpace) {
  const StageSpace whole = fake_stage_space(Stage::gate);
  const RecordedSpace recorded = record(whole.configs);
  const StageSpace again = stage_space_of(recorded, {&fake_engine(), 1});
  EXPECT_EQ(again.configs, whole.configs);
  EXPECT_EQ(again.first, whole.first);
  for (std::size_t i = 0; i < whole.configs.size(); ++i) EXPECT_EQ(again.neighbours(i), whole.neighbours(i));
  EXPECT_EQ(legal_configs(recorded, {&fake_engine(), 1}), whole.configs.size());
}

TEST(RecordedSpace, OfAPartHoldsNoMore) {
  const StageSpace whole = fake_stage_space(Stage::gate);
  std::vector<StageConfig> configs;
  for (std::size_t i = 0; i < whole.configs.size(); i += 3) configs.push_back(whole.configs[i]);
  const RecordedSpace recorded = record(configs);
  EXPECT_EQ(stage_space_of(recorded, {&fake_engine(), 1}).configs, configs);
  EXPECT_GT(legal_configs(recorded, {&fake_engine(), 1}), configs.size());
}

TEST(RecordedSpace, AnEngineThatIsGoneIsNamed) {
  RecordedSpace recorded = record(fake_stage_space(Stage::gate).configs);
  recorded.entries.front().config.engine = "gone";
  try {
    stage_space_of(recorded, {&fake_engine(), 1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'gone'"), std::string::npos);
  }
}

}  // namespace
}  // namespace moetune

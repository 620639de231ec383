#include "search/defaults.h"

#include <gtest/gtest.h>

#include "search/tuning.h"

namespace moetune {
namespace {

struct Found {
  Defaults defaults;
  Recorder events;
};

Found find(FakeSpec spec) {
  Found found;
  FakeDevice device(std::move(spec));
  const Problem problem = small_problem();
  const TuneOptions options = fake_options(device);
  Workbench bench(device, problem, {Impl::merged}, options, found.events, 0);
  found.defaults =
      find_defaults(bench, Impl::merged,
                    {{Stage::gate, fake_stage_space(Stage::gate)}, {Stage::final, fake_stage_space(Stage::final)}});
  return found;
}

TEST(FindDefaults, TakesTheFirstGuesses) {
  const Found found = find({.time_us = small_bowl()});
  ASSERT_EQ(found.defaults.working.size(), 1u);
  const Default& only = found.defaults.working.front();
  EXPECT_EQ(only.engine, "fake");
  EXPECT_EQ(only.config, merged(fake_config(32, 32, 4), fake_config(32, 32, 4)));
  EXPECT_GT(only.median_us, 200);
  EXPECT_EQ(&found.defaults.of("fake"), &only);
  EXPECT_EQ(&found.defaults.of("another"), &only);
  EXPECT_EQ(found.events.trials.size(), 1u);
}

TEST(FindDefaults, GoesOnToLesserGuessesWhereTheFirstFails) {
  const Found found = find({.time_us = small_bowl(),
                            .faults = {{{Stage::gate, fake_config(32, 32, 4)}, Fault::compile_error},
                                       {{Stage::gate, fake_config(64, 64, 4)}, Fault::wrong_result},
                                       {{Stage::final, fake_config(32, 32, 4)}, Fault::nan_time}}});
  ASSERT_EQ(found.defaults.working.size(), 1u);
  EXPECT_EQ(found.defaults.working.front().config.stages.at(Stage::gate), fake_config(16, 64, 2));
  EXPECT_EQ(found.defaults.working.front().config.stages.at(Stage::final), fake_config(64, 64, 4));
  for (std::size_t i = 0; i + 1 < found.events.trials.size(); ++i)
    EXPECT_NE(found.events.trials[i].outcome, Outcome::ok);
}

TEST(FindDefaults, GivesUpWithTheMostFrequentReason) {
  FakeSpec spec{.time_us = small_bowl()};
  for (const StageConfig& config : fake_stage_space(Stage::gate).configs)
    spec.faults[{Stage::gate, config}] = Fault::launch_error;
  const Found found = find(std::move(spec));
  EXPECT_TRUE(found.defaults.working.empty());
  EXPECT_EQ(most_frequent(found.defaults.failures), "launch_error: planted: launch refused (12 times)");
}

TEST(MostFrequent, NamesIt) {
  EXPECT_EQ(most_frequent({}), "");
  EXPECT_EQ(most_frequent({{"a", 1}}), "a");
  EXPECT_EQ(most_frequent({{"a", 1}, {"b", 3}, {"c", 2}}), "b (3 times)");
}

}  // namespace
}  // namespace moetune

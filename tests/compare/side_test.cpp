#include "compare/side.h"

#include <gtest/gtest.h>

#include "records.h"

namespace moetune {
namespace {

TEST(Side, RunsOfARowStandOldestFirst) {
  const Side side = side_of({journal_of({100, 101}), journal_of({102}), journal_of({50}, 32)});
  EXPECT_EQ(side.runs.size(), 4u);
  ASSERT_EQ(side.rows.size(), 2u);
  ASSERT_EQ(side.rows[0].runs.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(side.rows[0].runs[i].best->time.median_us, 100 + static_cast<double>(i));
  EXPECT_EQ(side.rows[1].problem.M, 32);
}

TEST(Side, WhatARunSaysLastCounts) {
  Journal journal = journal_of({100});
  journal.bests.push_back(journal.bests[0]);
  journal.bests[1].record.time.median_us = 90;
  journal.bests[1].line = 9;
  const Side side = side_of({journal});
  ASSERT_EQ(side.rows[0].runs.size(), 1u);
  EXPECT_EQ(side.rows[0].runs[0].best->time.median_us, 90);
}

TEST(Side, AFinalistThatFailsIsNoFailureOfItsRow) {
  Journal journal = journal_of({100});
  journal.trials.push_back(failed_trial(Outcome::incorrect, 0, 1));
  EXPECT_TRUE(side_of({journal}).rows[0].runs[0].is_good());
  journal.trials[0].line = 9;  // after the best: the winner itself, verified again
  EXPECT_FALSE(side_of({journal}).rows[0].runs[0].is_good());
}

TEST(Side, FailuresOfTheSearchDoNotCount) {
  Journal journal = journal_of({100});
  journal.trials.push_back(failed_trial(Outcome::launch_error, 0, 9));
  journal.trials[0].record.phase = Trial::Phase::screen;
  EXPECT_TRUE(side_of({journal}).rows[0].runs[0].is_good());
  journal.trials[0].record.phase = Trial::Phase::final;
  journal.trials[0].record.stage = Stage::gate;
  EXPECT_TRUE(side_of({journal}).rows[0].runs[0].is_good());
}

TEST(Side, ABestThatDidNotPassIsWrong) {
  Journal journal = journal_of({100});
  journal.bests[0].record.verdict.passed = false;
  const Side side = side_of({journal});
  EXPECT_FALSE(side.rows[0].runs[0].is_good());
  EXPECT_EQ(side.rows[0].runs[0].failure->outcome, Outcome::incorrect);
}

TEST(Side, TimingAndDeviceMakeARowAndTheLabelOfAModelDoesNot) {
  Journal warm = journal_of({100}), other_device = journal_of({100}), labelled = journal_of({100});
  warm.bests[0].record.timing.cache = CacheState::warm;
  other_device.runs[0].environment.device.name = "NVIDIA H100";
  labelled.bests[0].record.problem.model = "another-name";
  EXPECT_EQ(side_of({journal_of({100}), warm, other_device, labelled}).rows.size(), 3u);
}

TEST(Side, BestConfigFilesOfOneRunAreOneRun) {
  const std::vector<BestFile> files{{.best = sample_best(Impl::merged), .environment = environment_of(0)},
                                    {.best = sample_best(Impl::three_kernel), .environment = environment_of(0)},
                                    {.best = sample_best(Impl::merged), .environment = environment_of(1)}};
  const Side side = make_side({}, files);
  EXPECT_EQ(side.runs.size(), 2u);
  EXPECT_EQ(side.rows.size(), 2u);
}

}  // namespace
}  // namespace moetune

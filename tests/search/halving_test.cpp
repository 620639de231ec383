#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "search/strategy.h"
#include "search/tuning.h"

namespace moetune {
namespace {

/// Runs a strategy on exact times and tells what it proposed.
std::vector<Proposal> search(Strategy& strategy, const StageSpace& space, Stage stage, std::size_t limit,
                             Scoreboard& board) {
  const TimeModel model = small_bowl();
  Meter meter(limit, std::nullopt, 1, [] { return 0.0; });
  std::vector<Proposal> all;
  while (!meter.is_spent()) {
    const auto batch = strategy.propose(board, meter.allowance(16));
    if (batch.empty()) break;
    for (const Proposal& proposal : batch) {
      board.add({.candidate = proposal.candidate,
                 .rung = proposal.rung,
                 .outcome = Outcome::ok,
                 .median_us = model(stage, space.configs[proposal.candidate]).value()});
      all.push_back(proposal);
      meter.count_trial();
    }
  }
  return all;
}

TEST(Halving, ScreensMostOfTheBudgetThenRacesEverFewer) {
  const StageSpace space = fake_stage_space(Stage::gate);
  const auto strategy = make_halving(space, 1);
  Scoreboard board;
  const auto all = search(*strategy, space, Stage::gate, 48, board);
  std::array<std::size_t, 3> rungs{};
  for (const Proposal& proposal : all) ++rungs.at(proposal.rung);
  EXPECT_NEAR(static_cast<double>(rungs[0]), 0.7 * 48, 2);
  EXPECT_GE(rungs[1], 4u);
  EXPECT_LE(rungs[1], 12u);
  EXPECT_GE(rungs[2], 2u);
  EXPECT_LE(rungs[2], rungs[1]);
  // Nobody runs again who was half as slow again as the leader.
  double best = 1e9;
  const TimeModel model = small_bowl();
  for (const Proposal& proposal : all) best = std::min(best, *model(Stage::gate, space.configs[proposal.candidate]));
  for (const Proposal& proposal : all)
    EXPECT_TRUE(proposal.rung == 0 || *model(Stage::gate, space.configs[proposal.candidate]) <= 1.5 * best);
}

TEST(Halving, FindsTheOptimumOfABowlWithHalfTheSpaceForAnySeed) {
  for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final}) {
    const StageSpace space = fake_stage_space(stage);
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      const auto strategy = make_halving(space, seed);
      Scoreboard board;
      search(*strategy, space, stage, space.configs.size() / 2, board);
      EXPECT_EQ(space.configs[board.ranked().front()], best_config(stage)) << to_string(stage) << " seed " << seed;
    }
  }
}

TEST(Halving, WhereNothingWorksItGoesOnScreeningAndRacesNobody) {
  const StageSpace space = fake_stage_space(Stage::gate);
  const auto strategy = make_halving(space, 1);
  Scoreboard board;
  std::set<std::size_t> tried;
  for (;;) {
    const auto batch = strategy->propose(board, {.batch = 16, .left = 1000, .spent = 0});
    if (batch.empty()) break;
    for (const Proposal& proposal : batch) {
      EXPECT_EQ(proposal.rung, 0);
      tried.insert(proposal.candidate);
      board.add({.candidate = proposal.candidate, .rung = 0, .outcome = Outcome::compile_error});
    }
  }
  EXPECT_EQ(tried.size(), space.configs.size());
}

TEST(Halving, ForeseesWhatItProposesWhereTheLeadersStay) {
  const StageSpace space = fake_stage_space(Stage::gate);
  const auto strategy = make_halving(space, 1);
  Scoreboard board;
  for (int generation = 0; generation < 3; generation++) {
    const std::vector<std::size_t> likely = strategy->foresee(board, 12);
    const auto batch = strategy->propose(board, Meter(48, std::nullopt, 1, [] { return 0.0; }).allowance(12));
    std::vector<std::size_t> proposed;
    for (const Proposal& proposal : batch) proposed.push_back(proposal.candidate);
    EXPECT_EQ(std::vector(likely.begin(), likely.begin() + static_cast<std::ptrdiff_t>(batch.size())), proposed);
    for (const Proposal& proposal : batch)
      board.add({.candidate = proposal.candidate,
                 .rung = 0,
                 .outcome = Outcome::ok,
                 .median_us = *small_bowl()(Stage::gate, space.configs[proposal.candidate])});
  }
}

}  // namespace
}  // namespace moetune

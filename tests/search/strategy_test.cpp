#include "search/strategy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "search/tuning.h"

namespace moetune {
namespace {

TEST(Strategies, AreFoundByName) {
  for (const StrategyRow& row : strategies()) {
    EXPECT_EQ(&find_strategy(row.name), &row);
    EXPECT_FALSE(row.summary.empty());
  }
  EXPECT_EQ(strategies().front().name, "halving");
  EXPECT_EQ(TuneOptions{}.strategy, strategies().front().name);
}

TEST(Strategies, AnUnknownNameIsAnErrorThatNamesTheKnown) {
  try {
    find_strategy("genetic");
    FAIL();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("'genetic'"), std::string::npos);
    for (const StrategyRow& row : strategies()) EXPECT_NE(message.find(row.name), std::string::npos);
  }
}

TEST(SeededOrder, HoldsEachCandidateOnceAndTheGuessesFirst) {
  const StageSpace space = fake_stage_space(Stage::gate);
  for (const std::optional<std::uint64_t> seed : {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(5)}) {
    const std::vector<std::size_t> order = seeded_order(space, seed);
    EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), space.configs.size());
    EXPECT_EQ(order.size(), space.configs.size());
    EXPECT_TRUE(std::equal(space.first.begin(), space.first.end(), order.begin()));
  }
  EXPECT_EQ(seeded_order(space, 5), seeded_order(space, 5));
  EXPECT_NE(seeded_order(space, 5), seeded_order(space, 6));
}

/// What every strategy must keep to, on a space with failures in it.
class StrategyContract : public testing::TestWithParam<StrategyRow> {};

TEST_P(StrategyContract, ProposesLegalDistinctBatchesOfOneRungAndComesToAnEnd) {
  const StageSpace space = fake_stage_space(Stage::gate);
  for (const std::size_t limit : {1u, 5u, 48u, 500u}) {
    const auto strategy = GetParam().make(space, 3);
    Scoreboard board;
    Meter meter(limit, std::nullopt, 1, [] { return 0.0; });
    std::vector<Proposal> all;
    while (!meter.is_spent()) {
      const Allowance allowance = meter.allowance(16);
      const std::vector<Proposal> batch = strategy->propose(board, allowance);
      if (batch.empty()) break;
      ASSERT_LE(batch.size(), allowance.batch);
      std::set<std::size_t> distinct;
      for (const Proposal& proposal : batch) {
        ASSERT_LT(proposal.candidate, space.configs.size());
        EXPECT_EQ(proposal.rung, batch.front().rung);
        EXPECT_TRUE(distinct.insert(proposal.candidate).second);
        EXPECT_TRUE(proposal.rung == 0 ? !board.has_seen(proposal.candidate)
                                       : board.at(proposal.candidate).outcome == Outcome::ok);
        all.push_back(proposal);
      }
      for (const Proposal& proposal : batch) {
        const bool fails = proposal.candidate % 3 == 0;
        board.add({.candidate = proposal.candidate,
                   .rung = proposal.rung,
                   .outcome = fails ? Outcome::compile_error : Outcome::ok,
                   .median_us = fails ? 0 : 100.0 + static_cast<double>(proposal.candidate)});
        meter.count_trial();
      }
    }
    ASSERT_FALSE(all.empty());
    EXPECT_LE(all.size(), limit);
    EXPECT_EQ(all.front().candidate, space.first.front());
    // With budget enough nothing stays unseen.
    EXPECT_TRUE(limit < 500 || board.size() == space.configs.size());
  }
}

TEST_P(StrategyContract, TheSameSeedProposesTheSame) {
  const StageSpace space = fake_stage_space(Stage::gate);
  const Scoreboard board;
  const Allowance allowance{.batch = 16, .left = 48, .spent = 0};
  EXPECT_EQ(GetParam().make(space, 9)->propose(board, allowance), GetParam().make(space, 9)->propose(board, allowance));
}

INSTANTIATE_TEST_SUITE_P(All, StrategyContract, testing::ValuesIn(strategies().begin(), strategies().end()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace moetune

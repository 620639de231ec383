#include "search/ranking.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <utility>

#include "search/tuning.h"

namespace moetune {
namespace {

const StageConfig kA = fake_config(32, 32, 4), kB = fake_config(64, 64, 4), kC = fake_config(16, 64, 2);

/// Round medians around `us`.
Standing standing(const StageConfig& gate, double us, double noise, bool is_default = false) {
  std::mt19937_64 random(static_cast<std::uint64_t>(us * 1000));
  std::normal_distribution<double> normal(0, noise);
  Standing result{.finalist = {.config = merged(gate, kA), .is_default = is_default}, .round_medians = {}};
  for (int round = 0; round < 9; ++round) result.round_medians.push_back(us * std::exp(normal(random)));
  return result;
}

TEST(Rank, TheFastestWinsWhereItIsClear) {
  EXPECT_EQ(rank({standing(kA, 110, 0.005, true), standing(kB, 100, 0.005), standing(kC, 105, 0.005)}).order,
            (std::vector<std::size_t>{1, 2, 0}));
}

TEST(Rank, TheDefaultStaysWithinTheNoise) {
  EXPECT_EQ(rank({standing(kB, 100, 0.05), standing(kA, 101, 0.05, true)}).order.front(), 1u);
  // However sure: less than half a percent is not worth a change.
  EXPECT_EQ(rank({standing(kB, 100, 1e-6), standing(kA, 100.4, 1e-6, true)}).order.front(), 1u);
}

/// Rounds 10 % off by turns, so that no lead of a few per cent over them is sure.
Standing noisy(const StageConfig& gate, double us) {
  Standing result{.finalist = {.config = merged(gate, kA)}, .round_medians = {}};
  for (int round = 0; round < 9; ++round) result.round_medians.push_back(us * (round % 2 == 0 ? 1.1 : 0.9));
  return result;
}

TEST(Rank, OtherTiesWithinTheMarginGoByLabel) {
  for (const double behind : {1.0, 1.004}) {
    const Standing b = standing(kB, 100, 1e-6), c = standing(kC, 100 * behind, 1e-6);
    const bool b_first = to_label(b.finalist.config) < to_label(c.finalist.config);
    EXPECT_EQ(rank({b, c}).order.front(), b_first ? 0u : 1u);
    EXPECT_EQ(rank({c, b}).order.front(), b_first ? 1u : 0u);
  }
}

TEST(Rank, TiesBeyondTheMarginGoByTime) {
  for (const auto& [fast, slow] : {std::pair{kB, kC}, {kC, kB}}) {
    const Ranking ranking = rank({standing(slow, 102, 1e-6), noisy(fast, 100)});
    EXPECT_EQ(ranking.ties, 2u);
    EXPECT_EQ(ranking.order, (std::vector<std::size_t>{1, 0}));
  }
}

TEST(Rank, WhatFailedIsLeftOut) {
  Standing failed = standing(kB, 1, 0.01);
  failed.round_medians.clear();
  EXPECT_EQ(rank({failed, standing(kA, 100, 0.01, true)}).order, (std::vector<std::size_t>{1}));
  EXPECT_TRUE(rank({failed}).order.empty());
  EXPECT_TRUE(rank({}).order.empty());
}

TEST(Rank, ALeadHasToBeLargerThanTheMargin) {
  const std::vector<Standing> standings{standing(kB, 100, 1e-6), standing(kA, 102, 1e-6, true)};
  EXPECT_EQ(rank(standings).order.front(), 0u);
  EXPECT_EQ(rank(standings, 0.03).order.front(), 1u);
}

TEST(Rank, ALeadMayDifferFromDrawToDraw) {
  Standing fast = standing(kB, 100, 0.001), slow = standing(kA, 105, 0.001, true);
  fast.round_medians.resize(6), slow.round_medians.resize(6);
  for (std::size_t round = 0; round < 6; ++round)
    slow.round_medians[round] *= 1 + 0.03 * (static_cast<double>(round % 3) - 1);
  EXPECT_EQ(rank({fast, slow}).order.front(), 0u);  // 2, 5 and 8 %, each twice
  fast.round_medians.resize(3), slow.round_medians.resize(3);
  EXPECT_EQ(rank({fast, slow}).order.front(), 1u);  // each once: that may be noise
  for (Standing* each : {&fast, &slow}) {
    each->round_medians.insert(each->round_medians.end(), each->round_medians.begin(), each->round_medians.end());
    for (std::size_t round = 3; round < 6; ++round) each->round_medians[round] *= 1.001;
  }
  const Ranking ranking = rank({fast, slow}, kTieMargin, 3);
  EXPECT_EQ(ranking.order.front(), 0u);
  EXPECT_EQ(ranking.ties, 1u);
  EXPECT_EQ(ranking.flip_probability, 0);
}

TEST(Rank, CountsTies) {
  EXPECT_EQ(rank({standing(kB, 100, 1e-6), standing(kA, 100.4, 1e-6, true), standing(kC, 110, 1e-6)}).ties, 2u);
  EXPECT_EQ(rank({standing(kB, 100, 1e-6), standing(kA, 110, 1e-6, true)}).ties, 1u);
}

TEST(Rank, TellsHowLikelyAnotherIsToBeTheFastest) {
  EXPECT_EQ(rank({standing(kB, 100, 0.01), standing(kC, 150, 0.01)}).flip_probability, 0);
  EXPECT_EQ(rank({standing(kB, 100, 0.01)}).flip_probability, 0);
  const double even = rank({standing(kB, 100, 0.05), standing(kC, 100.1, 0.05)}).flip_probability;
  EXPECT_GT(even, 0.05);
  EXPECT_LT(even, 0.95);
  // The default stays within the margin though another is faster in every round.
  EXPECT_EQ(rank({standing(kB, 100, 1e-6), standing(kA, 100.4, 1e-6, true)}).flip_probability, 1);
}

}  // namespace
}  // namespace moetune

#include "measure/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <stdexcept>

namespace moetune {
namespace {

/// 1, 2, … n, last first: summarise() has to sort.
std::vector<double> count_down(int n) {
  std::vector<double> values(n);
  std::iota(values.rbegin(), values.rend(), 1.0);
  return values;
}

TEST(Summarise, FiveSamplesByHand) {
  const Summary summary = summarise(std::vector<double>{5, 1, 4, 2, 3});
  EXPECT_EQ(summary.n, 5);
  EXPECT_DOUBLE_EQ(summary.median_us, 3);
  EXPECT_DOUBLE_EQ(summary.min_us, 1);
  EXPECT_DOUBLE_EQ(summary.p10_us, 1.4);
  EXPECT_DOUBLE_EQ(summary.p90_us, 4.6);
  EXPECT_DOUBLE_EQ(summary.ci_low_us, 1);
  EXPECT_DOUBLE_EQ(summary.ci_high_us, 5);
  EXPECT_DOUBLE_EQ(summary.relative_half_width(), 2.0 / 3);
}

TEST(Summarise, AnEvenNumberHasTheMedianBetweenTheMiddleTwo) {
  EXPECT_DOUBLE_EQ(summarise(count_down(20)).median_us, 10.5);
}

// The ranks are those of the published tables of the sign test.
TEST(Summarise, TheIntervalRunsBetweenTheTabulatedRanks) {
  const struct {
    int n;
    double low, high;
  } kRows[] = {{1, 1, 1}, {5, 1, 5}, {6, 1, 6}, {8, 1, 8}, {9, 2, 8}, {20, 6, 15}, {50, 18, 33}, {100, 40, 61}};
  for (const auto& row : kRows) {
    const Summary summary = summarise(count_down(row.n));
    EXPECT_DOUBLE_EQ(summary.ci_low_us, row.low) << row.n;
    EXPECT_DOUBLE_EQ(summary.ci_high_us, row.high) << row.n;
  }
}

TEST(Summarise, ManySamplesDoNotUnderflow) {
  const Summary summary = summarise(count_down(10000));
  EXPECT_NEAR(summary.ci_low_us, 5000 - 98, 2);
  EXPECT_NEAR(summary.ci_high_us, 5000 + 99, 2);
}

TEST(Summarise, NothingIsNothing) {
  const Summary summary = summarise({});
  EXPECT_EQ(summary.n, 0);
  EXPECT_TRUE(std::isinf(summary.relative_half_width()));
}

TEST(Summarise, TheIntervalCoversTheMedianOfASkewedDistribution) {
  std::mt19937_64 random(3);
  std::exponential_distribution<double> exponential(1);
  const int trials = 4000;
  int covered = 0;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> values(25);
    for (double& value : values) value = exponential(random);
    const Summary summary = summarise(values);
    covered += summary.ci_low_us <= std::log(2.0) && std::log(2.0) <= summary.ci_high_us;
  }
  // Exactly 1 - 2·P(B(25, 1/2) <= 7) = 0.957.
  EXPECT_NEAR(static_cast<double>(covered) / trials, 0.957, 0.012);
}

TEST(Speedup, IsTheGeometricMeanOfTheRatios) {
  const Ratio ratio = speedup(std::vector<double>{1, 1}, std::vector<double>{2, 8});
  EXPECT_DOUBLE_EQ(ratio.value, 4);
  // Two logarithms ln 2 apart from their mean have a standard error of ln 2; Student's t is 12.706.
  EXPECT_NEAR(std::log2(ratio.low), 2 - 12.706, 1e-3);
  EXPECT_NEAR(std::log2(ratio.high), 2 + 12.706, 1e-3);
}

TEST(Speedup, OfEqualRatiosIsCertain) {
  const Ratio ratio = speedup(std::vector<double>{1, 2, 3}, std::vector<double>{2, 4, 6});
  EXPECT_NEAR(ratio.value, 2, 1e-12);
  EXPECT_NEAR(ratio.low, 2, 1e-12);
  EXPECT_NEAR(ratio.high, 2, 1e-12);
}

TEST(Speedup, PairsTheRoundsThatBothSaw) {
  EXPECT_EQ(speedup(std::vector<double>{1, 1}, std::vector<double>{2, 3, 100}),
            speedup(std::vector<double>{1, 1}, std::vector<double>{2, 3}));
}

TEST(Speedup, OfTheInverseIsTheInverse) {
  const std::vector<double> times{1.0, 1.1, 0.9, 1.05}, others{1.3, 1.2, 1.25, 1.4};
  EXPECT_NEAR(speedup(times, others).value * speedup(others, times).value, 1, 1e-12);
}

/// `rounds` medians a side: the draws' ratios are 1.10, 1.05 and 1.00 by turns, the noise of a round 0.2 %.
std::pair<std::vector<double>, std::vector<double>> of_three_draws(int rounds, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> noise(0, 0.002);
  std::vector<double> times, others;
  for (int round = 0; round < rounds; ++round) {
    const double typical = 100 + 20 * (round % 3);
    times.push_back(typical * std::exp(noise(random)));
    others.push_back(typical * (1.10 - 0.05 * (round % 3)) * std::exp(noise(random)));
  }
  return {times, others};
}

TEST(Speedup, LeavesOutHowMuchDrawsDiffer) {
  const auto [times, others] = of_three_draws(6, 7);
  const double truth = std::cbrt(1.10 * 1.05 * 1.00);
  const Ratio all = speedup(times, others), of_draws = speedup(times, others, 3);
  EXPECT_NEAR(of_draws.value, truth, 0.005);
  EXPECT_LT(all.low, 1.01);  // as if another draw of the rounds could be of the worst draw alone
  EXPECT_GT(of_draws.low, 1.04);
  EXPECT_LT(of_draws.high, 1.06);
  EXPECT_EQ(speedup(std::vector<double>(times.begin(), times.begin() + 5), others, 3),  // a draw with one round
            speedup(std::vector<double>(times.begin(), times.begin() + 5), others));
}

TEST(Speedup, OfDrawsIsAboutNinetyFivePercent) {
  const double truth = std::cbrt(1.10 * 1.05 * 1.00);
  for (const int rounds : {6, 8, 9}) {
    int covered = 0;
    const int trials = 1000;
    for (int trial = 0; trial < trials; ++trial) {
      const auto [times, others] = of_three_draws(rounds, static_cast<std::uint64_t>(trial));
      const Ratio ratio = speedup(times, others, 3);
      covered += ratio.low <= truth && truth <= ratio.high;
    }
    EXPECT_NEAR(static_cast<double>(covered) / trials, 0.95, 0.025) << rounds;
  }
}

using Rounds = std::vector<std::vector<double>>;

TEST(SummariseDraws, OfOneIsThatOfAllSamples) {
  const Rounds rounds{{1, 2, 3}, {4, 5, 9}};
  EXPECT_EQ(summarise_draws(rounds, 1), summarise(std::vector<double>{1, 2, 3, 4, 5, 9}));
  // Nobody has come to the second draw yet.
  EXPECT_EQ(summarise_draws(Rounds{{1, 2, 3}}, 2), summarise(std::vector<double>{1, 2, 3}));
  EXPECT_EQ(summarise_draws({}, 3).n, 0);
}

TEST(SummariseDraws, TakesTheMeanOfTheirMediansAndTheSpreadWithinThem) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> noise(0, 0.01);
  Rounds rounds;
  for (int round = 0; round < 12; ++round) {
    rounds.emplace_back();
    const double typical = round % 3 == 0 ? 100 : round % 3 == 1 ? 130 : 190;
    for (int i = 0; i < 20; ++i) rounds.back().push_back(typical * std::exp(noise(random)));
  }
  const Summary summary = summarise_draws(rounds, 3);
  EXPECT_NEAR(summary.median_us, 140, 0.5);
  EXPECT_LE(summary.ci_low_us, summary.median_us);
  EXPECT_GE(summary.ci_high_us, summary.median_us);
  EXPECT_LT(summary.relative_half_width(), 0.003);  // of all samples together it would be 30 %
  EXPECT_EQ(summary.n, 240);
  EXPECT_LT(summary.p10_us, 105);
  EXPECT_GT(summary.p90_us, 180);
}

TEST(SummariseDraws, DoesNotTakeFewSamplesForCertainty) {
  const Summary summary = summarise_draws(Rounds{{100}, {110}}, 3);
  EXPECT_DOUBLE_EQ(summary.median_us, 105);
  EXPECT_DOUBLE_EQ(summary.ci_low_us, 100);
  EXPECT_DOUBLE_EQ(summary.ci_high_us, 110);
}

TEST(Speedup, NeedsTwoRoundsOfPositiveTimes) {
  EXPECT_THROW(speedup(std::vector<double>{1}, std::vector<double>{2, 3}), std::invalid_argument);
  EXPECT_THROW(speedup(std::vector<double>{1, 0}, std::vector<double>{2, 3}), std::invalid_argument);
  EXPECT_THROW(speedup(std::vector<double>{1, NAN}, std::vector<double>{2, 3}), std::invalid_argument);
}

class SpeedupCoverage : public testing::TestWithParam<int> {};

TEST_P(SpeedupCoverage, IsAboutNinetyFivePercent) {
  std::mt19937_64 random(11);
  std::normal_distribution<double> noise(0, 0.01);
  const double truth = 1.05;
  const int trials = 1000;
  int covered = 0;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> times(GetParam()), others(GetParam());
    for (double& time : times) time = std::exp(noise(random));
    for (double& time : others) time = truth * std::exp(noise(random));
    const Ratio ratio = speedup(times, others);
    covered += ratio.low <= truth && truth <= ratio.high;
  }
  EXPECT_NEAR(static_cast<double>(covered) / trials, 0.95, 0.025);
}

INSTANTIATE_TEST_SUITE_P(Rounds, SpeedupCoverage, testing::Values(3, 5, 9, 40));

}  // namespace
}  // namespace moetune

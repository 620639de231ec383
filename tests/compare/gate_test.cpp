#include "compare/gate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

#include "pairs.h"

namespace moetune {
namespace {

/// Share of `trials` for each finding.
template <class Trial>
std::map<Finding, double> shares(int trials, Trial trial) {
  std::map<Finding, double> found;
  for (int i = 0; i < trials; ++i) found[trial()] += 1.0 / trials;
  return found;
}

std::map<Finding, double> shares_of_rows(double slowdown, const Noise& noise, int pairs = 7) {
  std::mt19937_64 random(11);
  return shares(2000, [&] { return judge(noisy_pairs(random, pairs, slowdown, noise), {}).finding; });
}

// The noise of a quiet GPU, and of one whose processes differ by 0.6 % and that drifts by 1 %.
constexpr Noise kQuiet{.process = 0.002, .drift = 0.005, .within_pair = 0.001};
constexpr Noise kUsual{};

TEST(Gate, APlantedSlowdownOfFivePerCentIsCaught) {
  EXPECT_GE(shares_of_rows(0.05, kQuiet)[Finding::slower], 0.99);
  EXPECT_GE(shares_of_rows(0.05, kUsual)[Finding::slower], 0.99);
}

TEST(Gate, WhereNothingIsSlowerTheAlarmStaysSilent) {
  for (const Noise& noise : {kQuiet, kUsual, Noise{.process = 0.02}, Noise{.process = 0.05, .drift = 0.05}})
    EXPECT_LE(shares_of_rows(0, noise)[Finding::slower], 0.005) << noise.process;
}

TEST(Gate, WhatIsTheSameIsCalledSo) {
  EXPECT_GE(shares_of_rows(0, kQuiet)[Finding::same], 0.99);
  EXPECT_GE(shares_of_rows(0, kUsual)[Finding::same], 0.95);
}

TEST(Gate, ASlowdownAsLargeAsTheMarginAlarmsAsSeldomAsItsIntervalSays) {
  EXPECT_LE(shares_of_rows(0.02, kUsual)[Finding::slower], 0.04);  // one side of 95 %: 2.5 %
}

TEST(Gate, TooMuchNoiseIsInconclusiveAndNotTheSame) {
  const auto found = shares_of_rows(0.05, {.process = 0.05});
  EXPECT_GE(found.at(Finding::inconclusive), 0.9);
}

TEST(Gate, WhatIsInconclusiveForItsNoiseSaysSo) {
  std::mt19937_64 random(11);
  int said = 0;
  for (int i = 0; i < 100; ++i) {
    const Judgement judgement = judge(noisy_pairs(random, 7, 0.15, {.process = 0.1}), {});
    if (judgement.finding != Finding::inconclusive || judgement.noise < 0.1) continue;
    EXPECT_NE(judgement.reason.find("a quieter machine"), std::string::npos) << judgement.reason;
    ++said;
  }
  EXPECT_GT(said, 20);
}

TEST(Gate, FasterIsTheMirrorOfSlower) {
  EXPECT_GE(shares_of_rows(-0.05, kUsual)[Finding::faster], 0.99);
  EXPECT_EQ(shares_of_rows(-0.05, kUsual).count(Finding::slower), 0u);
}

TEST(Gate, ThreePerCentNeedsMorePairs) {
  EXPECT_GE(shares_of_rows(0.03, kUsual, 15)[Finding::slower], 0.9);
}

TEST(Gate, NoiseOfTheRunsWidensTheMargin) {
  // Runs of one side that stand next to each other: base 2 3, 4 5, 6 7; head 1 2, 3 4, 5 6.
  const std::vector<double> base{100, 100, 110, 110, 100, 100, 110};
  const std::vector<double> head(7, 100.0);
  const double rms = std::log(1.1) * std::sqrt(3.0 / 6);
  EXPECT_NEAR(noise_floor(base, head), std::expm1(1.96 * rms / std::sqrt(7.0)), 1e-12);
  EXPECT_EQ(noise_floor(std::vector<double>(4, 100.0), head), 0) << "too few to tell";
  const Judgement judgement = judge(make_pairs(base, head), {});
  EXPECT_DOUBLE_EQ(judgement.margin, judgement.noise);
  EXPECT_GT(judgement.margin, 0.02);
}

TEST(Gate, AKnownNoiseFloorCountsWhereItIsLarger) {
  const auto pairs = make_pairs(std::vector<double>(7, 100.0), std::vector<double>(7, 104.0));
  EXPECT_EQ(judge(pairs, {}).finding, Finding::slower);
  EXPECT_EQ(judge(pairs, {.noise = 0.05}).finding, Finding::same);
  EXPECT_EQ(judge(pairs, {.margin = 0.05}).finding, Finding::same);
}

TEST(Gate, FewPairsOnlyWarn) {
  const Judgement one = judge(make_pairs(std::vector<double>{100}, std::vector<double>{120}), {});
  EXPECT_EQ(one.finding, Finding::slower);
  EXPECT_TRUE(one.only_warns);
  EXPECT_DOUBLE_EQ(one.margin, 0.04);
  // One run each, 5 % apart, is what two runs of one binary may be.
  EXPECT_EQ(judge(make_pairs(std::vector<double>{100}, std::vector<double>{105}), {}).finding, Finding::inconclusive);
  EXPECT_FALSE(judge(make_pairs(std::vector<double>(5, 100.0), std::vector<double>(5, 105.0)), {}).only_warns);
}

std::vector<Pair> with_clocks(double slowdown, double base_mhz, double head_mhz) {
  std::mt19937_64 random(5);
  std::vector<Pair> pairs = noisy_pairs(random, 7, slowdown, kQuiet);
  for (Pair& pair : pairs) {
    pair.base.sm_clock_mhz = base_mhz;
    pair.head.sm_clock_mhz = head_mhz;
  }
  return pairs;
}

TEST(Gate, ALowerClockIsNoSlowerCode) {
  const Judgement clocked_down = judge(with_clocks(0.06, 1980, 1980 / 1.06), {});
  EXPECT_EQ(clocked_down.finding, Finding::inconclusive);
  EXPECT_NE(clocked_down.reason.find("94.3 % of base's clock"), std::string::npos) << clocked_down.reason;
  EXPECT_EQ(judge(with_clocks(0.06, 1980, 1980), {}).finding, Finding::slower);
  EXPECT_EQ(judge(with_clocks(0.06, 1980, 1970), {}).finding, Finding::slower) << "clocks that hardly differ";
  EXPECT_EQ(judge(with_clocks(0.12, 1980, 1980 / 1.06), {}).finding, Finding::slower) << "in cycles too";
  EXPECT_NE(judge(with_clocks(0.06, 1980, 0), {}).reason.find("not recorded"), std::string::npos);
}

TEST(Gate, TimesThatAreNoneThrow) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(judge({}, {}), std::invalid_argument);
  EXPECT_THROW(judge(make_pairs(std::vector<double>{100}, std::vector<double>{nan}), {}), std::invalid_argument);
  EXPECT_THROW(judge(make_pairs(std::vector<double>{0}, std::vector<double>{1}), {}), std::invalid_argument);
  EXPECT_THROW(judge_mean({}, {}), std::invalid_argument);
}

std::map<Finding, double> shares_of_means(double slowdown, int rows) {
  std::mt19937_64 random(13);
  return shares(200, [&] {
    std::vector<std::vector<Pair>> all;
    for (int row = 0; row < rows; ++row) all.push_back(noisy_pairs(random, 7, slowdown, kUsual));
    return judge_mean(all, {}).finding;
  });
}

TEST(GateMean, SeesWhatNoRowCan) {
  EXPECT_GE(shares_of_means(0.018, 12)[Finding::slower], 0.99);
  EXPECT_EQ(shares_of_means(0, 12).count(Finding::slower), 0u);
}

TEST(GateMean, IsOverThePairsThatAllRowsHave) {
  std::mt19937_64 random(17);
  const std::vector<std::vector<Pair>> rows{noisy_pairs(random, 15, 0, kQuiet), noisy_pairs(random, 7, 0, kQuiet)};
  EXPECT_EQ(judge_mean(rows, {}).pairs, 7);
}

TEST(GateMean, OneRowThatIsFarOffMakesItUncertain) {
  std::mt19937_64 random(19);
  std::vector<std::vector<Pair>> rows(5);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = noisy_pairs(random, 7, i == 0 ? 0.2 : 0, kQuiet);
  const Judgement mean = judge_mean(rows, {});
  EXPECT_GT(mean.ratio.value, 1.03);
  EXPECT_EQ(mean.finding, Finding::inconclusive) << "it is that row that is slower";
}

TEST(Drift, IsSeenAgainstTheMedianOfEarlierRuns) {
  std::vector<double> creeping;
  for (int i = 0; i < 20; ++i) creeping.push_back(100 * std::pow(1.004, i) * (i % 2 == 0 ? 1.001 : 0.999));
  const Judgement drift = judge_drift(creeping, 100 * std::pow(1.004, 20), {});
  EXPECT_EQ(drift.finding, Finding::slower) << "0.4 % a run, which no pair shows";
  EXPECT_TRUE(drift.only_warns);
  EXPECT_EQ(judge_drift(std::vector<double>{100, 100.3, 99.9, 100, 100.2, 100}, 100.2, {}).finding, Finding::same);
  EXPECT_EQ(judge_drift(std::vector<double>{100, 100, 100, 100}, 200, {}).finding, Finding::inconclusive) << "too few";
}

TEST(Drift, NoisyHistoryAlarmsSeldom) {
  std::mt19937_64 random(23);
  std::normal_distribution<double> normal(100, 3);
  const auto found = shares(2000, [&] {
    std::vector<double> earlier(20);
    for (double& time : earlier) time = normal(random);
    return judge_drift(earlier, normal(random), {}).finding;
  });
  const auto slower = found.find(Finding::slower);
  EXPECT_LE(slower == found.end() ? 0 : slower->second, 0.01);
}

}  // namespace
}  // namespace moetune

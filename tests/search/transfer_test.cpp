#include "search/transfer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "search/buckets.h"
#include "search/tuning.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

Problem at(std::int64_t M) {
  Problem problem = small_problem();
  problem.M = M;
  return problem;
}

PipelineConfig pipeline(int block_m, Impl impl = Impl::merged) {
  const StageConfig config = fake_config(block_m, 64, 2);
  return impl == Impl::merged ? merged(config, config) : three_kernel(config, config);
}

Best best(std::int64_t M, const PipelineConfig& config, double us = 100) {
  Best result{.problem = at(M), .config = config};
  result.time.median_us = us;
  return result;
}

/// A stage takes 100 µs with BLOCK_SIZE_M = `optimum` and `slope` more of it for each step of two away from it. The
/// stages that are not tunable take nothing to speak of.
TimeModel valley(int optimum, double slope) {
  return [=](Stage stage, const StageConfig& config) -> std::optional<double> {
    if (!is_tunable(stage)) return 1e-9;
    const double steps = std::abs(std::log2(static_cast<double>(config.config.at("BLOCK_SIZE_M")) / optimum));
    return 100 * (1 + slope * steps);
  };
}

/// Up to M=3 the optimum is 16, then 32, 20 % a step; but up to M=8 one of 64 loses only 0.5 %.
TimeModel by_M(const Problem& problem) {
  if (problem.M <= 3) return valley(16, 0.2);
  if (problem.M <= 8) return valley(32, 0.005);
  return valley(64, 0.2);
}

struct Measured {
  explicit Measured(FakeSpec spec) : device(std::move(spec)), options(fake_options(device)) {}

  std::vector<Transfer> run(std::int64_t M, const std::vector<Best>& bests) {
    return measure_transfers(device, at(M), winners_near(at(M), bests), options, events);
  }

  FakeDevice device;
  TuneOptions options;
  Recorder events;
};

std::vector<std::int64_t> Ms_of(const std::vector<Winner>& winners) {
  std::vector<std::int64_t> all;
  for (const Winner& winner : winners) all.push_back(winner.M);
  return all;
}

TEST(WinnersNear, AreThoseWithinReachAndThoseWithTheSameConfig) {
  const std::vector<Best> bests{best(128, pipeline(128)), best(1, pipeline(16)), best(8, pipeline(32)),
                                best(9, pipeline(64)), best(256, pipeline(32))};
  EXPECT_EQ(Ms_of(winners_near(at(1), bests)), (std::vector<std::int64_t>{1, 8, 256})) << "256 has the config of 8";
  EXPECT_EQ(Ms_of(winners_near(at(8), bests)), (std::vector<std::int64_t>{1, 8, 9, 256}));
  EXPECT_EQ(Ms_of(winners_near(at(128), bests)), (std::vector<std::int64_t>{8, 128, 256}));
}

TEST(WinnersNear, AreOfOneFamily) {
  std::vector<Best> bests{best(1, pipeline(16)), best(2, pipeline(32))};
  EXPECT_EQ(winners_near(at(1), bests).size(), 2u);
  bests[1].problem.dtype = DType::fp16;
  EXPECT_TRUE(winners_near(at(1), bests).empty());
  bests[1].problem = at(1000);
  EXPECT_TRUE(winners_near(at(1), bests).empty()) << "out of reach, with a config of its own";
  EXPECT_TRUE(winners_near(at(7), bests).empty()) << "was not tuned";
}

TEST(WinnersNear, OfMergedKernelsEachMHasTheFaster) {
  PipelineConfig single{.impl = Impl::merged_single, .stages = {{Stage::mlp, fake_config(16, 64, 2)}}};
  const std::vector<Best> bests{best(1, pipeline(16), 90), best(1, single, 80), best(2, pipeline(16), 80),
                                best(2, single, 90), best(2, pipeline(16, Impl::three_kernel), 10)};
  const std::vector<Winner> expected{{.M = 1, .config = single}, {.M = 2, .config = pipeline(16)}};
  EXPECT_EQ(winners_near(at(1), bests), expected);
}

TEST(Transfers, AreWhatTheTimesSay) {
  Measured with({.time_us = {}, .time_us_of = by_M});
  const std::vector<Best> bests{best(2, pipeline(16)), best(6, pipeline(32)), best(12, pipeline(64)),
                                best(2, pipeline(16, Impl::three_kernel)), best(6, pipeline(64, Impl::three_kernel))};
  const std::vector<Transfer> transfers = with.run(6, bests);
  ASSERT_EQ(transfers.size(), 3u);
  const auto expect = [](const Transfer& transfer, Impl impl, std::int64_t tuned_M, double regret) {
    EXPECT_EQ(transfer.impl, impl);
    EXPECT_EQ(transfer.tuned_M, tuned_M);
    EXPECT_EQ(transfer.M, 6);
    ASSERT_TRUE(transfer.regret) << transfer.reason;
    EXPECT_NEAR(transfer.regret->value, regret, 1e-6);
    EXPECT_NEAR(transfer.regret->low, regret, 1e-6) << "without noise";
    EXPECT_NEAR(transfer.regret->high, regret, 1e-6);
    EXPECT_FALSE(transfer.served) << "is not known yet";
  };
  // 64 is the three kernels' own, a step from the optimum, and 16 is one too.
  expect(transfers[0], Impl::three_kernel, 2, 0);
  expect(transfers[1], Impl::merged, 2, 0.005);
  expect(transfers[2], Impl::merged, 12, 0.005);
}

TEST(Transfers, AreOfCommonRoundsOnTheDataOfTheReportedTimes) {
  Measured with({.time_us = {}, .time_us_of = by_M, .noise = 0.02});
  const std::vector<Transfer> transfers =
      with.run(2, {best(2, pipeline(16)), best(4, pipeline(32)), best(8, pipeline(64)), best(12, pipeline(32))});
  ASSERT_EQ(transfers.size(), 3u);
  EXPECT_NEAR(transfers[0].regret->value, 0.2, 0.03);
  EXPECT_LT(transfers[0].regret->low, transfers[0].regret->value);
  EXPECT_GT(transfers[0].regret->high, transfers[0].regret->value);
  EXPECT_NEAR(transfers[1].regret->value, 0.4, 0.03);
  EXPECT_EQ(transfers[2].regret, transfers[0].regret) << "of the same config";

  ASSERT_EQ(with.events.trials.size(), 3u) << "one for each config";
  for (const Trial& trial : with.events.trials) {
    EXPECT_EQ(trial.outcome, Outcome::ok);
    EXPECT_EQ(trial.phase, Trial::Phase::final);
    EXPECT_EQ(trial.problem, at(2));
    EXPECT_EQ(trial.data.seed, with.options.seed + 1);
    EXPECT_TRUE(trial.verdict->passed);
  }
  std::vector<PipelineConfig> order;  // of visits after the warm-up: by turns, beginning with another each round
  for (const FakeDevice::Visit& visit : with.device.visits()) order.push_back(visit.config);
  const auto n = static_cast<std::ptrdiff_t>(order.size());
  const std::vector<PipelineConfig> last(order.end() - 6, order.begin() + n);
  for (int round = 0; round < 2; ++round) {
    std::vector<PipelineConfig> visited(last.begin() + 3 * round, last.begin() + 3 * round + 3);
    std::sort(visited.begin(), visited.end());
    EXPECT_EQ(std::unique(visited.begin(), visited.end()), visited.end()) << "a round has all three";
  }
}

TEST(Transfers, OfOneConfigNeedNoMeasurement) {
  Measured with({.time_us = {}, .time_us_of = by_M});
  const std::vector<Transfer> transfers = with.run(2, {best(2, pipeline(16)), best(4, pipeline(16))});
  ASSERT_EQ(transfers.size(), 1u);
  EXPECT_EQ(transfers[0].regret, Regret{});
  EXPECT_TRUE(with.device.visits().empty());
}

TEST(Transfers, AConfigThatDoesNotRunThereHasAReasonAndNoRegret) {
  FakeSpec spec{.time_us = {}, .time_us_of = [](const Problem& problem) -> TimeModel {
                  return [M = problem.M](Stage, const StageConfig& config) -> std::optional<double> {
                    if (M == 2 && !config.config.values().empty() && config.config.at("BLOCK_SIZE_M") == 64)
                      return std::nullopt;
                    return 100;
                  };
                }};
  spec.faults = {{{Stage::gate, fake_config(128, 64, 2)}, Fault::wrong_result},
                 {{Stage::gate, fake_config(32, 64, 2)}, Fault::nan_time}};
  Measured with(std::move(spec));
  const std::vector<Transfer> transfers =
      with.run(2, {best(2, pipeline(16)), best(3, pipeline(32)), best(4, pipeline(64)), best(8, pipeline(128))});
  ASSERT_EQ(transfers.size(), 3u);
  for (const Transfer& transfer : transfers) EXPECT_FALSE(transfer.regret);
  EXPECT_NE(transfers[0].reason.find("runtime_error: the timer returned nan"), std::string::npos)
      << transfers[0].reason;
  EXPECT_EQ(transfers[1].reason, "invalid: not in the recording");
  EXPECT_NE(transfers[2].reason.find("incorrect: "), std::string::npos) << transfers[2].reason;
  EXPECT_EQ(with.events.trials.size(), 4u) << "failures are trials too";
}

TEST(Transfers, WithoutTheProblemsOwnConfigThereIsNothingToCompareWith) {
  FakeSpec spec{.time_us = {}, .time_us_of = by_M};
  spec.faults = {{{Stage::gate, fake_config(16, 64, 2)}, Fault::launch_error}};
  Measured with(std::move(spec));
  const std::vector<Transfer> transfers = with.run(2, {best(2, pipeline(16)), best(4, pipeline(32))});
  ASSERT_EQ(transfers.size(), 1u);
  EXPECT_FALSE(transfers[0].regret);
  EXPECT_EQ(transfers[0].reason,
            "nothing to compare with: the best config of M=2 itself: launch_error: planted: launch refused");
}

TEST(Transfers, WhatFailedBeforeIsNotTriedAgain) {
  Measured with({.time_us = {}, .time_us_of = by_M});
  Trial crashed{.problem = at(2), .phase = Trial::Phase::final, .config = pipeline(32)};
  crashed.data = {.fill = Fill::random, .seed = with.options.seed + 1};
  crashed.timing = with.options.timing;
  crashed.outcome = Outcome::runtime_error;
  crashed.reason = "its process died";
  with.options.recorded = {crashed};
  const std::vector<Transfer> transfers =
      with.run(2, {best(2, pipeline(16)), best(4, pipeline(32)), best(8, pipeline(64))});
  ASSERT_EQ(transfers.size(), 2u);
  EXPECT_EQ(transfers[0].reason, "runtime_error: its process died");
  EXPECT_TRUE(transfers[1].regret);
  for (const FakeDevice::Visit& visit : with.device.visits()) EXPECT_NE(visit.config, pipeline(32));
}

TEST(Transfers, AnInterruptLeavesNothing) {
  const std::vector<Best> bests{best(2, pipeline(16)), best(4, pipeline(32))};
  for (int after = 0; after < 12; ++after) {
    Measured with({.time_us = {}, .time_us_of = by_M});
    with.events.stop = [asked = 0, after]() mutable { return asked++ >= after; };
    EXPECT_TRUE(with.run(2, bests).empty()) << after;
  }
}

TEST(Transfers, AProblemThatDoesNotFitIsAnError) {
  FakeSpec spec{.time_us = {}, .time_us_of = by_M};
  spec.memory_bytes = 100;
  Measured with(std::move(spec));
  EXPECT_ERROR(with.run(2, {best(2, pipeline(16)), best(4, pipeline(32))}), "the fake device has 100");
}

TEST(Transfers, LeadToTheKnownBuckets) {
  // Tuned for real, with the configs of three stages as they come out.
  const std::vector<std::int64_t> Ms{1, 2, 3, 4, 6, 8, 12};
  FakeSpec spec{.time_us = {}, .time_us_of = by_M};
  Measured with(std::move(spec));
  with.options.impls = {Impl::merged};
  std::vector<Best> bests;
  for (const std::int64_t M : Ms)
    for (Best& found : tune_problem(with.device, at(M), with.options, with.events)) bests.push_back(std::move(found));
  ASSERT_EQ(bests.size(), Ms.size());

  RegretMatrix regret(Ms.size(), std::vector<std::optional<double>>(Ms.size()));
  const auto place = [&](std::int64_t M) { return std::find(Ms.begin(), Ms.end(), M) - Ms.begin(); };
  for (const std::int64_t M : Ms)
    for (const Transfer& transfer : with.run(M, bests))
      if (transfer.regret) regret[place(M)][place(transfer.tuned_M)] = transfer.regret->value;
  const auto kept = [](const Buckets& buckets) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) count += buckets[i] == i;
    return count;
  };
  const Buckets wide = choose_buckets(Ms, regret, 0.01), narrow = choose_buckets(Ms, regret, 0.002);
  for (const Buckets& buckets : {wide, narrow}) {
    EXPECT_EQ(buckets[0], buckets[2]) << "1 … 3 are alike";
    EXPECT_EQ(buckets[6], 6u) << "12 is like no other";
  }
  EXPECT_EQ(kept(wide), 2u) << "half a percent is nothing to M = 4 … 8";
  EXPECT_EQ(kept(narrow), 3u);
  EXPECT_EQ(narrow[3], narrow[5]);
}

}  // namespace
}  // namespace moetune

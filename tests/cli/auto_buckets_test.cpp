#include "cli/auto_buckets.h"

#include <gtest/gtest.h>

#include "results/samples.h"

namespace moetune {
namespace {

Problem at(std::int64_t M) {
  Problem problem = sample_problem();
  problem.M = M;
  return problem;
}

/// The best of M, with a config that no other M has.
Best best(std::int64_t M, Impl impl = Impl::merged, double us = 100) {
  Best result = sample_best(impl, us);
  result.problem = at(M);
  for (auto& [stage, config] : result.config.stages) config.config.set("GROUP_SIZE_M", static_cast<int>(M));
  return result;
}

Transfer loses(std::int64_t tuned_M, std::int64_t M, double share, Impl impl = Impl::merged) {
  return {.impl = impl,
          .tuned_M = tuned_M,
          .M = M,
          .regret = Regret{.value = share, .low = share - 0.001, .high = share + 0.001}};
}

Transfer fails(std::int64_t tuned_M, std::int64_t M) {
  return {.impl = Impl::merged, .tuned_M = tuned_M, .M = M, .regret = {}, .reason = "timeout: hangs"};
}

/// 16 serves 8 and 32; nothing is known to serve 64.
const std::vector<Transfers> kMeasured{{.problem = at(8), .of = {loses(16, 8, 0.004), fails(32, 8)}},
                                       {.problem = at(16), .of = {loses(8, 16, 0.2), loses(32, 16, 0.3)}},
                                       {.problem = at(32), .of = {loses(8, 32, 0.1), loses(16, 32, 0.0078)}}};
const std::vector<Best> kBests{best(64), best(8), best(16), best(32)};

TEST(AutoBuckets, TheNearestServesWhereItLosesLittle) {
  const std::vector<FamilyBuckets> families = choose_family_buckets(kBests, kMeasured, 0.01);
  ASSERT_EQ(families.size(), 1u);
  const FamilyBuckets& family = families.front();
  EXPECT_EQ(family.Ms, (std::vector<std::int64_t>{8, 16, 32, 64}));
  EXPECT_EQ(family.servers, (std::vector<std::int64_t>{16, 16, 16, 64})) << "32 is as near to 16 as to 64";
  EXPECT_TRUE(family.keeps(16));
  EXPECT_FALSE(family.keeps(32));
  EXPECT_EQ(family.worst, kMeasured[2].of[1]);
  EXPECT_EQ(to_line(family, 0.01, false),
            "merged: 2 of 4 M have a config of their own: 16, 64; the others lose at most 0.8 % with their neighbour's "
            "(M=32 with M=16's)");
  EXPECT_EQ(to_line(family, 0.01, true).rfind("K=2048,N1=1536,", 0), 0u);
}

TEST(AutoBuckets, ANarrowMarginKeepsAll) {
  const FamilyBuckets family = choose_family_buckets(kBests, kMeasured, 0.001).front();
  EXPECT_EQ(family.servers, family.Ms);
  EXPECT_FALSE(family.worst);
  EXPECT_EQ(to_line(family, 0.001, false),
            "merged: each of 4 M has a config of its own; none does with its neighbour's at a loss of 0.1 %");
}

TEST(AutoBuckets, NothingIsSaidOfConfigsThatWereNotTried) {
  const FamilyBuckets family = choose_family_buckets(std::vector{best(1), best(16)}, {}, 0.01).front();
  EXPECT_EQ(family.servers, family.Ms);
  EXPECT_EQ(to_line(family, 0.01, false),
            "merged: each of 2 M has a config of its own; they lie more than 8 times apart, where no other's is tried");
}

TEST(AutoBuckets, WhatIsLostToNoiseIsNothing) {
  const std::vector<Transfers> measured{{.problem = at(8), .of = {loses(16, 8, -0.01)}}};
  EXPECT_EQ(to_line(choose_family_buckets(std::vector{best(8), best(16)}, measured, 0.01).front(), 0.01, false),
            "merged: 1 of 2 M have a config of their own: 16; the others lose nothing with their neighbour's");
}

TEST(AutoBuckets, FamiliesAndImplementationsAreApart) {
  std::vector<Best> bests{best(8), best(8, Impl::three_kernel), best(16, Impl::three_kernel), best(16)};
  bests.push_back(best(16));
  bests.back().problem.dtype = DType::fp16;
  const std::vector<Transfers> measured{
      {.problem = at(8), .of = {loses(16, 8, 0.5), loses(16, 8, 0, Impl::three_kernel)}},
      {.problem = at(16), .of = {loses(8, 16, 0), loses(8, 16, 0.5, Impl::three_kernel)}}};
  const std::vector<FamilyBuckets> families = choose_family_buckets(bests, measured, 0.01);
  ASSERT_EQ(families.size(), 3u);
  EXPECT_EQ(families[0].servers, (std::vector<std::int64_t>{8, 8}));
  EXPECT_EQ(families[1].servers, (std::vector<std::int64_t>{16, 16}));
  EXPECT_EQ(families[2].servers, (std::vector<std::int64_t>{16}));
}

TEST(AutoBuckets, MergedKernelsHaveTheirBucketsInCommon) {
  // merged_single is the faster at 8, merged at 16: who takes 8's config takes another implementation.
  const std::vector<Best> bests{best(8), best(8, Impl::merged_single, 90), best(16),
                                best(16, Impl::merged_single, 110)};
  const std::vector<Transfers> measured{{.problem = at(8), .of = {loses(16, 8, 0.1)}},
                                        {.problem = at(16), .of = {loses(8, 16, 0.005, Impl::merged_single)}}};
  const std::vector<FamilyBuckets> families = choose_family_buckets(bests, measured, 0.01);
  ASSERT_EQ(families.size(), 1u);
  EXPECT_EQ(families[0].servers, (std::vector<std::int64_t>{8, 8}));
  EXPECT_EQ(to_line(families[0], 0.01, false).rfind("merged and merged_single: 1 of 2 M", 0), 0u);
  EXPECT_TRUE(transfers_of(bests[0], families[0], measured).empty());
  EXPECT_EQ(transfers_of(bests[1], families[0], measured).size(), 1u);
}

TEST(AutoBuckets, ARecordSaysWhomItServes) {
  const FamilyBuckets family = choose_family_buckets(kBests, kMeasured, 0.01).front();
  std::vector<Transfer> expected{loses(16, 8, 0.004), loses(16, 32, 0.0078)};
  for (Transfer& each : expected) each.served = true;
  EXPECT_EQ(transfers_of(best(16), family, kMeasured), expected);
  EXPECT_EQ(transfers_of(best(32), family, kMeasured), (std::vector{fails(32, 8), loses(32, 16, 0.3)}));
}

TEST(AutoBuckets, ThePlanCountsWhatIsWithinReach) {
  const std::vector<Problem> problems{at(1), at(8), at(64), at(1000)};
  const std::vector<Impl> impls{Impl::three_kernel, Impl::merged};
  const TransferPlan plan = plan_transfers(problems, impls, {});
  EXPECT_EQ(plan.problems, 3u) << "1000 has no neighbour";
  EXPECT_EQ(plan.trials, 2u * (2 + 3 + 2));
  EXPECT_GT(plan.likely_seconds, 0);
  EXPECT_EQ(
      to_string(plan, 1).rfind("for --auto-buckets, 3 of them again with the configs of their neighbours: at most "
                               "14 trials, about ",
                               0),
      0u);
  EXPECT_EQ(to_string(plan_transfers(std::vector{at(1)}, impls, {}), 1), "");
  EXPECT_EQ(plan_transfers(problems, std::vector{Impl::merged, Impl::merged_single}, {}).trials, 7u);
}

}  // namespace
}  // namespace moetune

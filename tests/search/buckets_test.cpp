#include "search/buckets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <stdexcept>

namespace moetune {
namespace {

using Ms = std::vector<std::int64_t>;

/// What every M loses with any other's config.
RegretMatrix all_lose(std::size_t n, std::optional<double> share) {
  return RegretMatrix(n, std::vector(n, share));
}

std::vector<std::size_t> kept(const Buckets& buckets) {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < buckets.size(); ++i)
    if (buckets[i] == i) all.push_back(i);
  return all;
}

TEST(LastNearer, IsTheMiddleInRatioAndTakesWhatIsAsNear) {
  EXPECT_EQ(last_nearer(1, 16), 4);
  EXPECT_EQ(last_nearer(16, 256), 64);
  EXPECT_EQ(last_nearer(1, 2), 1);
  EXPECT_EQ(last_nearer(2, 9), 4);  // 18: 4 is nearer to 2, 5 to 9
  EXPECT_EQ(last_nearer(1 << 30, 1 << 30 | 1), 1 << 30);
}

TEST(Buckets, OneMKeepsItsConfig) {
  EXPECT_EQ(choose_buckets(Ms{7}, {{std::nullopt}}, 0.01), Buckets{0});
  EXPECT_EQ(choose_buckets(Ms{}, {}, 0.01), Buckets{});
}

TEST(Buckets, AllAlikeShareOne) {
  EXPECT_EQ(choose_buckets(Ms{1, 2, 4, 8}, all_lose(4, 0), 0.01), (Buckets{0, 0, 0, 0})) << "of equals the smallest M";
}

TEST(Buckets, WhereNothingTransfersAllKeepTheirs) {
  EXPECT_EQ(choose_buckets(Ms{1, 2, 4}, all_lose(3, 0.05), 0.01), (Buckets{0, 1, 2}));
  EXPECT_EQ(choose_buckets(Ms{1, 2, 4}, all_lose(3, {}), 1e9), (Buckets{0, 1, 2}));
  EXPECT_EQ(choose_buckets(Ms{1, 2, 4}, all_lose(3, std::nan("")), 0.01), (Buckets{0, 1, 2}));
}

TEST(Buckets, AKnownAnswer) {
  // 1 and 2 share, 4 … 16 share, and of these the middle one serves best.
  const std::optional<double> far = 0.2;
  const RegretMatrix regret{{0, 0.008, far, far, far},
                            {0.004, 0, far, far, far},
                            {far, far, 0, 0.003, 0.012},
                            {far, far, 0.006, 0, 0.007},
                            {far, far, 0.009, 0.005, 0}};
  EXPECT_EQ(choose_buckets(Ms{1, 2, 4, 8, 16}, regret, 0.01), (Buckets{0, 0, 3, 3, 3}));
  EXPECT_EQ(choose_buckets(Ms{1, 2, 4, 8, 16}, regret, 0.005), (Buckets{0, 0, 3, 3, 3}))
      << "the margin counts as within";
  EXPECT_EQ(kept(choose_buckets(Ms{1, 2, 4, 8, 16}, regret, 0.0049)).size(), 3u);
  EXPECT_EQ(kept(choose_buckets(Ms{1, 2, 4, 8, 16}, regret, 0.5)).size(), 1u);
}

TEST(Buckets, AMIsServedByTheNearestAndNotByTheBest) {
  // 8 could take the config of 1, which would serve all but 64, but 64 is nearer.
  RegretMatrix regret = all_lose(3, 0);
  regret[2] = {0.5, 0.5, 0};
  regret[1] = {0, 0, 0.5};
  regret[0] = {0, 0.5, 0.5};
  EXPECT_EQ(choose_buckets(Ms{1, 9, 64}, regret, 0.01), (Buckets{0, 1, 2}));
  EXPECT_EQ(choose_buckets(Ms{1, 8, 64}, regret, 0.01), (Buckets{0, 0, 2})) << "as near to both: the smaller";
}

TEST(Buckets, WhatIsMissingIsNeverTaken) {
  RegretMatrix regret = all_lose(3, 0);
  regret[2][0].reset();
  EXPECT_EQ(choose_buckets(Ms{1, 2, 4}, regret, 0.01), (Buckets{1, 1, 1}));
  regret[0][1].reset();
  regret[0][2].reset();
  EXPECT_EQ(kept(choose_buckets(Ms{1, 2, 4}, regret, 0.01)).size(), 2u);
}

TEST(Buckets, OfSetsOfOneSizeTheOneThatLosesLeast) {
  RegretMatrix regret = all_lose(3, 0.004);
  regret[0][2] = 0.001;
  regret[1][2] = -0.002;  // faster than with its own
  EXPECT_EQ(choose_buckets(Ms{1, 2, 4}, regret, 0.01), (Buckets{2, 2, 2}));
}

TEST(Buckets, MOutOfOrderAndMatricesOfAnotherSizeAreErrors) {
  EXPECT_THROW(choose_buckets(Ms{2, 1}, all_lose(2, 0), 0.01), std::invalid_argument);
  EXPECT_THROW(choose_buckets(Ms{1, 1}, all_lose(2, 0), 0.01), std::invalid_argument);
  EXPECT_THROW(choose_buckets(Ms{0}, all_lose(1, 0), 0.01), std::invalid_argument);
  EXPECT_THROW(choose_buckets(Ms{1, 2}, all_lose(3, 0), 0.01), std::invalid_argument);
  EXPECT_THROW(choose_buckets(Ms{1, 2}, {{0, 0}, {0}}, 0.01), std::invalid_argument);
}

/// The nearest of the set in ratio, by definition and in whole numbers.
std::size_t nearest(const Ms& all, const std::vector<std::size_t>& set, std::size_t i) {
  std::size_t best = set.front();
  const auto is_nearer = [&](std::int64_t a, std::int64_t b) {  // than b is to M, a != b
    const std::int64_t M = all[i];
    const auto [above_a, below_a] = std::pair(std::max(a, M), std::min(a, M));
    const auto [above_b, below_b] = std::pair(std::max(b, M), std::min(b, M));
    return above_a * below_b < above_b * below_a;
  };
  for (const std::size_t each : set)
    if (is_nearer(all[each], all[best])) best = each;  // in ascending order: as near leaves the smaller
  return best;
}

TEST(Buckets, NoSubsetOfRandomMatricesIsBetter) {
  std::mt19937 random(7);
  constexpr double kMargin = 0.01;
  std::size_t sizes_seen = 0;
  for (int trial = 0; trial < 400; ++trial) {
    const std::size_t n = 1 + random() % 8;
    Ms all;
    for (std::size_t i = 0; i < n; ++i) all.push_back((all.empty() ? 0 : all.back()) + 1 + random() % 12);
    RegretMatrix regret = all_lose(n, {});
    for (auto& row : regret)
      for (auto& each : row)  // sums of such are exact: the order of adding does not matter
        if (random() % 6 != 0) each = (static_cast<int>(random() % 24) - 4) / 1024.0;

    std::size_t fewest = n + 1;
    double least = 0;
    for (unsigned bits = 1; bits < 1u << n; ++bits) {
      std::vector<std::size_t> set;
      for (std::size_t i = 0; i < n; ++i)
        if (bits >> i & 1) set.push_back(i);
      double lost = 0;
      bool serves_all = true;
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t server = nearest(all, set, i);
        if (server == i) continue;
        serves_all = serves_all && regret[i][server] && *regret[i][server] <= kMargin;
        if (serves_all) lost += *regret[i][server];
      }
      if (!serves_all || set.size() > fewest || (set.size() == fewest && lost >= least)) continue;
      fewest = set.size();
      least = lost;
    }

    const Buckets buckets = choose_buckets(all, regret, kMargin);
    const std::vector<std::size_t> set = kept(buckets);
    double lost = 0;
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_EQ(buckets[i], nearest(all, set, i)) << "trial " << trial;
      if (buckets[i] == i) continue;
      ASSERT_TRUE(regret[i][buckets[i]] && *regret[i][buckets[i]] <= kMargin) << "trial " << trial;
      lost += *regret[i][buckets[i]];
    }
    ASSERT_EQ(set.size(), fewest) << "trial " << trial;
    ASSERT_EQ(lost, least) << "trial " << trial;
    sizes_seen |= std::size_t{1} << set.size();
  }
  EXPECT_GE(std::popcount(sizes_seen), 5) << "the matrices are all of one kind";
}

}  // namespace
}  // namespace moetune

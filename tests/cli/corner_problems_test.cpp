#include "cli/corner_problems.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace moetune {
namespace {

TEST(CornerProblems, AreValidAndCoverTheCorners) {
  const auto problems = corner_problems();
  std::set<std::int64_t> inner;
  std::set<std::tuple<DType, Activation, Bias>> kinds;
  for (const Problem& problem : problems) {
    EXPECT_NO_THROW(validate(problem)) << to_line(problem);
    EXPECT_EQ(std::count(problems.begin(), problems.end(), problem), 1) << to_line(problem);
    inner.insert(problem.inner());
    kinds.emplace(problem.dtype, problem.activation, problem.bias);
  }
  for (const std::int64_t size : {88, 96, 176, 2880}) EXPECT_TRUE(inner.contains(size)) << size;
  EXPECT_EQ(kinds.size(), kDTypes.size() * kActivations.size() * kBiases.size());
  const auto any = [&](auto holds) { return std::any_of(problems.begin(), problems.end(), holds); };
  EXPECT_TRUE(any([](const Problem& p) { return p.M == 1 && p.E > 1; }));
  EXPECT_TRUE(any([](const Problem& p) { return p.topk == 1; }));
  EXPECT_TRUE(any([](const Problem& p) { return p.E == 1; }));
  EXPECT_TRUE(any([](const Problem& p) { return p.topk == p.E && p.E > 1; }));
  EXPECT_TRUE(any([](const Problem& p) { return p.K == 8; }));
  EXPECT_TRUE(any([](const Problem& p) { return p.N2 != p.K; }));
  EXPECT_TRUE(any([](const Problem& p) { return p.slots() < p.E; }));
  EXPECT_TRUE(any([](const Problem& p) { return p.routing.kind == RoutingSpec::Kind::one_expert; }));
  EXPECT_TRUE(any([](const Problem& p) { return p.weight_on_input; }));
}

}  // namespace
}  // namespace moetune

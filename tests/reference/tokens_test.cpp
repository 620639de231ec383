#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "reference/group_ends.h"
#include "reference/reference.h"

namespace moetune {
namespace {

Problem large_problem() {
  return {.M = 2000, .K = 64, .N1 = 128, .N2 = 64, .E = 32, .topk = 4, .routing = {.kind = RoutingSpec::Kind::zipf}};
}

double macs(const Problem& problem, double tokens) {
  return tokens * static_cast<double>(problem.topk * (problem.K * problem.N1 + problem.N2 * problem.inner()));
}

TEST(ChooseTokens, TakesAllWhereTheBudgetAllows) {
  const Problem problem = large_problem();
  const Routing routing = make_routing(problem, {});
  const auto tokens = choose_tokens(problem, routing, 1, macs(problem, 2000));
  ASSERT_EQ(tokens.size(), 2000u);
  EXPECT_EQ(tokens.front(), 0);
  EXPECT_EQ(tokens.back(), 1999);
  EXPECT_EQ(choose_tokens(problem, routing, 1, macs(problem, 1999.5)).size(), 1999u);
}

TEST(ChooseTokens, SamplesAreDistinctAscendingAndOfTheBudgetsSize) {
  const Problem problem = large_problem();
  const Routing routing = make_routing(problem, {});
  for (const std::size_t budget : {1u, 2u, 10u, 100u, 1999u}) {
    const auto tokens = choose_tokens(problem, routing, 1, macs(problem, static_cast<double>(budget) + 0.5));
    EXPECT_EQ(tokens.size(), budget);
    EXPECT_TRUE(std::is_sorted(tokens.begin(), tokens.end()));
    EXPECT_EQ(std::set(tokens.begin(), tokens.end()).size(), tokens.size());
    EXPECT_GE(tokens.front(), 0);
    EXPECT_LT(tokens.back(), problem.M);
  }
  EXPECT_EQ(choose_tokens(problem, routing, 1, 0).size(), 1u) << "there is always something to check";
}

TEST(ChooseTokens, CoversEveryExpertFirstAndThenTheEndsOfItsGroup) {
  const Problem problem = large_problem();
  const Routing routing = make_routing(problem, {});
  const auto covered = [&](const std::vector<std::int64_t>& tokens) {
    std::set<std::int32_t> experts;
    for (const std::int64_t token : tokens)
      experts.insert(routing.topk_ids.begin() + token * 4, routing.topk_ids.begin() + (token + 1) * 4);
    return static_cast<std::int64_t>(experts.size());
  };
  ASSERT_EQ(routing.experts_hit(), 32);
  EXPECT_EQ(covered(choose_tokens(problem, routing, 1, macs(problem, 32.5))), 32);

  const auto tokens = choose_tokens(problem, routing, 1, macs(problem, 96.5));
  const GroupEnds ends = find_group_ends(routing);
  for (std::int64_t expert = 0; expert < 32; ++expert) {
    EXPECT_TRUE(std::binary_search(tokens.begin(), tokens.end(), ends.first[expert])) << expert;
    EXPECT_TRUE(std::binary_search(tokens.begin(), tokens.end(), ends.last[expert])) << expert;
  }
}

TEST(ChooseTokens, IsDeterministicInTheSeed) {
  const Problem problem = large_problem();
  const Routing routing = make_routing(problem, {});
  const double budget = macs(problem, 200);
  EXPECT_EQ(choose_tokens(problem, routing, 4, budget), choose_tokens(problem, routing, 4, budget));
  EXPECT_NE(choose_tokens(problem, routing, 4, budget), choose_tokens(problem, routing, 5, budget));
}

// Rows that are zero cost nothing: some are checked whatever the budget is.
TEST(ChooseTokens, TakesInTokensWithoutAnExpertHere) {
  Problem problem = large_problem();
  problem.ep_ranks = 8, problem.ep_rank = 3;
  const Routing routing = make_routing(problem, {});
  const auto here = [&](std::int64_t token) {
    for (std::int64_t choice = 0; choice < problem.topk; ++choice)
      if (routing.expert_of(token * problem.topk + choice) >= 0) return true;
    return false;
  };
  const auto tokens = choose_tokens(problem, routing, 1, 0);
  ASSERT_EQ(tokens.size(), 3u);
  EXPECT_EQ(std::count_if(tokens.begin(), tokens.end(), here), 1);
  EXPECT_TRUE(std::is_sorted(tokens.begin(), tokens.end()));
  problem.routing = parse_routing("one"), problem.topk = 1;
  const Routing none = make_routing(problem, {});
  ASSERT_EQ(none.load().slots, 0);
  EXPECT_GE(choose_tokens(problem, none, 1, 0).size(), 2u);
}

TEST(GroupEnds, LeaveOutWhatLivesElsewhere) {
  const Routing routing{
      .M = 3, .topk = 2, .E = 2, .topk_ids = {1, 3, 3, 0, 1, 0}, .topk_weights = {}, .expert_map = {-1, 0, 1, -1}};
  EXPECT_EQ(find_group_ends(routing).first, (std::vector<std::int64_t>{0, -1}));
  EXPECT_EQ(find_group_ends(routing).last, (std::vector<std::int64_t>{2, -1}));
}

TEST(GroupEnds, AreTheFirstAndLastSlotsInOrder) {
  const Routing routing{.M = 3, .topk = 2, .E = 4, .topk_ids = {1, 3, 3, 0, 1, 0}, .topk_weights = {}};
  const GroupEnds ends = find_group_ends(routing);
  EXPECT_EQ(ends.first, (std::vector<std::int64_t>{1, 0, -1, 0}));
  EXPECT_EQ(ends.last, (std::vector<std::int64_t>{2, 2, -1, 1}));
}

}  // namespace
}  // namespace moetune

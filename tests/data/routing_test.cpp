#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "base/error.h"
#include "data/inputs.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

Problem problem_of(std::int64_t M, std::int64_t E, std::int64_t topk, std::string_view routing) {
  return {.M = M, .K = 8, .N1 = 16, .N2 = 8, .E = E, .topk = topk, .routing = parse_routing(routing)};
}

void expect_valid(const Problem& problem, const Routing& routing) {
  ASSERT_EQ(routing.M, problem.M);
  ASSERT_EQ(routing.topk, problem.topk);
  ASSERT_EQ(routing.E, problem.E);
  ASSERT_EQ(routing.topk_ids.size(), static_cast<std::size_t>(problem.slots()));
  ASSERT_EQ(routing.topk_weights.size(), static_cast<std::size_t>(problem.slots()));
  for (std::int64_t token = 0; token < problem.M; ++token) {
    const auto row = routing.topk_ids.begin() + token * problem.topk;
    ASSERT_EQ(std::set<std::int32_t>(row, row + problem.topk).size(), static_cast<std::size_t>(problem.topk)) << token;
    for (auto id = row; id != row + problem.topk; ++id) ASSERT_TRUE(*id >= 0 && *id < problem.E);
  }
}

std::vector<std::int64_t> loads(const Problem& problem, std::uint64_t seed = 1) {
  return make_routing(problem, {.seed = seed}).rows_per_expert();
}

TEST(MakeRouting, GivesDistinctExpertsOfTheProblemForEveryKindAndCorner) {
  for (const char* const kind : {"balanced", "uniform", "zipf:0", "zipf:1", "zipf:3", "zipf:400", "one"})
    for (const auto& [M, E, topk] : std::vector<std::array<std::int64_t, 3>>{
             {1, 1, 1}, {1, 8, 8}, {300, 8, 2}, {300, 5, 5}, {7, 1024, 64}, {3, 1024, 1024}, {50, 1, 1}}) {
      const Problem problem = problem_of(M, E, topk, kind);
      expect_valid(problem, make_routing(problem, {.seed = 3}));
    }
}

TEST(MakeRouting, IsDeterministicInTheSeed) {
  for (const char* const kind : {"uniform", "zipf:1", "one"}) {
    const Problem problem = problem_of(100, 32, 4, kind);
    const Routing first = make_routing(problem, {.seed = 3}), again = make_routing(problem, {.seed = 3});
    const Routing other = make_routing(problem, {.seed = 4});
    EXPECT_EQ(first.topk_ids, again.topk_ids);
    EXPECT_EQ(first.topk_weights, again.topk_weights);
    EXPECT_NE(first.topk_ids, other.topk_ids);
    EXPECT_NE(first.topk_weights, other.topk_weights);
  }
}

TEST(MakeRouting, HasManyDrawsOfARandomKind) {
  for (const char* const kind : {"uniform", "zipf:1", "one"}) {
    const Problem problem = problem_of(100, 32, 4, kind);
    EXPECT_TRUE(is_random(problem.routing));
    std::set<std::vector<std::int32_t>> different;
    for (const std::uint64_t seed : {1, 2})
      for (int draw = 0; draw < 4; ++draw) {
        const Routing routing = make_routing(problem, {.seed = seed}, draw);
        expect_valid(problem, routing);
        EXPECT_EQ(routing.topk_ids, make_routing(problem, {.seed = seed}, draw).topk_ids);
        different.insert(routing.topk_ids);
      }
    EXPECT_EQ(different.size(), 8u) << kind;
    EXPECT_EQ(make_routing(problem, {.seed = 1}).topk_ids, make_routing(problem, {.seed = 1}, 0).topk_ids);
  }
  EXPECT_FALSE(is_random(problem_of(100, 32, 4, "balanced").routing));
}

TEST(MeanLoad, IsOverTheDraws) {
  const Problem problem = problem_of(4, 64, 4, "uniform");
  double sum = 0;
  for (int draw = 0; draw < 5; ++draw) sum += static_cast<double>(make_routing(problem, {}, draw).experts_hit());
  EXPECT_DOUBLE_EQ(mean_load(problem, {}, 5).experts_hit, sum / 5);
  EXPECT_NE(mean_load(problem, {}, 5), mean_load(problem, {}, 1));
  EXPECT_EQ(mean_load(problem_of(4, 64, 4, "balanced"), {}, 5), (Load{.experts_hit = 16, .slots = 16, .tokens = 4}));
}

Problem rank_of(Problem problem, std::int64_t ep_ranks, std::int64_t ep_rank) {
  problem.E /= ep_ranks, problem.ep_ranks = ep_ranks, problem.ep_rank = ep_rank;
  return problem;
}

// Ranks see the choices that there are without ranks, and of those each its own: together they do all of them.
TEST(ExpertParallel, RanksShareTheChoicesOfOneRouting) {
  for (const char* const kind : {"balanced", "uniform", "zipf:1", "one"}) {
    const Problem whole = problem_of(50, 32, 4, kind);
    const Routing all = make_routing(whole, {.seed = 3});
    std::vector<std::int64_t> rows;
    double slots = 0;
    for (int rank = 0; rank < 4; ++rank) {
      const Routing routing = make_routing(rank_of(whole, 4, rank), {.seed = 3});
      EXPECT_EQ(routing.topk_ids, all.topk_ids) << kind;
      EXPECT_EQ(routing.topk_weights, all.topk_weights) << kind;
      EXPECT_EQ(routing.E, 8);
      ASSERT_EQ(routing.expert_map.size(), 32u);
      for (int id = 0; id < 32; ++id) EXPECT_EQ(routing.expert_map[id], id / 8 == rank ? id % 8 : -1);
      for (const std::int64_t n : routing.rows_per_expert()) rows.push_back(n);
      slots += routing.load().slots;
    }
    EXPECT_EQ(rows, all.rows_per_expert()) << kind;
    EXPECT_EQ(slots, 200);
    EXPECT_TRUE(all.expert_map.empty());
  }
}

TEST(ExpertParallel, TokensMayChooseMoreThanThereIsHere) {
  const Problem problem = rank_of(problem_of(3, 8, 8, "uniform"), 4, 2);
  const Routing routing = make_routing(problem, {});
  EXPECT_EQ(routing.rows_per_expert(), (std::vector<std::int64_t>{3, 3}));
  EXPECT_EQ(routing.load(), (Load{.experts_hit = 2, .slots = 6, .tokens = 3}));
}

TEST(ExpertParallel, OfOneExpertOtherRanksMayHaveNothing) {
  const Routing routing = make_routing(rank_of(problem_of(9, 8, 1, "one"), 2, 1), {});
  EXPECT_EQ(routing.load(), Load{});
}

// A map is data: experts may come in any order, twice, or not at all; what is out of range is nobody's.
TEST(ExpertMap, TakesEachChoiceToAnExpertHereOrNone) {
  const Routing routing{.M = 4,
                        .topk = 2,
                        .E = 3,
                        .topk_ids = {0, 1, 2, 3, 4, 5, -1, 6},
                        .topk_weights = {},
                        .expert_map = {2, -1, 0, 3, 2, -7}};
  std::vector<std::int32_t> experts;
  for (std::int64_t slot = 0; slot < 8; ++slot) experts.push_back(routing.expert_of(slot));
  EXPECT_EQ(experts, (std::vector<std::int32_t>{2, -1, 0, -1, 2, -1, -1, -1}));
  EXPECT_EQ(routing.rows_per_expert(), (std::vector<std::int64_t>{1, 0, 2}));
  EXPECT_EQ(routing.load(), (Load{.experts_hit = 2, .slots = 3, .tokens = 3}));
}

TEST(MakeRouting, FewerTokensArePartOfMore) {
  const Routing few = make_routing(problem_of(10, 32, 4, "uniform"), {});
  const Routing many = make_routing(problem_of(100, 32, 4, "uniform"), {});
  EXPECT_TRUE(std::equal(few.topk_ids.begin(), few.topk_ids.end(), many.topk_ids.begin()));
}

TEST(MakeRouting, ChecksTheProblem) {
  EXPECT_ERROR(make_routing(problem_of(1, 2, 3, "uniform"), {}), "topk = 3");
}

TEST(Balanced, LoadsDifferByAtMostOne) {
  for (const auto& [M, E, topk] : std::vector<std::array<std::int64_t, 3>>{{100, 8, 3}, {1, 64, 6}, {37, 10, 7}}) {
    const auto rows = loads(problem_of(M, E, topk, "balanced"));
    const auto [least, most] = std::minmax_element(rows.begin(), rows.end());
    EXPECT_LE(*most - *least, 1);
  }
}

TEST(Uniform, LoadsAreThoseOfFairDraws) {
  const auto rows = loads(problem_of(16384, 64, 8, "uniform"));
  double chi_squared = 0;
  for (const std::int64_t n : rows) chi_squared += std::pow(static_cast<double>(n) - 2048, 2) / 2048;
  EXPECT_LT(chi_squared, 110) << "63 degrees of freedom";
  EXPECT_GT(chi_squared, 20) << "too even to be drawn";
}

TEST(Uniform, EveryPlaceInARowIsFair) {
  const Problem problem = problem_of(20000, 4, 2, "uniform");
  const Routing routing = make_routing(problem, {});
  std::vector<int> pairs(16);
  for (std::int64_t token = 0; token < problem.M; ++token)
    ++pairs[4 * routing.topk_ids[2 * token] + routing.topk_ids[2 * token + 1]];
  for (int a = 0; a < 4; ++a)
    for (int b = 0; b < 4; ++b) EXPECT_NEAR(pairs[4 * a + b], a == b ? 0 : 20000 / 12, a == b ? 0 : 200);
}

TEST(Zipf, LoadsFollowThePowerOfTheRank) {
  auto rows = loads(problem_of(200'000, 16, 1, "zipf:1.5"));
  std::sort(rows.rbegin(), rows.rend());
  double total = 0;
  for (int rank = 1; rank <= 16; ++rank) total += std::pow(rank, -1.5);
  for (int rank = 1; rank <= 16; ++rank)
    EXPECT_NEAR(static_cast<double>(rows[rank - 1]), 200'000 * std::pow(rank, -1.5) / total,
                5 * std::sqrt(200'000 * std::pow(rank, -1.5) / total) + 5);
}

// Two of three without replacement: P(expert of rank r is chosen) summed by hand over the orders of drawing.
TEST(Zipf, DrawsWithoutReplacement) {
  for (const double s : {1.0, 6.0}) {  // with 6, the second draw mostly falls back to drawing from what is left
    auto rows = loads(problem_of(300'000, 3, 2, s == 1 ? "zipf:1" : "zipf:6"));
    std::sort(rows.rbegin(), rows.rend());
    const double w[3] = {1, std::pow(2, -s), std::pow(3, -s)}, total = w[0] + w[1] + w[2];
    for (int r = 0; r < 3; ++r) {
      double expected = w[r] / total;
      for (int before = 0; before < 3; ++before)
        if (before != r) expected += w[before] / total * w[r] / (total - w[before]);
      EXPECT_NEAR(static_cast<double>(rows[r]) / 300'000, expected, 0.004) << "s = " << s << ", rank " << r + 1;
    }
  }
}

TEST(Zipf, SeedsShuffleTheRanks) {
  std::set<std::ptrdiff_t> busiest;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto rows = loads(problem_of(200, 64, 1, "zipf:2"), seed);
    busiest.insert(std::max_element(rows.begin(), rows.end()) - rows.begin());
  }
  EXPECT_GT(busiest.size(), 10u);
}

TEST(OneExpert, TakesASlotOfEveryTokenAndTheRestAreUniform) {
  const auto rows = loads(problem_of(9000, 10, 4, "one"));
  EXPECT_EQ(rows[0], 9000);
  for (std::size_t expert = 1; expert < 10; ++expert) EXPECT_NEAR(static_cast<double>(rows[expert]), 3000, 250);
}

TEST(Weights, ArePositiveAndSumToOne) {
  const Problem problem = problem_of(200, 16, 8, "uniform");
  const Routing routing = make_routing(problem, {});
  for (std::int64_t token = 0; token < problem.M; ++token) {
    double sum = 0;
    for (int choice = 0; choice < 8; ++choice) {
      EXPECT_GT(routing.topk_weights[token * 8 + choice], 0);
      sum += routing.topk_weights[token * 8 + choice];
    }
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST(Weights, OfExactDataAreAllThreePowersOfTwo) {
  const Routing routing = make_routing(problem_of(200, 16, 8, "uniform"), {.fill = Fill::exact_integer, .seed = 1});
  EXPECT_EQ(std::set(routing.topk_weights.begin(), routing.topk_weights.end()), (std::set{0.25f, 0.5f, 1.0f}));
}

TEST(Routing, CountsRowsAndExpertsHit) {
  const Routing routing{.M = 2, .topk = 2, .E = 5, .topk_ids = {4, 0, 4, 2}, .topk_weights = {}};
  EXPECT_EQ(routing.rows_per_expert(), (std::vector<std::int64_t>{1, 0, 1, 0, 2}));
  EXPECT_EQ(routing.experts_hit(), 3);
}

class RoutingFile : public ::testing::Test {
 protected:
  Problem save(std::int64_t M, std::int64_t topk, const std::vector<signed char>& ids, std::string_view shape) {
    const std::string header = "{'descr': '|i1', 'fortran_order': False, 'shape': " + std::string(shape) + "}\n";
    std::string bytes("\x93NUMPY\x01\0", 8);
    bytes += static_cast<char>(header.size());
    bytes += '\0';
    write_text(folder_ / "ids.npy", bytes + header + std::string(ids.begin(), ids.end()));
    return problem_of(M, 4, topk, "file:" + (folder_ / "ids.npy").string());
  }

  TemporaryFolder folder_;
};

TEST_F(RoutingFile, IsTakenAsItIs) {
  const Problem problem = save(3, 2, {0, 3, 1, 2, 3, 0}, "(3, 2)");
  EXPECT_EQ(make_routing(problem, {}).topk_ids, (std::vector<std::int32_t>{0, 3, 1, 2, 3, 0}));
}

TEST_F(RoutingFile, MustFitTheProblem) {
  EXPECT_ERROR(make_routing(save(2, 2, {0, 3, 1, 2, 3, 0}, "(3, 2)"), {}),
               "shape (3, 2) does not fit the problem: expected [M, topk] = (2, 2)");
  EXPECT_ERROR(make_routing(save(3, 2, {0, 3, 1, 4, 3, 0}, "(3, 2)"), {}),
               "row 1, column 1: expert 4 is out of range: expected 0 to 3");
  EXPECT_ERROR(make_routing(save(3, 2, {0, 3, 1, 2, 3, -1}, "(3, 2)"), {}),
               "row 2, column 1: expert -1 is out of range");
  Problem ranks = save(3, 2, {0, 3, 1, 7, 3, 0}, "(3, 2)");
  ranks.ep_ranks = 2, ranks.ep_rank = 1;
  EXPECT_EQ(make_routing(ranks, {}).rows_per_expert(), (std::vector<std::int64_t>{0, 0, 0, 1}));
  ranks = save(3, 2, {0, 3, 1, 8, 3, 0}, "(3, 2)");
  ranks.ep_ranks = 2;
  EXPECT_ERROR(make_routing(ranks, {}), "expert 8 is out of range: expected 0 to 7");
  EXPECT_ERROR(make_routing(save(3, 2, {0, 3, 1, 1, 3, 0}, "(3, 2)"), {}),
               "row 1, column 1: expert 1 is there already");
  EXPECT_ERROR(make_routing(problem_of(3, 4, 2, "file:/nowhere/ids.npy"), {}), "/nowhere/ids.npy: cannot be opened");
}

}  // namespace
}  // namespace moetune

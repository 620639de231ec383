#include "reference/reference.h"

#include <gtest/gtest.h>

#include <numeric>

#include "naive.h"

namespace moetune {
namespace {

std::vector<std::int64_t> all_tokens(const Problem& problem) {
  std::vector<std::int64_t> tokens(problem.M);
  std::iota(tokens.begin(), tokens.end(), std::int64_t{0});
  return tokens;
}

// N2 is neither K nor a multiple of the rows of a task, N1/2 is odd in units of 8.
Problem small_problem() {
  return {.M = 5, .K = 24, .N1 = 2 * 40, .N2 = 40, .E = 5, .topk = 3, .dtype = DType::bf16, .routing = {}};
}

void expect_matches_naive(const Problem& problem, Impl impl, const DataSpec& data) {
  const Routing routing = make_routing(problem, data);
  const ReferenceRows reference = compute_reference(problem, impl, routing, data, all_tokens(problem));
  const std::vector<double> naive = testing::Naive<double>(problem, impl, routing, data).unrounded();
  ASSERT_EQ(reference.values.size(), naive.size());
  for (std::size_t i = 0; i < naive.size(); ++i) {
    const double expected = data.fill == Fill::exact_integer
                                ? from_bits(problem.dtype, to_bits(problem.dtype, static_cast<float>(naive[i])))
                                : naive[i];
    ASSERT_NEAR(reference.values[i], expected, 1e-12) << to_line(problem) << " " << to_string(impl) << " element " << i;
  }
}

TEST(Reference, MatchesPlainLoopsForEveryVariant) {
  std::uint64_t seed = 1;
  for (const DType dtype : kDTypes)
    for (const Activation activation : kActivations)
      for (const Bias bias : kBiases)
        for (const bool weight_on_input : {false, true})
          for (const Impl impl : kImpls)
            for (const Fill fill : {Fill::random, Fill::exact_integer}) {
              Problem problem = small_problem();
              problem.dtype = dtype;
              problem.activation = activation;
              problem.bias = bias;
              problem.weight_on_input = weight_on_input;
              expect_matches_naive(problem, impl, {.fill = fill, .seed = seed++});
            }
}

TEST(Reference, MatchesPlainLoopsAtTheCorners) {
  for (const auto& [M, K, inner, N2, E, topk] : std::vector<std::array<std::int64_t, 6>>{
           {1, 8, 8, 8, 1, 1}, {1, 8, 96, 8, 4, 4}, {33, 200, 8, 136, 64, 1}, {3, 64, 176, 24, 64, 64}})
    for (const Impl impl : kImpls)
      expect_matches_naive({.M = M, .K = K, .N1 = 2 * inner, .N2 = N2, .E = E, .topk = topk, .bias = Bias::both}, impl,
                           {.seed = 77});
}

TEST(Reference, OfARankMatchesPlainLoops) {
  for (const std::int64_t rank : {0, 1, 2})
    for (const Impl impl : kImpls)
      for (const char* const routing : {"uniform", "one", "balanced", "zipf:1"})
        expect_matches_naive({.M = 9,
                              .K = 24,
                              .N1 = 80,
                              .N2 = 40,
                              .E = 2,
                              .topk = 3,
                              .ep_ranks = 3,
                              .ep_rank = rank,
                              .bias = Bias::both,
                              .routing = parse_routing(routing)},
                             impl, {.seed = 5});
}

// By hand: two experts here, 1 and 4 of six, in turned order. Token 0 chose both, token 1 none, token 2 one of them:
// the same rows come out as of a device with two experts whose tokens chose just those.
TEST(Reference, LeavesOutWhatLivesElsewhere) {
  const Problem two{.M = 3, .K = 16, .N1 = 32, .N2 = 16, .E = 2, .topk = 2, .bias = Bias::both};
  const Routing mapped{.M = 3,
                       .topk = 2,
                       .E = 2,
                       .topk_ids = {4, 1, 0, 5, 1, 2},
                       .topk_weights = {0.25f, 0.75f, 0.5f, 0.5f, 1.0f, 0.125f},
                       .expert_map = {-1, 1, -1, -1, 0, -1}};
  const auto rows = compute_reference(two, Impl::merged, mapped, {}, {0, 1, 2});
  const Routing local{.M = 1, .topk = 2, .E = 2, .topk_ids = {0, 1}, .topk_weights = {0.25f, 0.75f}};
  Problem token_0 = two;
  token_0.M = 1;
  const auto expected_0 = compute_reference(token_0, Impl::merged, local, {}, {0});
  for (std::size_t n = 0; n < 16; ++n) EXPECT_EQ(rows.values[n], expected_0.values[n]) << n;
  for (std::size_t n = 16; n < 32; ++n) EXPECT_EQ(rows.values[n], 0) << n;
  Problem one_choice = two;
  one_choice.topk = 1;
  const Routing last{.M = 3, .topk = 1, .E = 2, .topk_ids = {0, 0, 1}, .topk_weights = {1, 1, 1}};
  const auto expected_2 = compute_reference(one_choice, Impl::merged, last, {}, {2});
  for (std::size_t n = 0; n < 16; ++n) EXPECT_EQ(rows.values[32 + n], expected_2.values[n]) << n;
  EXPECT_NE(rows.values[32], 0);
  EXPECT_EQ(rows.experts_hit, 2);
  EXPECT_EQ(rows.experts_checked, 2);
  EXPECT_TRUE(rows.group_ends_checked);
}

// Ranks' partial sums add up to what one device with all experts computes, but for the order of adding up.
TEST(Reference, RanksAddUpToTheWhole) {
  const Problem whole{.M = 20, .K = 24, .N1 = 80, .N2 = 40, .E = 6, .topk = 3};
  const DataSpec data{.seed = 4};
  const Routing all = make_routing(whole, data);
  const auto expected = compute_reference(whole, Impl::merged, all, data, all_tokens(whole));
  // The weights are those of the whole: experts are told apart by a map that leaves each where it is.
  std::vector<double> sum(expected.values.size());
  for (std::int32_t rank = 0; rank < 3; ++rank) {
    Routing routing = all;
    for (std::int32_t id = 0; id < 6; ++id) routing.expert_map.push_back(id / 2 == rank ? id : -1);
    const auto part = compute_reference(whole, Impl::merged, routing, data, all_tokens(whole));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += part.values[i];
  }
  for (std::size_t i = 0; i < sum.size(); ++i) EXPECT_NEAR(sum[i], expected.values[i], 1e-12);
}

TEST(Reference, TheImplementationsDifferInOneRounding) {
  const Problem problem = small_problem();
  const DataSpec data{.seed = 3};
  const Routing routing = make_routing(problem, data);
  const auto merged = compute_reference(problem, Impl::merged, routing, data, all_tokens(problem));
  const auto three_kernel = compute_reference(problem, Impl::three_kernel, routing, data, all_tokens(problem));
  EXPECT_NE(merged.values, three_kernel.values);
}

TEST(Reference, SampledRowsAreThoseOfTheWhole) {
  Problem problem = small_problem();
  problem.M = 50;
  const DataSpec data{.seed = 9};
  const Routing routing = make_routing(problem, data);
  const auto whole = compute_reference(problem, Impl::merged, routing, data, all_tokens(problem));
  const auto sample = compute_reference(problem, Impl::merged, routing, data, {49, 3, 20, 3});
  EXPECT_EQ(sample.tokens, (std::vector<std::int64_t>{3, 20, 49}));
  ASSERT_EQ(sample.values.size(), 3u * 40);
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 40; ++c) EXPECT_EQ(sample.values[r * 40 + c], whole.values[sample.tokens[r] * 40 + c]);
}

TEST(Reference, SaysWhatTheTokensCover) {
  const Problem problem{.M = 4, .K = 8, .N1 = 16, .N2 = 8, .E = 4, .topk = 1, .routing = {}};
  const Routing routing{.M = 4, .topk = 1, .E = 4, .topk_ids = {2, 0, 2, 2}, .topk_weights = {1, 1, 1, 1}};
  const auto whole = compute_reference(problem, Impl::merged, routing, {}, {0, 1, 2, 3});
  EXPECT_EQ(whole.experts_hit, 2);
  EXPECT_EQ(whole.experts_checked, 2);
  EXPECT_TRUE(whole.group_ends_checked);
  const auto without_middle = compute_reference(problem, Impl::merged, routing, {}, {0, 1, 3});
  EXPECT_TRUE(without_middle.group_ends_checked);
  const auto without_last = compute_reference(problem, Impl::merged, routing, {}, {0, 1, 2});
  EXPECT_FALSE(without_last.group_ends_checked);
  const auto one_expert = compute_reference(problem, Impl::merged, routing, {}, {0, 3});
  EXPECT_EQ(one_expert.experts_checked, 1);
  EXPECT_FALSE(one_expert.group_ends_checked);
}

TEST(Reference, RandomOutputsAreOfOrderOne) {
  const Problem problem{.M = 64, .K = 512, .N1 = 512, .N2 = 512, .E = 8, .topk = 2, .routing = {}};
  const auto rows = compute_reference(problem, Impl::merged, make_routing(problem, {}), {}, all_tokens(problem));
  const double squares = std::inner_product(rows.values.begin(), rows.values.end(), rows.values.begin(), 0.0);
  const double rms = std::sqrt(squares / static_cast<double>(rows.values.size()));
  EXPECT_GT(rms, 0.3);
  EXPECT_LT(rms, 3);
}

}  // namespace
}  // namespace moetune

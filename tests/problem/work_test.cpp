#include "problem/work.h"

#include <gtest/gtest.h>

#include <cmath>

namespace moetune {
namespace {

constexpr Ceilings kH200{.read_bytes_per_s = 4.65e12, .matrix_flops_per_s = 790e12};

Problem problem_of(std::int64_t M, std::int64_t K, std::int64_t inner, std::int64_t E, std::int64_t topk) {
  return {.M = M, .K = K, .N1 = 2 * inner, .N2 = K, .E = E, .topk = topk};
}

/// Where all experts are here.
Load load_of(const Problem& problem, double experts_hit) {
  return {.experts_hit = experts_hit,
          .slots = static_cast<double>(problem.slots()),
          .tokens = static_cast<double>(problem.M)};
}
Work work_of(const Problem& problem, double experts_hit) {
  return pipeline_work(problem, load_of(problem, experts_hit));
}
double ceiling_of(const Problem& problem, double experts_hit) {
  return merged_ceiling(problem, load_of(problem, experts_hit), kH200);
}

// A problem small enough to count by hand: 6 slots, 2 experts hit.
Problem by_hand(Bias bias) {
  return {.M = 3, .K = 8, .N1 = 32, .N2 = 24, .E = 4, .topk = 2, .bias = bias};
}

TEST(Work, OfThePipelineByHand) {
  const Work work = pipeline_work(by_hand(Bias::none), load_of(by_hand(Bias::none), 2));
  EXPECT_EQ(work.flops, 2 * 6 * 8 * 32 + 2 * 6 * 16 * 24);
  EXPECT_EQ(work.bytes, 2 * (2 * (32 * 8 + 24 * 16) + 3 * 8 + 3 * 24));
  EXPECT_EQ(pipeline_work(by_hand(Bias::b1), load_of(by_hand(Bias::b1), 2)).bytes, work.bytes + 2 * 2 * 32);
  EXPECT_EQ(pipeline_work(by_hand(Bias::b2), load_of(by_hand(Bias::b2), 2)).bytes, work.bytes + 2 * 2 * 24);
  EXPECT_EQ(pipeline_work(by_hand(Bias::both), load_of(by_hand(Bias::both), 2)).bytes, work.bytes + 2 * 2 * (32 + 24));
}

TEST(Work, OfTheStagesByHand) {
  const Problem problem = by_hand(Bias::both);
  const auto stage = [&](Stage which) { return stage_work(problem, which, load_of(problem, 2)); };
  EXPECT_EQ(stage(Stage::gemm1), (Work{.flops = 2 * 6 * 8 * 32, .bytes = 2 * (2 * 32 * (8 + 1) + 3 * 8 + 6 * 32)}));
  EXPECT_EQ(stage(Stage::gate), (Work{.flops = 2 * 6 * 8 * 32, .bytes = 2 * (2 * 32 * (8 + 1) + 3 * 8 + 6 * 16)}));
  EXPECT_EQ(stage(Stage::activate), (Work{.flops = 0, .bytes = 2 * (6 * 32 + 6 * 16)}));
  EXPECT_EQ(stage(Stage::final), (Work{.flops = 2 * 6 * 16 * 24, .bytes = 2 * (2 * 24 * (16 + 1) + 6 * 16 + 6 * 24)}));
  EXPECT_EQ(stage(Stage::combine), (Work{.flops = 0, .bytes = 2 * (6 * 24 + 3 * 24)}));
  EXPECT_EQ(stage(Stage::route), (Work{.flops = 0, .bytes = 4 * (6 + 6 + 5)}));
}

// 6 slots, of which 2 of one token are for the 1 expert hit here.
TEST(Work, OfARankIsOfTheChoicesHere) {
  Problem problem = by_hand(Bias::both);
  problem.ep_ranks = 3;
  const Load load{.experts_hit = 1, .slots = 2, .tokens = 1};
  EXPECT_EQ(pipeline_work(problem, load), (Work{.flops = 2 * 2 * 8 * 32 + 2 * 2 * 16 * 24,
                                                .bytes = 2 * (32 * 8 + 24 * 16 + 32 + 24 + 1 * 8 + 3 * 24)}));
  const auto stage = [&](Stage which) { return stage_work(problem, which, load); };
  EXPECT_EQ(stage(Stage::route).bytes, 4 * (6 + 2 + 5));
  EXPECT_EQ(stage(Stage::gemm1).bytes, 2 * (32 * (8 + 1) + 1 * 8 + 2 * 32));
  EXPECT_EQ(stage(Stage::gate).bytes, 2 * (32 * (8 + 1) + 1 * 8 + 2 * 16));
  EXPECT_EQ(stage(Stage::final).bytes, 2 * (24 * (16 + 1) + 2 * 16 + 2 * 24));
  EXPECT_EQ(stage(Stage::combine).bytes, 2 * (2 * 24 + 3 * 24));
  EXPECT_EQ(pipeline_work(problem, {}), (Work{.flops = 0, .bytes = 2 * 3 * 24})) << "zeros are written";
}

TEST(Load, WhereTheRoutingIsNotKnown) {
  const Problem alone = by_hand(Bias::none);
  EXPECT_EQ(most_load(alone), load_of(alone, 4));
  EXPECT_EQ(even_load(alone), load_of(alone, 4));
  Problem problem{.M = 64, .K = 8, .N1 = 16, .N2 = 8, .E = 4, .topk = 8, .ep_ranks = 4};
  EXPECT_EQ(most_load(problem), (Load{.experts_hit = 4, .slots = 64 * 4, .tokens = 64}));
  EXPECT_EQ(even_load(problem).slots, 64 * 8 / 4);
  EXPECT_NEAR(even_load(problem).tokens, 64 * (1 - std::pow(0.75, 8)), 1e-9);
  problem.M = 1, problem.topk = 1;
  EXPECT_EQ(even_load(problem), (Load{.experts_hit = 0.25, .slots = 0.25, .tokens = 0.25}));
}

TEST(Work, StagesDoTheFlopsOfThePipeline) {
  for (const Impl impl : kImpls) {
    double flops = 0;
    for (const Stage stage : stages_of(impl))
      flops += stage_work(by_hand(Bias::both), stage, load_of(by_hand(Bias::both), 2)).flops;
    EXPECT_EQ(flops, pipeline_work(by_hand(Bias::both), load_of(by_hand(Bias::both), 2)).flops);
  }
}

// Figures computed by others for an H200 (790 TFLOP/s, 4.65 TB/s), in µs.
TEST(Roofline, MatchesKnownFigures) {
  EXPECT_NEAR(roofline_us(work_of(problem_of(1, 2048, 768, 128, 8), 8), kH200), 16.2, 0.1);
  EXPECT_NEAR(roofline_us(work_of(problem_of(1, 4096, 14336, 8, 2), 2), kH200), 152, 1);
  EXPECT_NEAR(roofline_us(work_of(problem_of(4096, 4096, 14336, 8, 2), 8), kH200), 3653, 2);
}

TEST(Roofline, IsZeroWhereTheCeilingsAreNotKnown) {
  const Work work{.flops = 1, .bytes = 1};
  EXPECT_EQ(roofline_us(work, {}), 0);
  EXPECT_EQ(roofline_us(work, {.read_bytes_per_s = 1, .matrix_flops_per_s = 0}), 0);
  EXPECT_EQ(roofline_us(work, {.read_bytes_per_s = 0, .matrix_flops_per_s = 1}), 0);
}

TEST(MergedCeiling, MatchesKnownFigures) {
  EXPECT_NEAR(ceiling_of(problem_of(1, 2048, 768, 128, 8), 8), 1.118, 0.001);
  EXPECT_NEAR(ceiling_of(problem_of(1, 4096, 14336, 8, 2), 2), 1.016, 0.001);
  EXPECT_NEAR(ceiling_of(problem_of(4096, 4096, 14336, 8, 2), 8), 1.042, 0.001);
  EXPECT_NEAR(ceiling_of(problem_of(4096, 2048, 768, 128, 8), 128), 1.088, 0.001);
  EXPECT_NEAR(ceiling_of(problem_of(16384, 7168, 2048, 256, 8), 256), 1.024, 0.001);
}

TEST(MergedCeiling, ApproachesTheClosedFormWhereArithmeticDominates) {
  const Problem problem = problem_of(1 << 20, 2048, 8192, 8, 2);
  EXPECT_NEAR(ceiling_of(problem, 8), 1 + kH200.matrix_flops_per_s / (kH200.read_bytes_per_s * 2048), 1e-3);
}

TEST(MergedCeiling, IsZeroWhereTheCeilingsAreNotKnown) {
  EXPECT_EQ(merged_ceiling(by_hand(Bias::none), load_of(by_hand(Bias::none), 2), {}), 0);
}

}  // namespace
}  // namespace moetune

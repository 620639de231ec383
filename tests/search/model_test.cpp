#include <gtest/gtest.h>

#include <cmath>

#include "search/qwen_space.h"
#include "search/strategy.h"

namespace moetune {
namespace {

/// Has little to do with the prior.
double time_us(const Config& config) {
  const auto off = [&](std::string_view name, double best) { return std::abs(std::log2(config.at(name) / best)); };
  return 100 * (1 + 0.2 * off("BLOCK_SIZE_M", 64) + 0.1 * off("BLOCK_SIZE_N", 64) + 0.1 * off("BLOCK_SIZE_K", 64) +
                0.02 * off("GROUP_SIZE_M", 8) + 0.05 * off("num_stages", 3) + 0.03 * off("num_warps", 8));
}

TEST(Model, FindsTheOptimumOfALargeSpaceWithFewTrialsAndLearnsFromManyToo) {
  const StageSpace space = qwen_space(16, {.engine = "mma",
                                           .axes = {{"BLOCK_SIZE_M", {16, 32, 64, 128, 256}},
                                                    {"BLOCK_SIZE_N", {32, 64, 128, 256}},
                                                    {"BLOCK_SIZE_K", {32, 64, 128}},
                                                    {"GROUP_SIZE_M", {1, 8, 32}},
                                                    {"num_warps", {4, 8}},
                                                    {"num_stages", {2, 3, 4, 5, 6}}},
                                           .presets = {}});
  ASSERT_GT(space.configs.size(), 1000u);
  for (const std::size_t trials : {60u, 400u}) {
    const auto strategy = make_model(space, 1);
    Scoreboard board;
    Meter meter(trials, std::nullopt, 1, [] { return 0.0; });
    while (!meter.is_spent()) {
      const auto batch = strategy->propose(board, meter.allowance(strategy->batch()));
      if (batch.empty()) break;
      for (const Proposal& proposal : batch) {
        const Config& config = space.configs[proposal.candidate].config;
        const bool fails = config.at("num_stages") == 5;
        board.add({.candidate = proposal.candidate,
                   .rung = proposal.rung,
                   .outcome = fails ? Outcome::compile_error : Outcome::ok,
                   .median_us = fails ? 0 : time_us(config)});
        meter.count_trial();
      }
    }
    EXPECT_LE(*board.best_us(), 103) << trials;  // the optimum is 100
    std::size_t failed = 0;
    for (std::size_t i = 0; i < space.configs.size(); ++i)
      failed += board.has_seen(i) && board.at(i).outcome != Outcome::ok;
    EXPECT_LT(failed, trials / 5) << trials;
  }
}

}  // namespace
}  // namespace moetune

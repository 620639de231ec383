#include "library/config_choice.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "kernel/engine.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

constexpr Impl kMerged[] = {Impl::merged, Impl::merged_single};
constexpr Impl kThreeKernel[] = {Impl::three_kernel};

Problem wanted(std::int64_t M) {
  Problem problem = sample_problem();
  problem.M = M;
  problem.routing = {};
  return problem;
}

TunedConfig tuned(std::int64_t M, int block_n, double us = 100, Impl impl = Impl::merged) {
  TunedConfig result{.name = "M" + std::to_string(M),
                     .file = {.best = sample_best(impl, us), .environment = sample_environment()}};
  result.file.best.problem = wanted(M);
  if (impl == Impl::merged_single)
    result.file.best.config.stages = {{Stage::mlp,
                                       {.engine = "wgmma_swap_ab",
                                        .config = {{"BLOCK_SIZE_M", 16},
                                                   {"BLOCK_SIZE_N", 64},
                                                   {"BLOCK_SIZE_K", 64},
                                                   {"GROUP_SIZE_M", 1},
                                                   {"num_stages", 4},
                                                   {"num_consumers", 1},
                                                   {"CLUSTER_SIZE_M", 1},
                                                   {"blocks_per_sm", 2},
                                                   {"evict_first", 0},
                                                   {"dynamic", 0},
                                                   {"fuse_combine", 0},
                                                   {"permute_tokens", 0},
                                                   {"SPLIT_K", 1}}}}};
  for (auto& [stage, config] : result.file.best.config.stages) config.config.set("BLOCK_SIZE_N", block_n);
  return result;
}

int block_n(const ConfigRange& range) {
  return range.config.stages.begin()->second.config.at("BLOCK_SIZE_N");
}

std::vector<ConfigRange> choose(std::int64_t M, const std::vector<TunedConfig>& configs,
                                const RefusedConfigs& refused = {}, const Environment& here = sample_environment()) {
  std::vector<ConfigRange> ranges = choose_configs(wanted(M), kMerged, configs, here, refused);
  std::int64_t next = 1;
  for (const ConfigRange& range : ranges) {
    EXPECT_EQ(range.from, next);
    EXPECT_GE(range.to, range.from);
    next = range.to + 1;
  }
  EXPECT_EQ(next, M + 1);
  return ranges;
}

TEST(Tuned, RangesMeetHalfwayInRatio) {
  const auto ranges = choose(1000, {tuned(1, 64), tuned(16, 128), tuned(256, 256)});
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[0].to, 4);
  EXPECT_EQ(block_n(ranges[0]), 64);
  EXPECT_EQ(ranges[1].to, 64);
  EXPECT_EQ(block_n(ranges[1]), 128);
  EXPECT_EQ(block_n(ranges[2]), 256);
  EXPECT_EQ(ranges[1].why, "tuned at M=16: 100.00 us in M16");
}

TEST(Tuned, WhatLiesBeyondThePlanIsLeftOut) {
  EXPECT_EQ(choose(3, {tuned(1, 64), tuned(16, 128)}).size(), 1u);
  const auto ranges = choose(3, {tuned(16, 128), tuned(64, 64)});
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(block_n(ranges[0]), 128);
}

TEST(Tuned, TheFasterImplementationIsTaken) {
  EXPECT_EQ(choose(16, {tuned(16, 64, 90), tuned(16, 128, 80, Impl::merged_single)})[0].config.impl,
            Impl::merged_single);
  EXPECT_EQ(choose(16, {tuned(16, 64, 70), tuned(16, 128, 80, Impl::merged_single)})[0].config.impl, Impl::merged);
  const std::vector<TunedConfig> both{tuned(16, 64, 90), tuned(16, 128, 10, Impl::three_kernel)};
  EXPECT_EQ(choose(16, both)[0].config.impl, Impl::merged);
  EXPECT_EQ(choose_configs(wanted(16), kThreeKernel, both, sample_environment(), {})[0].config.impl,
            Impl::three_kernel);
}

TEST(Tuned, TheVeryProblemComesBeforeItsLikes) {
  TunedConfig other = tuned(16, 64, 50);
  other.file.best.problem.activation = Activation::gelu;
  EXPECT_EQ(block_n(choose(16, {other, tuned(16, 128, 90)})[0]), 128);
  const auto alone = choose(16, {other});
  EXPECT_EQ(block_n(alone[0]), 64);
  EXPECT_NE(alone[0].why.find("; measured with gelu"), std::string::npos) << alone[0].why;
}

TEST(Tuned, OfOtherSizesOrDevicesIsNoHelp) {
  TunedConfig sizes = tuned(16, 128), device = tuned(16, 128);
  sizes.file.best.problem.topk = 4;
  device.file.environment.device.name = "NVIDIA A100";
  for (const TunedConfig& each : {sizes, device})
    EXPECT_NE(choose(16, {each})[0].why.find("a guess: nothing was tuned"), std::string::npos);
}

TEST(Tuned, MayBeStaleAndSaysSo) {
  Environment here = sample_environment();
  here.device.driver = "13.1";
  EXPECT_EQ(choose(16, {tuned(16, 128)}, {}, here)[0].why,
            "tuned at M=16: 100.00 us in M16; may be stale: the driver was 13.0 and is 13.1");
}

TEST(Tuned, WhatIsIllegalOrRefusedLeavesItsRangeToOthers) {
  EXPECT_EQ(choose(64, {tuned(1, 48), tuned(16, 128)}).size(), 1u) << "48 columns are not legal";
  const TunedConfig first = tuned(1, 64);
  const RefusedConfigs refused{{*first.file.best.config.stages.begin(), "spills"}};
  const auto ranges = choose(64, {first, tuned(16, 128)}, refused);
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(block_n(ranges[0]), 128);
}

TEST(Guessed, EveryRangeIsLegalAndRefusalsAreHeeded) {
  const auto ranges = choose(5000, {});
  for (const ConfigRange& range : ranges)
    for (const auto& [stage, config] : range.config.stages)
      for (const std::int64_t M : {range.from, range.to})
        EXPECT_EQ(find_engine(config.engine).why_invalid(config.config, stage, wanted(M), sample_environment().device),
                  std::nullopt);
  EXPECT_GT(ranges.size(), 2u) << "few tokens want other tiles than many";
  const RefusedConfigs refused{{*ranges[0].config.stages.begin(), "spills"}};
  EXPECT_NE(choose(5000, {}, refused)[0].config, ranges[0].config);
}

TEST(Guessed, WhereNothingIsLeftItSaysSo) {
  Environment nowhere = sample_environment();
  nowhere.device.compute_capability = 70;
  try {
    choose_configs(wanted(16), kMerged, {}, nowhere, {});
    FAIL() << "chose something";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no engine on NVIDIA H200 computes gate"), std::string::npos)
        << error.what();
  }
}

TEST(Folder, IsReadWithOrWithoutBest) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "best");
  write_best_file(folder / "best", tuned(16, 64).file);
  write_best_file(folder / "best", tuned(1, 64).file);
  for (const auto& path : {folder.path(), folder / "best"}) {
    const auto read = read_tuned_configs(path);
    ASSERT_EQ(read.size(), 2u);
    EXPECT_TRUE(std::is_sorted(read.begin(), read.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
  }
}

}  // namespace
}  // namespace moetune

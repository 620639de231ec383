#include "kernel/mma.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/resources.h"
#include "kernel/h200.h"
#include "kernel/mma_config.h"
#include "kernels/mma/traits.h"
#include "space/search_space.h"

namespace moetune {
namespace {

const Problem kQwen{.M = 64, .K = 2048, .N1 = 1536, .N2 = 2048, .E = 128, .topk = 8};

std::string why(const Config& c, const Problem& problem = kQwen, const DeviceInfo& device = kH200) {
  return mma_engine().why_invalid(c, Stage::gate, problem, device).value_or("");
}

TEST(MmaEngine, SaysWhyAConfigCannotRun) {
  EXPECT_EQ(why(mma_config(64, 64, 32, 8, 4, 2)), "");
  EXPECT_NE(why(mma_config(48, 64, 32, 8, 4, 2)).find("BLOCK_SIZE_M"), std::string::npos);
  EXPECT_NE(why(mma_config(64, 24, 32, 8, 4, 2)).find("BLOCK_SIZE_N"), std::string::npos);
  EXPECT_NE(why(mma_config(64, 64, 16, 8, 4, 2)).find("BLOCK_SIZE_K"), std::string::npos);
  EXPECT_NE(why(mma_config(64, 64, 32, 0, 4, 2)).find("GROUP_SIZE_M"), std::string::npos);
  EXPECT_NE(why(mma_config(64, 64, 32, 8, 3, 2)).find("num_warps"), std::string::npos);
  EXPECT_NE(why(mma_config(64, 64, 32, 8, 4, 1)).find("num_stages"), std::string::npos);
  EXPECT_NE(why(mma_config(16, 32, 64, 1, 8, 3)).find("does not split"), std::string::npos);
  EXPECT_NE(why(mma_config(16, 64, 256, 1, 4, 2)).find("num_warps is too small"), std::string::npos);
  EXPECT_NE(why(mma_config(256, 256, 32, 8, 8, 2)).find("registers"), std::string::npos);
  EXPECT_NE(why(mma_config(128, 256, 64, 8, 8, 5)).find("245760 bytes of shared memory"), std::string::npos);
  EXPECT_NE(why({{"BLOCK_SIZE_M", 64}}).find("BLOCK_SIZE_N is missing"), std::string::npos);
  Config extra = mma_config(64, 64, 32, 8, 4, 2);
  extra.set("waves_per_eu", 1);
  EXPECT_NE(why(extra).find("waves_per_eu"), std::string::npos);
}

TEST(MmaEngine, RefusesDevicesAndSizesOutOfItsReach) {
  const Config good = mma_config(64, 64, 32, 8, 4, 2);
  DeviceInfo old = kH200;
  old.compute_capability = 75;
  EXPECT_NE(why(good, kQwen, old).find("8.0"), std::string::npos);
  EXPECT_NE(why(good, kQwen, {.backend = Backend::cpu}), "");
  Problem vast = kQwen;
  vast.K = 1 << 20;
  vast.N1 = 1 << 14;
  EXPECT_NE(why(good, vast).find("2^32"), std::string::npos);
}

// Every shipped value, every model size and M: the first guesses are legal and inside the space, and there is always
// one.
TEST(MmaEngine, FirstGuessesAreLegalAndInTheSpace) {
  const SearchSpace space = parse_search_space(resource("search_spaces/mma.json"), "mma.json");
  for (std::int64_t M = 1; M <= 65536; M *= 2)
    for (const std::int64_t E : {1, 8, 128, 1024})
      for (const std::int64_t width : {8, 96, 2880, 7168}) {
        const Problem problem{
            .M = M, .K = width, .N1 = 2 * width, .N2 = width, .E = E, .topk = std::min<std::int64_t>(E, 8)};
        for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final}) {
          const auto first = mma_engine().first_configs(stage, problem, kH200);
          ASSERT_FALSE(first.empty()) << to_line(problem);
          for (const Config& each : first) {
            EXPECT_FALSE(mma_engine().why_invalid(each, stage, problem, kH200));
            for (const SearchSpace::Axis& axis : space.axes)
              EXPECT_NE(std::find(axis.values.begin(), axis.values.end(), each.at(axis.name)), axis.values.end())
                  << axis.name << " = " << each.at(axis.name);
          }
        }
      }
}

TEST(MmaEngine, PresetsAreLegal) {
  const SearchSpace space = parse_search_space(resource("search_spaces/mma.json"), "mma.json");
  EXPECT_EQ(space.presets.at("default"), mma_config(64, 64, 32, 8, 4, 2));
  EXPECT_EQ(space.presets.at("a100_h100"), mma_config(128, 128, 64, 16, 8, 4));
  EXPECT_EQ(space.presets.at("v100"), mma_config(64, 64, 32, 8, 4, 2));
  for (const auto& [name, preset] : space.presets) EXPECT_EQ(why(preset), "") << name;
}

TEST(MmaTraits, WarpsSplitATileForTheLeastTraffic) {
  const mma::WarpGrid wide = mma::warp_grid({128, 256, 64, 8, 8, 3});
  EXPECT_EQ(wide.m, 2);
  EXPECT_EQ(wide.n, 4);
  const mma::WarpGrid flat = mma::warp_grid({16, 128, 64, 8, 4, 3});
  EXPECT_EQ(flat.m, 1);
  EXPECT_EQ(flat.n, 4);
}

TEST(MmaKernelPlan, NamesTheKernelsAsTheFieldDoes) {
  const auto plan = [](const Config& c, Stage stage) { return mma_engine().kernel_plan(c, stage, kQwen, false); };
  const Config c = mma_config(64, 64, 32, 8, 4, 2);
  EXPECT_EQ(plan(c, Stage::gemm1).entry, "invoke_fused_moe_kernel");
  EXPECT_EQ(plan(c, Stage::gate).entry, "merged_moe_gate_kernel");
  EXPECT_EQ(plan(c, Stage::final).entry, "merged_moe_final_kernel");
  // The group is an argument: the same kernel serves all groups.
  EXPECT_EQ(plan(c, Stage::gate).source, plan(mma_config(64, 64, 32, 1, 4, 2), Stage::gate).source);
  EXPECT_EQ(plan(c, Stage::gate).group_m, 8);
}

// A block for each tile, which reads its operands by address: no cluster, no persistent blocks, no tensor maps.
TEST(MmaKernelPlan, LaunchesABlockForEachTile) {
  const KernelPlan gate = mma_engine().kernel_plan(mma_config(64, 128, 32, 8, 4, 2), Stage::gate, kQwen, false);
  EXPECT_EQ(gate.threads, 128);
  EXPECT_EQ(gate.block_m, 64);
  EXPECT_EQ(gate.columns, 64);
  EXPECT_EQ(gate.cluster, 1);
  EXPECT_EQ(gate.blocks_per_sm, 0);
  EXPECT_EQ(gate.boxes.depth, 0);
  EXPECT_FALSE(mma_engine().kernel_plan(mma_config(64, 128, 32, 8, 4, 2), Stage::final, kQwen, false).row_order);
}

// A slot's columns have to be whole instructions', and its rows in one of them.
TEST(MmaTraits, ATileCanBeAllSlotsOfAToken) {
  const auto can_sum = [](int block_n, long long slots) { return mma::can_sum({16, block_n, 64, 8, 4, 3}, slots); };
  EXPECT_TRUE(can_sum(64, 1));
  EXPECT_TRUE(can_sum(64, 8));
  EXPECT_TRUE(can_sum(96, 6));
  EXPECT_TRUE(can_sum(64, 6)) << "eight shares, of which two stay empty";
  EXPECT_TRUE(can_sum(128, 16));
  EXPECT_TRUE(can_sum(128, 10));
  EXPECT_FALSE(can_sum(32, 8));
  EXPECT_FALSE(can_sum(64, 10));
  EXPECT_FALSE(can_sum(256, 32));
}

TEST(MmaFirstConfigs, AreWideWhereSeveralTokensAreSummedUp) {
  const auto block_n = [](std::int64_t M, Stage stage) {
    Problem problem = kQwen;
    problem.M = M;
    return mma_engine().first_configs(stage, problem, kH200).front().at("BLOCK_SIZE_N");
  };
  EXPECT_EQ(block_n(2, Stage::final), 128);
  EXPECT_EQ(block_n(4, Stage::final), 128);
  for (const std::int64_t M : {1, 8}) EXPECT_EQ(block_n(M, Stage::final), 64);
  EXPECT_EQ(block_n(2, Stage::gate), 64);
}

TEST(MmaFirstConfigs, OfAShortKAreDeepInStages) {
  const auto first = [](Problem problem) {
    problem.M = 1;
    return mma_engine().first_configs(Stage::final, problem, kH200).front();
  };
  EXPECT_EQ(first(kQwen).at("BLOCK_SIZE_K"), 64);
  EXPECT_EQ(first(kQwen).at("num_stages"), 8);
  Problem longer = kQwen;
  longer.N1 = 2048;
  EXPECT_EQ(first(longer).at("BLOCK_SIZE_K"), 128);
}

// Of tiles of 64 weight rows at M = 1 the blocks are 360, 192, 896 and 128: with 4 stages 264 run at once, with 3 396,
// with 6 or more 132.
TEST(MmaFirstConfigs, HaveAsManyStagesAsLetTheLastRoundOfBlocksBeFull) {
  const auto stages = [](const Problem& problem, Stage stage) {
    const Config first = mma_engine().first_configs(stage, problem, kH200).front();
    EXPECT_EQ(first.at("BLOCK_SIZE_N"), 64);
    return first.at("num_stages");
  };
  Problem qwen = kQwen;
  qwen.M = 1;
  const Problem gpt_oss{.M = 1, .K = 2880, .N1 = 5760, .N2 = 2880, .E = 128, .topk = 4};
  const Problem mixtral{.M = 1, .K = 4096, .N1 = 28672, .N2 = 4096, .E = 8, .topk = 2};
  EXPECT_EQ(stages(gpt_oss, Stage::gate), 3);
  EXPECT_EQ(stages(qwen, Stage::gate), 4);
  EXPECT_EQ(stages(mixtral, Stage::gate), 4);
  EXPECT_EQ(stages(mixtral, Stage::final), 8);
}

TEST(MmaKernelPlan, SumsUpOverTopkWhereNoRoutingRuns) {
  const Config c = mma_config(64, 128, 32, 8, 4, 2);
  const KernelPlan sums = mma_engine().kernel_plan(c, Stage::final, kQwen, true);
  EXPECT_EQ(sums.summed_slots, 8);
  EXPECT_EQ(sums.columns, 16);
  EXPECT_TRUE(sums.sums_over_topk());
  const KernelPlan narrow = mma_engine().kernel_plan(mma_config(64, 32, 32, 8, 4, 2), Stage::final, kQwen, true);
  EXPECT_EQ(narrow.columns, 32);
  for (const KernelPlan& plan : {narrow, mma_engine().kernel_plan(c, Stage::gate, kQwen, true),
                                 mma_engine().kernel_plan(c, Stage::final, kQwen, false)}) {
    EXPECT_EQ(plan.summed_slots, 0);
    EXPECT_FALSE(plan.sums_over_topk());
  }
}

TEST(MmaKernelPlan, SharesATileOutInAsManyPartsAsItDividesInto) {
  const auto columns = [](int block_n, std::int64_t topk) {
    Problem problem = kQwen;
    problem.topk = topk;
    const KernelPlan plan = mma_engine().kernel_plan(mma_config(16, block_n, 64, 1, 4, 4), Stage::final, problem, true);
    EXPECT_EQ(plan.summed_slots, plan.columns < block_n || topk == 1 ? topk : 0) << topk;
    return plan.columns;
  };
  EXPECT_EQ(columns(64, 1), 64);
  EXPECT_EQ(columns(64, 6), 8);
  EXPECT_EQ(columns(192, 6), 32);
  EXPECT_EQ(columns(128, 6), 16);
  EXPECT_EQ(columns(64, 10), 64) << "too narrow: moe_sum follows";
  EXPECT_EQ(columns(128, 10), 8);
}

TEST(MmaFirstConfigs, SumUpManySlotsToo) {
  for (const std::int64_t topk : {6, 10})
    for (const std::int64_t M : {1, 2}) {
      const Problem problem{.M = M, .K = 2048, .N1 = 1024, .N2 = 2048, .E = 512, .topk = topk};
      const Config first = mma_engine().first_configs(Stage::final, problem, kH200).front();
      EXPECT_EQ(mma_engine().kernel_plan(first, Stage::final, problem, true).summed_slots, topk);
    }
}

TEST(Engines, OfCudaPlanKernelsAndOthersDoNot) {
  for (const Engine& engine : engines()) EXPECT_EQ(engine.kernel_plan != nullptr, engine.backend == Backend::cuda);
}

TEST(Engines, AreFoundByNameAndNamedWhereUnknown) {
  for (const Engine& engine : engines()) EXPECT_EQ(find_engine(engine.name).name, engine.name);
  try {
    find_engine("triton");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("wgmma, wgmma_swap_ab, mma, cpu"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace moetune

#include "kernel/wgmma.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/resources.h"
#include "kernel/h200.h"
#include "kernel/wgmma_config.h"
#include "space/search_space.h"

namespace moetune {
namespace {

const Problem kQwen{.M = 64, .K = 2048, .N1 = 1536, .N2 = 2048, .E = 128, .topk = 8};
const Stage kStages[] = {Stage::gemm1, Stage::gate, Stage::final};

/// An engine with a legal config of two consumers.
struct Case {
  const Engine& engine;
  bool swap_ab;
  Config config;
};
const Case kWgmma{wgmma_engine(), false, wgmma_config(128, 256, 64, 3, 2)};
const Case kSwapped{wgmma_swap_ab_engine(), true, wgmma_config(32, 128, 64, 3, 2)};

std::string why(const Case& of, std::initializer_list<std::pair<const char*, int>> changes,
                const Problem& problem = kQwen, const DeviceInfo& device = kH200) {
  return of.engine.why_invalid(with(of.config, changes), Stage::gate, problem, device).value_or("");
}

SearchSpace space_of(const Engine& engine) {
  const std::string path = "search_spaces/" + std::string(engine.name) + ".json";
  return parse_search_space(resource(path), path);
}

/// Both engines: what they have in common is tested once for each.
class WgmmaEngines : public testing::TestWithParam<std::string> {
 protected:
  const Case& case_ = GetParam() == "wgmma" ? kWgmma : kSwapped;
  const Engine& engine_ = case_.engine;

  /// Calls visit(config, stage) for every config of the shipped search space that is legal.
  template <class Visit>
  void for_each_legal(Visit visit) const {
    for (const auto& [config, stage] : legal()) visit(config, stage);
  }

 private:
  using Legal = std::vector<std::pair<Config, Stage>>;

  const Legal& legal() const {
    static std::map<std::string, Legal> found;  // once for all tests: of hundreds of thousands
    const auto [place, is_new] = found.try_emplace(GetParam());
    if (!is_new) return place->second;
    const SearchSpace space = space_of(engine_);
    for (std::uint64_t i = 0; i < space.size(); i++) {
      const Config each = space.at(i);
      for (const Stage stage : kStages)
        if (!engine_.why_invalid(each, stage, kQwen, kH200)) place->second.emplace_back(each, stage);
    }
    return place->second;
  }
};
INSTANTIATE_TEST_SUITE_P(, WgmmaEngines, testing::Values("wgmma", "wgmma_swap_ab"),
                         [](const auto& each) { return each.param; });

// Up to 112 tokens that are no multiple of 32 are stored from the registers, and take no buffers.
TEST(WgmmaSwapAb, HasTilesBetweenTheMultiplesOf32) {
  for (const int block_m : {16, 48, 80, 112}) {
    EXPECT_EQ(why(kSwapped, {{"BLOCK_SIZE_M", block_m}}), "") << block_m;
    const wgmma::Config c = wgmma_kernel_config(with(kSwapped.config, {{"BLOCK_SIZE_M", block_m}}), true);
    EXPECT_EQ(wgmma::store_bytes(c, Epilogue::final), 0) << block_m;
    EXPECT_EQ(block_m % wgmma::token_box_rows(c), 0) << block_m;
  }
  EXPECT_NE(why(kSwapped, {{"BLOCK_SIZE_M", 144}}), "");
  EXPECT_NE(why(kWgmma, {{"BLOCK_SIZE_M", 48}}), "");
}

TEST_P(WgmmaEngines, SayWhyAConfigCannotRun) {
  EXPECT_EQ(why(case_, {}), "");
  const std::vector<std::pair<const char*, std::vector<int>>> outside{{"BLOCK_SIZE_M", {0, 24, 144, 320}},
                                                                      {"BLOCK_SIZE_N", {0, 32, 96, 320}},
                                                                      {"BLOCK_SIZE_K", {0, 32, 192, 512}},
                                                                      {"GROUP_SIZE_M", {0, -1}},
                                                                      {"num_stages", {0, 1, 33}},
                                                                      {"num_consumers", {0, 4}},
                                                                      {"CLUSTER_SIZE_M", {0, 3}},
                                                                      {"blocks_per_sm", {0, 9}},
                                                                      {"evict_first", {-1, 2}},
                                                                      {"dynamic", {-1, 2}},
                                                                      {"fuse_combine", {-1, 3}},
                                                                      {"permute_tokens", {-1, 2}},
                                                                      {"SPLIT_K", {0, 17}}};
  for (const auto& [name, values] : outside)
    for (const int value : values)
      EXPECT_NE(why(case_, {{name, value}}).find(name), std::string::npos)
          << name << " = " << value << ": " << why(case_, {{name, value}});
  EXPECT_EQ(why(case_, {{"SPLIT_K", 1}}), "");
  EXPECT_NE(why(case_, {{"SPLIT_K", 16}}).find("SPLIT_K keeps"), std::string::npos);  // more than there is room for
  EXPECT_NE(why(case_, {{"SPLIT_K", 2}, {"CLUSTER_SIZE_M", 2}}).find("SPLIT_K does not go with clusters"),
            std::string::npos);
  EXPECT_EQ(why(case_, {{"CLUSTER_SIZE_M", 2}}), "");
  EXPECT_EQ(why(case_, {{"dynamic", 1}}), "");
  EXPECT_EQ(why(case_, {{"dynamic", 1}, {"CLUSTER_SIZE_M", 2}}), "");
  EXPECT_NE(why(case_, {{"blocks_per_sm", 8}}).find("blocks_per_sm leaves a thread fewer than 64 registers"),
            std::string::npos);
}

TEST_P(WgmmaEngines, WantAllTheirParametersAndNoOthers) {
  EXPECT_NE(
      engine_.why_invalid({{"BLOCK_SIZE_M", 64}}, Stage::gate, kQwen, kH200).value().find("BLOCK_SIZE_N is missing"),
      std::string::npos);
  EXPECT_NE(why(case_, {{"num_warps", 4}}).find("num_warps"), std::string::npos);
}

TEST(WgmmaEngine, WantsRowsForEachConsumer) {
  EXPECT_NE(why(kWgmma, {{"num_consumers", 3}}).find("BLOCK_SIZE_M does not divide"), std::string::npos);
  EXPECT_NE(why(kWgmma, {{"BLOCK_SIZE_M", 64}}).find("BLOCK_SIZE_M does not divide"), std::string::npos);
  EXPECT_EQ(why(kWgmma, {{"BLOCK_SIZE_M", 192}, {"BLOCK_SIZE_N", 128}, {"num_consumers", 3}}), "");
  EXPECT_NE(why(kWgmma, {{"num_consumers", 1}}).find("accumulators"), std::string::npos);
  EXPECT_NE(why(kWgmma, {{"blocks_per_sm", 2}}).find("accumulators"), std::string::npos);
}

TEST(WgmmaSwapAbEngine, WantsRowsForEachConsumer) {
  EXPECT_NE(why(kSwapped, {{"BLOCK_SIZE_N", 64}}).find("BLOCK_SIZE_N does not divide"), std::string::npos);
  EXPECT_NE(why(kSwapped, {{"num_consumers", 3}}).find("BLOCK_SIZE_N does not divide"), std::string::npos);
  for (const int tokens : {8, 16, 32, 64, 96, 128}) EXPECT_EQ(why(kSwapped, {{"BLOCK_SIZE_M", tokens}}), "") << tokens;
  EXPECT_NE(why(kSwapped, {{"BLOCK_SIZE_M", 256}, {"BLOCK_SIZE_N", 256}}).find("accumulators"), std::string::npos);
}

// Shared memory of a block, and of all blocks that a multiprocessor is to hold: each of two blocks fits alone.
TEST_P(WgmmaEngines, KeepToTheSharedMemory) {
  EXPECT_NE(why(case_, {{"num_stages", 32}}).find("bytes of shared memory, a block has 232448"), std::string::npos);
  DeviceInfo roomy = kH200;
  roomy.shared_memory_per_multiprocessor = 2 * roomy.shared_memory_per_block;
  const std::initializer_list<std::pair<const char*, int>> two{
      {"BLOCK_SIZE_M", 64}, {"BLOCK_SIZE_N", 64}, {"num_consumers", 1}, {"num_stages", 8}, {"blocks_per_sm", 2}};
  EXPECT_NE(why(case_, two).find("2 blocks need"), std::string::npos) << why(case_, two);
  EXPECT_EQ(why(case_, two, kQwen, roomy), "");
}

TEST_P(WgmmaEngines, RefuseOtherDevices) {
  for (const int capability : {75, 80, 86, 89, 100, 103, 120}) {
    DeviceInfo other = kH200;
    other.compute_capability = capability;
    EXPECT_NE(why(case_, {}, kQwen, other).find("compute capability 9.0"), std::string::npos) << capability;
    EXPECT_TRUE(engine_.first_configs(Stage::gate, kQwen, other).empty()) << capability;
  }
  EXPECT_NE(why(case_, {}, kQwen, {.backend = Backend::cpu}).find("compute capability 9.0"), std::string::npos);
}

TEST_P(WgmmaEngines, RefuseProblemsOutOfReach) {
  Problem wide = kQwen;
  wide.N1 = 2 * (32768 + 8);
  EXPECT_NE(why(case_, {}, wide).find("32776 columns"), std::string::npos);
  wide.N1 -= 16;
  EXPECT_EQ(why(case_, {}, wide), "");

  Problem long_input = kQwen;
  long_input.M = 1 << 21;
  long_input.K = 1 << 14;
  EXPECT_NE(why(case_, {}, long_input).find("2^35"), std::string::npos);
  long_input.K -= 8;
  EXPECT_EQ(why(case_, {}, long_input), "");

  if (case_.swap_ab) {  // the other engine's least tile makes too few
    Problem many_tiles = kQwen;
    many_tiles.M = 1 << 21;
    many_tiles.K = 64;
    many_tiles.N1 = 1 << 16;
    EXPECT_NE(why(case_, {{"BLOCK_SIZE_M", 8}, {"BLOCK_SIZE_N", 64}, {"num_consumers", 1}}, many_tiles).find("2^30"),
              std::string::npos);
  }
}

// Every model size and M: the first guesses are legal, distinct and inside the shipped space, and the last of them runs
// wherever the engine does.
TEST_P(WgmmaEngines, FirstGuessesAreLegalAndInTheSpace) {
  const SearchSpace space = space_of(engine_);
  const Config last_resort = engine_.first_configs(Stage::gate, kQwen, kH200).back();
  for (std::int64_t M = 1; M <= 65536; M *= 2)
    for (const std::int64_t E : {1, 8, 128, 1024})
      for (const std::int64_t width : {8, 96, 2880, 7168}) {
        const Problem problem{
            .M = M, .K = width, .N1 = 2 * width, .N2 = width, .E = E, .topk = std::min<std::int64_t>(E, 8)};
        for (const Stage stage : kStages) {
          const auto first = engine_.first_configs(stage, problem, kH200);
          ASSERT_FALSE(first.empty()) << to_line(problem);
          ASSERT_EQ(first.back(), last_resort) << to_line(problem);
          ASSERT_EQ(std::set(first.begin(), first.end()).size(), first.size()) << to_line(problem);
          for (const Config& each : first) {
            ASSERT_FALSE(engine_.why_invalid(each, stage, problem, kH200));
            for (const SearchSpace::Axis& axis : space.axes)
              ASSERT_NE(std::find(axis.values.begin(), axis.values.end(), each.at(axis.name)), axis.values.end())
                  << axis.name << " = " << each.at(axis.name);
          }
        }
      }
}

// A value that no legal config has would only make the space look larger than it is.
TEST_P(WgmmaEngines, EveryValueOfTheSpaceIsLegalSomewhere) {
  std::set<std::pair<std::string, int>> unseen;
  for (const SearchSpace::Axis& axis : space_of(engine_).axes)
    for (const int value : axis.values) unseen.emplace(axis.name, value);
  for_each_legal([&](const Config& each, Stage) {
    std::erase_if(unseen, [&](const auto& value) { return each.at(value.first) == value.second; });
  });
  for (const auto& [name, value] : unseen) ADD_FAILURE() << name << " = " << value;
  for (const auto& [name, preset] : space_of(engine_).presets)
    EXPECT_FALSE(engine_.why_invalid(preset, Stage::gate, kQwen, kH200)) << name;
}

// Warpgroups wait for registers that the others give up: what all of them want must not exceed what the block has, or
// the kernel hangs.
TEST_P(WgmmaEngines, RegistersSuffice) {
  for_each_legal([&](const Config& each, Stage stage) {
    const wgmma::Config c = wgmma_kernel_config(each, case_.swap_ab);
    const wgmma::Gemms gemms = wgmma::gemms_of(epilogue_of(stage));
    const int launch = wgmma::launch_registers(c), producer = wgmma::producer_registers(c, gemms),
              consumer = wgmma::consumer_registers(c, gemms);
    const std::string label = to_label(StageConfig{.engine = std::string(engine_.name), .config = each});
    ASSERT_LE(launch * wgmma::num_threads(c) * c.blocks_per_sm, wgmma::kRegistersPerSm) << label;
    ASSERT_EQ(launch % 8, 0) << label;
    if (!wgmma::moves_registers(c, gemms)) {
      ASSERT_LT(wgmma::accumulators(c), launch) << label;
      return;
    }
    ASSERT_GE(launch * (c.num_consumers + 1), producer + c.num_consumers * consumer) << label;
    ASSERT_LT(wgmma::accumulators(c), consumer) << label;
    // setmaxnreg: multiples of 8 from 24 to 256; the producers go down, the consumers up.
    ASSERT_EQ(producer % 8 + consumer % 8, 0) << label;
    ASSERT_GE(producer, 24) << label;
    ASSERT_LE(producer, launch) << label;
    ASSERT_GE(consumer, launch) << label;
    ASSERT_LE(consumer, 256) << label;
  });
}

TEST_P(WgmmaEngines, SharedMemoryHoldsTheStages) {
  for_each_legal([&](const Config& each, Stage stage) {
    const wgmma::Config c = wgmma_kernel_config(each, case_.swap_ab);
    const int bytes = wgmma::smem_bytes(c, epilogue_of(stage));
    // Two 8-byte barriers for each stage; what else there is has less than 1 KiB besides the store buffers.
    const int least = c.num_stages * (2 * (c.block_m + c.block_n) * c.block_k + 16) +
                      c.num_consumers * wgmma::store_bytes(c, epilogue_of(stage));
    ASSERT_GE(bytes, least);
    ASSERT_LT(bytes, least + 1024);
    ASSERT_LE(bytes, kH200.shared_memory_per_block);
    ASSERT_LE(c.blocks_per_sm * (bytes + 1024), kH200.shared_memory_per_multiprocessor);
    ASSERT_EQ(engine_.kernel_plan(each, stage, kQwen, false).shared_bytes, bytes);
  });
}

// Boxes of 128-byte rows, which together with those of the cluster's other blocks hold all weight rows of a tile; no
// dimension is longer than the 256 elements that a copy can have.
TEST_P(WgmmaEngines, BoxesMakeATile) {
  for_each_legal([&](const Config& each, Stage stage) {
    const KernelPlan plan = engine_.kernel_plan(each, stage, kQwen, false);
    const TensorBoxes& boxes = plan.boxes;
    ASSERT_EQ(boxes.depth, 64);
    ASSERT_EQ(boxes.rows * std::max(boxes.halves, 1) * std::max(boxes.groups, 1) * plan.cluster,
              each.at("BLOCK_SIZE_N"));
    ASSERT_EQ(each.at("BLOCK_SIZE_M") % boxes.tokens, 0);
    ASSERT_LE(std::max({boxes.rows, boxes.groups, boxes.tokens, boxes.store_columns, boxes.store_rows}), 256);
  });
}

TEST_P(WgmmaEngines, KernelsHaveTheNamesOfTheField) {
  const auto plan = [&](const Config& c, Stage stage) { return engine_.kernel_plan(c, stage, kQwen, false); };
  const Config& c = case_.config;
  EXPECT_EQ(plan(c, Stage::gemm1).entry, "invoke_fused_moe_kernel");
  EXPECT_EQ(plan(c, Stage::gate).entry, "merged_moe_gate_kernel");
  EXPECT_EQ(plan(c, Stage::final).entry, "merged_moe_final_kernel");
  // The group is an argument: the same kernel serves all groups.
  EXPECT_EQ(plan(c, Stage::gate).source, plan(with(c, {{"GROUP_SIZE_M", 1}}), Stage::gate).source);
  EXPECT_EQ(plan(c, Stage::gate).group_m, 8);
  // All other parameters are compiled in.
  for (const std::string_view name : engine_.parameters)
    if (name != "GROUP_SIZE_M") {
      EXPECT_NE(plan(c, Stage::gate).source,
                plan(with(c, {{std::string(name).c_str(), c.at(name) + 1}}), Stage::gate).source)
          << name;
    }
}

TEST_P(WgmmaEngines, ComputeBothGemmsInOneKernel) {
  const Config& c = case_.config;
  const auto why_not = [&](const Config& config) {
    return engine_.why_invalid(config, Stage::mlp, kQwen, kH200).value_or("");
  };
  EXPECT_EQ(why_not(c), "");
  for (const auto& [key, value] :
       {std::pair{"CLUSTER_SIZE_M", 2}, {"dynamic", 1}, {"fuse_combine", 1}, {"permute_tokens", 1}})
    EXPECT_NE(why_not(with(c, {{"BLOCK_SIZE_M", 128}, {key, value}})).find("one kernel of both GEMMs"),
              std::string::npos)
        << key;
  const KernelPlan plan = engine_.kernel_plan(c, Stage::mlp, kQwen, false);
  EXPECT_EQ(plan.entry, "merged_moe_kernel");
  EXPECT_EQ(plan.columns, c.at("BLOCK_SIZE_N") / 2);
  EXPECT_EQ(plan.second.columns, c.at("BLOCK_SIZE_N"));
  const std::int64_t gate_tiles = (kQwen.inner() + plan.columns - 1) / plan.columns;
  EXPECT_EQ(plan.second.rows_expected, gate_tiles * c.at("num_consumers"));
  for (const Stage stage : {Stage::gate, Stage::final})
    EXPECT_GE(plan.shared_bytes, engine_.kernel_plan(c, stage, kQwen, false).shared_bytes);
}

TEST(SwapAbFirstConfigs, HandOutTilesWhereThereAreMany) {
  const auto first = [](const Problem& problem, Stage stage) {
    return wgmma_swap_ab_engine().first_configs(stage, problem, kH200).front();
  };
  Problem many = kQwen;
  many.M = 1024;
  for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final}) EXPECT_EQ(first(many, stage).at("dynamic"), 1);
  EXPECT_EQ(first(many, Stage::final).at("num_consumers"), 2);
  const Problem olmoe{.M = 256, .K = 2048, .N1 = 2048, .N2 = 2048, .E = 64, .topk = 8};
  for (const Stage stage : {Stage::gate, Stage::final}) EXPECT_EQ(first(olmoe, stage).at("dynamic"), 0);
}

TEST_P(WgmmaEngines, AddRowsToSumsInTheSecondGemmOnly) {
  const Config adds = with(case_.config, {{"fuse_combine", 2}});
  EXPECT_EQ(engine_.why_invalid(adds, Stage::final, kQwen, kH200).value_or(""), "");
  for (const Stage stage : {Stage::gemm1, Stage::gate})
    EXPECT_NE(engine_.why_invalid(adds, stage, kQwen, kH200).value_or("").find("second GEMM"), std::string::npos);
  EXPECT_NE(engine_.why_invalid(adds, Stage::mlp, kQwen, kH200).value_or("").find("fuse_combine"), std::string::npos);
  const KernelPlan plan = engine_.kernel_plan(adds, Stage::final, kQwen, false);
  EXPECT_TRUE(plan.adds_rows);
  EXPECT_FALSE(plan.fuses_combine);
  EXPECT_TRUE(plan.sums_over_topk());
  const auto pipeline = [&](const Config& final) {
    return PipelineConfig{.impl = Impl::merged,
                          .stages = {{Stage::gate, {GetParam(), case_.config}}, {Stage::final, {GetParam(), final}}}};
  };
  EXPECT_FALSE(is_repeatable(pipeline(adds)));
  for (const int other : {0, 1}) EXPECT_TRUE(is_repeatable(pipeline(with(adds, {{"fuse_combine", other}}))));
  // Nothing is counted, so that parts of a tile may come from several blocks.
  EXPECT_EQ(engine_.why_invalid(with(adds, {{"SPLIT_K", 2}}), Stage::final, kQwen, kH200).value_or("").find("fuse"),
            std::string::npos);
}

TEST_P(WgmmaEngines, PutTokensInOrderBeforeTheFirstGemmOnly) {
  const Config in_order = with(case_.config, {{"BLOCK_SIZE_M", 128}, {"permute_tokens", 1}});
  for (const Stage stage : {Stage::gemm1, Stage::gate}) {
    EXPECT_EQ(engine_.why_invalid(in_order, stage, kQwen, kH200).value_or(""), "");
    EXPECT_TRUE(engine_.kernel_plan(in_order, stage, kQwen, false).permutes_tokens);
    EXPECT_FALSE(engine_.kernel_plan(case_.config, stage, kQwen, false).permutes_tokens);
  }
  EXPECT_NE(engine_.why_invalid(in_order, Stage::final, kQwen, kH200).value_or("").find("is for the first GEMM"),
            std::string::npos);
  const Config narrow = wgmma_config(32, 128, 64, 4, 1);
  EXPECT_NE(find_engine("wgmma_swap_ab")
                .why_invalid(with(narrow, {{"permute_tokens", 1}}), Stage::gate, kQwen, kH200)
                .value_or("")
                .find("tiles of 64 tokens or more"),
            std::string::npos);
}

TEST_P(WgmmaEngines, GatherWhereAConfigFromBeforeDoesNotSay) {
  StageConfig older{.engine = GetParam(), .config = {}};
  for (const auto& [name, value] : case_.config.values())
    if (name != "permute_tokens") older.config.set(name, value);
  EXPECT_EQ(completed(older).config, case_.config);
  EXPECT_EQ(completed({.engine = GetParam(), .config = case_.config}).config, case_.config);
  older.config.set("num_warps", 4);  // not of this engine: whoever checks it is to see what there was
  EXPECT_EQ(completed(older), older);
  const StageConfig unknown{.engine = "unknown", .config = {{"BLOCK_SIZE_M", 64}}};
  EXPECT_EQ(completed(unknown), unknown);
}

TEST_P(WgmmaEngines, LaunchesAreOfPersistentBlocks) {
  const Config& c = case_.config;
  const KernelPlan gate = engine_.kernel_plan(c, Stage::gate, kQwen, false);
  EXPECT_EQ(gate.threads, 128 * 3);  // a warpgroup that copies, two that multiply
  EXPECT_EQ(gate.block_m, c.at("BLOCK_SIZE_M"));
  EXPECT_EQ(gate.columns, c.at("BLOCK_SIZE_N") / 2);
  EXPECT_EQ(gate.cluster, 1);
  EXPECT_EQ(gate.blocks_per_sm, 1);
  const KernelPlan final = engine_.kernel_plan(c, Stage::final, kQwen, false);
  EXPECT_EQ(final.columns, c.at("BLOCK_SIZE_N"));
  EXPECT_TRUE(final.row_order);

  // Blocks of a cluster take the rows of one entry together.
  const KernelPlan pair = engine_.kernel_plan(with(c, {{"CLUSTER_SIZE_M", 2}}), Stage::gate, kQwen, false);
  EXPECT_EQ(pair.cluster, 2);
  EXPECT_EQ(pair.block_m, 2 * c.at("BLOCK_SIZE_M"));
  EXPECT_EQ(pair.columns, gate.columns);
}

}  // namespace
}  // namespace moetune

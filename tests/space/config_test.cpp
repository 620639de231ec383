#include "space/config.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

const Config kDefault{{"BLOCK_SIZE_M", 64}, {"BLOCK_SIZE_N", 64}, {"BLOCK_SIZE_K", 32},
                      {"GROUP_SIZE_M", 8},  {"num_warps", 4},     {"num_stages", 2}};

TEST(Config, SetReplacesOrAppends) {
  Config config{{"a", 1}};
  config.set("b", 2);
  config.set("a", 3);
  EXPECT_EQ(config, (Config{{"a", 3}, {"b", 2}}));
}

TEST(Config, FindsItsValues) {
  EXPECT_EQ(kDefault.find("num_warps"), 4);
  EXPECT_EQ(kDefault.find("num_ctas"), std::nullopt);
  EXPECT_EQ(kDefault.at("BLOCK_SIZE_K"), 32);
  EXPECT_ERROR(kDefault.at("num_ctas"), "no 'num_ctas', only BLOCK_SIZE_M");
  EXPECT_ERROR(Config{}.at("x"), "only nothing");
}

TEST(Config, IsEqualAndOrderedByItsValues) {
  Config other = kDefault;
  EXPECT_EQ(other, kDefault);
  other.set("num_stages", 3);
  EXPECT_NE(other, kDefault);
  EXPECT_LT(kDefault, other);
}

TEST(Label, OfAStage) {
  EXPECT_EQ(to_label(StageConfig{.engine = "mma", .config = kDefault}), "mma bm64.bn64.bk32.gm8.w4.st2");
  EXPECT_EQ(to_label(StageConfig{.engine = "wgmma",
                                 .config = {{"num_stages", 4},
                                            {"num_consumers", 2},
                                            {"CLUSTER_SIZE_M", 1},
                                            {"blocks_per_sm", 3},
                                            {"evict_first", 0},
                                            {"dynamic", 1},
                                            {"fuse_combine", 1},
                                            {"permute_tokens", 0},
                                            {"SPLIT_K", 2}}}),
            "wgmma st4.c2.cl1.b3.ef0.dy1.fc1.pt0.sk2");
  EXPECT_EQ(to_label(StageConfig{.engine = "cpu", .config = {{"num_threads", 8}, {"unroll", 2}}}), "cpu t8.unroll2");
  EXPECT_EQ(to_label(StageConfig{.engine = "cpu", .config = {}}), "cpu");
}

TEST(Label, OfAPipeline) {
  const PipelineConfig config{.impl = Impl::merged,
                              .stages = {{Stage::final, {.engine = "mma", .config = {{"num_warps", 8}}}},
                                         {Stage::gate, {.engine = "mma", .config = {{"num_warps", 4}}}}}};
  EXPECT_EQ(to_label(config), "merged gate[mma w4] final[mma w8]");
}

}  // namespace
}  // namespace moetune

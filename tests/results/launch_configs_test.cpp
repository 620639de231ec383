#include "results/launch_configs.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

TEST(LaunchConfigs, AreReadAsTheEnginesDo) {
  const auto configs = parse_launch_configs(
      R"({"triton_version": "3.4.0", "1": {"BLOCK_SIZE_M": 16, "num_warps": 4}, "64": {"BLOCK_SIZE_M": 64, "USE_TMA": true}})",
      "E=8.json");
  ASSERT_EQ(configs.size(), 2u);
  EXPECT_EQ(configs[0], (std::pair<std::int64_t, Config>(1, {{"BLOCK_SIZE_M", 16}, {"num_warps", 4}})));
  EXPECT_EQ(configs[1], (std::pair<std::int64_t, Config>(64, {{"BLOCK_SIZE_M", 64}, {"USE_TMA", 1}})));
}

TEST(LaunchConfigs, WhatIsNoneIsNamed) {
  EXPECT_ERROR(parse_launch_configs("[]", "E=8.json"), "E=8.json: must be an object");
  EXPECT_ERROR(parse_launch_configs("{", "E=8.json"), "E=8.json:1: no valid JSON");
  EXPECT_ERROR(parse_launch_configs(R"({"schema": "moe-tune/export"})", "E=8.json"), "'schema' is no number of tokens");
  EXPECT_ERROR(parse_launch_configs(R"({"0": {}})", "E=8.json"), "'0' is no number of tokens");
  EXPECT_ERROR(parse_launch_configs(R"({"1": {}, "01": {}})", "E=8.json"), "'01' stands there twice");
  EXPECT_ERROR(parse_launch_configs(R"({"1": {"num_warps": "4"}})", "E=8.json"), "'1.num_warps' must be an integer");
}

}  // namespace
}  // namespace moetune

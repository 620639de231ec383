#include "results/warm_start_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "results/best_file.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

std::string triton_entry(int block_m) {
  return "{\"BLOCK_SIZE_M\": " + std::to_string(block_m) +
         ", \"BLOCK_SIZE_N\": 64, \"BLOCK_SIZE_K\": 128, \"GROUP_SIZE_M\": 8, \"num_warps\": 4, \"num_stages\": 3}";
}

std::filesystem::path write(const TemporaryFolder& folder, const std::string& name, const std::string& text) {
  const std::filesystem::path path = folder / name;
  std::ofstream(path) << text;
  return path;
}

StageConfig mma(int block_m) {
  return {.engine = "mma", .config = sample_config(block_m)};
}

TEST(WarmStartFile, ATritonFileHasAConfigOfBothGemmsForEachM) {
  TemporaryFolder folder;
  const auto known = read_warm_start(
      write(folder, "E=128,N=768,device_name=NVIDIA_H200.json",
            "{\"triton_version\": \"3.4.0\", \"1\": " + triton_entry(16) + ", \"4096\": " + triton_entry(128) + "}"));
  const std::vector<Stage> both{Stage::gemm1, Stage::gate, Stage::final};
  EXPECT_EQ(known, (std::vector<WarmConfig>{{.config = mma(16), .stages = both, .M = 1, .problem = {}},
                                            {.config = mma(128), .stages = both, .M = 4096, .problem = {}}}));
}

TEST(WarmStartFile, ADownFileIsForTheSecondGemm) {
  TemporaryFolder folder;
  const auto known = read_warm_start(write(folder, "E=8,N=768_down.json", "{\"16\": " + triton_entry(64) + "}"));
  ASSERT_EQ(known.size(), 1u);
  EXPECT_EQ(known[0].stages, std::vector{Stage::final});
}

TEST(WarmStartFile, ABestFileServesItsStagesAndTheirKin) {
  TemporaryFolder folder;
  const BestFile file{.best = sample_best(), .environment = sample_environment()};
  const auto known = read_warm_start(write_best_file(folder / "best", file));
  ASSERT_EQ(known.size(), 2u);
  EXPECT_EQ(known[0].stages, (std::vector{Stage::gate, Stage::gemm1}));
  EXPECT_EQ(known[0].config, file.best.config.stages.at(Stage::gate));
  EXPECT_EQ(known[1].stages, std::vector{Stage::final});
  EXPECT_EQ(known[1].problem, sample_problem());
}

TEST(WarmStartFile, WhatIsNeitherIsRefusedByName) {
  TemporaryFolder folder;
  for (const char* text : {"{}", "[1]", "{\"a\": 1}", "{\"16\": {\"BLOCK_SIZE_M\": 16}}", "not json"}) {
    try {
      read_warm_start(write(folder, "odd.json", text));
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("odd.json"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace moetune

#include "kernel/cpu.h"

#include <gtest/gtest.h>

#include <set>

#include "base/resources.h"
#include "space/search_space.h"

namespace moetune {
namespace {

DeviceInfo machine(int threads) {
  DeviceInfo info;
  info.backend = Backend::cpu;
  info.multiprocessors = threads;
  return info;
}

Problem mixtral(std::int64_t M) {
  return {.M = M, .K = 4096, .N1 = 28672, .N2 = 4096, .E = 8, .topk = 2, .routing = {}, .model = {}};
}

Config config(int m, int n, int k, int threads, int stream) {
  return {
      {"BLOCK_SIZE_M", m}, {"BLOCK_SIZE_N", n}, {"BLOCK_SIZE_K", k}, {"num_threads", threads}, {"stream_rows", stream}};
}

std::string why(const Config& c, const DeviceInfo& device = machine(4), Stage stage = Stage::gate) {
  return cpu_engine().why_invalid(c, stage, mixtral(16), device).value_or("");
}

TEST(CpuEngine, SaysWhyAConfigIsInvalid) {
  EXPECT_EQ(why(config(64, 64, 128, 4, 8)), "");
  EXPECT_EQ(why(config(64, 64, 128, 5, 8)), "num_threads=5, but this machine has 4 hardware threads");
  EXPECT_EQ(why(config(64, 64, 128, 2, 8), machine(1)), "num_threads=2, but this machine has 1 hardware thread");
  EXPECT_EQ(why(config(0, 64, 128, 4, 8)), "BLOCK_SIZE_M=0 is not between 1 and 1024");
  EXPECT_EQ(why(config(64, 2048, 128, 4, 8)), "BLOCK_SIZE_N=2048 is not between 1 and 1024");
  EXPECT_EQ(why(config(64, 40, 128, 4, 8)), "BLOCK_SIZE_N=40 is no multiple of 16");
  EXPECT_EQ(why(config(64, 64, 100, 4, 8)), "BLOCK_SIZE_K=100 is no multiple of 8");
  EXPECT_EQ(why(config(64, 64, 128, -1, 8)), "num_threads=-1 is not between 1 and 65536");
  EXPECT_EQ(why({{"BLOCK_SIZE_M", 64}}), "BLOCK_SIZE_N is missing");
  Config extra = config(64, 64, 128, 4, 8);
  extra.set("num_warps", 4);
  EXPECT_EQ(why(extra), "the cpu engine has no parameter num_warps");
  EXPECT_EQ(why(config(64, 64, 128, 4, 8), machine(4), Stage::combine), "stage combine has no config");
  DeviceInfo gpu = machine(132);
  gpu.backend = Backend::cuda;
  EXPECT_EQ(why(config(64, 64, 128, 4, 8), gpu), "the cpu engine runs on the CPU only");
}

TEST(CpuEngine, FirstConfigsAreLegalDistinctAndUseTheWholeMachineFirst) {
  for (const int threads : {1, 2, 6, 96, 256})
    for (const std::int64_t M : {1, 16, 256, 4096})
      for (const Stage stage : {Stage::gemm1, Stage::gate, Stage::final}) {
        const std::vector<Config> first = cpu_engine().first_configs(stage, mixtral(M), machine(threads));
        ASSERT_GE(first.size(), 3u);
        EXPECT_EQ(first.front().at("num_threads"), threads);
        EXPECT_EQ(std::set(first.begin(), first.end()).size(), first.size());
        for (const Config& each : first)
          EXPECT_EQ(cpu_engine().why_invalid(each, stage, mixtral(M), machine(threads)), std::nullopt);
      }
}

TEST(CpuEngine, FirstConfigGivesEveryThreadTilesWhereThereIsWork) {
  const Config first = cpu_engine().first_configs(Stage::final, mixtral(1), machine(64)).front();
  const std::int64_t tiles = 2 * (4096 / first.at("BLOCK_SIZE_N"));  // two experts are hit
  EXPECT_GE(tiles, 64);
}

TEST(CpuEngine, SearchSpaceHasTheEnginesParametersAndLegalConfigs) {
  const SearchSpace space = parse_search_space(resource("search_spaces/cpu.json"), "cpu.json");
  EXPECT_EQ(space.engine, cpu_engine().name);
  ASSERT_EQ(space.axes.size(), cpu_engine().parameters.size());
  for (std::size_t i = 0; i < space.axes.size(); ++i) EXPECT_EQ(space.axes[i].name, cpu_engine().parameters[i]);
  std::uint64_t legal = 0;
  for (std::uint64_t i = 0; i < space.size(); ++i)
    legal += !cpu_engine().why_invalid(space.at(i), Stage::gate, mixtral(16), machine(2)).has_value();
  EXPECT_EQ(legal, space.size() / space.axes[3].values.size() * 2);  // num_threads 1 and 2 of all
  for (const auto& [name, preset] : space.presets)
    EXPECT_EQ(cpu_engine().why_invalid(preset, Stage::gate, mixtral(16), machine(1)), std::nullopt) << name;
}

TEST(CpuEngine, TileShapeTakesTheConfigsValues) {
  const cpu::TileShape shape = cpu_tile_shape(config(1, 16, 24, 2, 5));
  EXPECT_EQ(shape.block_m, 1);
  EXPECT_EQ(shape.block_n, 16);
  EXPECT_EQ(shape.block_k, 24);
  EXPECT_EQ(shape.stream_rows, 5);
}

}  // namespace
}  // namespace moetune

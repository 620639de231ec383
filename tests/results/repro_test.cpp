#include "results/repro.h"

#include <array>
#include <cstdio>

#include "base/error.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

TEST(Repro, IsACommandLineOfBench) {
  EXPECT_EQ(
      repro_command(sample_best(), "cuda:0"),
      "moe-tune bench --device cuda:0 --problem " + to_line(sample_problem()) +
          " --impl merged"
          " --config gate=mma:BLOCK_SIZE_M=16,BLOCK_SIZE_N=64,BLOCK_SIZE_K=128,GROUP_SIZE_M=8,num_warps=4,num_stages=3"
          " --config final=mma:BLOCK_SIZE_M=32,BLOCK_SIZE_N=64,BLOCK_SIZE_K=128,GROUP_SIZE_M=8,num_warps=4,num_stages=3"
          " --seed 7 --fill random --cache cold --launch graph --routing-draws 1");
  EXPECT_TRUE(
      repro_command(sample_trial(), "cpu").ends_with("--cache warm --launch stream --routing-draws 1 --stages"));
  Best of_replays = sample_best();
  of_replays.timing.load = LoadState::replays;
  EXPECT_TRUE(repro_command(of_replays, "cpu").ends_with("--routing-draws 1 --load replays"));
}

TEST(Repro, OfAVerificationIsACommandLineOfVerify) {
  const std::string line = verify_command(sample_problem(), sample_pipeline(Impl::three_kernel),
                                          {.fill = Fill::exact_integer, .seed = 9}, "cuda:1");
  EXPECT_TRUE(line.starts_with("moe-tune verify --device cuda:1 --problem " + to_line(sample_problem()) +
                               " --impl three_kernel --config gemm1=mma:"));
  EXPECT_TRUE(line.ends_with(" --seed 9 --fill exact_integer"));
}

TEST(Repro, StageArgumentsRoundTrip) {
  const StageConfig config{.engine = "mma", .config = sample_config(64)};
  const auto [stage, read] = parse_stage_argument(to_argument(Stage::gate, config));
  EXPECT_EQ(stage, Stage::gate);
  EXPECT_EQ(read, config);
  EXPECT_EQ(parse_stage_argument("final=cpu").second, (StageConfig{.engine = "cpu", .config = {}}));
}

TEST(Repro, BadStageArgumentsAreNamed) {
  EXPECT_ERROR(parse_stage_argument(""), "no stage");
  EXPECT_ERROR(parse_stage_argument("gate"), "the form is STAGE=ENGINE:KEY=VALUE");
  EXPECT_ERROR(parse_stage_argument("gat=mma"), "gat");
  EXPECT_ERROR(parse_stage_argument("route=mma"), "stage 'route' has no config");
  EXPECT_ERROR(parse_stage_argument("gate="), "no engine");
  EXPECT_ERROR(parse_stage_argument("gate=BLOCK_SIZE_M=64"), "no engine");
  EXPECT_ERROR(parse_stage_argument("gate=mma:BLOCK_SIZE_M"), "'BLOCK_SIZE_M' is no KEY=VALUE");
  EXPECT_ERROR(parse_stage_argument("gate=mma:BLOCK_SIZE_M=big"), "'big' is no integer");
  EXPECT_ERROR(parse_stage_argument("gate=mma:BLOCK_SIZE_M=99999999999"), "no integer");
  EXPECT_ERROR(parse_stage_argument("gate=mma:a=1,a=2"), "'a' is given twice");
}

TEST(Repro, AShellReadsQuotedWordsBack) {
  for (const std::string word : {"plain", "two words", "it's", "", "$HOME `x` \"y\" \\", "a;b&c|d*?"}) {
    const std::string command = "printf %s " + shell_quote(word);
    FILE* pipe = popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::array<char, 64> buffer{};
    const std::string back(buffer.data(), fread(buffer.data(), 1, buffer.size(), pipe));
    EXPECT_EQ(pclose(pipe), 0);
    EXPECT_EQ(back, word);
  }
}

}  // namespace
}  // namespace moetune

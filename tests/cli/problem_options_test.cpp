#include "cli/problem_options.h"

#include <set>

#include "base/error.h"
#include "cli/command_line.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

std::vector<Problem> problems_of(std::vector<std::string> words) {
  return parse_options<ProblemOptions>(std::move(words)).problems("tune");
}

TEST(ProblemOptions, AModelBringsItsSizes) {
  const auto problems = problems_of({"--model", "gpt-oss-120b", "--M", "1,16"});
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(to_line(problems[1]),
            "M=16,K=2880,N1=5760,N2=2880,E=128,topk=4,dtype=bf16,activation=swigluoai,bias=both,routing=uniform,"
            "model=gpt-oss-120b");
}

TEST(ProblemOptions, ParallelismDivides) {
  const auto problems = problems_of({"--model", "mixtral-8x7b", "--tp", "8", "--ep", "2", "--M", "1"});
  EXPECT_EQ(problems[0].N1, 3584);
  EXPECT_EQ(problems[0].E, 4);
}

TEST(ProblemOptions, ARankChoosesAmongTheExpertsOfAll) {
  const auto problems = problems_of({"--model", "qwen3-30b-a3b", "--ep", "32", "--ep-rank", "3", "--M", "1"});
  EXPECT_EQ(to_line(problems[0]),
            "M=1,K=2048,N1=1536,N2=2048,E=4,topk=8,dtype=bf16,activation=silu,bias=none,routing=uniform,ep_ranks=32,"
            "ep_rank=3,model=qwen3-30b-a3b");
  EXPECT_ERROR(problems_of({"--model", "qwen3-30b-a3b", "--ep", "32", "--M", "1"}), "say which rank this is");
  EXPECT_ERROR(problems_of({"--model", "qwen3-30b-a3b", "--ep", "8", "--ep-rank", "8", "--M", "1"}),
               "ep_rank = 8 is none of 8 ranks: use 0 to 7");
  EXPECT_ERROR(problems_of({"--model", "qwen3-30b-a3b", "--ep-rank", "0", "--M", "1"}), "--ep 8 --ep-rank 0");
  EXPECT_ERROR(problems_of({"--ep-rank", "1", "--M", "1", "--K", "64", "--N1", "64", "--E", "4", "--topk", "2"}),
               "problem lines have ep_ranks and ep_rank");
}

TEST(ProblemOptions, PresetsCanBeOverridden) {
  const auto problems =
      problems_of({"--model", "gpt-oss-20b", "--M", "1", "--activation", "silu", "--bias", "none", "--N2", "64"});
  EXPECT_EQ(problems[0].activation, Activation::silu);
  EXPECT_EQ(problems[0].bias, Bias::none);
  EXPECT_EQ(problems[0].N2, 64);
}

TEST(ProblemOptions, AxesAreCrossed) {
  const auto problems = problems_of({"--M", "pow2:0:2", "--K", "64,128", "--N1", "64", "--E", "4", "--topk", "1,2",
                                     "--dtype", "bf16,fp16", "--routing", "uniform", "--routing", "zipf:1.5"});
  EXPECT_EQ(problems.size(), 3u * 2 * 2 * 2 * 2);
  std::set<std::string> lines;
  for (const Problem& problem : problems) {
    lines.insert(to_line(problem));
    EXPECT_EQ(problem.N2, problem.K) << "N2 is K where it is not given";
  }
  EXPECT_EQ(lines.size(), problems.size());
}

TEST(ProblemOptions, BatchFiles) {
  TemporaryFolder folder;
  write_text(folder / "batch",
             "# two problems\n\nM=1,K=64,N1=64,E=4,topk=2 # "
             "small\r\nM=2,K=64,N1=64,N2=128,E=4,topk=2,dtype=fp16\nM=1,K=64,N1=64,E=4,topk=2\n");
  const auto problems = problems_of({"--batch", folder / "batch", "--problem", "M=3,K=64,N1=64,E=4,topk=2"});
  ASSERT_EQ(problems.size(), 3u) << "each problem once";
  write_text(folder / "batch", "M=1,K=64,N1=64,E=4,topk=2\nM=1,K=63,N1=64,E=4,topk=2\n");
  EXPECT_ERROR(problems_of({"--batch", folder / "batch"}), "batch:2: K = 63");
  write_text(folder / "batch", "# nothing\n");
  EXPECT_ERROR(problems_of({"--batch", folder / "batch"}), "holds no problem");
  EXPECT_ERROR(problems_of({"--batch", folder / "missing"}), "missing");
}

TEST(ProblemOptions, RoutingFilesAreReadAtOnce) {
  TemporaryFolder folder;
  write_text(folder / "ids.npy", "no array");
  EXPECT_ERROR(problems_of({"--M", "2", "--K", "64", "--N1", "64", "--E", "4", "--topk", "2", "--routing",
                            "file:" + (folder / "ids.npy").string()}),
               "ids.npy");
}

TEST(ProblemOptions, ContradictionsAndGapsSayWhatToGive) {
  EXPECT_ERROR(problems_of({}), "--model qwen3-30b-a3b --M 1,16");
  EXPECT_ERROR(problems_of({"--M", "4"}), "--K, --N1, --E, --topk missing");
  EXPECT_ERROR(problems_of({"--model", "qwen3-30b-a3b", "--K", "64"}), "come from the model");
  EXPECT_ERROR(problems_of({"--tp", "2", "--M", "1", "--K", "64", "--N1", "64", "--E", "4", "--topk", "2"}),
               "give --model too");
  EXPECT_ERROR(problems_of({"--problem", "M=1,K=64,N1=64,E=4,topk=2", "--dtype", "fp16"}),
               "problem lines have them inside");
  EXPECT_ERROR(problems_of({"--model", "qwen3-30b-a3"}), "qwen3-30b-a3b");
  EXPECT_ERROR(problems_of({"--model", "qwen3-30b-a3b", "--M", "1:9000:1", "--dtype", "bf16,fp16", "--activation",
                            "silu,gelu", "--bias", "none,b1,b2,both"}),
               "more than 100000 problems");
}

TEST(ProblemOptions, OptionsDoNotSwallowWhatFollows) {
  EXPECT_THROW(problems_of({"--model", "qwen3-30b-a3b", "mixtral-8x7b"}), CLI::ExtrasError);
}

}  // namespace
}  // namespace moetune

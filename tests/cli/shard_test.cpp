#include "cli/shard.h"

#include <map>
#include <set>

#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

Shard shard(std::string_view text, const std::map<std::string, std::string>& variables = {}) {
  return parse_shard(text, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(Shard, IsAPartOfSoMany) {
  EXPECT_EQ(shard("2/8"), (Shard{.index = 2, .count = 8}));
  EXPECT_EQ(to_string(Shard{.index = 2, .count = 8}), "2/8");
  for (const char* wrong : {"", "2", "/8", "2/", "a/8", "2/8/3", "2.5/8"}) EXPECT_ERROR(shard(wrong), "give I/N");
  EXPECT_ERROR(shard("0/8"), "counted from 1");
  EXPECT_ERROR(shard("9/8"), "no more than 8 parts");
  EXPECT_ERROR(shard("1/0"), "--shard 1/0");
}

TEST(Shard, SlurmsArraysBeginAnywhereAndHaveSteps) {
  const auto slurm = [](const char* id, const char* count, const char* least, const char* step) {
    return shard("auto", {{"SLURM_ARRAY_TASK_ID", id},
                          {"SLURM_ARRAY_TASK_COUNT", count},
                          {"SLURM_ARRAY_TASK_MIN", least},
                          {"SLURM_ARRAY_TASK_STEP", step}});
  };
  EXPECT_EQ(slurm("0", "4", "0", "1"), (Shard{.index = 1, .count = 4}));
  EXPECT_EQ(slurm("4", "4", "1", "1"), (Shard{.index = 4, .count = 4}));
  EXPECT_EQ(slurm("12", "4", "0", "4"), (Shard{.index = 4, .count = 4}));
  // --array=1,2,9: where a task stands cannot be told.
  EXPECT_ERROR(slurm("9", "3", "1", "1"), "give the array as a range");
  EXPECT_ERROR(slurm("3", "4", "0", "4"), "in steps of 4");
  EXPECT_ERROR(slurm("x", "4", "0", "4"), "SLURM_ARRAY_TASK_ID is 'x'");
  EXPECT_ERROR(shard("auto", {{"SLURM_ARRAY_TASK_ID", "1"}}), "SLURM_ARRAY_TASK_COUNT is not set");
}

TEST(Shard, KubernetesCountsFromZeroAndDoesNotSayHowMany) {
  EXPECT_EQ(shard("auto", {{"JOB_COMPLETION_INDEX", "0"}, {"JOB_COMPLETIONS", "4"}}), (Shard{.index = 1, .count = 4}));
  EXPECT_EQ(shard("auto", {{"JOB_COMPLETION_INDEX", "3"}, {"JOB_COMPLETIONS", "4"}}), (Shard{.index = 4, .count = 4}));
  EXPECT_ERROR(shard("auto", {{"JOB_COMPLETION_INDEX", "3"}}), "JOB_COMPLETIONS is not set");
  EXPECT_ERROR(shard("auto", {{"JOB_COMPLETION_INDEX", "4"}, {"JOB_COMPLETIONS", "4"}}), "--shard 5/4");
  EXPECT_ERROR(shard("auto"), "neither SLURM_ARRAY_TASK_ID");
}

TEST(Shard, ShardsHaveEveryProblemOnceAndAboutAsMuchToDo) {
  std::vector<Problem> problems;
  for (std::int64_t M = 1; M <= 4096; M *= 2)
    problems.push_back({.M = M, .K = 512, .N1 = 512, .N2 = 512, .E = 8, .topk = 2});
  for (const int count : {1, 2, 3, 20}) {
    std::set<std::int64_t> seen;
    std::size_t least = problems.size(), most = 0;
    for (int index = 1; index <= count; ++index) {
      const std::vector<Problem> part = problems_of({.index = index, .count = count}, problems);
      least = std::min(least, part.size()), most = std::max(most, part.size());
      for (std::size_t i = 0; i < part.size(); ++i) {
        EXPECT_TRUE(seen.insert(part[i].M).second) << part[i].M;
        EXPECT_TRUE(i == 0 || part[i - 1].M < part[i].M) << "the order given";
      }
    }
    EXPECT_EQ(seen.size(), problems.size());
    EXPECT_LE(most - least, 1u);
  }
  EXPECT_EQ(problems_of({.index = 1, .count = 13}, problems).front().M, 4096) << "the largest comes first";
  EXPECT_EQ(largest_first(problems).front(), problems.size() - 1);
}

}  // namespace
}  // namespace moetune

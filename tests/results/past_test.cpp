#include "results/past.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

const std::map<std::string, std::string> kOptions{{"--seed", "1"}, {"--M", "1,16"}};

Problem other_problem() {
  Problem problem = sample_problem();
  problem.M = 64;
  return problem;
}

/// A problem that is done and one that was cut off, between runs that are no part of it.
std::filesystem::path write_journal(const TemporaryFolder& folder) {
  const auto path = folder / "journal.jsonl";
  JournalWriter(path, sample_environment(), TuningKey{.id = "first", .options = {}}).add(sample_trial());
  JournalWriter writer(path, sample_environment(), TuningKey{.id = "second", .options = kOptions});
  JournalWriter bench(path, sample_environment());
  writer.add(sample_trial());
  bench.add(sample_trial());
  bench.add(sample_best());
  const std::vector<Best> bests{sample_best(Impl::three_kernel), sample_best(Impl::merged)};
  writer.add(bests, {.problem = sample_problem(), .seconds = 20, .failures = {}});
  Trial cut = sample_trial();
  cut.problem = other_problem();
  cut.elapsed_s = 3;
  writer.add(cut);
  return path;
}

TEST(Past, IsTheLastTuningAlone) {
  TemporaryFolder folder;
  const std::optional<Past> past = read_past(write_journal(folder), kOptions);
  ASSERT_TRUE(past);
  EXPECT_EQ(past->tuning.id, "second");
  EXPECT_EQ(past->journal.runs.size(), 1u);
  EXPECT_EQ(past->trials(), 2u);
  const ProblemPast done = past->of(sample_problem());
  EXPECT_EQ(done.done, (Done{.problem = sample_problem(), .seconds = 20, .spent = {}, .failures = {}}));
  ASSERT_EQ(done.bests.size(), 2u);
  EXPECT_EQ(done.bests[1].record, sample_best(Impl::merged));
  EXPECT_EQ(done.bests[1].run, 0u);
  const ProblemPast cut = past->of(other_problem());
  EXPECT_FALSE(cut.done);
  EXPECT_EQ(cut.trials.size(), 1u);
  EXPECT_EQ(past->seconds(), 23);
}

TEST(Past, RunsThatWentOnWithItArePartOfIt) {
  TemporaryFolder folder;
  const auto path = write_journal(folder);
  const TuningKey key = read_past(path, kOptions)->tuning;
  JournalWriter(path, sample_environment(), key)
      .add({}, {.problem = other_problem(), .seconds = 5, .failures = {{Impl::merged, "no config"}}});
  const std::optional<Past> past = read_past(path, kOptions);
  EXPECT_EQ(past->journal.runs.size(), 2u);
  EXPECT_EQ(past->of(other_problem()).done->failures.at(Impl::merged), "no config");
  EXPECT_TRUE(past->of(other_problem()).bests.empty());
}

TEST(Past, HasTheTransfersThatWereMeasuredLast) {
  TemporaryFolder folder;
  const auto path = write_journal(folder);
  const TuningKey key = read_past(path, kOptions)->tuning;
  EXPECT_FALSE(read_past(path, kOptions)->of(sample_problem()).transfers);
  Transfers transfers{.problem = sample_problem(), .of = {{.tuned_M = 8, .M = 16, .reason = "timeout: hangs"}}};
  JournalWriter writer(path, sample_environment(), key);
  writer.add(transfers);
  transfers.of.front().reason = "incorrect: NaN";
  writer.add(transfers);
  const std::optional<Past> past = read_past(path, kOptions);
  EXPECT_EQ(past->of(sample_problem()).transfers, transfers);
  EXPECT_FALSE(past->of(other_problem()).transfers);
}

TEST(Past, OtherOptionsAreNamed) {
  TemporaryFolder folder;
  const auto path = write_journal(folder);
  EXPECT_ERROR(read_past(path, {{"--seed", "2"}, {"--M", "1,16"}}), "--seed was '1' and is '2'");
  EXPECT_ERROR(read_past(path, {{"--seed", "1"}}), "--M was '1,16' and is not given");
  EXPECT_ERROR(read_past(path, {{"--seed", "1"}, {"--M", "1,16"}, {"--impl", "merged"}}),
               "--impl was not given and is 'merged'");
}

TEST(Past, ThereIsNoneWithoutATuning) {
  TemporaryFolder folder;
  EXPECT_FALSE(read_past(folder / "missing.jsonl", kOptions));
  {
    JournalWriter(folder / "bench.jsonl", sample_environment()).add(sample_best());  // Killed before its header.
    std::ofstream(folder / "empty.jsonl").close();
    EXPECT_FALSE(read_past(folder / "empty.jsonl", kOptions));
  }
  EXPECT_FALSE(read_past(folder / "bench.jsonl", kOptions));
}

}  // namespace
}  // namespace moetune

#include "results/journal.h"

#include <sys/stat.h>

#include <fstream>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::filesystem::path write_sample(const TemporaryFolder& folder, int trials) {
  const auto path = folder / "out/journal.jsonl";
  JournalWriter writer(path, sample_environment());
  for (int i = 0; i < trials; ++i) writer.add(sample_trial());
  writer.add(sample_best());
  return path;
}

TEST(Journal, RoundTrips) {
  TemporaryFolder folder;
  const Journal journal = read_journal(write_sample(folder, 3));
  EXPECT_TRUE(journal.warnings.empty());
  ASSERT_EQ(journal.runs.size(), 1u);
  EXPECT_EQ(journal.runs[0].environment, sample_environment());
  ASSERT_EQ(journal.trials.size(), 3u);
  EXPECT_EQ(journal.trials[2].record, sample_trial());
  EXPECT_EQ(journal.trials[2].line, 4u);
  ASSERT_EQ(journal.bests.size(), 1u);
  EXPECT_EQ(journal.bests[0].record, sample_best());
}

TEST(Journal, SaysWhichTuningARunIsPartOfAndWhatItHasDone) {
  TemporaryFolder folder;
  const auto path = folder / "journal.jsonl";
  const TuningKey tuning{.id = new_tuning_id(), .options = {{"--seed", "1"}, {"--M", "1,16"}}};
  const Done done{.problem = sample_problem(),
                  .seconds = 12.5,
                  .spent = Spent{.compiling = 4, .on_device = 8.25},
                  .failures = {{Impl::merged, "too many registers"}}};
  JournalWriter(path, sample_environment(), tuning).add(std::vector{sample_best(Impl::three_kernel)}, done);
  { JournalWriter another(path, sample_environment()); }
  const Journal journal = read_journal(path);
  EXPECT_TRUE(journal.warnings.empty());
  ASSERT_EQ(journal.runs.size(), 2u);
  EXPECT_NE(journal.runs[0].id, journal.runs[1].id);
  EXPECT_EQ(journal.runs[0].tuning, tuning);
  EXPECT_FALSE(journal.runs[1].tuning);
  ASSERT_EQ(journal.done.size(), 1u);
  EXPECT_EQ(journal.done[0].record, done);
  ASSERT_EQ(journal.bests.size(), 1u);
  EXPECT_NE(new_tuning_id(), new_tuning_id());
}

TEST(Journal, HasTheTransfersOfAProblem) {
  TemporaryFolder folder;
  const auto path = folder / "journal.jsonl";
  const Transfers transfers{.problem = sample_problem(),
                            .of = {{.impl = Impl::merged, .tuned_M = 8, .M = 16, .regret = Regret{.value = 0.5}},
                                   {.impl = Impl::three_kernel, .tuned_M = 32, .M = 16, .reason = "timeout: hangs"}}};
  JournalWriter(path, sample_environment()).add(transfers);
  const Journal journal = read_journal(path);
  EXPECT_TRUE(journal.warnings.empty());
  ASSERT_EQ(journal.transfers.size(), 1u);
  EXPECT_EQ(journal.transfers[0].record, transfers);
  EXPECT_EQ(journal.transfers[0].line, 2u);
}

TEST(Journal, EveryLineIsThereAsSoonAsItIsAdded) {
  TemporaryFolder folder;
  const auto path = folder / "journal.jsonl";
  JournalWriter writer(path, sample_environment());
  EXPECT_EQ(lines_of(path).size(), 1u);
  writer.add(sample_trial());
  EXPECT_EQ(lines_of(path).size(), 2u);
}

TEST(Journal, RunsThatShareAFileStayApart) {
  TemporaryFolder folder;
  const auto path = folder / "journal.jsonl";
  Environment later = sample_environment();
  later.created = "2025-02-01T00:00:00Z";
  JournalWriter first(path, sample_environment());
  JournalWriter second(path, later);
  first.add(sample_trial());
  second.add(sample_trial());
  first.add(sample_best());
  const Journal journal = read_journal(path);
  EXPECT_TRUE(journal.warnings.empty());
  ASSERT_EQ(journal.runs.size(), 2u);
  EXPECT_EQ(journal.trials[0].run, 0u);
  EXPECT_EQ(journal.trials[1].run, 1u);
  EXPECT_EQ(journal.bests[0].run, 0u);
  EXPECT_EQ(journal.runs[1].environment.created, later.created);
}

TEST(Journal, ACorruptLineIsNamedAndTheRestIsRead) {
  TemporaryFolder folder;
  const auto path = write_sample(folder, 3);
  auto lines = lines_of(path);
  lines[2][lines[2].size() / 2] = '\x01';
  lines[3] = R"({"kind":"trial"})";
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  write_text(path, text);
  const Journal journal = read_journal(path);
  EXPECT_EQ(journal.trials.size(), 1u);
  EXPECT_EQ(journal.bests.size(), 1u);
  ASSERT_EQ(journal.warnings.size(), 2u);
  EXPECT_NE(journal.warnings[0].find("journal.jsonl:3: no valid JSON"), std::string::npos) << journal.warnings[0];
  EXPECT_NE(journal.warnings[1].find("journal.jsonl:4: 'run' is missing"), std::string::npos) << journal.warnings[1];
}

TEST(Journal, CutAtAnyByteItGivesAllWholeLines) {
  TemporaryFolder folder;
  const std::string text = read_text(write_sample(folder, 2));
  const auto path = folder / "cut.jsonl";
  const std::size_t header = text.find('\n');
  for (std::size_t size = header + 1; size < text.size(); size += 7) {
    write_text(path, text.substr(0, size));
    const Journal journal = read_journal(path);
    // The newline itself may be what is missing: then the last line is still whole.
    const auto whole = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size), '\n') - 1 +
                       (text[size] == '\n' ? 1 : 0);
    EXPECT_EQ(static_cast<long>(journal.trials.size() + journal.bests.size()), whole) << "cut at " << size;
    EXPECT_LE(journal.warnings.size(), 1u);
  }
}

TEST(Journal, AppendingAfterAKillStartsANewLine) {
  TemporaryFolder folder;
  const auto path = write_sample(folder, 2);
  const std::string text = read_text(path);
  write_text(path, text.substr(0, text.size() - 30));
  { JournalWriter(path, sample_environment()).add(sample_trial()); }
  const Journal journal = read_journal(path);
  EXPECT_EQ(journal.warnings.size(), 1u);
  EXPECT_EQ(journal.runs.size(), 2u);
  EXPECT_EQ(journal.trials.size(), 3u);
}

TEST(Journal, RefusesOtherFiles) {
  TemporaryFolder folder;
  const auto path = folder / "file";
  for (const char* text : {"", "M=1,K=8\n", "{}\n", "[]\n", "{\"schema\": 3}\n",
                           "{\"schema\":\"moe-tune/best-config\",\"schema_version\":\"1.0\"}\n"}) {
    write_text(path, text);
    EXPECT_ERROR(read_journal(path), "file");
    if (*text == '\0') continue;
    // The writer must not append to what is not its own.
    EXPECT_THROW(JournalWriter(path, sample_environment()), Error);
    EXPECT_EQ(read_text(path), text);
  }
  write_text(path, "{\"kind\":\"header\",\"schema\":\"moe-tune/journal\",\"schema_version\":\"2.0\"}\n");
  EXPECT_ERROR(read_journal(path), "this moe-tune reads 1.x");
  EXPECT_ERROR(read_journal(folder / "missing"), "missing");
  EXPECT_ERROR(read_journal(folder.path()), "is a folder");
}

TEST(Journal, UnwritablePlacesAreErrors) {
  TemporaryFolder folder;
  write_text(folder / "file", "x");
  EXPECT_ERROR(JournalWriter(folder / "file/journal.jsonl", sample_environment()), "file");
  EXPECT_ERROR(JournalWriter(folder.path(), sample_environment()), "cannot write the journal");
  if (std::filesystem::exists("/dev/full"))
    EXPECT_ERROR(JournalWriter("/dev/full", sample_environment()), "No space left");
}

}  // namespace
}  // namespace moetune

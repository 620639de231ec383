#include "results/space_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/files.h"
#include "base/gzip.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

Trial trial_of(int block_m, double median_us) {
  Trial trial = sample_trial();
  trial.config.stages.at(Stage::gate).config.set("BLOCK_SIZE_M", block_m);
  trial.time = sample_summary(median_us);
  return trial;
}

/// Two configs, one of them measured twice, the other failed; and what does not belong into a recording.
Journal sample_journal() {
  Trial failed = trial_of(16, 1);
  failed.outcome = Outcome::compile_error;
  failed.reason = "spills 8 bytes";
  failed.time.reset();
  Trial final = trial_of(64, 90);
  final.phase = Trial::Phase::final;
  final.stage.reset();
  Trial interrupted = trial_of(128, 80);
  interrupted.time->stopped_by = "interrupted";
  Trial untimed = trial_of(128, 80);
  untimed.time.reset();
  Journal journal;
  journal.runs = {{.id = "a", .environment = sample_environment()}};
  for (const Trial& trial : {trial_of(32, 100), failed, final, interrupted, untimed, trial_of(32, 102)})
    journal.trials.push_back({.record = trial, .run = 0, .line = 0});
  return journal;
}

TEST(RecordedSpaces, HoldEveryConfigWithItsTrialsByRung) {
  const std::vector<SpaceFile> files = recorded_spaces(sample_journal());
  ASSERT_EQ(files.size(), 1u);
  const RecordedSpace& space = files[0].space;
  EXPECT_EQ(space.problem, sample_problem());
  EXPECT_EQ(space.stage, Stage::gate);
  EXPECT_EQ(space.device, sample_environment().device);
  EXPECT_EQ(space.ceilings, sample_environment().ceilings);
  ASSERT_EQ(space.entries.size(), 2u);
  EXPECT_EQ(space.entries[0].config.config, sample_config(16));
  ASSERT_EQ(space.entries[0].trials.size(), 1u);
  EXPECT_EQ(space.entries[0].trials[0].outcome, Outcome::compile_error);
  EXPECT_EQ(space.entries[0].trials[0].reason, "spills 8 bytes");
  ASSERT_EQ(space.entries[1].trials.size(), 2u);
  EXPECT_EQ(space.entries[1].trials[0], (RecordedTrial{.rung = 0,
                                                       .outcome = Outcome::ok,
                                                       .reason = "",
                                                       .median_us = 100,
                                                       .ci_low_us = 99,
                                                       .ci_high_us = 101,
                                                       .n = 40,
                                                       .compile_s = 0.0625,
                                                       .measure_s = 0.25}));
  EXPECT_EQ(space.entries[1].trials[1].rung, 1);
  EXPECT_EQ(space.entries[1].trials[1].median_us, 102);
}

TEST(RecordedSpaces, TheLatestRunCounts) {
  Journal journal = sample_journal();
  journal.runs.push_back({.id = "b", .environment = sample_environment()});
  journal.trials.push_back({.record = trial_of(32, 110), .run = 1, .line = 0});
  const std::vector<SpaceFile> files = recorded_spaces(journal);
  ASSERT_EQ(files.size(), 1u);
  const std::vector<RecordedTrial>& trials = files[0].space.entries[1].trials;
  ASSERT_EQ(trials.size(), 2u);
  EXPECT_EQ(trials[0].median_us, 110);
  EXPECT_EQ(trials[1].median_us, 102);
}

TEST(RecordedSpaces, StagesProblemsAndDevicesStayApart) {
  Journal journal = sample_journal();
  Recorded<Trial> other = journal.trials.front();
  other.record.stage = Stage::final;
  journal.trials.push_back(other);
  other.record.problem.M = 32;
  journal.trials.push_back(other);
  journal.runs.push_back({.id = "b", .environment = sample_environment()});
  journal.runs.back().environment.device.name = "another";
  other.run = 1;
  journal.trials.push_back(other);
  EXPECT_EQ(recorded_spaces(journal).size(), 4u);
}

TEST(SpaceFile, RoundTrips) {
  TemporaryFolder folder;
  const SpaceFile file = recorded_spaces(sample_journal()).front();
  EXPECT_EQ(parse_space_file(to_text(file), "space.json"), file);
  const std::filesystem::path path = write_space_file(folder / "spaces", file);
  EXPECT_EQ(path.filename(),
            "qwen3-30b-a3b_M16_K2048_N1-1536_N2-2048_E128_topk8_bf16_silu_zipf-1.5.gate.space.json.gz");
  EXPECT_TRUE(is_gzip(read_file(path)));
  EXPECT_EQ(read_space_file(path), file);
}

TEST(SpaceFile, RoundTripsWhateverTheParametersAndTimes) {
  SpaceFile file = recorded_spaces(sample_journal()).front();
  RecordedSpace::Entry other = file.space.entries.back();
  other.config.config = {{"BLOCK_SIZE_M", 8}, {"of_its_own", 1}};
  other.trials.resize(1);
  other.trials[0].ci_low_us = 5e-324;
  file.space.entries.push_back(other);
  EXPECT_EQ(parse_space_file(to_text(file), "space.json"), file);
}

TEST(SpaceFile, FaultsAreNamedWithTheirPlace) {
  const std::string text = to_text(recorded_spaces(sample_journal()).front());
  const auto message = [&](const std::string& from, const std::string& to) {
    std::string broken = text;
    const auto at = broken.find(from);
    EXPECT_NE(at, broken.npos) << from;
    broken.replace(at, from.size(), to);
    try {
      parse_space_file(broken, "space.json");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message("moe-tune/space", "moe-tune/other").find("schema"), std::string::npos);
  EXPECT_NE(message("\"rung\"", "\"step\"").find("'columns'"), std::string::npos);
  EXPECT_NE(message("[0,0,\"compile_error\"", "[2,0,\"compile_error\"").find("must be below 2"), std::string::npos);
  EXPECT_NE(message("[1,1,\"ok\"", "[1,2,\"ok\"").find("must count"), std::string::npos);
  EXPECT_NE(message("[1,0,\"ok\",0,100.0", "[1,0,\"ok\",0,0.0").find("must be above 0"), std::string::npos);
  EXPECT_NE(message("[16,64,128,", "[64,128,").find("6 parameters"), std::string::npos);
}

TEST(SpaceFile, AFileThatIsCutShortIsRefusedByName) {
  TemporaryFolder folder;
  const std::filesystem::path path = folder / "short.json.gz";
  const std::string whole = gzip(to_text(recorded_spaces(sample_journal()).front()));
  std::ofstream(path, std::ios::binary) << whole.substr(0, whole.size() / 2);
  try {
    read_space_file(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("short.json.gz"), std::string::npos);
  }
}

}  // namespace
}  // namespace moetune

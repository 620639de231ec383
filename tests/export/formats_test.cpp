#include "export/formats.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "results/json_field.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

Best best_at(std::int64_t M, Impl impl = Impl::three_kernel, double median_us = 168) {
  Best best = sample_best(impl, median_us);
  best.problem.M = M;
  for (auto& [stage, config] : best.config.stages) config.config = sample_config(16);
  return best;
}

Report report_of(const std::vector<Best>& bests) {
  Report report{.runs = {sample_environment()}, .rows = {}, .outcomes = {}, .failure_reasons = {}};
  for (const Best& best : bests) report.rows.push_back({.best = best, .run = 0});
  return report;
}

/// What engines can take, and what they cannot: stages that differ, another engine in the first GEMM, and a custom
/// shape with all that is unusual.
Report sample_report() {
  Best differs = best_at(64);
  differs.config.stages[Stage::final].config = sample_config(32);
  Best hopper = best_at(4096);
  hopper.config.stages[Stage::gemm1] = {.engine = "wgmma", .config = {{"BLOCK_SIZE_M", 128}, {"num_consumers", 2}}};
  Best custom = best_at(16, Impl::merged, 1234.5678);
  custom.problem.model.clear();
  custom.problem.E = 8;
  custom.problem.routing = {.kind = RoutingSpec::Kind::file, .zipf_s = 1, .path = "my, \"ids\"\n.npy"};
  custom.problem.bias = Bias::both;
  return report_of({best_at(1), best_at(1, Impl::merged, 160), differs, hopper, custom});
}

/// Trials of a stage with every outcome, and one of a whole pipeline.
Journal sample_journal() {
  Journal journal{
      .runs = {{.id = "r", .environment = sample_environment()}}, .trials = {}, .bests = {}, .warnings = {}};
  const auto add = [&](const Trial& trial) { journal.trials.push_back({.record = trial, .run = 0, .line = 0}); };
  add(sample_trial());
  for (const auto outcome : {Outcome::invalid, Outcome::compile_error, Outcome::out_of_memory, Outcome::launch_error,
                             Outcome::runtime_error, Outcome::timeout, Outcome::incorrect, Outcome::skipped}) {
    Trial failed = sample_trial();
    failed.outcome = outcome;
    failed.reason = "because";
    failed.time.reset();
    failed.verdict.reset();
    if (outcome == Outcome::incorrect) {
      failed.verdict = sample_verdict();
      failed.verdict->passed = false;
      failed.verdict->relative_l2 = std::numeric_limits<double>::quiet_NaN();
    }
    add(failed);
  }
  Trial pipeline = sample_trial();
  pipeline.stage.reset();
  pipeline.phase = Trial::Phase::final;
  add(pipeline);
  return journal;
}

Export write(const ExportFormat& format, const Report& report, const std::vector<Journal>& journals) {
  return format.write_trials != nullptr ? format.write_trials(journals, {})
                                        : format.write(select_rows(report, format.preferred, {}));
}

Export write(std::string_view format, const Report& report) {
  return write(find_export_format(format), report, {});
}

Json file(const Export& result, std::string_view name) {
  for (const ExportFile& candidate : result.files)
    if (candidate.name == name) return Json::parse(candidate.text);
  ADD_FAILURE() << "no file " << name;
  return {};
}

constexpr const char* kName = "E=128,N=768,device_name=NVIDIA_H200";

class FormatGolden : public testing::TestWithParam<const ExportFormat*> {};

TEST_P(FormatGolden, WritesWhatTheGoldenFilesHold) {
  const auto folder = std::filesystem::path(MOETUNE_GOLDEN_DIR) / GetParam()->name;
  const bool update = std::getenv("MOETUNE_UPDATE_GOLDEN") != nullptr;
  if (update) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
  }
  const Export result = write(*GetParam(), sample_report(), {sample_journal()});
  for (const ExportFile& written : result.files) {
    if (update) write_text(folder / written.name, written.text);
    EXPECT_EQ(written.text, read_text(folder / written.name))
        << written.name << ": if the change is wanted, run this test with MOETUNE_UPDATE_GOLDEN=1";
  }
  std::size_t held = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++held;
  EXPECT_EQ(held, result.files.size());
}

std::vector<const ExportFormat*> all_formats() {
  std::vector<const ExportFormat*> all;
  for (const ExportFormat& format : export_formats()) all.push_back(&format);
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, FormatGolden, testing::ValuesIn(all_formats()), [](const auto& format) {
  std::string name(format.param->name);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Formats, NoneWritesAnythingFromNothing) {
  for (const ExportFormat& format : export_formats())
    EXPECT_ERROR(write(format, {}, {}), "nothing to export as " + std::string(format.name));
}

TEST(Formats, OneFileIsOne) {
  for (const ExportFormat& format : export_formats()) {
    const std::size_t count = write(format, sample_report(), {sample_journal()}).files.size();
    EXPECT_TRUE(format.one_file ? count == 1 : count > 1) << format.name;
  }
}

TEST(Formats, UnknownNamesListTheKnownOnes) {
  EXPECT_ERROR(find_export_format("triton"),
               "unknown format 'triton': use one of vllm, sglang, gbench, github-action-benchmark, t4, header");
}

TEST(Vllm, LeavesOtherEnginesOutAndSaysSo) {
  const Export result = write("vllm", sample_report());
  const Json map = file(result, std::string(kName) + ".json");
  EXPECT_TRUE(map.contains("1") && map.contains("64") && map.size() == 2) << map;
  const Json rows = file(result, std::string(kName) + ".moe-tune.json")["rows"];
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1]["exported"], true);
  EXPECT_NE(rows[1]["note"].get<std::string>().find("bm32"), std::string::npos) << rows[1]["note"];
  EXPECT_EQ(rows[2]["exported"], false);
  EXPECT_NE(rows[2]["left_out"].get<std::string>().find("gemm1: the engine is 'wgmma'"), std::string::npos);
  ASSERT_EQ(result.notes.size(), 1u);
  EXPECT_NE(result.notes[0].find("leaves out 1 of 3 rows (M=4096: gemm1"), std::string::npos) << result.notes[0];
}

TEST(Vllm, WhereOnlyMergedWasTunedItsGateStandsForTheFirstGemm) {
  const Export result = write("vllm", report_of({best_at(16, Impl::merged)}));
  EXPECT_EQ(file(result, std::string(kName) + ".json")["16"]["BLOCK_SIZE_N"], 64);
}

TEST(Vllm, DeviceNamesAreThoseThatItLooksFor) {
  Report report = report_of({best_at(16)});
  for (const auto& [device, name] : {std::pair("NVIDIA H200 NVL", "NVIDIA_H200"),
                                     {"NVIDIA H100 80GB HBM3", "NVIDIA_H100_80GB_HBM3"},
                                     {"NVIDIA GH200 480GB", "NVIDIA_GH200_480GB"},
                                     {"../../x", ".._.._x"}}) {
    report.runs[0].device.name = device;
    EXPECT_EQ(write("vllm", report).files[0].name, std::string("E=128,N=768,device_name=") + name + ".json");
  }
  report.runs[0].device.name = "NVIDIA H200 NVL";
  EXPECT_EQ(write("sglang", report).files[0].name, "E=128,N=768,device_name=NVIDIA_H200_NVL.json");
}

TEST(Vllm, OfRowsWithTheSameMTheLatestRunCounts) {
  Report report = report_of({best_at(16), best_at(16)});
  report.runs.push_back(sample_environment());
  report.rows[1].run = 1;
  report.rows[1].best.problem.topk = 4;
  report.rows[1].best.config.stages[Stage::gemm1].config.set("num_stages", 5);
  for (const auto& [created, stages] : {std::pair("2025-02-01T00:00:00Z", 5), {"2024-01-01T00:00:00Z", 3}}) {
    report.runs[1].created = created;
    const Export result = write("vllm", report);
    EXPECT_EQ(file(result, std::string(kName) + ".json")["16"]["num_stages"], stages);
    EXPECT_EQ(result.notes.size(), 1u);
  }
}

TEST(Vllm, TakesNoConfigThatTritonCannotLaunch) {
  const auto says = [](std::string_view key, int value, const char* part) {
    Best best = best_at(16);
    best.config.stages[Stage::gemm1].config.set(key, value);
    EXPECT_ERROR(write("vllm", report_of({best})), part);
  };
  says("BLOCK_SIZE_M", 48, "BLOCK_SIZE_M is 48, and Triton takes powers of two");
  says("BLOCK_SIZE_N", 8, "BLOCK_SIZE_N is 8");
  says("num_warps", 3, "num_warps is 3");
  says("GROUP_SIZE_M", 0, "GROUP_SIZE_M is 0");
  Best incomplete = best_at(16);
  incomplete.config.stages[Stage::gemm1].config = {{"BLOCK_SIZE_M", 16}};
  EXPECT_ERROR(write("vllm", report_of({incomplete})), "it has no BLOCK_SIZE_N");
  Best wrong = best_at(16);
  wrong.verdict.passed = false;
  EXPECT_ERROR(write("vllm", report_of({wrong})), "not verified");
}

TEST(Sglang, BothFilesHaveTheSameKeysAndBlockSizeM) {
  const Export result = write("sglang", sample_report());
  const Json up = file(result, std::string(kName) + ".json");
  const Json down = file(result, std::string(kName) + "_down.json");
  ASSERT_EQ(up.size(), 1u) << up;
  for (const auto& [M, config] : up.items()) EXPECT_EQ(config["BLOCK_SIZE_M"], down[M]["BLOCK_SIZE_M"]);
  EXPECT_EQ(down.size(), 1u);
  ASSERT_EQ(result.notes.size(), 1u);
  EXPECT_NE(result.notes[0].find("BLOCK_SIZE_M is 16 in the first GEMM and 32 in the second"), std::string::npos);
}

TEST(T4, AFileForEachSpace) {
  Journal journal = sample_journal();
  Trial other = sample_trial();
  other.problem.M = 64;
  journal.trials.push_back({.record = other, .run = 0, .line = 0});
  journal.runs.push_back(journal.runs[0]);
  journal.runs[1].environment.device.id = "cuda:1";
  journal.trials.push_back({.record = sample_trial(), .run = 1, .line = 0});
  const Export result = to_t4({&journal, 1}, {});
  std::vector<std::size_t> results;
  std::set<std::string> names;
  for (const ExportFile& file : result.files) {
    names.insert(file.name);
    if (const Json json = Json::parse(file.text); json.contains("results")) results.push_back(json["results"].size());
  }
  EXPECT_EQ(results, (std::vector<std::size_t>{9, 1, 1, 1}));
  EXPECT_EQ(names.size(), result.files.size()) << "one overwrites the other";
}

TEST(T4, OfOneImplementation) {
  const Journal journal = sample_journal();
  EXPECT_EQ(to_t4({&journal, 1}, Impl::merged).files.size(), 3u);
  EXPECT_ERROR(to_t4({&journal, 1}, Impl::three_kernel), "no trial");
}

TEST(Header, RefusesKeysThatAreNoNames) {
  Best best = best_at(16);
  best.config.stages[Stage::gemm1].config.set("x; int y", 1);
  EXPECT_ERROR(write("header", report_of({best})), "'x; int y' is no C++ name");
}

}  // namespace
}  // namespace moetune

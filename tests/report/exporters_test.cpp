#include "report/exporters.h"

#include <cstdlib>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "results/json_field.h"
#include "results/samples.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

/// Two problems of a model on one device, a custom one with all that is unusual on another.
Report sample_report() {
  Environment cpu = sample_environment();
  cpu.device = {.backend = Backend::cpu, .id = "cpu", .name = "A Processor", .compiler = "gcc 12.2 avx512"};
  cpu.ceilings = {};
  cpu.command = {"moe-tune", "tune", "--routing", "file:my ids.npy"};
  Journal journal{.runs = {{.id = "1", .environment = sample_environment()}, {.id = "2", .environment = cpu}},
                  .trials = {{.record = sample_trial(), .run = 0, .line = 2}},
                  .bests = {},
                  .warnings = {}};
  Trial failed = sample_trial();
  failed.outcome = Outcome::compile_error;
  failed.reason = "ptxas: *too* many registers";
  for (const std::size_t line : {3, 4}) journal.trials.push_back({.record = failed, .run = 0, .line = line});
  for (const std::int64_t M : {16, 4096}) {
    for (const Impl impl : {Impl::three_kernel, Impl::merged}) {
      Best best = sample_best(impl, impl == Impl::merged ? 160 : 168);
      best.problem.M = M;
      if (M == 16) best.burst = sample_summary(best.time.median_us * 0.98);  // too little to tell
      journal.bests.push_back({.record = best, .run = 0, .line = 0});
    }
  }
  Best custom = sample_best(Impl::merged, 1234.5678);
  custom.problem.model.clear();
  custom.problem.routing = {.kind = RoutingSpec::Kind::file, .zipf_s = 1, .path = "my, \"ids\".npy"};
  custom.problem.bias = Bias::both;
  custom.roofline_us = custom.ceiling = 0;
  custom.versus_three_kernel.reset();
  custom.burst.reset();
  custom.config.stages[Stage::final].engine = "wgmma";
  journal.bests.push_back({.record = custom, .run = 1, .line = 0});
  return make_report({&journal, 1}, {});
}

class ExporterGolden : public testing::TestWithParam<const Exporter*> {};

TEST_P(ExporterGolden, WritesWhatTheGoldenFileHolds) {
  const auto path = std::filesystem::path(MOETUNE_GOLDEN_DIR) / ("report" + std::string(GetParam()->extension));
  const std::string text = GetParam()->write(sample_report());
  if (std::getenv("MOETUNE_UPDATE_GOLDEN")) write_text(path, text);
  EXPECT_EQ(text, read_text(path)) << "if the change is wanted, run this test with MOETUNE_UPDATE_GOLDEN=1";
}

std::vector<const Exporter*> all_exporters() {
  std::vector<const Exporter*> all;
  for (const Exporter& exporter : exporters()) all.push_back(&exporter);
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, ExporterGolden, testing::ValuesIn(all_exporters()),
                         [](const auto& exporter) { return std::string(exporter.param->name); });

TEST(Exporters, EveryFormatTakesAnEmptyReport) {
  for (const Exporter& exporter : exporters()) EXPECT_NO_THROW(exporter.write({})) << exporter.name;
}

TEST(Exporters, CsvHasAsManyCellsInEveryLine) {
  std::istringstream lines(to_csv(sample_report()));
  for (std::string line; std::getline(lines, line);) {
    int commas = 0;
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      if (c == ',' && !quoted) ++commas;
    }
    EXPECT_EQ(commas, 24) << line;
  }
}

TEST(Exporters, JsonIsReadable) {
  const Json json = Json::parse(to_json_text(sample_report()));
  EXPECT_EQ(json["results"].size(), 5u);
  EXPECT_EQ(json["runs"].size(), 2u);
  EXPECT_EQ(json["bands"]["M <= 256"]["problems"], 1);
}

TEST(Exporters, ColoursOnlyWhereAskedFor) {
  EXPECT_EQ(to_console(sample_report(), false).find('\x1b'), std::string::npos);
  EXPECT_NE(to_console(sample_report(), true).find('\x1b'), std::string::npos);
}

TEST(Exporters, UnknownFormatsListTheKnownOnes) {
  EXPECT_ERROR(find_exporter("pdf"), "unknown format 'pdf': use one of console, markdown, csv, json, html");
}

}  // namespace
}  // namespace moetune

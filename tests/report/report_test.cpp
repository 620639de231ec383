#include "report/report.h"

#include <gtest/gtest.h>

#include "results/samples.h"

namespace moetune {
namespace {

Journal sample_journal(std::string created) {
  Environment environment = sample_environment();
  environment.created = std::move(created);
  Trial failed = sample_trial();
  failed.outcome = Outcome::compile_error;
  failed.reason = "too many registers";
  return {.runs = {{.id = "run", .environment = environment}},
          .trials = {{.record = sample_trial(), .run = 0, .line = 2}, {.record = failed, .run = 0, .line = 3}},
          .bests = {{.record = sample_best(Impl::merged), .run = 0, .line = 4},
                    {.record = sample_best(Impl::three_kernel), .run = 0, .line = 5}},
          .warnings = {}};
}

TEST(Report, SortsAndCounts) {
  Journal journal = sample_journal("2025-01-01T00:00:00Z");
  Best small = sample_best(Impl::merged);
  small.problem.M = 1;
  journal.bests.push_back({.record = small, .run = 0, .line = 6});
  const Report report = make_report({&journal, 1}, {});
  ASSERT_EQ(report.rows.size(), 3u);
  EXPECT_EQ(report.rows[0].best.problem.M, 1);
  EXPECT_EQ(report.rows[1].best.config.impl, Impl::three_kernel);
  EXPECT_EQ(report.rows[2].best.config.impl, Impl::merged);
  EXPECT_EQ(report.outcomes.at(Outcome::ok), 1);
  EXPECT_EQ(report.outcomes.at(Outcome::compile_error), 1);
  EXPECT_EQ(report.failure_reasons.at("compile_error: too many registers"), 1);
}

TEST(Report, TheLatestRunCounts) {
  std::vector<Journal> journals{sample_journal("2025-03-01T00:00:00Z"), sample_journal("2025-02-01T00:00:00Z")};
  journals[0].bests[0].record.time = sample_summary(111);
  const Report report = make_report(journals, {});
  ASSERT_EQ(report.rows.size(), 2u);
  EXPECT_EQ(report.rows[1].best.time.median_us, 111);
  EXPECT_EQ(report.rows[1].run, 0u);
}

TEST(Report, OtherDevicesAndTimingsStayApart) {
  std::vector<Journal> journals{sample_journal("2025-03-01T00:00:00Z"), sample_journal("2025-02-01T00:00:00Z"),
                                sample_journal("2025-02-01T00:00:00Z"), sample_journal("2025-02-01T00:00:00Z")};
  journals[1].runs[0].environment.device.name = "NVIDIA A100";
  for (auto& best : journals[2].bests) best.record.timing.cache = CacheState::warm;
  for (auto& best : journals[3].bests) best.record.timing.load = LoadState::replays;
  const Report report = make_report(journals, {});
  EXPECT_EQ(report.rows.size(), 8u);
  EXPECT_EQ(group_rows(report).size(), 4u);
}

TEST(Report, BestFilesJoinTheirRun) {
  const Journal journal = sample_journal(sample_environment().created);
  const std::vector<BestFile> files{{.best = sample_best(), .environment = sample_environment()}};
  const Report report = make_report({&journal, 1}, files);
  EXPECT_EQ(report.runs.size(), 1u);
  EXPECT_EQ(report.rows.size(), 2u);
}

TEST(Report, BurstsAreToldWhereTheyDiffer) {
  ReportRow row{.best = sample_best(Impl::merged, 160), .run = 0};
  EXPECT_EQ(row.differing_burst_us(), 144);
  for (const double burst_us : {156.0, 164.0}) {
    row.best.burst = sample_summary(burst_us);
    EXPECT_FALSE(row.differing_burst_us()) << burst_us;
  }
  row.best.burst = sample_summary(170);
  EXPECT_EQ(row.differing_burst_us(), 170);
  row.best.burst.reset();
  EXPECT_FALSE(row.differing_burst_us());
}

TEST(Report, Rates) {
  const ReportRow row{.best = sample_best(Impl::merged, 160), .run = 0};
  EXPECT_DOUBLE_EQ(row.tflops(), 7.5);   // 1.2e9 flops in 160 µs
  EXPECT_DOUBLE_EQ(row.gbps(), 3000.0);  // 480 MB in 160 µs
}

}  // namespace
}  // namespace moetune

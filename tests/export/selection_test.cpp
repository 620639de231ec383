#include "export/selection.h"

#include <gtest/gtest.h>

#include "results/samples.h"

namespace moetune {
namespace {

/// M = 16 by both implementations, M = 4096 by merged alone.
Report sample_report() {
  Report report{.runs = {sample_environment()}, .rows = {}, .outcomes = {}, .failure_reasons = {}};
  report.rows.push_back({.best = sample_best(Impl::three_kernel, 168), .run = 0});
  report.rows.push_back({.best = sample_best(Impl::merged, 160), .run = 0});
  report.rows.push_back({.best = sample_best(Impl::merged, 400), .run = 0});
  report.rows.back().best.problem.M = 4096;
  return report;
}

std::vector<const ReportRow*> rows(const Report& report, std::vector<std::size_t> indices) {
  std::vector<const ReportRow*> all;
  for (const std::size_t i : indices) all.push_back(&report.rows[i]);
  return all;
}

TEST(Selection, TakesTheFasterUnlessOneIsPreferred) {
  const Report report = sample_report();
  EXPECT_EQ(select_rows(report, {}, {}).rows, rows(report, {1, 2}));
  EXPECT_EQ(select_rows(report, Impl::three_kernel, {}).rows, rows(report, {0, 2}));
  EXPECT_EQ(select_rows(report, Impl::three_kernel, Impl::merged).rows, rows(report, {1, 2}));
  EXPECT_EQ(select_rows(report, {}, Impl::three_kernel).rows, rows(report, {0}));
  EXPECT_TRUE(select_rows({}, {}, {}).rows.empty());
}

TEST(Selection, KeepsDevicesAndTimingsApart) {
  Report report = sample_report();
  report.rows.pop_back();
  report.runs.push_back(sample_environment());
  report.runs[1].device.id = "cuda:1";
  report.rows[1].run = 1;
  EXPECT_EQ(select_rows(report, {}, {}).rows.size(), 2u);
  report.rows[1].run = 0;
  report.rows[1].best.timing.cache = CacheState::warm;
  EXPECT_EQ(select_rows(report, {}, {}).rows.size(), 2u);
}

TEST(Selection, NamesTellProblemsApartAndNotConfigs) {
  Report report = sample_report();
  const Selection one = select_rows(report, {}, {});
  EXPECT_EQ(row_name(one, report.rows[0]),
            "qwen3-30b-a3b/K:2048/N1:1536/N2:2048/E:128/topk:8/bf16/silu/zipf:1.5/cold/graph/M:16");
  EXPECT_EQ(row_name(one, report.rows[0]), row_name(one, report.rows[1]));
  report.runs.push_back(sample_environment());
  report.runs[1].device.name = "Another GPU";
  report.rows[2].run = 1;
  report.rows[2].best.problem.bias = Bias::b1;
  report.rows[2].best.problem.weight_on_input = true;
  EXPECT_EQ(row_name(select_rows(report, {}, {}), report.rows[2]),
            "qwen3-30b-a3b/K:2048/N1:1536/N2:2048/E:128/topk:8/bf16/silu/bias:b1/weight_on_input/zipf:1.5/cold/graph/"
            "Another GPU/cuda:0/M:4096");
}

}  // namespace
}  // namespace moetune

#include "report/answer.h"

#include <cmath>

#include <gtest/gtest.h>

#include "results/samples.h"

namespace moetune {
namespace {

ReportRow merged_row(std::int64_t M, Ratio ratio, double ceiling, double fraction) {
  ReportRow row{.best = sample_best(Impl::merged, 100), .run = 0};
  row.best.problem.M = M;
  row.best.versus_three_kernel = ratio;
  row.best.ceiling = ceiling;
  row.best.roofline_us = 100 * fraction;
  return row;
}

Report report_of(std::vector<ReportRow> rows) {
  return {.runs = {sample_environment()}, .rows = std::move(rows), .outcomes = {}, .failure_reasons = {}};
}

TEST(Answer, OneProblem) {
  EXPECT_EQ(answer_line(report_of({merged_row(16, {1.08, 1.07, 1.09}, 1.09, 0.87)})),
            "merged ran 1.08x [1.07, 1.09] as fast as three_kernel (ceiling 1.09x) at 0.87 of the roofline");
}

TEST(Answer, SeveralProblemsAreGeometricMeans) {
  const Report report =
      report_of({merged_row(1, {2, 1.9, 2.1}, 2, 0.9), merged_row(2048, {0.5, 0.48, 0.52}, 0.5, 0.4)});
  const auto comparison = compare({&report.rows[0], &report.rows[1]});
  ASSERT_TRUE(comparison);
  EXPECT_EQ(comparison->problems, 2);
  EXPECT_NEAR(comparison->speedup.value, 1, 1e-12);
  EXPECT_NEAR(comparison->roofline_fraction, 0.6, 1e-12);
  const double half = std::hypot(std::log(2 / 1.9), std::log(0.5 / 0.48)) / 2;
  EXPECT_NEAR(comparison->speedup.low, std::exp(-half), 1e-12);
  EXPECT_EQ(answer_line(report),
            "merged ran 1.00x [0.97, 1.03] as fast as three_kernel (ceiling 1.00x) at 0.60 of the "
            "roofline (geometric means of 2 problems)");
}

TEST(Answer, NamesTheSingleKernelWhereItWasMeasured) {
  ReportRow single = merged_row(16, {1.02, 1.01, 1.03}, 1.09, 0.8);
  single.best.config.impl = Impl::merged_single;
  EXPECT_EQ(answer_line(report_of({merged_row(16, {1.08, 1.07, 1.09}, 1.09, 0.87), single})),
            "merged ran 1.08x [1.07, 1.09] as fast as three_kernel (ceiling 1.09x) at 0.87 of the roofline; "
            "merged_single 1.02x [1.01, 1.03]");
}

TEST(Answer, BandsSplitWhereGainsAreQuoted) {
  const Ratio ratio{1.1, 1.0, 1.2};
  const Report report = report_of({merged_row(256, ratio, 1, 1), merged_row(257, ratio, 1, 1),
                                   merged_row(1024, ratio, 1, 1), merged_row(1025, ratio, 1, 1)});
  const auto bands = compare_by_band(report);
  ASSERT_EQ(bands.size(), 3u);
  EXPECT_EQ(bands[0].comparison.problems, 1);
  EXPECT_EQ(bands[1].comparison.problems, 2);
  EXPECT_EQ(bands[2].comparison.problems, 1);
}

TEST(Answer, SaysWhatIsMissing) {
  EXPECT_NE(answer_line(report_of({})).find("no implementation has a verified config"), std::string::npos);
  ReportRow alone{.best = sample_best(Impl::three_kernel, 240), .run = 0};
  EXPECT_EQ(answer_line(report_of({alone})),
            "three_kernel ran at 0.50 of the roofline; merged was not measured, so there is no comparison");
  // Ceilings that were not measured are not made up.
  EXPECT_EQ(answer_line(report_of({merged_row(16, {1.08, 1.07, 1.09}, 0, 0)})),
            "merged ran 1.08x [1.07, 1.09] as fast as three_kernel");
}

}  // namespace
}  // namespace moetune

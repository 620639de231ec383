#include "report/charts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "results/samples.h"

namespace moetune {
namespace {

/// Both implementations for these numbers of tokens, with trials of one stage at two tiles.
Journal journal_of(std::vector<std::int64_t> tokens, const std::string& model = "a-model") {
  Journal journal{
      .runs = {{.id = "1", .environment = sample_environment()}}, .trials = {}, .bests = {}, .warnings = {}};
  for (const std::int64_t M : tokens) {
    for (const Impl impl : kImpls) {
      Best best = sample_best(impl);
      best.problem.M = M;
      best.problem.model = model;
      journal.bests.push_back({.record = best, .run = 0, .line = 0});
    }
    for (const int block_m : {16, 32}) {
      for (const int block_n : {64, 128}) {
        Trial trial = sample_trial();
        trial.problem.M = M;
        trial.problem.model = model;
        trial.config.stages[Stage::gate].config.set("BLOCK_SIZE_M", block_m);
        trial.config.stages[Stage::gate].config.set("BLOCK_SIZE_N", block_n);
        trial.time = sample_summary(block_m == 16 ? 100 : 150);
        journal.trials.push_back({.record = trial, .run = 0, .line = 0});
      }
    }
  }
  return journal;
}

Report report_of(std::vector<Journal> journals) {
  return make_report(journals, {});
}

std::vector<std::string> names(const std::vector<NamedChart>& charts) {
  std::vector<std::string> all;
  for (const NamedChart& chart : charts) all.push_back(chart.name);
  return all;
}

std::string find_chart(const std::vector<NamedChart>& charts, std::string_view name) {
  const auto found =
      std::find_if(charts.begin(), charts.end(), [&](const NamedChart& each) { return each.name == name; });
  if (found == charts.end()) throw std::runtime_error("no chart " + std::string(name));
  return found->svg;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Charts, EveryShapeHasItsOwn) {
  const ReportCharts charts = make_charts(report_of({journal_of({1, 16})}));
  EXPECT_TRUE(charts.overview.empty()) << "nothing to look over";
  ASSERT_EQ(charts.groups.size(), 1u);
  EXPECT_EQ(names(charts.groups[0].charts),
            (std::vector<std::string>{"speedup-a-model", "roofline-a-model", "stages-a-model", "slice-a-model"}));
}

TEST(Charts, ShapesOfOneModelHaveFilesOfTheirOwn) {
  Journal other = journal_of({1});
  for (auto& best : other.bests) best.record.problem.N1 = 768;
  const ReportCharts charts = make_charts(report_of({journal_of({1}), other}));
  EXPECT_EQ(names(charts.overview), std::vector<std::string>{"speedup-all"});
  ASSERT_EQ(charts.groups.size(), 2u);
  EXPECT_EQ(charts.groups[0].charts[0].name, "speedup-a-model");
  EXPECT_EQ(charts.groups[1].charts[0].name, "speedup-a-model-2");
  EXPECT_TRUE(contains(charts.overview[0].svg, "a-model N1=768"));
}

TEST(Charts, PointsSayWhatTheyAreAndWhereToFindThem) {
  const Report report = report_of({journal_of({16})});
  const std::string svg = find_chart(make_charts(report).groups[0].charts, "speedup-a-model");
  EXPECT_TRUE(contains(svg, "M = 16: merged ran 1.050x [1.030, 1.060] as fast as three_kernel, 160.00 µs"));
  EXPECT_TRUE(contains(svg, "moe-tune bench --device cuda:0"));
  EXPECT_TRUE(contains(svg, "href=\"#" + row_id(report, report.rows[1]) + "\""));
  EXPECT_TRUE(contains(svg, "ceiling 1.090x"));
}

TEST(Charts, ValuesOfATunableAreComparedByTheirBestTimes) {
  const ReportCharts charts = make_charts(report_of({journal_of({1, 16})}));
  ASSERT_EQ(charts.engines.size(), 1u);
  EXPECT_EQ(charts.engines[0].title, "mma");
  const std::string rows = find_chart(charts.engines[0].charts, "tunable-mma-BLOCK_SIZE_M");
  EXPECT_TRUE(contains(rows, "BLOCK_SIZE_M = 16, M ≤ 256: 1.000 times the best time (geometric mean of 2)"));
  EXPECT_TRUE(contains(rows, "BLOCK_SIZE_M = 32, M ≤ 256: 1.500 times the best time"));
  const std::string columns = find_chart(charts.engines[0].charts, "tunable-mma-BLOCK_SIZE_N");
  EXPECT_TRUE(contains(columns, "BLOCK_SIZE_N = 128, M ≤ 256: 1.000 times"));
  const auto all = names(charts.engines[0].charts);
  EXPECT_EQ(std::count(all.begin(), all.end(), "tunable-mma-num_warps"), 0) << "one value was tried";
}

TEST(Charts, ASliceHoldsTheBestOfEachPair) {
  const std::string svg = find_chart(make_charts(report_of({journal_of({16})})).groups[0].charts, "slice-a-model");
  EXPECT_TRUE(contains(svg, "gate, mma, M = 16"));
  EXPECT_TRUE(contains(svg, ">1.00<"));
  EXPECT_TRUE(contains(svg, ">1.50<"));
}

TEST(Charts, WhatIsNotThereIsLeftOut) {
  Journal bare = journal_of({16});
  bare.trials.clear();
  bare.bests.erase(bare.bests.begin());  // merged alone
  bare.bests[0].record.versus_three_kernel.reset();
  bare.bests[0].record.stage_times.clear();
  const ReportCharts charts = make_charts(report_of({bare}));
  ASSERT_EQ(charts.groups.size(), 1u);
  EXPECT_TRUE(charts.groups[0].charts.empty());
  EXPECT_TRUE(charts.engines.empty());
}

}  // namespace
}  // namespace moetune

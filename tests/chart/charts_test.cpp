// That labels do not lie on each other and that pages look right is for tests/report/html_browser_test.py to see.
#include <gtest/gtest.h>

#include <regex>

#include "chart/heat_map.h"
#include "chart/stacked_bars.h"
#include "chart/xy_chart.h"

namespace moetune {
namespace {

int count(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return static_cast<int>(std::distance(std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator()));
}

XyChart sample_chart() {
  return {
      .title = "Title",
      .x = log_axis_at("M", {1, 16}),
      .y = linear_axis("ratio", 0.9, 1.1),
      .series = {{.name = "first",
                  .colour = "c1",
                  .points = {{.x = 1, .y = 1, .low = 0.95, .high = 1.05}, {.x = 16, .y = 1.1}}},
                 {.name = "second", .colour = "c2", .look = XySeries::Look::diamonds, .points = {{.x = 1, .y = 0.9}}}}};
}

TEST(XyChart, HasALineAMarkForEachPointAndABarForEachInterval) {
  const std::string svg = to_svg(sample_chart());
  EXPECT_EQ(count(svg, "<circle[^>]*mark c1"), 2);
  EXPECT_EQ(count(svg, "<path[^>]*class=\"curve c1\""), 1);
  EXPECT_EQ(count(svg, "<path[^>]*class=\"open c2\""), 2) << "one in the legend";
  EXPECT_EQ(count(svg, "class=\"bar c1\""), 3) << "the bar and its two ends";
  EXPECT_EQ(count(svg, ">first<"), 1);
}

TEST(XyChart, AnIntervalThatLeavesTheAxisIsCut) {
  XyChart chart = sample_chart();
  chart.series[0].points[0].low = 0.1;
  chart.series[0].points[0].high = 9;
  const std::string svg = to_svg(chart);
  EXPECT_EQ(count(svg, "class=\"bar c1\""), 1) << "without ends";
  EXPECT_EQ(count(svg, "y[12]=\"-"), 0);
}

TEST(XyChart, OneSeriesNeedsNoLegend) {
  XyChart chart = sample_chart();
  chart.series.pop_back();
  EXPECT_EQ(count(to_svg(chart), ">first<"), 0);
}

TEST(StackedBars, PiecesLieOnEachOther) {
  StackedBars chart{.title = "Title", .x_title = "M", .y_title = "%", .legend = {}, .groups = {}};
  chart.groups.push_back(
      {.label = "16",
       .bars = {{.pieces = {{.colour = "c1", .value = 60}, {.colour = "c2", .value = 40}}, .whole = 95}}});
  const std::string svg = to_svg(chart);
  std::smatch lower, upper;
  ASSERT_TRUE(std::regex_search(
      svg, lower, std::regex("y=\"([0-9.]+)\" width=\"[0-9.]+\" height=\"([0-9.]+)\" class=\"mark c1\"")));
  ASSERT_TRUE(std::regex_search(
      svg, upper, std::regex("y=\"([0-9.]+)\" width=\"[0-9.]+\" height=\"([0-9.]+)\" class=\"mark c2\"")));
  EXPECT_NEAR(std::stod(upper[1]) + std::stod(upper[2]), std::stod(lower[1]), 0.11);
  EXPECT_NEAR(std::stod(lower[2]) / std::stod(upper[2]), 1.5, 0.01);
  EXPECT_EQ(count(svg, "class=\"whole\""), 1);
}

TEST(HeatMap, TheLowerTheStrongerAndUnknownIsEmpty) {
  HeatMap chart{
      .title = "Title", .x_title = "N", .y_title = "M", .x_labels = {"64", "128"}, .y_labels = {"16"}, .cells = {}};
  chart.cells.push_back({HeatMap::Cell{.value = 1, .label = "1.00"}, HeatMap::Cell{.value = 3, .label = "3.00"}});
  const std::string svg = to_svg(chart);
  EXPECT_EQ(count(svg, "class=\"cell c1\" fill-opacity=\"0.60\""), 1);
  EXPECT_EQ(count(svg, "class=\"cell c1\" fill-opacity=\"0.06\""), 1);
  chart.cells[0][1].reset();
  EXPECT_EQ(count(to_svg(chart), "class=\"empty\""), 1);
}

}  // namespace
}  // namespace moetune

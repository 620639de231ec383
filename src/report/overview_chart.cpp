#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "chart/xy_chart.h"
#include "report/charts.h"

namespace moetune {

std::string overview_chart(const Report& report, const std::vector<RowGroup>& groups) {
  constexpr std::size_t kColours = 6;
  std::vector<XySeries> series;
  std::set<double> tokens;
  std::map<std::string, int> titles;
  for (const RowGroup& group : groups) ++titles[group.title];
  double low = 1, high = 1;
  for (const RowGroup& group : groups) {
    // Past six lines colours repeat; a seventh has dashes.
    XySeries line{.name = group.title,
                  .colour = fmt::format("c{}", series.size() % kColours + 1),
                  .look = series.size() < kColours ? XySeries::Look::line : XySeries::Look::dashed,
                  .points = {}};
    if (titles[group.title] > 1 && !group.rows.empty())
      line.name += fmt::format(" N1={}", group.rows.front()->best.problem.N1);
    for (const ReportRow* row : group.rows) {
      if (!row->best.versus_three_kernel) continue;
      const Ratio& ratio = *row->best.versus_three_kernel;
      const auto M = static_cast<double>(row->best.problem.M);
      tokens.insert(M);
      line.points.push_back({.x = M,
                             .y = ratio.value,
                             .hint = {.text = fmt::format("{}, M = {}: {:.3f}x [{:.3f}, {:.3f}]", line.name,
                                                          row->best.problem.M, ratio.value, ratio.low, ratio.high),
                                      .href = "#" + row_id(report, *row)}});
      low = std::min(low, ratio.value);
      high = std::max(high, ratio.value);
    }
    if (!line.points.empty()) series.push_back(std::move(line));
  }
  if (series.empty()) return "";
  XyChart chart{.title = "Speed-up of merged, all shapes",
                .x = log_axis_at("M (tokens)", {tokens.begin(), tokens.end()}),
                .y = linear_axis("times as fast as three_kernel", low, high),
                .series = std::move(series),
                .size = {.width = 480, .height = 330}};
  chart.guides.push_back({.points = {{chart.x.low, 1}, {chart.x.high, 1}}});
  return to_svg(chart);
}

}  // namespace moetune

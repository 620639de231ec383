#include <algorithm>

#include <fmt/format.h>

#include "chart/xy_chart.h"
#include "report/charts.h"
#include "results/repro.h"

namespace moetune {

std::string speedup_chart(const Report& report, const RowGroup& group) {
  XySeries measured{.name = "merged", .colour = "c1", .points = {}};
  XySeries ceiling{.name = "ceiling", .colour = "c6", .look = XySeries::Look::dashed, .points = {}};
  std::vector<double> tokens;
  // An interval can be so wide that nothing else could be seen beside it: the axis need not hold more than this of it.
  constexpr double kMostOfAnInterval = 0.08;
  double low = 1, high = 1;
  for (const ReportRow* row : group.rows) {
    const Best& best = row->best;
    if (!best.versus_three_kernel) continue;
    const Ratio& ratio = *best.versus_three_kernel;
    const auto M = static_cast<double>(best.problem.M);
    tokens.push_back(M);
    measured.points.push_back(
        {.x = M,
         .y = ratio.value,
         .low = ratio.low,
         .high = ratio.high,
         .hint = {.text = fmt::format(
                      "M = {}: merged ran {:.3f}x [{:.3f}, {:.3f}] as fast as three_kernel, {:.2f} µs\n{}\n{}",
                      best.problem.M, ratio.value, ratio.low, ratio.high, best.time.median_us,
                      stage_labels(best.config), repro_command(best, report.runs[row->run].device.id)),
                  .href = "#" + row_id(report, *row)}});
    low = std::min(low, std::max(ratio.low, ratio.value - kMostOfAnInterval));
    high = std::max(high, std::min(ratio.high, ratio.value + kMostOfAnInterval));
    if (best.ceiling > 0) {
      ceiling.points.push_back(
          {.x = M,
           .y = best.ceiling,
           .hint = {.text = fmt::format("M = {}: ceiling {:.3f}x", best.problem.M, best.ceiling)}});
      high = std::max(high, best.ceiling);
    }
  }
  if (tokens.empty()) return "";
  XyChart chart{.title = "Speed-up of merged",
                .x = log_axis_at("M (tokens)", tokens),
                .y = linear_axis("times as fast as three_kernel, 95 % interval", low, high),
                .series = {}};
  chart.guides.push_back({.points = {{chart.x.low, 1}, {chart.x.high, 1}}});
  if (!ceiling.points.empty()) chart.series.push_back(std::move(ceiling));
  chart.series.push_back(std::move(measured));
  return to_svg(chart);
}

}  // namespace moetune

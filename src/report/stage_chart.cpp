#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "chart/stacked_bars.h"
#include "report/charts.h"

namespace moetune {
namespace {

const char* colour_of(Stage stage) {
  switch (stage) {
    case Stage::route:
      return "c6";
    case Stage::gemm1:
      return "c2";
    case Stage::activate:
      return "c5";
    case Stage::gate:
      return "c1";
    case Stage::final:
      return "c3";
    case Stage::mlp:
      return "c1";
    case Stage::combine:
      return "c4";
  }
  return "c6";
}

}  // namespace

std::string stage_chart(const Report& report, const RowGroup& group) {
  StackedBars chart{.title = "Time of each stage",
                    .x_title = "M (tokens); left three_kernel, right merged",
                    .y_title = "% of three_kernel's time; lines: the whole pipeline",
                    .legend = {},
                    .groups = {}};
  std::map<std::int64_t, std::vector<const ReportRow*>> by_tokens;
  for (const ReportRow* row : group.rows)
    if (!row->best.stage_times.empty()) by_tokens[row->best.problem.M].push_back(row);
  std::map<Stage, bool> shown;
  for (const auto& [M, rows] : by_tokens) {
    const auto base =
        std::find_if(rows.begin(), rows.end(), [](auto* row) { return row->best.config.impl == Impl::three_kernel; });
    if (base == rows.end()) continue;
    const double whole_us = (*base)->best.time.median_us;
    StackedBars::Group& bars = chart.groups.emplace_back();
    bars.label = count_label(M);
    for (const ReportRow* row : rows) {
      StackedBars::Bar& bar = bars.bars.emplace_back();
      for (const auto& [stage, time] : row->best.stage_times) {
        shown[stage] = true;
        bar.pieces.push_back({.colour = colour_of(stage),
                              .value = 100 * time.median_us / whole_us,
                              .hint = {.text = fmt::format("{}, M = {}: {} takes {:.2f} µs of {:.2f} µs",
                                                           to_string(row->best.config.impl), M, to_string(stage),
                                                           time.median_us, row->best.time.median_us),
                                       .href = "#" + row_id(report, *row)}});
      }
      bar.whole = 100 * row->best.time.median_us / whole_us;
    }
  }
  if (chart.groups.empty()) return "";
  for (const auto& [stage, is_shown] : shown)
    chart.legend.push_back(
        {.name = std::string(to_string(stage)), .colour = colour_of(stage), .sign = LegendEntry::Sign::box});
  return to_svg(chart);
}

}  // namespace moetune

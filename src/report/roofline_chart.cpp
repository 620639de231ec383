#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "chart/xy_chart.h"
#include "problem/work.h"
#include "report/charts.h"

namespace moetune {
namespace {

struct Kind {
  Impl impl;
  Stage stage;
  const char* colour;
  XySeries::Look look;
};
// The first GEMM of both in one colour and the second in another: equally good GEMMs lie on each other.
constexpr std::array<Kind, 4> kKinds{{{Impl::three_kernel, Stage::gemm1, "c2", XySeries::Look::diamonds},
                                      {Impl::merged, Stage::gate, "c1", XySeries::Look::circles},
                                      {Impl::three_kernel, Stage::final, "c5", XySeries::Look::diamonds},
                                      {Impl::merged, Stage::final, "c3", XySeries::Look::circles}}};

}  // namespace

std::string roofline_chart(const Report& report, const RowGroup& group) {
  std::vector<XySeries> all;
  double low_x = 1e30, high_x = 0, low_y = 1e30, high_y = 0;
  Ceilings ceilings;
  for (const Kind& kind : kKinds) {
    XySeries series{.name = fmt::format("{} {}", to_string(kind.impl), to_string(kind.stage)),
                    .colour = kind.colour,
                    .look = kind.look,
                    .points = {}};
    for (const ReportRow* row : group.rows) {
      const Best& best = row->best;
      const auto time = best.stage_times.find(kind.stage);
      if (best.config.impl != kind.impl || time == best.stage_times.end()) continue;
      const Work work = stage_work(best.problem, kind.stage, best.load());
      const double intensity = work.flops / work.bytes, tflops = work.flops / time->second.median_us * 1e-6;
      const double roof = roofline_us(work, report.runs[row->run].ceilings);
      std::string hint = fmt::format("{}, M = {}: {} TFLOP/s at {} FLOP/byte, {:.2f} µs", series.name, best.problem.M,
                                     format_figure(tflops), format_figure(intensity), time->second.median_us);
      if (roof > 0) hint += fmt::format(", {:.0f} % of the roof", 100 * roof / time->second.median_us);
      series.points.push_back(
          {.x = intensity, .y = tflops, .hint = {.text = std::move(hint), .href = "#" + row_id(report, *row)}});
      low_x = std::min(low_x, intensity);
      high_x = std::max(high_x, intensity);
      low_y = std::min(low_y, tflops);
      high_y = std::max(high_y, tflops);
      ceilings = report.runs[row->run].ceilings;
    }
    if (!series.points.empty()) all.push_back(std::move(series));
  }
  if (all.empty()) return "";

  const double peak = ceilings.matrix_flops_per_s * 1e-12, slope = ceilings.read_bytes_per_s * 1e-12;
  low_x /= 1.6, high_x *= 1.6, low_y /= 1.6, high_y = std::max(high_y, peak) * 2;
  XyChart chart{.title = "Roofline, GEMM stages",
                .x = log_axis("FLOP per byte", low_x, high_x),
                .y = log_axis("TFLOP/s", low_y, high_y),
                .series = std::move(all)};
  if (peak > 0 && slope > 0) {
    GuideLine roof{.points = {}, .label = fmt::format("{:.0f} TFLOP/s, {:.2f} TB/s", peak, slope), .look = "roof"};
    const double ridge = peak / slope, from = std::max(low_x, low_y / slope);
    roof.points.emplace_back(from, std::min(peak, slope * from));
    if (ridge > from && ridge < high_x) roof.points.emplace_back(ridge, peak);
    roof.points.emplace_back(high_x, std::min(peak, slope * high_x));
    chart.guides.push_back(std::move(roof));
  }
  return to_svg(chart);
}

}  // namespace moetune

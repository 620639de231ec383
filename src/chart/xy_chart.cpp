#include "chart/xy_chart.h"

#include <algorithm>

#include <fmt/format.h>

namespace moetune {
namespace {

LegendEntry::Sign sign_of(XySeries::Look look) {
  switch (look) {
    case XySeries::Look::line:
      return LegendEntry::Sign::line;
    case XySeries::Look::dashed:
      return LegendEntry::Sign::dashed;
    case XySeries::Look::circles:
      return LegendEntry::Sign::circle;
    case XySeries::Look::diamonds:
      return LegendEntry::Sign::diamond;
  }
  return LegendEntry::Sign::line;
}

template <class Points, class X, class Y>
std::string path_of(const Points& points, X x, Y y) {
  std::string path;
  for (const auto& point : points) path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x(point), y(point));
  return path;
}

}  // namespace

std::string to_svg(const XyChart& chart) {
  Svg svg(chart.size.width, chart.size.height, chart.title);
  std::vector<LegendEntry> legend;
  if (chart.series.size() > 1)
    for (const XySeries& series : chart.series)
      legend.push_back({.name = series.name, .colour = series.colour, .sign = sign_of(series.look)});
  const Frame frame(svg, chart.size, chart.title, legend, chart.x, chart.y);

  for (const GuideLine& guide : chart.guides) {
    svg.path(path_of(
                 guide.points, [&](const auto& point) { return frame.x(point.first); },
                 [&](const auto& point) { return frame.y(point.second); }),
             guide.look);
    if (!guide.label.empty())
      svg.text(frame.right() - 2, frame.y(guide.points.back().second) - 5, guide.label, Anchor::end, "strong");
  }
  for (const XySeries& series : chart.series) {
    const bool has_line = series.look == XySeries::Look::line || series.look == XySeries::Look::dashed;
    if (has_line)
      svg.path(path_of(
                   series.points, [&](const XyPoint& point) { return frame.x(point.x); },
                   [&](const XyPoint& point) { return frame.y(point.y); }),
               (series.look == XySeries::Look::dashed ? "curve dashed " : "curve ") + series.colour);
    for (const XyPoint& point : series.points) {
      const double x = frame.x(point.x), y = frame.y(point.y);
      if (point.low && point.high) {
        const double low = std::max(*point.low, chart.y.low), high = std::min(*point.high, chart.y.high);
        svg.line(x, frame.y(low), x, frame.y(high), "bar " + series.colour);
        // An end that lies outside has no cap.
        if (low == *point.low) svg.line(x - 3, frame.y(low), x + 3, frame.y(low), "bar " + series.colour);
        if (high == *point.high) svg.line(x - 3, frame.y(high), x + 3, frame.y(high), "bar " + series.colour);
      }
      if (series.look == XySeries::Look::diamonds)
        svg.diamond(x, y, 5, "open " + series.colour, point.hint);
      else
        svg.circle(x, y, series.look == XySeries::Look::dashed ? 2 : 4, "mark " + series.colour, point.hint);
    }
  }
  return svg.str();
}

}  // namespace moetune

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "chart/frame.h"

namespace moetune {

struct XyPoint {
  double x = 0, y = 0;
  std::optional<double> low = {}, high = {};  ///< an interval of y; may reach beyond the axis, where it is cut
  Hint hint = {};
};

struct XySeries {
  enum class Look { line, dashed, circles, diamonds };  ///< `line` has circles too
  std::string name;
  std::string colour;  ///< class, "c1" … "c6"
  Look look = Look::line;
  std::vector<XyPoint> points;
};

/// A line across the plot that is no series.
struct GuideLine {
  std::vector<std::pair<double, double>> points;  ///< (x, y), in order
  std::string label = {};                         ///< written inside the plot, above the last point
  std::string look = "rule";                      ///< class: "rule", "roof"
};

struct XyChart {
  std::string title;
  Axis x, y;
  std::vector<XySeries> series;
  std::vector<GuideLine> guides = {};
  ChartSize size = {};
};

std::string to_svg(const XyChart& chart);

}  // namespace moetune

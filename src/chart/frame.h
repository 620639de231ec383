// What all charts with two axes have in common: title, legend, grid, tick labels.
#pragma once

#include <string>
#include <vector>

#include "chart/axis.h"
#include "chart/svg.h"

namespace moetune {

/// The size of a chart. Small enough for a telephone held upright, where it is shown nearly as large as drawn; wider
/// screens show several side by side.
struct ChartSize {
  double width = 330, height = 260;
};

/// An entry of a legend.
struct LegendEntry {
  enum class Sign { line, dashed, box, circle, diamond };
  std::string name;
  std::string colour;  ///< class, "c1" … "c6"
  Sign sign = Sign::line;
};

/// Draws everything but the data, and knows where values lie.
class Frame {
 public:
  Frame(Svg& svg, const ChartSize& size, std::string_view title, const std::vector<LegendEntry>& legend, Axis x,
        Axis y);

  double x(double value) const { return left_ + x_.position(value) * width_; }
  double y(double value) const { return top_ + (1 - y_.position(value)) * height_; }

  double left() const { return left_; }
  double right() const { return left_ + width_; }
  double top() const { return top_; }
  double bottom() const { return top_ + height_; }

 private:
  Axis x_, y_;
  double left_ = 0, top_ = 0, width_ = 0, height_ = 0;
};

}  // namespace moetune

#include "chart/heat_map.h"

#include <algorithm>

namespace moetune {

std::string to_svg(const HeatMap& chart) {
  constexpr double kMost = 0.6, kLeast = 0.06;  // of the colour: labels on it have to be read
  double best = chart.weakest;
  for (const auto& row : chart.cells)
    for (const auto& cell : row)
      if (cell) best = std::min(best, cell->value);

  Svg svg(chart.size.width, chart.size.height, chart.title);
  const Frame frame(svg, chart.size, chart.title, {}, category_axis(chart.x_title, chart.x_labels),
                    category_axis(chart.y_title, chart.y_labels));
  const double width = frame.x(1) - frame.x(0), height = frame.y(0) - frame.y(1);
  for (std::size_t j = 0; j < chart.cells.size(); ++j) {
    for (std::size_t i = 0; i < chart.cells[j].size(); ++i) {
      const double x = frame.x(static_cast<double>(i)), y = frame.y(static_cast<double>(j));
      const double left = x - width / 2 + 1, top = y - height / 2 + 1;
      const auto& cell = chart.cells[j][i];
      if (!cell) {
        svg.rectangle(left, top, width - 2, height - 2, "empty");
        continue;
      }
      const double strength = std::clamp((chart.weakest - cell->value) / (chart.weakest - best + 1e-9), 0.0, 1.0);
      svg.rectangle(left, top, width - 2, height - 2, "cell c1", cell->hint, kLeast + (kMost - kLeast) * strength);
      if (text_width(cell->label, kLabelSize) <= width - 4 && height >= kLabelSize + 4)
        svg.text(x, y + 4, cell->label, Anchor::middle, "strong label");
    }
  }
  return svg.str();
}

}  // namespace moetune

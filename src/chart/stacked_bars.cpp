#include "chart/stacked_bars.h"

#include <algorithm>

namespace moetune {

std::string to_svg(const StackedBars& chart) {
  std::vector<std::string> labels;
  double highest = 0;
  for (const StackedBars::Group& group : chart.groups) {
    labels.push_back(group.label);
    for (const StackedBars::Bar& bar : group.bars) {
      double sum = 0;
      for (const StackedBars::Piece& piece : bar.pieces) sum += piece.value;
      highest = std::max({highest, sum, bar.whole.value_or(0)});
    }
  }
  Svg svg(chart.size.width, chart.size.height, chart.title);
  const Frame frame(svg, chart.size, chart.title, chart.legend, category_axis(chart.x_title, labels),
                    linear_axis(chart.y_title, 0, highest));

  constexpr double kShare = 0.72;  // of a group's width that is bars
  for (std::size_t i = 0; i < chart.groups.size(); ++i) {
    const std::vector<StackedBars::Bar>& bars = chart.groups[i].bars;
    const double group_width = frame.x(1) - frame.x(0);
    const double width = kShare * group_width / static_cast<double>(std::max<std::size_t>(bars.size(), 1));
    double x = frame.x(static_cast<double>(i)) - kShare * group_width / 2;
    for (const StackedBars::Bar& bar : bars) {
      double sum = 0;
      for (const StackedBars::Piece& piece : bar.pieces) {
        const double top = frame.y(sum + piece.value);
        svg.rectangle(x + 0.5, top, width - 1, frame.y(sum) - top, "mark " + piece.colour, piece.hint);
        sum += piece.value;
      }
      if (bar.whole) svg.line(x - 1, frame.y(*bar.whole), x + width + 1, frame.y(*bar.whole), "whole");
      x += width;
    }
  }
  return svg.str();
}

}  // namespace moetune

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "chart/frame.h"

namespace moetune {

/// Values over two lists of labels: the lower, the stronger the colour.
struct HeatMap {
  struct Cell {
    double value = 0;
    std::string label;
    Hint hint = {};
  };

  std::string title, x_title, y_title;
  std::vector<std::string> x_labels, y_labels;          ///< y from below
  std::vector<std::vector<std::optional<Cell>>> cells;  ///< [y][x]; none where nothing is known
  double weakest = 2;                                   ///< value from which on there is hardly any colour
  ChartSize size = {};
};

std::string to_svg(const HeatMap& chart);

}  // namespace moetune

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "chart/frame.h"

namespace moetune {

/// Bars of pieces that lie on each other, in groups side by side.
struct StackedBars {
  struct Piece {
    std::string colour;  ///< class, "c1" … "c6"
    double value = 0;
    Hint hint = {};
  };
  struct Bar {
    std::vector<Piece> pieces;         ///< from below
    std::optional<double> whole = {};  ///< where a line is drawn: what they would add up to if nothing overlapped
  };
  struct Group {
    std::string label;
    std::vector<Bar> bars;
  };

  std::string title, x_title, y_title;
  std::vector<LegendEntry> legend;
  std::vector<Group> groups;
  ChartSize size = {};
};

std::string to_svg(const StackedBars& chart);

}  // namespace moetune

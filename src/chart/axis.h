#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace moetune {

/// A value on an axis that has a line and a label.
struct Tick {
  double value = 0;
  std::string label;

  bool operator==(const Tick&) const = default;
};

/// One direction of a plot: which values it spans, and what is written beside it.
struct Axis {
  std::string title;  ///< with the unit: "M (tokens)"
  double low = 0, high = 1;
  bool logarithmic = false;
  std::vector<Tick> ticks;

  /// Where a value lies between low (0) and high (1); outside of them beyond.
  double position(double value) const;
};

/// From a round number at or below `low` to one at or above `high`, with a tick at each step of 1, 2 or 5 times a power
/// of ten; about `ticks` of them.
Axis linear_axis(std::string title, double low, double high, int ticks = 5);

/// Spans the values, which are above 0, with a tick at each power of ten, or, for less than two powers, of two.
Axis log_axis(std::string title, double low, double high);

/// "4096", "16k": from 16384 on multiples of 1024 are counted in these.
std::string count_label(std::int64_t count);

/// Logarithmic, with a tick at each of these counts and some room at either end. In order, above 0.
Axis log_axis_at(std::string title, const std::vector<double>& counts);

/// One place for each label, in order: positions are 0, 1, 2, ….
Axis category_axis(std::string title, const std::vector<std::string>& labels);

/// Those of an axis `length` pixels long whose labels do not touch; the first always, then as many as there is room
/// for.
std::vector<Tick> ticks_with_room(const Axis& axis, double length);

}  // namespace moetune

#pragma once

#include <span>
#include <string>
#include <vector>

namespace moetune {

/// A sample of times and its 95 % interval of the median (order statistics). No sample is ever deleted.
struct Summary {
  double median_us = 0;
  double ci_low_us = 0, ci_high_us = 0;
  double min_us = 0, p10_us = 0, p90_us = 0;
  int n = 0;
  std::string stopped_by;  ///< "interval" or "cap"

  bool operator==(const Summary&) const = default;
};

Summary summarise(std::span<const double> samples_us);

/// The ratio of two medians with a 95 % bootstrap interval over rounds (pairs of per-round medians).
struct Ratio {
  double value = 0, low = 0, high = 0;

  bool operator==(const Ratio&) const = default;
};

/// times[i] and others[i] are medians of round i: value = geometric mean of others/times, i.e. how many times as fast.
Ratio speedup(std::span<const double> times, std::span<const double> others);

}  // namespace moetune
